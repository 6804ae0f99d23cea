from pathlib import Path

import pytest

from glimpse.config.backends.sheepdog import SheepdogBackend
from glimpse.config.settings import read_settings
from glimpse.domain.errors import Invalid


def backend(folder: Path, lines: str) -> object:
    path = folder / "glimpse.conf"
    path.write_text(
        f"[DEFAULT]\nenabled_backends = s:sheepdog\n[glance_store]\ndefault_backend = s\n[s]\n{lines}"
    )
    settings = read_settings([str(path)], state_dir=folder)
    return next(store.backend for store in settings.stores if store.id == "s")


def test_defaults(tmp_path: Path) -> None:
    assert backend(tmp_path, "") == SheepdogBackend("127.0.0.1", 7000, 16 * 2**20)


def test_options(tmp_path: Path) -> None:
    found = backend(
        tmp_path,
        "sheepdog_store_address = sheep\nsheepdog_store_port = 7001\nsheepdog_store_chunk_size = 64\n",
    )
    assert found == SheepdogBackend("sheep", 7001, 64 * 2**20)
    assert isinstance(found, SheepdogBackend)
    assert found.properties() == {"address": "sheep", "port": 7001, "chunk_size": 64 * 2**20}
    assert found.open("s").schemes == ("sheepdog",)


@pytest.mark.parametrize(
    ("lines", "option"),
    [
        ("sheepdog_store_address = ::1\n", "sheepdog_store_address"),
        ("sheepdog_store_address =\n", "sheepdog_store_address"),
        ("sheepdog_store_port = 70000\n", "sheepdog_store_port"),
        ("sheepdog_store_chunk_size = 0\n", "sheepdog_store_chunk_size"),
        ("sheepdog_store_chunk_size = many\n", "sheepdog_store_chunk_size"),
    ],
)
def test_values_that_will_not_do(tmp_path: Path, lines: str, option: str) -> None:
    with pytest.raises(Invalid, match=option):
        backend(tmp_path, lines)
