from pathlib import Path

import pytest

from glimpse.config.backends.gridfs import GridFSBackend
from glimpse.config.settings import read_settings
from glimpse.domain.errors import Invalid

URI = "mongodb://glance:geheim@db.example/?w=majority"


def backend(folder: Path, lines: str) -> object:
    path = folder / "glimpse.conf"
    path.write_text(
        f"[DEFAULT]\nenabled_backends = m:gridfs\n[glance_store]\ndefault_backend = m\n[m]\n{lines}"
    )
    settings = read_settings([str(path)], state_dir=folder)
    return next(store.backend for store in settings.stores if store.id == "m")


def test_options(tmp_path: Path) -> None:
    found = backend(tmp_path, f"mongodb_store_uri = {URI}\nmongodb_store_db = glance\n")
    assert found == GridFSBackend(URI, "glance")
    assert isinstance(found, GridFSBackend)
    assert found.properties() == {"database": "glance"}
    assert found.open("m").schemes == ("gridfs",)
    assert "geheim" not in repr(found)


@pytest.mark.parametrize(
    ("lines", "option"),
    [
        ("mongodb_store_db = glance\n", "mongodb_store_uri"),
        ("mongodb_store_uri = http://glance:geheim@db\nmongodb_store_db = glance\n", "mongodb_store_uri"),
        (f"mongodb_store_uri = {URI}\n", "mongodb_store_db"),
        (f"mongodb_store_uri = {URI}\nmongodb_store_db = a.b\n", "mongodb_store_db"),
        (f"mongodb_store_uri = {URI}\nmongodb_store_db = {'x' * 64}\n", "mongodb_store_db"),
    ],
)
def test_values_that_will_not_do(tmp_path: Path, lines: str, option: str) -> None:
    with pytest.raises(Invalid, match=option) as caught:
        backend(tmp_path, lines)
    assert "geheim" not in str(caught.value)
