"""The steps of an import: each by itself, in their order, and those of other packages."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glimpse.domain.errors import Invalid, LimitExceeded, UnsupportedContent
from glimpse.domain.image import Image, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.imports.steps import Draft, Step, StepOptions, make_steps
from glimpse.transfer.threads import Crew, Threads
from tests.unit.world import MISSING, NOON, run

DATA = (b"some words " * 5000 + os.urandom(50_000)).ljust(1024 * 1024, b"\0")
MORE = {"colour": "red", "os_glance_stage_host": "x"}

with_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture
def options(tmp_path: Path) -> Iterator[StepOptions]:
    with ThreadPoolExecutor(4) as data:
        yield StepOptions(Threads(Crew(2, "records"), data), tmp_path / "scratch", 64 * 1024 * 1024, MORE)


def drafted(disk_format: str = "raw", container_format: str = "bare", *roles: str) -> Draft:
    image = Image(MISSING, ImageStatus.IMPORTING, Visibility.SHARED, NOON, NOON)
    return Draft(image, frozenset(roles), disk_format, container_format)


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]


def through(steps: tuple[Step, ...], draft: Draft, data: bytes) -> bytes:
    """What comes out."""

    async def work() -> bytes:
        stream: AsyncIterator[bytes] = pieces(data)
        for step in steps:
            stream = step.run(draft, stream)
        return b"".join([chunk async for chunk in stream])

    return run(work(), 60)


def left(options: StepOptions) -> list[Path]:
    """What there is in the scratch folder."""
    return list(options.scratch.iterdir()) if options.scratch.exists() else []


def qcow2(folder: Path) -> bytes:
    """The data as a disk of this format."""
    source, target = folder / "disk", folder / "disk.qcow2"
    source.write_bytes(DATA)
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


def test_no_steps_change_nothing(options: StepOptions) -> None:
    draft = drafted()
    assert make_steps([], options) == ()
    assert through(make_steps(["no_op"], options), draft, DATA) == DATA
    assert draft == drafted()


def test_properties_are_injected(options: StepOptions) -> None:
    steps = make_steps(["inject_image_metadata"], options)
    draft = drafted("raw", "bare", "member")
    assert through(steps, draft, DATA) == DATA
    assert draft.properties == {"colour": "red"}


def test_some_are_spared_of_properties(options: StepOptions) -> None:
    draft = drafted("raw", "bare", "member", "admin")
    through(make_steps(["inject_image_metadata"], options), draft, b"")
    assert draft.properties == {}


@pytest.mark.parametrize(
    ("container", "data", "result"),
    [
        ("bare", gzip.compress(DATA), DATA),
        ("bare", DATA, DATA),
        ("bare", b"", b""),
        ("compressed", gzip.compress(DATA, mtime=1), gzip.compress(DATA, mtime=1)),
    ],
)
def test_decompression(options: StepOptions, container: str, data: bytes, result: bytes) -> None:
    assert through(make_steps(["image_decompression"], options), drafted("raw", container), data) == result


@with_qemu
def test_conversion(options: StepOptions, tmp_path: Path) -> None:
    draft = drafted("qcow2", "compressed")
    assert through(make_steps(["image_conversion"], options), draft, qcow2(tmp_path)) == DATA
    assert (draft.disk_format, draft.container_format, left(options)) == ("raw", "bare", [])


@pytest.mark.parametrize("disk_format", ["raw", "iso"])
def test_what_is_not_converted(options: StepOptions, disk_format: str) -> None:
    draft = drafted(disk_format)
    assert through(make_steps(["image_conversion"], options), draft, DATA) == DATA
    assert (draft.disk_format, left(options)) == (disk_format, [])


@with_qemu
def test_a_conversion_that_fails_leaves_nothing(options: StepOptions) -> None:
    draft = drafted("qcow2")
    with pytest.raises(UnsupportedContent):
        through(make_steps(["image_conversion"], options), draft, DATA)
    assert (draft.disk_format, left(options)) == ("qcow2", [])


@with_qemu
def test_steps_come_in_their_order(options: StepOptions, tmp_path: Path) -> None:
    data = gzip.compress(qcow2(tmp_path))
    right, wrong = ["image_decompression", "image_conversion"], ["image_conversion", "image_decompression"]
    assert through(make_steps(right, options), drafted("qcow2"), data) == DATA
    with pytest.raises(UnsupportedContent):
        through(make_steps(wrong, options), drafted("qcow2"), data)


def test_which_may_change_bytes(options: StepOptions) -> None:
    names = ["no_op", "inject_image_metadata", "image_decompression", "image_conversion"]
    assert [step.transforms for step in make_steps(names, options)] == [False, False, True, True]


def test_a_name_that_no_step_has(options: StepOptions) -> None:
    with pytest.raises(Invalid, match="no_op") as refused:
        make_steps(["no_op", "polish"], options)
    assert (refused.value.field, "'polish'" in refused.value.reason) == ("image_import_plugins", True)


POLISHING = '''
"""A step of another package: it shouts, but for as much as it may."""

from glimpse.domain.errors import LimitExceeded
from glimpse.imports.steps import Step


def make(options):
    async def louder(stream):
        size = 0
        async for chunk in stream:
            size += len(chunk)
            if size > options.image_size_cap:
                raise LimitExceeded("polish", options.image_size_cap, size, "bytes")
            yield chunk.upper()

    def run(draft, stream):
        draft.properties["polished"] = "yes"
        return louder(stream)

    return Step(run, transforms=True)
'''


@pytest.fixture
def polish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that brings a step."""
    facts = tmp_path / "site" / "polish-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: polish\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[glimpse.import_steps]\npolish = polishing:make\n")
    (facts.parent / "polishing.py").write_text(POLISHING)
    monkeypatch.syspath_prepend(str(facts.parent))
    yield
    sys.modules.pop("polishing", None)


@pytest.mark.usefixtures("polish")
def test_a_step_of_another_package(options: StepOptions) -> None:
    draft = drafted()
    steps = make_steps(["image_decompression", "polish"], options)
    assert through(steps, draft, gzip.compress(b"words")) == b"WORDS"
    assert (draft.properties, steps[1].transforms) == ({"polished": "yes"}, True)
    with pytest.raises(LimitExceeded):
        through(steps, draft, gzip.compress(bytes(options.image_size_cap + 1)))
