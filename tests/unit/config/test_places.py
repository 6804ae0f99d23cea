from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse.config.backends.files import FileBackend
from glimpse.config.backends.http import HttpBackend
from glimpse.config.places import StorePlace
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.errors import Invalid
from glimpse.stores.folders import Folder

THREE = """
[DEFAULT]
enabled_backends = fast:file, web:http, slow:glance.store.filesystem.Store
[glance_store]
default_backend = slow
filesystem_store_datadir = /elsewhere
[backend_defaults]
filesystem_thin_provisioning = false
filesystem_store_file_perm = 600
store_description = somewhere
weight = 3
[fast]
filesystem_store_datadir = /fast
store_description = quick
weight = 10
[slow]
filesystem_store_datadir = /slow
filesystem_thin_provisioning = true
[web]
https_insecure = true
[os_glance_staging_store]
filesystem_store_datadir = /staging
[os_glance_tasks_store]
filesystem_store_datadir = /tasks
"""
TWO = "[DEFAULT]\nenabled_backends = a:file,b:file\n[glance_store]\ndefault_backend = a\n"

Read = Callable[[str], Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def settings(text: str) -> Settings:
        path = tmp_path / "x.conf"
        path.write_text(text)
        return read_settings([str(path)], state_dir=tmp_path)

    return settings


def test_several_stores(read: Read) -> None:
    settings = read(THREE)
    fast, slow = (
        FileBackend((Folder(Path("/fast")),), 0o600, thin=False),
        FileBackend((Folder(Path("/slow")),), 0o600, thin=True),
    )
    web = HttpBackend(settings.url_rules, insecure=True)
    assert settings.stores == (
        StorePlace("fast", "file", fast, weight=10, description="quick"),
        StorePlace("web", "http", web, read_only=True, weight=3, description="somewhere"),
        StorePlace("slow", "file", slow, weight=3, description="somewhere"),
    )
    assert settings.image_folders == ((Path("/fast"),), (Path("/slow"),))
    assert (settings.default_store, settings.several_stores) == ("slow", True)


def test_one_store_with_a_name(read: Read, tmp_path: Path) -> None:
    settings = read("[DEFAULT]\nenabled_backends = Fast:file\n[glance_store]\ndefault_backend = Fast\n")
    assert settings.stores == (StorePlace("Fast", "file", FileBackend((Folder(tmp_path / "images"),))),)
    assert (settings.default_store, settings.several_stores) == ("Fast", True)


def test_sections_are_found_however_they_are_written(read: Read) -> None:
    settings = read(
        "[DEFAULT]\nenabled_backends = Fast:file\n[glance_store]\ndefault_backend = Fast\n"
        "[Fast]\nfilesystem_store_datadir = /fast\n"
    )
    assert settings.stores == (StorePlace("Fast", "file", FileBackend((Folder(Path("/fast")),))),)


def test_the_environment_reaches_a_store(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_FAST__WEIGHT", "99")
    assert read(THREE).stores[0].weight == 99


@pytest.mark.parametrize(
    "default", ["", "default_backend =\n", "default_backend = none\n", "default_backend = web\n"]
)
def test_the_default_takes_data(read: Read, default: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(f"[DEFAULT]\nenabled_backends = a:file,web:http\n[glance_store]\n{default}")
    assert refused.value.field == "default_backend"


def test_every_store_of_files_needs_its_own_folder(read: Read, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "images")
    for sections in (
        "",
        f"[b]\nfilesystem_store_datadir = {tmp_path}/images\n",
        f"[b]\nfilesystem_store_datadir = {tmp_path}/link/\n",
        f"[b]\nfilesystem_store_datadir = {tmp_path}/link/../images\n",
        "[backend_defaults]\nfilesystem_store_datadir = /shared\n",
    ):
        with pytest.raises(Invalid) as refused:
            read(TWO + sections)
        assert refused.value.field == "filesystem_store_datadir"
        assert "[a] and [b]" in refused.value.reason
    assert len(read(f"{TWO}[b]\nfilesystem_store_datadir = {tmp_path}/other\n").stores) == 2


@pytest.mark.parametrize(
    "line", ["weight = heavy", "filesystem_store_file_perm = 99", "https_insecure = perhaps"]
)
def test_bad_values_of_a_store_name_the_option(read: Read, line: str) -> None:
    with pytest.raises(Invalid, match=line.split()[0]):
        read(f"{TWO}[b]\nfilesystem_store_datadir = /b\n{line}\n")


def test_the_scratch_folder(read: Read, tmp_path: Path) -> None:
    lines = ["[DEFAULT]\nnode_staging_uri = file:///staging/\n"]
    assert read("".join(lines)).scratch_folder == Path("/staging")
    lines.append("[os_glance_tasks_store]\nfilesystem_store_datadir = /tasks\n")
    assert read("".join(lines)).scratch_folder == Path("/tasks")
    lines.append("[task]\nwork_dir = /work\n")
    assert read("".join(lines)).scratch_folder == Path("/work")
    assert read("").scratch_folder == tmp_path / "scratch"
    assert not (tmp_path / "scratch").exists()


def test_the_example_in_the_guide(read: Read) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operator-guide.md").read_text(encoding="utf-8")
    example = guide.partition("## Several stores")[2].partition("```ini\n")[2].partition("```")[0]
    settings = read(example)
    assert [(store.id, store.weight) for store in settings.stores] == [
        ("fast", 10),
        ("archive", 0),
        ("web", 0),
    ]
    backends = [store.backend for store in settings.stores if isinstance(store.backend, FileBackend)]
    assert [(backend.file_mode, backend.thin) for backend in backends] == [
        (0o640, True),
        (0o640, False),
    ]
    assert settings.default_store == "fast"
