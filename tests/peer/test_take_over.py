"""One database and one store folder, served by upstream Glance, by both, and by upstream again.

Upstream makes and fills it, with the schema of 2023.1. While it serves, our `db sync` upgrades it.
Both serve side by side and change what the other wrote. Then we are gone, and nothing is lost.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.keystone import Keystone
from tests.clients.process import Options, Running, behind, glance_api, merged, write
from tests.peer.catalog import Answer, People, differences, edit, fill, people, survey
from tests.peer.upstream import Upstream
from tests.server import free_port

pytestmark = [pytest.mark.services, pytest.mark.clients]

# Kept so in one of the databases.
ENCRYPTED: Options = {"DEFAULT": {"metadata_encryption_key": "0123456789abcdef"}}

Configure = Callable[[str, Options], Upstream]


@dataclass
class Story:
    """What both saw at each turn, and the ids of the images of each hand."""

    manage: Upstream
    images: dict[str, Mapping[str, str]] = field(default_factory=dict)
    seen: dict[str, dict[str, Answer]] = field(default_factory=dict)
    synced: str = ""

    def see(self, turn: str, server: Running, who: People) -> None:
        """Keep all that everybody sees now."""
        ids = [identity for made in self.images.values() for identity in made.values()]
        names = [f"{prefix}-{number}" for prefix in self.images for number in ("one", "two")]
        self.seen[turn] = survey(server, who, ids, [*names, "OS::Compute::Hypervisor"])


@pytest.fixture(scope="module")
def story(
    database: tuple[str, str],
    keystone: Keystone,
    upstream: Configure,
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    """All turns, played once for each database."""
    our_url, their_url = database
    access = merged(behind(keystone.url), ENCRYPTED if "mysql" in our_url else {})
    theirs = upstream(their_url, access)
    theirs.manage("db", "upgrade", "--version", "2023_1_contract01")
    theirs.manage("db", "load_metadefs", str(theirs.definitions))
    who = people(keystone)
    told = Story(theirs)
    ours = tmp_path_factory.mktemp("ours")
    options = merged(access, ours_on(our_url, theirs.folder / "images"))

    with theirs.running() as server:
        told.images["theirs"] = fill(server, who, "theirs")
        told.see("upstream filled", server, who)
        told.synced = db_sync(ours, options)
        with glance_api(ours, free_port(), options) as our_server:
            told.see("we came", our_server, who)
            told.images["ours"] = fill(our_server, who, "ours")
            edit(our_server, who, told.images["theirs"], "theirs")
            told.see("we wrote", our_server, who)
            told.see("upstream read that", server, who)
            edit(server, who, told.images["ours"], "ours")
            told.see("upstream wrote", server, who)
            told.see("we read that", our_server, who)
    with theirs.running() as server:
        told.see("back at upstream", server, who)
    return told


def db_sync(folder: Path, options: Options) -> str:
    """What our `glance-manage db sync` says; it must succeed."""
    write(folder / "glance-manage.conf", options)
    program = Path(sys.executable).with_name("glance-manage")
    command: list[str | Path] = [program, "--config-file", folder / "glance-manage.conf", "db", "sync"]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ours_on(url: str, images: Path) -> Options:
    """Upstream's database and its store, for us."""
    return {"database": {"connection": url}, "glance_store": {"filesystem_store_datadir": images}}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("upstream filled", "we came"),
        ("we wrote", "upstream read that"),
        ("upstream wrote", "we read that"),
        ("upstream wrote", "back at upstream"),
    ],
)
def test_the_next_sees_the_same(story: Story, writer: str, reader: str) -> None:
    before, after = story.seen[writer], story.seen[reader]
    assert len(before) > 250
    unequal = [
        f"{path}{difference}" for path in before for difference in differences(before[path], after[path])
    ]
    assert not unequal, "\n".join(unequal)


@pytest.mark.parametrize("hand", ["theirs", "ours"])
def test_what_was_written_is_there(story: Story, hand: str) -> None:
    seen, made = story.seen["back at upstream"], story.images[hand]
    plain = seen[f"demo /v2/images/{made['plain']}"][1]
    assert (plain["name"], plain["tags"]) == (f"{hand}-renamed", ["four", "two ♫"])
    assert (plain["os_distro"], plain["new"], "empty" in plain) == ("fedora", "✓", False)
    assert seen[f"demo /v2/images/{made['deleted']}"][0] == 404
    assert seen[f"demo /v2/images/{made['protected']}"][0] == 404
    assert seen[f"demo /v2/images/{made['queued']}/file"][0] == 200
    assert seen[f"demo2 /v2/images/{made['shared']}/file"][0] == 200
    assert seen[f"reader /v2/images/{made['private']}"][0] == 404


def test_the_schema_is_that_of_both(story: Story) -> None:
    assert "make the table cached_images" in story.synced
    assert "No migrations needed" in story.manage.manage("db", "sync")
