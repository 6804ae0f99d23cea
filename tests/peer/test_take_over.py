"""One database and one store folder, served in turn by upstream Glance and by us: nobody notices.

Upstream makes and fills it; we serve it and write; upstream serves what we wrote and writes; we serve that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.keystone import Keystone
from tests.clients.process import Options, Running, behind, glance_api, merged
from tests.peer.catalog import Answer, People, differences, edit, fill, people, survey
from tests.peer.upstream import Upstream
from tests.server import free_port

pytestmark = [pytest.mark.services, pytest.mark.clients]

Configure = Callable[[str, Options], Upstream]


@dataclass
class Story:
    """What both saw at each turn, and the ids of the images of each hand."""

    manage: Upstream
    images: dict[str, Mapping[str, str]] = field(default_factory=dict)
    seen: dict[str, dict[str, Answer]] = field(default_factory=dict)

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
    access = behind(keystone.url)
    theirs = upstream(their_url, access)
    theirs.manage("db", "sync")
    theirs.manage("db", "load_metadefs", str(theirs.definitions))
    who = people(keystone)
    told = Story(theirs)
    ours = tmp_path_factory.mktemp("ours")
    options = merged(access, ours_on(our_url, theirs.folder / "images"))

    with theirs.running() as server:
        told.images["theirs"] = fill(server, who, "theirs")
        told.see("upstream filled", server, who)
    with glance_api(ours, free_port(), options) as server:
        told.see("we took over", server, who)
        told.images["ours"] = fill(server, who, "ours")
        edit(server, who, told.images["theirs"], "theirs")
        told.see("we wrote", server, who)
    with theirs.running() as server:
        told.see("upstream took over", server, who)
        edit(server, who, told.images["ours"], "ours")
        told.see("upstream wrote", server, who)
    with glance_api(ours, free_port(), options) as server:
        told.see("we came back", server, who)
    return told


def ours_on(url: str, images: Path) -> Options:
    """Upstream's database and its store, for us."""
    return {"database": {"connection": url}, "glance_store": {"filesystem_store_datadir": images}}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("upstream filled", "we took over"),
        ("we wrote", "upstream took over"),
        ("upstream wrote", "we came back"),
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
    seen, made = story.seen["we came back"], story.images[hand]
    plain = seen[f"demo /v2/images/{made['plain']}"][1]
    assert (plain["name"], plain["tags"]) == (f"{hand}-renamed", ["four", "two ♫"])
    assert (plain["os_distro"], plain["new"], "empty" in plain) == ("fedora", "✓", False)
    assert seen[f"demo /v2/images/{made['deleted']}"][0] == 404
    assert seen[f"demo /v2/images/{made['protected']}"][0] == 404
    assert seen[f"demo /v2/images/{made['queued']}/file"][0] == 200
    assert seen[f"demo2 /v2/images/{made['shared']}/file"][0] == 200
    assert seen[f"reader /v2/images/{made['private']}"][0] == 404


def test_upstream_finds_its_schema(story: Story) -> None:
    story.manage.manage("db", "sync")
