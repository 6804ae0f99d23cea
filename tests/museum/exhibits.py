"""Disk images that attack whoever opens them, made by hand."""

import struct

SECTOR = 512


def qcow2(*, backing: bytes = b"", data_file: bytes = b"", version: int = 3, features: int = 0) -> bytes:
    """A QCOW2 header (QEMU's docs/interop/qcow2.txt) and room for a few clusters."""
    extensions = struct.pack(">II", 0x44415441, len(data_file)) + _padded(data_file) if data_file else b""
    extensions += struct.pack(">II", 0, 0)
    length = 104
    backing_at = length + len(extensions) if backing else 0
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(b"QFI\xfb", version, backing_at, len(backing), 16, 2**30, 0, 16, 0x30000, 0x10000, 1, 0, 0),
        *(features | (4 if data_file else 0), 0, 0, 4, length),
    )
    return (header + extensions + backing).ljust(5 * 65536, b"\0")


def _padded(text: bytes) -> bytes:
    return text.ljust(-(-len(text) // 8) * 8, b"\0")


def vmdk(create_type: str, *extents: str) -> bytes:
    """A sparse VMDK whose descriptor names `extents` (VMware's "Virtual Disk Format 5.0")."""
    descriptor = "\n".join(
        [
            *("# Disk DescriptorFile", "version=1", "CID=fffffffe", "parentCID=ffffffff"),
            *(f'createType="{create_type}"', "", "# Extent description", *extents, ""),
            *("# The Disk Data Base", 'ddb.adapterType = "ide"', ""),
        ]
    ).encode()
    header = struct.pack(
        "<4sIIQQQQIQQQBccccH",
        *(b"KDMV", 1, 3, 2048, 128, 1, 20, 512, 21, 26, 128, 0, b"\n", b" ", b"\r", b"\n", 0),
    )
    return (header.ljust(SECTOR, b"\0") + descriptor.ljust(20 * SECTOR, b"\0")).ljust(65536, b"\0")


def vmdk_descriptor(create_type: str, *extents: str) -> bytes:
    """A VMDK that is nothing but a descriptor: a text file."""
    lines = [
        *("# Disk DescriptorFile", "version=1", "CID=fffffffe", "parentCID=ffffffff"),
        *(f'createType="{create_type}"', *extents, ""),
    ]
    return "\n".join(lines).encode()


def qed() -> bytes:
    """A QED header, a format that can have a backing file and that nobody needs."""
    return b"QED\0".ljust(65536, b"\0")
