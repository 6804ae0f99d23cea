"""Conversions by the real qemu-img, of images that are right and of such as would reach for other files."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from glimpse.domain.errors import LimitExceeded, Unavailable, UnsupportedContent
from glimpse.transfer.confined import Ended, Limits, run_confined
from glimpse.transfer.conversion import GIB, MIB, READABLE, Converted, convert
from glimpse.transfer.inspection import Findings
from glimpse.transfer.threads import Crew, Threads

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")

CONTENT = (b"some words " * 6000 + os.urandom(100_000)).ljust(3 * MIB, b"\0")
ROOMY = Limits(memory=GIB, cpu=None, file=MIB, wall=None)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with ThreadPoolExecutor(2) as data:
        yield Threads(Crew(2, "records"), data)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "source.raw"
    path.write_bytes(CONTENT)
    return path


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


def made(folder: Path, kind: str, *options: str) -> Path:
    """An image of 3 MiB; `options` come before its name."""
    path = folder / f"made.{kind}"
    qemu_img("create", "-f", kind, *options, path, "3M")
    return path


def convert_now(
    threads: Threads, source: Path, source_format: str, target_format: str, **more: Any
) -> Converted:
    target = source.with_name("target")
    more = {"largest": 100 * MIB, **more}
    return asyncio.run(convert(threads, source, source_format, target, target_format, **more))


def refuse(threads: Threads, source: Path, source_format: str, **more: Any) -> str:
    with pytest.raises(UnsupportedContent) as refused:
        convert_now(threads, source, source_format, "raw", **more)
    assert not source.with_name("target").exists()
    assert str(source.parent) not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("middle", ["qcow2", "vmdk", "vhdx", "vdi"])
def test_there_and_back(threads: Threads, raw: Path, middle: str) -> None:
    told: list[float] = []
    there = convert_now(threads, raw, "raw", middle, progress=told.append)
    target = raw.with_name("target")
    assert there == Converted(target.stat().st_size, 3 * MIB)
    assert told[-1] == 1.0
    assert told == sorted(told)
    image = target.rename(raw.with_name("image"))
    back = convert_now(threads, image, middle, "raw")
    assert back == Converted(3 * MIB, 3 * MIB)
    assert target.read_bytes() == CONTENT


def test_vhd(threads: Threads, raw: Path) -> None:
    """Its sizes are those of cylinders."""
    there = convert_now(threads, raw, "raw", "vhd")
    image = raw.with_name("target").rename(raw.with_name("image"))
    back = convert_now(threads, image, "vhd", "raw")
    assert there.virtual_size == back.virtual_size == back.size >= 3 * MIB
    assert raw.with_name("target").read_bytes()[: 3 * MIB] == CONTENT


def test_ploop(threads: Threads, raw: Path) -> None:
    qemu_img("convert", "-O", "parallels", raw, raw.with_name("image"))
    convert_now(threads, raw.with_name("image"), "ploop", "raw")
    assert raw.with_name("target").read_bytes()[: 3 * MIB] == CONTENT


@pytest.mark.parametrize("kind", ["monolithicSparse", "streamOptimized"])
def test_vmdk_types_that_are_allowed(threads: Threads, raw: Path, kind: str) -> None:
    image = raw.with_name("image")
    qemu_img("convert", "-O", "vmdk", "-o", f"subformat={kind}", raw, image)
    convert_now(threads, image, "vmdk", "raw")
    assert raw.with_name("target").read_bytes() == CONTENT
    raw.with_name("target").unlink()
    assert kind in refuse(threads, image, "vmdk", vmdk_types=())


def test_holes_stay_holes(threads: Threads, tmp_path: Path) -> None:
    source = made(tmp_path, "qcow2")
    qemu_img("resize", source, "50M")
    assert convert_now(threads, source, "qcow2", "raw") == Converted(50 * MIB, 50 * MIB)
    assert source.with_name("target").stat().st_blocks * 512 < MIB


@pytest.mark.parametrize(
    ("source_format", "target_format"),
    [
        ("ami", "raw"),
        ("luks", "raw"),
        ("qed", "raw"),
        ("raw", "iso"),
        ("raw", "ploop"),
        ("raw", "vpc"),
        ("", ""),
    ],
)
def test_formats_that_cannot_be_converted(
    threads: Threads, raw: Path, source_format: str, target_format: str
) -> None:
    with pytest.raises(UnsupportedContent, match="cannot be converted"):
        convert_now(threads, raw, source_format, target_format)


def blind(source: Path) -> Findings:
    """What an inspection that notices nothing would find: qemu-img's own answer must do."""
    return Findings({source.suffix[1:]: 3 * MIB}, source.stat().st_size)


def test_a_backing_file(threads: Threads, raw: Path) -> None:
    source = made(raw.parent, "qcow2", "-b", str(raw), "-F", "raw")
    assert "backing_file" in refuse(threads, source, "qcow2")
    assert "backing file" in refuse(threads, source, "qcow2", findings=blind(source))


def test_a_data_file(threads: Threads, raw: Path) -> None:
    source = made(raw.parent, "qcow2", "-o", f"data_file={raw.parent / 'data'},data_file_raw=on")
    assert "data_file" in refuse(threads, source, "qcow2")
    assert "data file" in refuse(threads, source, "qcow2", findings=blind(source))


@pytest.mark.parametrize("kind", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_a_vmdk_of_other_files(threads: Threads, raw: Path, kind: str) -> None:
    source = made(raw.parent, "vmdk", "-o", f"subformat={kind}")
    assert "safety checks" in refuse(threads, source, "vmdk")
    assert kind in refuse(threads, source, "vmdk", findings=blind(source))
    assert "other files" in refuse(threads, source, "vmdk", findings=blind(source), vmdk_types=[kind])


def test_a_vmdk_that_only_says_that_it_is_allowed(threads: Threads, raw: Path) -> None:
    source = made(raw.parent, "vmdk", "-o", "subformat=monolithicFlat")
    text = source.read_text().replace("monolithicFlat", "monolithicSparse")
    source.write_text(text.replace("made-flat.vmdk", str(raw)))
    refuse(threads, source, "vmdk")
    refuse(threads, source, "vmdk", findings=blind(source))


def test_an_encrypted_image(threads: Threads, tmp_path: Path) -> None:
    options = ["--object", "secret,id=s,data=abc", "-o", "encrypt.format=luks,encrypt.key-secret=s"]
    options[-1] += ",encrypt.iter-time=10"
    assert "encrypted" in refuse(threads, made(tmp_path, "qcow2", *options), "qcow2")


@pytest.mark.parametrize("declared", ["raw", "vmdk", "vhdx", "vdi", "iso", "ploop"])
def test_another_format(threads: Threads, tmp_path: Path, declared: str) -> None:
    assert "looks like qcow2" in refuse(threads, made(tmp_path, "qcow2"), declared)


@pytest.mark.parametrize("declared", sorted(READABLE.keys() - {"raw", "iso"}))
def test_no_image_at_all(threads: Threads, raw: Path, declared: str) -> None:
    refuse(threads, raw, declared)
    refuse(threads, raw, declared, findings=Findings({declared: 0}, 0))


def test_a_disk_with_partitions_is_raw(threads: Threads, raw: Path) -> None:
    entry = b"\x80\0\2\0\x83\xff\xff\xff\1\0\0\0\x64\0\0\0"
    raw.write_bytes(b"\0" * 446 + entry.ljust(64, b"\0") + b"\x55\xaa" + CONTENT[512:])
    assert convert_now(threads, raw, "raw", "qcow2").virtual_size == 3 * MIB


@pytest.mark.parametrize(
    ("kind", "parts"), [("qcow2", (6, 4, 3, 2, 1)), ("vmdk", (6, 4, 2)), ("vhdx", (3, 1))]
)
def test_a_cut_image(threads: Threads, raw: Path, kind: str, parts: tuple[int, ...]) -> None:
    """Eighths of the file are left; qemu-img itself takes what is missing for zeros."""
    image = raw.with_name("image")
    qemu_img("convert", "-O", kind, raw, image)
    size = image.stat().st_size
    for part in parts:
        os.truncate(image, size * part // 8)
        refuse(threads, image, kind)


def test_too_large_a_result(threads: Threads, raw: Path) -> None:
    image = made(raw.parent, "qcow2")
    qemu_img("resize", image, "1P")
    with pytest.raises(LimitExceeded, match="image_size_cap"):
        convert_now(threads, image, "qcow2", "raw")
    with pytest.raises(LimitExceeded, match="image_size_cap"):
        convert_now(threads, raw, "raw", "qcow2", largest=MIB // 4)
    assert not raw.with_name("target").exists()


def test_a_name_is_never_a_protocol_or_an_option(threads: Threads, raw: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(raw.parent)
    for name in ("nbd:localhost", "json:{}", "-f"):
        source = raw.rename(name)
        assert convert_now(threads, source, "raw", "qcow2").virtual_size == 3 * MIB
        source.rename(raw)


def test_without_qemu_img(
    threads: Threads, raw: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="qemu-img"):
        convert_now(threads, raw, "raw", "qcow2")


def _running(argument: Path) -> bool:
    """Whether a program has this among its arguments."""
    for commandline in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(argument) in commandline.read_bytes().split(b"\0"):
                return True
    return False


def test_a_cancelled_conversion_ends_its_program(threads: Threads, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(GIB)
        for _ in range(300):
            file.write(os.urandom(MIB))

    async def cancel() -> None:
        findings = Findings({}, GIB)
        work = asyncio.create_task(
            convert(threads, source, "raw", target, "qcow2", largest=2 * GIB, findings=findings)
        )
        while not target.exists():
            await asyncio.sleep(0.01)
        assert _running(source)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(cancel())
    assert not _running(source)
    assert not target.exists()


def python(code: str, limits: Limits = ROOMY, printed: bytearray | None = None) -> Ended:
    heed = bytearray().extend if printed is None else printed.extend
    return asyncio.run(run_confined([sys.executable, "-c", code], limits, heed))


def test_what_a_program_gets() -> None:
    printed = bytearray()
    ended = python(
        "import os, sys; print(sorted(os.environ), sys.stdin.read()); sys.exit(3)", printed=printed
    )
    assert ended.status == 3
    assert set(eval(printed.decode())) <= {"LC_ALL", "PATH", "LC_CTYPE", "PWD"}


def test_limits() -> None:
    assert "MemoryError" in python("bytes(2 << 30)").complaint
    assert python("__import__('tempfile').TemporaryFile().write(b'x' * (2 << 20))").status != 0
    assert python("import os; os.abort()").status == -signal.SIGABRT
    began = time.monotonic()
    assert python("while True: pass", Limits(GIB, cpu=1, file=0, wall=None)).status < 0
    with pytest.raises(TimeoutError):
        python("import time; time.sleep(60)", Limits(GIB, cpu=1, file=0, wall=0.3))
    assert time.monotonic() - began < 10


def test_only_the_end_of_complaints_is_kept() -> None:
    ended = python("import sys; sys.stderr.write('x' * 1000000 + 'the end')")
    assert ended.complaint.endswith("the end")
    assert len(ended.complaint) < 10_000


def test_a_program_has_no_network() -> None:
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host does not let the network be taken away")
    printed = bytearray()
    python("import socket; print([name for _, name in socket.if_nameindex()])", printed=printed)
    assert printed.decode().strip() == "['lo']"
