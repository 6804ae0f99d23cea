from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse.config.backends.swift import SwiftBackend
from glimpse.config.settings import read_settings
from glimpse.domain.errors import Invalid
from glimpse.stores.swift.places import Containers, Credentials

MIB = 1024 * 1024
INLINE = """
swift_store_auth_address = http://keystone:5000/v3
swift_store_user = service:glance
swift_store_key = hidden
"""
FILE = """
[ref1]
user = service:glance
key = "p%ss"
auth_address = http://keystone:5000/v3
[ref2]
application_credential_id = 0123
application_credential_secret = hidden
auth_address = keystone/identity
[old]
auth_version = 1
user = account:user
key = old
auth_address = http://swift/auth/v1.0
[domains]
user = user
key = k
project_id = 4567
user_domain_name = users
project_domain_name = projects
auth_version = 2
auth_address = http://keystone:5000/v2.0
"""

Read = Callable[[str], SwiftBackend]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def backend(options: str) -> SwiftBackend:
        path = tmp_path / "x.conf"
        head = "[DEFAULT]\nenabled_backends = big:swift\n[glance_store]\ndefault_backend = big\n[big]\n"
        path.write_text(head + options)
        (place,) = read_settings([str(path)], state_dir=tmp_path).stores
        assert isinstance(place.backend, SwiftBackend)
        return place.backend

    return backend


def keystone(**said: str) -> Credentials:
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    return Credentials("http://keystone:5000/v3", **{**domains, **said})  # type: ignore[arg-type]


def test_one_account(read: Read) -> None:
    backend = read(INLINE)
    assert backend.references == {"ref1": keystone(user="glance", key="hidden", project_name="service")}
    assert backend.reference == "ref1"
    assert backend.containers == Containers("glance")
    assert backend.segment == 32 * MIB
    assert backend.properties()["container"] == "glance"


def test_the_options(read: Read) -> None:
    backend = read(
        INLINE + "default_swift_reference = mine\n"
        "swift_store_container = images\n"
        "swift_store_multiple_containers_seed = 2\n"
        "swift_store_large_object_chunk_size = 200\n"
        "swift_store_create_container_on_put = true\n"
        "swift_store_retry_get_count = 7\n"
        "swift_store_endpoint_type = internalURL\n"
        "swift_store_region = here\n"
        "swift_store_cacert = /ca.pem\n"
    )
    assert list(backend.references) == ["mine"]
    assert backend.containers == Containers("images", 2)
    assert backend.segment == 64 * MIB
    assert (backend.create_containers, backend.retries) == (True, 7)
    assert backend.access["interface"] == "internal"
    assert backend.access["region"] == "here"
    assert backend.access["ca_file"] == "/ca.pem"


def test_a_file_of_accounts(read: Read, tmp_path: Path) -> None:
    (tmp_path / "glance-swift.conf").write_text(FILE)
    backend = read("swift_store_config_file = glance-swift.conf\ndefault_swift_reference = ref2\n")
    assert backend.reference == "ref2"
    assert backend.references == {
        "ref1": keystone(user="glance", key="p%ss", project_name="service"),
        "ref2": Credentials(
            "https://keystone/identity",
            application_credential_id="0123",
            application_credential_secret="hidden",
        ),
        "old": Credentials("http://swift/auth/v1.0", "account:user", "old", 1),
        "domains": Credentials(
            "http://keystone:5000/v2.0",
            "user",
            "k",
            project_id="4567",
            user_domain_name="users",
            project_domain_name="projects",
        ),
    }


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("", "swift_store_auth_address"),
        ("swift_store_auth_address = ftp://keystone\nswift_store_user = a:b\n", "swift_store_auth_address"),
        ("swift_store_auth_address = http://keystone\n", "swift_store_user"),
        ("swift_store_auth_address = http://keystone\nswift_store_user = a:b\n", "swift_store_key"),
        (INLINE.replace("service:", ""), "swift_store_user"),
        (INLINE + "swift_store_auth_version = 4\n", "swift_store_auth_version"),
        (INLINE + "swift_store_container = a/b\n", "swift_store_container"),
        (INLINE + "swift_store_endpoint = here\n", "swift_store_endpoint"),
        (INLINE + "swift_store_endpoint_type = secretURL\n", "swift_store_endpoint_type"),
        (INLINE + "swift_store_multiple_containers_seed = 33\n", "swift_store_multiple_containers_seed"),
        (INLINE + "swift_store_large_object_chunk_size = 0\n", "swift_store_large_object_chunk_size"),
        (INLINE + "swift_store_config_file = /nowhere\n", "swift_store_config_file"),
        (
            INLINE.replace("key = ", "application_credential_id = "),
            "swift_store_application_credential_secret",
        ),
    ],
)
def test_bad_values_name_the_option(read: Read, options: str, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(options)
    assert name in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("key = hidden\n", "swift_store_config_file"),
        ("[other]\nuser = a:b\nkey = hidden\nauth_address = http://k\n", "default_swift_reference"),
        ("[ref1]\nuser = a:b\nkey = hidden\n", "auth_address"),
    ],
)
def test_bad_files_of_accounts(read: Read, tmp_path: Path, content: str, name: str) -> None:
    (tmp_path / "accounts").write_text(content)
    with pytest.raises(Invalid) as caught:
        read("swift_store_config_file = accounts\n")
    assert name in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(caught.value.__cause__)


@pytest.mark.parametrize("scheme", ["swift", "swift+http", "swift+https", "swift+config"])
def test_the_default_store_by_its_scheme(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "x.conf"
    path.write_text(f"[glance_store]\nstores = file,swift\ndefault_store = {scheme}\n{INLINE}")
    assert read_settings([str(path)], state_dir=tmp_path).default_store == "swift"


def test_accounts_of_projects(read: Read) -> None:
    text = "swift_store_multi_tenant = true\nswift_store_admin_tenants = one, two\n"
    backend = read(INLINE + text)
    assert backend.per_project
    assert backend.admin_projects == ("one", "two")
    image = "4f9c1a0e-6a4c-4a5e-9d0e-1b2c3d4e5f60"
    assert backend.containers.of(image) == backend.containers.of(f"{image}.staged") == f"glance_{image}"
