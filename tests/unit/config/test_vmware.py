from pathlib import Path

import pytest

from glimpse.config.backends.vmware import VmwareBackend
from glimpse.config.settings import read_settings
from glimpse.domain.errors import Invalid
from glimpse.stores.vmware.places import Account, Datastore

NEEDED = {
    "vmware_server_host": "vc.example.org",
    "vmware_server_username": "glimpse",
    "vmware_server_password": "top-secret",
    "vmware_datastores": "DC:one:100",
}


def read(folder: Path, **options: str) -> VmwareBackend:
    lines = [f"{name} = {value}" for name, value in {**NEEDED, **options}.items() if value]
    path = folder / "glimpse.conf"
    path.write_text(
        "\n".join(
            [
                "[DEFAULT]\nenabled_backends = far:vmware\n[glance_store]\ndefault_backend = far\n[far]",
                *lines,
            ]
        )
    )
    backend = read_settings([str(path)], state_dir=folder).stores[0].backend
    assert isinstance(backend, VmwareBackend)
    return backend


def test_what_is_needed_is_enough(tmp_path: Path) -> None:
    account = Account("vc.example.org", "glimpse", "top-secret", None, False, 3, 5)
    assert read(tmp_path) == VmwareBackend(account, "openstack_glance", (Datastore("DC", "one", 100),))


def test_everything(tmp_path: Path) -> None:
    backend = read(
        tmp_path,
        vmware_datastores="DC:one:100\nvmware_datastores = folder/DC:two",
        vmware_api_retry_count="7",
        vmware_task_poll_interval="1",
        vmware_store_image_dir="/a/b c/",
        vmware_api_insecure="true",
    )
    assert backend.datastores == (Datastore("DC", "one", 100), Datastore("folder/DC", "two", 0))
    assert backend.folder == "a/b c"
    assert (backend.account.retries, backend.account.look_every, backend.account.insecure) == (7, 1, True)


def test_administrators_are_told_no_secrets(tmp_path: Path) -> None:
    properties = read(tmp_path).properties()
    assert properties["datastores"] == ["DC:one:100"]
    assert "secret" not in repr(properties)
    assert "glimpse" not in repr(properties)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vmware_server_host", ""),
        ("vmware_server_host", "https://vc"),
        ("vmware_server_username", ""),
        ("vmware_server_password", ""),
        ("vmware_datastores", ""),
        ("vmware_datastores", "one"),
        ("vmware_datastores", "DC:one:heavy"),
        ("vmware_datastores", "DC:one\nvmware_datastores = DC:one:5"),
        ("vmware_store_image_dir", "/"),
        ("vmware_store_image_dir", "/a/../b"),
        ("vmware_store_image_dir", "a%2fb"),
        ("vmware_ca_file", "/nowhere/ca.pem"),
        ("vmware_api_retry_count", "0"),
        ("vmware_task_poll_interval", "0"),
    ],
)
def test_bad_values(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        read(tmp_path, **{name: value})


def test_a_file_without_certificates(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(Invalid, match="vmware_ca_file"):
        read(tmp_path, vmware_ca_file=str(tmp_path / "empty.pem"))
