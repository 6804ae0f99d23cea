"""What the gate says about real disk images, and about such as nobody would make by accident."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.domain.attributes import DISK_FORMATS
from glimpse.domain.errors import UnsupportedContent
from glimpse.transfer import inspection as gate
from glimpse.transfer.inspection import INSPECTABLE, Findings, Inspection

MIB = 1024 * 1024
qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def judge(data: bytes, declared: str, *, require_match: bool = True, piece: int = 65536) -> int | None:
    inspection = Inspection()
    for at in range(0, len(data), piece):
        inspection.watch([data[at : at + piece]])
    return inspection.verdict(declared, require_match=require_match)


def findings_of(data: bytes) -> Findings:
    inspection = Inspection()
    inspection.watch([data])
    return inspection.findings()


def qcow2(
    *, version: int = 3, backing: int = 0, features: int = 0, size: int = 7 * MIB, magic: bytes = b"QFI\xfb"
) -> bytes:
    """A header: magic, version, backing file (place, length), cluster bits, size, …, features."""
    head = struct.pack(">4sIQIIQIIQQIIQ", magic, version, backing, 0, 16, size, 0, 1, 0, 0, 0, 0, 0)
    return (head + struct.pack(">QQQII", features, 0, 0, 4, 104)).ljust(MIB, b"\0")


def entry(boot: int = 0x80, kind: int = 0x83, lba: int = 1, chs: bytes = b"\0\2\0") -> bytes:
    return struct.pack("<B3sB3sII", boot, chs, kind, b"\xff\xff\xff", lba, 100)


def mbr(*entries: bytes, size: int = MIB) -> bytes:
    table = b"".join(entries).ljust(64, b"\0")
    return (b"\0" * 446 + table + b"\x55\xaa").ljust(size, b"\0")


def iso(boot_sector: bytes = b"", blocks: int = 100) -> bytes:
    descriptor = bytearray(2048)
    descriptor[0:6] = b"\x01CD001"
    descriptor[80:84] = struct.pack("<L", blocks)
    descriptor[128:130] = struct.pack("<H", 2048)
    return boot_sector[:512].ljust(32768, b"\0") + bytes(descriptor) + b"\0" * 4096


def vdi(size: int = 5 * MIB) -> bytes:
    data = bytearray(1024)
    data[0x40:0x44] = struct.pack("<I", 0xBEDA107F)
    data[0x170:0x178] = struct.pack("<Q", size)
    return bytes(data)


def luks(version: int) -> bytes:
    head = struct.pack(">6sH32s32s32sII20s32sI", b"LUKS\xba\xbe", version, b"", b"", b"", 2, 32, b"", b"", 1)
    return head.ljust(4096, b"\0")


TEXT = b"just some words " * 5000


def _brief(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("piece", [1, 7, 512, MIB])
def test_the_size_of_the_pieces_does_not_matter(piece: int) -> None:
    data = qcow2()[:2048]
    assert judge(data, "qcow2", piece=piece) == 7 * MIB
    assert judge(TEXT[:2048], "raw", piece=piece) == 2048


SAME = [
    ("qcow2", qcow2(), 7 * MIB),
    ("qcow2", qcow2(version=2), 7 * MIB),
    ("vdi", vdi(), 5 * MIB),
    ("iso", iso(), 100 * 2048),
    ("iso", iso(mbr(entry())), 100 * 2048),
    ("raw", TEXT, len(TEXT)),
    ("raw", mbr(entry()), MIB),
    ("raw", qcow2(), MIB),
    ("raw", vdi(), 1024),
    ("raw", luks(1), 4096),
    ("raw", iso(), len(iso())),
    ("raw", iso(mbr(entry())), len(iso())),
    ("raw", b"x", 1),
]


@pytest.mark.parametrize("require_match", [True, False])
@pytest.mark.parametrize(("declared", "data", "virtual_size"), SAME, ids=_brief)
def test_what_it_is_said_to_be(declared: str, data: bytes, virtual_size: int, require_match: bool) -> None:
    assert judge(data, declared, require_match=require_match) == virtual_size


@pytest.mark.parametrize("declared", sorted(set(DISK_FORMATS) - INSPECTABLE))
def test_what_cannot_be_recognised_is_believed(declared: str) -> None:
    assert judge(TEXT, declared) is None


def test_formats_without_a_recogniser() -> None:
    assert set(DISK_FORMATS) - INSPECTABLE == {"ami", "ari", "aki", "ploop"}


@pytest.mark.parametrize("text", [b"some words ", b"#!/bin/sh\n", b"# Disk Descriptor"])
@pytest.mark.parametrize("piece", [7, 999, 65536, MIB])
def test_text_before_other_bytes_is_raw(text: bytes, piece: int) -> None:
    """The recogniser of VMDK fails on what begins as its descriptor might, and goes on as something else."""
    data = (text * 1000 + b"\xff\xfe").ljust(100_000, b"\xff")
    assert judge(data, "raw", piece=piece) == len(data)
    with pytest.raises(UnsupportedContent, match="looks like raw"):
        judge(data, "vmdk", piece=piece)


MISMATCH = [
    ("qcow2", TEXT, "raw"),
    ("vmdk", TEXT, "raw"),
    ("iso", TEXT, "raw"),
    ("vhd", b"\0" * 2048, "raw"),
    ("iso", qcow2(), "qcow2"),
    ("qcow2", vdi(), "vdi"),
    ("aki", mbr(entry()), "gpt"),
    ("ami", qcow2(), "qcow2"),
    ("qcow2", mbr(entry()), "gpt"),
    ("qcow2", iso(mbr(entry())), "iso"),
]


@pytest.mark.parametrize(("declared", "data", "found"), MISMATCH, ids=_brief)
def test_what_it_is_not(declared: str, data: bytes, found: str) -> None:
    with pytest.raises(UnsupportedContent) as refused:
        judge(data, declared)
    assert declared in str(refused.value)
    assert found in str(refused.value)
    assert judge(data, declared, require_match=False) is None


def two_at_once() -> bytes:
    """A disk with a partition table whose boot code is a VDI header."""
    data = bytearray(mbr(entry()))
    data[0x40:0x44] = struct.pack("<I", 0xBEDA107F)
    return bytes(data)


@pytest.mark.parametrize("declared", ["raw", "vdi", "qcow2", "ami"])
def test_two_formats_at_once(declared: str) -> None:
    with pytest.raises(UnsupportedContent, match="gpt and vdi"):
        judge(two_at_once(), declared)
    assert judge(two_at_once(), declared, require_match=False) is None


UNSAFE = [
    ("backing_file", qcow2(backing=512)),
    ("data_file", qcow2(features=0b100)),
    ("unknown_features", qcow2(features=1 << 40)),
    ("version", qcow2(version=4)),
    ("banned", b"QED\0".ljust(MIB, b"\0")),
    ("version", luks(2)),
    ("mbr", mbr(entry(boot=0x55))),
    ("mbr", mbr()),
    ("mbr", mbr(entry(kind=0xEE, lba=2))),
    ("mbr", mbr(entry(kind=0xEE), entry())),
    ("mbr", mbr(entry(kind=0xEE, chs=b"\0\1\0"))),
]


@pytest.mark.parametrize("require_match", [True, False])
@pytest.mark.parametrize("declared", ["same", "raw", "vdi", "ami"])
@pytest.mark.parametrize(("check", "data"), UNSAFE, ids=_brief)
def test_what_is_unsafe_is_refused_whatever_it_is_called(
    check: str, data: bytes, declared: str, require_match: bool
) -> None:
    names = {b"QFI\xfb": "qcow2", b"QED\0": "qed", b"LUKS": "luks"}
    declared = names.get(data[:4], "raw") if declared == "same" else declared
    with pytest.raises(UnsupportedContent, match="safety checks"):
        judge(data, declared, require_match=require_match)


def test_the_refusal_names_the_check() -> None:
    with pytest.raises(UnsupportedContent, match="qcow2 image failed safety checks: backing_file"):
        judge(qcow2(backing=512), "raw")


def test_a_bootable_cd_is_judged_as_a_cd() -> None:
    """Hybrid images carry partition tables that no disk would have."""
    assert judge(iso(mbr(entry(kind=0xEE, lba=64), entry())), "iso") == 100 * 2048


HEADERS = st.sampled_from(
    [qcow2(), qcow2(version=2), vdi(), iso(), luks(1), luks(2), mbr(entry()), qcow2(backing=1)]
)
MAGIC = st.sampled_from(
    [b"QFI\xfb", b"QED\0", b"conectix", b"vhdxfile", b"KDMV", b"LUKS\xba\xbe", b"# Disk Descriptor"]
)


def _judged(data: bytes, declared: str, require_match: bool) -> None:
    try:
        size = judge(data, declared, require_match=require_match, piece=999)
    except UnsupportedContent:
        return
    assert size is None or size >= 0


@given(HEADERS, st.integers(0, 40_000), st.sampled_from(DISK_FORMATS), st.booleans())
def test_any_beginning_of_an_image_is_judged(data: bytes, length: int, declared: str, match: bool) -> None:
    _judged(data[:length], declared, match)


@given(MAGIC, st.binary(max_size=700), st.sampled_from(DISK_FORMATS), st.booleans())
def test_any_bytes_behind_a_magic_number_are_judged(
    magic: bytes, rest: bytes, declared: str, match: bool
) -> None:
    _judged(magic + rest, declared, match)


@pytest.mark.parametrize("declared", ["raw", "luks", "qcow2", "ami"])
@pytest.mark.parametrize(
    "data", [luks(1)[:100], luks(2)[:100], qcow2()[:50], b"QFI\xfb", b"KDMV", b"QED\0"], ids=_brief
)
def test_a_header_that_ends_too_early_is_judged(data: bytes, declared: str) -> None:
    _judged(data, declared, True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disks")


def qemu_img(folder: Path, kind: str, *options: str) -> bytes:
    path = folder / f"{kind}{len(options)}.img"
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, *options, str(path), "3M"], check=True)
    return path.read_bytes()


@qemu
@pytest.mark.parametrize(
    ("tool", "declared", "options"),
    [
        ("qcow2", "qcow2", []),
        ("qcow2", "qcow2", ["-o", "compat=0.10"]),
        ("vmdk", "vmdk", []),
        ("vmdk", "vmdk", ["-o", "subformat=streamOptimized"]),
        ("vdi", "vdi", []),
        ("vhdx", "vhdx", []),
        ("raw", "raw", []),
    ],
)
def test_images_that_qemu_makes(folder: Path, tool: str, declared: str, options: list[str]) -> None:
    data = qemu_img(folder, tool, *options)
    assert judge(data, declared) == 3 * MIB
    assert judge(data, "raw") == len(data)
    wrong = "qcow2" if declared != "qcow2" else "vmdk"
    with pytest.raises(UnsupportedContent):
        judge(data, wrong)


@qemu
@pytest.mark.parametrize("tool", ["qcow2", "vmdk", "vdi", "vhdx"])
def test_all_at_once(folder: Path, tool: str) -> None:
    data = qemu_img(folder, tool)
    assert judge(data, tool, piece=len(data)) == judge(data, tool, piece=1000) == 3 * MIB


@qemu
def test_a_vhd_that_qemu_makes(folder: Path) -> None:
    size = judge(qemu_img(folder, "vpc"), "vhd")
    assert size is not None
    assert size >= 3 * MIB


@qemu
def test_a_backing_file_that_qemu_sets(folder: Path) -> None:
    base = folder / "base.raw"
    base.write_bytes(b"\0" * MIB)
    data = qemu_img(folder, "qcow2", "-b", str(base), "-F", "raw")
    for declared in ("qcow2", "raw"):
        with pytest.raises(UnsupportedContent, match="backing_file"):
            judge(data, declared)


@qemu
def test_a_data_file_that_qemu_sets(folder: Path) -> None:
    data = qemu_img(folder, "qcow2", "-o", f"data_file={folder / 'data.raw'}")
    for declared in ("qcow2", "raw"):
        with pytest.raises(UnsupportedContent, match="data_file"):
            judge(data, declared)


@qemu
@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse"])
def test_a_vmdk_that_names_other_files(folder: Path, subformat: str) -> None:
    data = qemu_img(folder, "vmdk", "-o", f"subformat={subformat}")
    with pytest.raises(UnsupportedContent, match="safety checks"):
        judge(data, "vmdk")


def _outcome(findings: Findings, declared: str, require_match: bool) -> int | str | None:
    try:
        return gate.judge(findings, declared, require_match=require_match)
    except UnsupportedContent as error:
        return str(error)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (TEXT, Findings({}, len(TEXT))),
        (qcow2(), Findings({"qcow2": 7 * MIB}, MIB)),
        (two_at_once(), Findings({"gpt": MIB, "vdi": 0}, MIB)),
        (iso(mbr(entry())), Findings({"iso": 100 * 2048}, len(iso()))),
        (
            qcow2(backing=512),
            Findings({"qcow2": 7 * MIB}, MIB, "The qcow2 image failed safety checks: backing_file."),
        ),
        (b"", Findings({}, 0)),
    ],
    ids=_brief,
)
def test_findings(data: bytes, expected: Findings) -> None:
    assert findings_of(data) == expected


@pytest.mark.parametrize("require_match", [True, False])
@pytest.mark.parametrize("declared", DISK_FORMATS)
def test_findings_are_judged_later_as_at_once(declared: str, require_match: bool) -> None:
    cases = [data for _, data, _ in [*SAME, *MISMATCH]] + [data for _, data in UNSAFE] + [two_at_once()]
    for data in cases:
        kept = Findings.from_document(json.loads(json.dumps(findings_of(data).to_document())))
        try:
            at_once: int | str | None = judge(data, declared, require_match=require_match)
        except UnsupportedContent as error:
            at_once = str(error)
        assert _outcome(kept, declared, require_match) == at_once
