"""No wrong data comes to its end."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from glimpse.compute.checks import Damaged
from glimpse.compute.images import RemoteImage
from glimpse.domain.errors import Unavailable
from glimpse.replication.data import Verified

CHUNKS = [b"one", b"two", b"three"]
DATA = b"".join(CHUNKS)
IMAGE = RemoteImage(
    "1",
    "active",
    size=len(DATA),
    checksum=hashlib.md5(DATA).hexdigest(),
    os_hash_algo="sha256",
    os_hash_value=hashlib.sha256(DATA).hexdigest(),
)


def given(body: Verified) -> Iterator[bytes]:
    """What of the data comes out, until it is refused."""
    with suppress(Damaged):
        yield from body
        pytest.fail("it was not refused")


def test_the_right_data_comes_whole() -> None:
    body = Verified(IMAGE, CHUNKS)
    assert len(body) == len(DATA)
    assert list(body) == CHUNKS


def test_it_comes_once() -> None:
    body = Verified(IMAGE, CHUNKS)
    list(body)
    with pytest.raises(Unavailable):
        list(body)


def test_no_data_is_data() -> None:
    assert list(Verified(RemoteImage("1", "active", size=0), [])) == []


@pytest.mark.parametrize(
    "chunks", [[b"one", b"two", b"threE"], [*CHUNKS, b"x"], [*CHUNKS[:2], b"threE", b""], CHUNKS[:2], []]
)
@pytest.mark.parametrize("lacking", [{}, {"os_hash_value": None}, {"os_hash_algo": "shake_128"}])
def test_the_end_of_wrong_data_is_held_back(chunks: list[bytes], lacking: dict[str, str | None]) -> None:
    image = replace(IMAGE, **lacking)  # type: ignore[arg-type]
    assert len(b"".join(given(Verified(image, chunks)))) < len(DATA)
