"""Published attacks and broken sources, met by an import: each ends with its reason and leaves nothing."""

import gzip
import io
import zipfile

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.test_imports import RULES, begin, in_the_end, task_of
from tests.api.world import ALICE, Client
from tests.museum.exhibits import qcow2, qed, vmdk, vmdk_descriptor
from tests.sources import DATA, Page, Source, chunked, redirecting, shortened

STEPS = "[image_import_opts]\nimage_import_plugins = [image_decompression, image_conversion]\n"
CAP = "[DEFAULT]\nimage_size_cap = 2000000\n"
PASSWD = 'RW 2048 FLAT "/etc/passwd" 0'


def a_zip(*members: str) -> bytes:
    """An archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member in members:
            archive.writestr(member, DATA)
    return file.getvalue()


def giving(data: bytes) -> Page:
    """A page with this data."""
    return lambda handler: handler.reply(200, data)


def elsewhere(host: str) -> Page:
    """A page that leads to the same server, or so it says, by another name."""
    return lambda handler: handler.reply(302, Location=f"http://{host}:{handler.server.server_port}/image")


# What is imported, as which format, and a word of the reason.
SOURCES: dict[str, tuple[Page, str, str]] = {
    "redirect to metadata": (redirecting("http://169.254.169.254/latest/meta-data/"), "raw", "url"),
    "redirect to metadata, decimal": (redirecting("http://2852039166/latest/"), "raw", "url"),
    "redirect to ::1": (elsewhere("[::1]"), "raw", "url"),
    "redirect, mapped": (elsewhere("[::ffff:127.0.0.1]"), "raw", "url"),
    "redirect, decimal": (elsewhere("2130706433"), "raw", "url"),
    "redirect, octal": (elsewhere("0177.0.0.1"), "raw", "url"),
    "redirect to a file": (redirecting("file:///etc/passwd"), "raw", "url"),
    "truncated": (shortened, "raw", ""),
    "truncated in chunks": (chunked(DATA[:70_000], end=b""), "raw", ""),
    "more than was said": (chunked(DATA, Content_Length="1000"), "raw", ""),
    "less than was said": (chunked(DATA, Content_Length=str(len(DATA) + 1)), "raw", ""),
    "backing file": (giving(qcow2(backing=b"/etc/passwd")), "qcow2", ""),
    "backing file, as raw": (giving(qcow2(backing=b"/etc/passwd")), "raw", ""),
    "data file": (giving(qcow2(data_file=b"/etc/shadow")), "qcow2", ""),
    "data file, by its bit": (giving(qcow2(features=4)), "qcow2", ""),
    "foreign extents": (giving(vmdk("monolithicFlat", PASSWD)), "vmdk", ""),
    "foreign extents, permitted type": (giving(vmdk("monolithicSparse", PASSWD)), "vmdk", ""),
    "descriptor alone": (giving(vmdk_descriptor("monolithicFlat", PASSWD)), "vmdk", ""),
    "qed": (giving(qed()), "raw", ""),
}
PACKED: dict[str, tuple[Page, str, str]] = {
    "bomb": (giving(gzip.compress(bytes(100_000_000))), "raw", "image_size_cap"),
    "two members": (giving(a_zip("one", "two")), "raw", "zip"),
    "no member": (giving(a_zip()), "raw", ""),
    "torn": (giving(gzip.compress(DATA)[:-50]), "raw", "gzip"),
    "packed backing file": (giving(gzip.compress(qcow2(backing=b"/etc/passwd"))), "qcow2", ""),
    "packed data file, as raw": (giving(gzip.compress(qcow2(data_file=b"/etc/shadow"))), "raw", ""),
}


def check_refusal(client: Client, source: Source, exhibit: tuple[Page, str, str]) -> None:
    """The import fails with its reason, and neither image, store, scratch nor records have anything of it."""
    page, disk_format, word = exhibit
    source.pages["/exhibit"] = page
    image, asked = client.create(disk_format=disk_format), len(source.requests)
    answer = begin(client, image, "web-download", uri=source.url("/exhibit"))
    assert answer.status_code == 202, answer.text
    document = in_the_end(client, image)
    task = task_of(client, image)
    assert (document["status"], document["size"], task["status"]) == ("queued", None, "failure")
    assert task["message"]
    assert "internal" not in task["message"]
    assert word in task["message"]
    # No redirect was followed.
    assert {line.split(" ")[1] for line in source.requests[asked:]} == {"/exhibit"}
    world = client.world
    records, scratch = world.service.catalog.records, world.settings.scratch_folder
    assert world.files() == []
    assert not scratch.exists() or list(scratch.iterdir()) == []
    assert (records.intents.expired(1e12, 10), records.jobs.page(10)) == ([], [])
    assert world.usage("a") == 0


@pytest.mark.parametrize("name", SOURCES)
def test_as_it_comes(make_world: MakeWorld, source: Source, name: str) -> None:
    check_refusal(make_world(CAP + RULES).client(ALICE), source, SOURCES[name])


@pytest.mark.parametrize("name", SOURCES | PACKED)
def test_through_steps(make_world: MakeWorld, source: Source, name: str) -> None:
    check_refusal(make_world(CAP + RULES + STEPS).client(ALICE), source, (SOURCES | PACKED)[name])


def test_harmless_data_is_welcome(make_world: MakeWorld, source: Source) -> None:
    """What refuses the attacks lets data pass that was packed in the same ways."""
    client = make_world(CAP + RULES + STEPS).client(ALICE)
    for data in (DATA, gzip.compress(DATA), a_zip("one")):
        source.pages["/harmless"] = giving(data)
        image = client.create()
        assert begin(client, image, "web-download", uri=source.url("/harmless")).status_code == 202
        assert in_the_end(client, image)["status"] == "active"
        assert client.data(image["id"]).content == DATA
