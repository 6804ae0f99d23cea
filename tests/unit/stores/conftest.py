from pathlib import Path

import pytest

from glimpse.stores.filesystem import FilesystemStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def store(folder: Path) -> FilesystemStore:
    return FilesystemStore("files", folder)
