from pathlib import Path

import orjson
import pytest

from glimpse.config.image_schema import read_known_properties
from glimpse.config.settings import read_config
from glimpse.domain.errors import Invalid
from glimpse.domain.properties import KnownProperties

SCHEMA = {"team": {"type": "string", "enum": ["a", "b"]}}


def read(folder: Path, text: bytes) -> KnownProperties:
    (folder / "schema-image.json").write_bytes(text)
    config = folder / "glimpse.conf"
    config.write_text("")
    return read_known_properties(read_config([str(config)]))


def test_ours() -> None:
    known = read_known_properties(read_config([]))
    assert known.required == frozenset()
    assert sorted(known.schemas) == [
        "architecture",
        "cinder_encryption_key_deletion_policy",
        "cinder_encryption_key_id",
        "description",
        "instance_uuid",
        "kernel_id",
        "os_distro",
        "os_version",
        "ramdisk_id",
    ]


@pytest.mark.parametrize("required", [[], ["team"]])
def test_both_forms(tmp_path: Path, required: list[str]) -> None:
    assert read(tmp_path, orjson.dumps(SCHEMA)) == KnownProperties(SCHEMA)
    extended = {"properties": SCHEMA, "required": required}
    assert read(tmp_path, orjson.dumps(extended)) == KnownProperties(SCHEMA, frozenset(required))


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"properties": {}, "required": "team"}',
        b'{"team": "string"}',
        b'{"team": {"type": "integer"}}',
        b'{"team": {"type": "string", "oneOf": []}}',
        b'{"team": {"pattern": "("}}',
        b'{"team": {"maxLength": "9"}}',
        b'{"os_glance_x": {"type": "string"}}',
    ],
)
def test_what_will_not_do(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(Invalid, match=r"schema-image\.json"):
        read(tmp_path, text)
