from pathlib import Path

import pytest

from glimpse.compute.disks import volume_node, volume_of
from glimpse.domain.errors import Invalid


def test_a_file_is_remembered_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").touch()
    monkeypatch.chdir(tmp_path)
    assert volume_of("disk") == str(tmp_path / "disk")
    assert volume_node(volume_of("disk"))["driver"] == "raw"


def test_an_iscsi_target() -> None:
    node = volume_node(volume_of("iscsi://127.0.0.1/iqn.2026-01.example:disk/1"))["file"]
    assert node == {
        "driver": "iscsi",
        "transport": "tcp",
        "portal": "127.0.0.1:3260",
        "target": "iqn.2026-01.example:disk",
        "lun": 1,
    }


@pytest.mark.parametrize(
    "text",
    [
        "/nowhere/disk",
        "nbd://127.0.0.1/x/1",
        "iscsi://127.0.0.1/target",
        "iscsi://127.0.0.1/target/x",
        "iscsi:///target/1",
        "iscsi://user%secret@127.0.0.1/target/1",
        "iscsi://127.0.0.1:99999/target/1",
    ],
)
def test_what_is_no_volume(text: str) -> None:
    with pytest.raises(Invalid, match="volume") as refused:
        volume_of(text)
    assert "secret" not in str(refused.value)
