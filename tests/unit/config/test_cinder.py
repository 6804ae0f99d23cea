"""What the options say of a Cinder store."""

import pickle
from pathlib import Path

import pytest

from glimpse.config.backends.cinder import CinderBackend
from glimpse.config.places import read_stores
from glimpse.config.settings import read_config
from glimpse.domain.errors import Invalid
from glimpse.stores.cinder.access import Account, Endpoint

USER = """
cinder_store_auth_address = https://keystone.example/v3
cinder_store_user_name = glance
cinder_store_password = hush
cinder_store_project_name = service
"""
CREDENTIAL = """
cinder_store_auth_address = https://keystone.example/v3
cinder_store_application_credential_id = abc
cinder_store_application_credential_secret = hush
"""


def read(folder: Path, text: str) -> CinderBackend:
    file = folder / "glance-api.conf"
    file.write_text(
        "[DEFAULT]\nenabled_backends = volumes:cinder\n[glance_store]\ndefault_backend = volumes\n"
        f"[volumes]\n{text}"
    )
    stores = read_stores(read_config([str(file)]), folder)
    (backend,) = (place.backend for place in stores if place.kind == "cinder")
    assert isinstance(backend, CinderBackend)
    return backend


def test_defaults(tmp_path: Path) -> None:
    account = Account(
        "https://keystone.example/v3", user_name="glance", password="hush", project_name="service"
    )
    backend = read(tmp_path, USER)
    assert backend == CinderBackend(account, Endpoint(), tmp_path / "cinder", tmp_path / "cinder" / "mnt")
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert backend.properties() == {"volume_type": None, "use_multipath": False}


def test_everything(tmp_path: Path) -> None:
    text = (
        CREDENTIAL
        + """
cinder_catalog_info = block-storage:cinder:internalURL
cinder_endpoint_template = https://cinder.example/v3/%(tenant)s
cinder_os_region_name = there
cinder_ca_certificates_file = /ca.crt
cinder_api_insecure = true
cinder_http_retries = 7
cinder_state_transition_timeout = 0
cinder_volume_type = images
cinder_use_multipath = true
cinder_enforce_multipath = true
cinder_mount_point_base = /mnt/images
cinder_do_extend_attached = true
cinder_attachment_retry_attempts = 2
"""
    )
    assert read(tmp_path, text) == CinderBackend(
        Account("https://keystone.example/v3", credential_id="abc", credential_secret="hush"),
        Endpoint(
            "block-storage",
            "cinder",
            "internal",
            "there",
            "https://cinder.example/v3/%(tenant)s",
            "/ca.crt",
            True,
            7,
        ),
        tmp_path / "cinder",
        Path("/mnt/images"),
        patience=1,
        attempts=2,
        volume_type="images",
        multipath=True,
        enforce_multipath=True,
        extend_attached=True,
    )


def test_no_account(tmp_path: Path) -> None:
    (address, *_) = [line for line in USER.splitlines() if line]
    assert read(tmp_path, address).account == Account("https://keystone.example/v3")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    assert "hush" not in repr(read(tmp_path, USER)) + repr(read(tmp_path, CREDENTIAL))


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("", "cinder_store_auth_address"),
        (USER.replace("https:", "ldap:"), "cinder_store_auth_address"),
        (USER.replace("cinder_store_password", "#"), "cinder_store_password"),
        (USER.replace("cinder_store_project_name", "#"), "cinder_store_project_name"),
        (
            CREDENTIAL.replace("cinder_store_application_credential_secret", "#"),
            "application_credential_secret",
        ),
        (USER + "cinder_catalog_info = volumev3", "cinder_catalog_info"),
        (USER + "cinder_catalog_info = :cinder:publicURL", "cinder_catalog_info"),
        (USER + "cinder_endpoint_template = cinder.example", "cinder_endpoint_template"),
        (USER + "cinder_endpoint_template = http://cinder.example/%(user)s", "cinder_endpoint_template"),
        (USER + "cinder_endpoint_template = http://cinder.example/%s", "cinder_endpoint_template"),
        (USER + "cinder_endpoint_template = http://cinder.example/%", "cinder_endpoint_template"),
    ],
)
def test_bad_values(tmp_path: Path, text: str, option: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(tmp_path, text)
    assert option in str(caught.value)
    assert "hush" not in str(caught.value)
