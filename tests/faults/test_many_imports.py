"""More imports at once than one process does side by side."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.importing import begin, check_imports, import_options, jobs, method, slowly, stage, web
from tests.faults.promises import new_image, show, wait_until
from tests.server import Server, running
from tests.sources import Source, serving

pytestmark = pytest.mark.faults

IMPORTS = 100


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    state = tmp_path / "glimpse"
    with running(state, import_options(state)) as started:
        yield started


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


def prepare(api: httpx.Client, source: Source, number: int) -> tuple[str, bytes, dict[str, object]]:
    """An image, the data that it shall have, and the import that is to be asked for."""
    data = random.Random(number).randbytes(10_000 + 1_000 * number)
    if number % 2:
        return stage(api, data), data, method("glance-direct", stores=["two"])
    image = new_image(api)
    source.pages[f"/{image}"] = slowly(data, pieces=4)
    return image, data, web(source.url(f"/{image}"), stores=["one", "two"])


def test_hundred_at_once(server: Server, api: httpx.Client, source: Source) -> None:
    """All are done, and the images can be seen meanwhile."""
    with ThreadPoolExecutor(8) as pool:
        wanted = list(pool.map(partial(prepare, api, source), range(IMPORTS)))
        known = {image: data for image, data, _ in wanted}
        asked = [pool.submit(begin, api, image, one) for image, _, one in wanted]
        busy = 0
        for one, image in zip(asked, known, strict=True):
            one.result()
            assert show(api, image)["status"] in ("importing", "active")
            busy = max(busy, len(jobs(server.state)))
        while left := jobs(server.state):
            for image in left:
                assert show(api, image)["status"] in ("importing", "active")
        assert busy > 1
    wait_until("all are active", lambda: not jobs(server.state))
    images = check_imports(server, known)
    assert {image["status"] for image in images.values()} == {"active"}
    assert images.keys() == known.keys()
