"""Imports from another Glance whose worker is killed. Keystone is real; the other Glance is a web server."""

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.keystone import Keystone, find_keystone
from tests.clients.process import as_text, behind
from tests.faults.importing import another, begin, check_imports, failed_tasks, import_options, jobs, slowly
from tests.faults.promises import RAW, new_image
from tests.server import running
from tests.sources import Source, serving

pytestmark = [pytest.mark.faults, pytest.mark.services]

SEED = 9292

# So many imports must have been torn.
MOMENTS = int(os.environ.get("GLIMPSE_KILLS", "30")) // 5
MOST_ROUNDS = 10 + MOMENTS
EACH = 3


@pytest.fixture
def keystone() -> Keystone:
    found = find_keystone()
    if found is None:
        pytest.skip("Keystone is not running; start it with: make services")
    return found


@pytest.fixture
def glance() -> Iterator[Source]:
    with serving() as source:
        yield source


def add_image(glance: Source, identity: str, data: bytes) -> None:
    """Let the other Glance have an active image, whose data takes its time."""
    document = {"id": identity, "status": "active", "size": len(data), "os_distro": "debian", **RAW}
    body = json.dumps(document).encode()
    glance.pages[f"/v2/images/{identity}"] = lambda handler: handler.reply(200, body)
    glance.pages[f"/v2/images/{identity}/file"] = slowly(data)


def test_killed(tmp_path: Path, keystone: Keystone, glance: Source) -> None:
    chance = random.Random(SEED)
    state = tmp_path / "glimpse"
    more = "[DEFAULT]\nenabled_import_methods = [glance-download]\n" + as_text(behind(keystone.url))
    known: dict[str, bytes] = {}
    torn: set[str] = set()
    with (
        keystone.own_region() as own,
        own.endpoints("image", glance.url("")),
        running(state, import_options(state, more), keystone.token()) as server,
        server.client() as api,
    ):
        for number in itertools.count():
            assert number < MOST_ROUNDS
            with another(server, f"victim-{number}") as victim, victim.client() as theirs:
                for _ in range(EACH):
                    known[image := new_image(api)] = data = chance.randbytes(1_000_000)
                    add_image(glance, image, data)
                    source = {"glance_region": own.region, "glance_image_id": image}
                    begin(theirs, image, {"method": {"name": "glance-download", **source}})
                time.sleep(chance.uniform(0.02, 0.35))
                victim.kill()
            torn |= jobs(state)
            if len(torn) >= MOMENTS:
                break
        images = check_imports(server, known)
        # The next victims may have had the same job, and died too, until nobody tried again.
        unlucky = {image for image in known if failed_tasks(api, [image])}
        assert len(unlucky) < len(known) / 2
        for image in known.keys() - unlucky:
            assert (images[image]["status"], images[image]["os_distro"]) == ("active", "debian")
