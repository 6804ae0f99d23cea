"""Stores of Cinder volumes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store
from glimpse.stores.cinder.access import Account, Endpoint

OPTIONS = (
    cfg.StrOpt(
        "cinder_catalog_info",
        default="volumev3::publicURL",
        help="Where the catalog has Cinder: type:name:interface; the name may be empty.",
    ),
    cfg.StrOpt(
        "cinder_endpoint_template",
        help="Cinder's URL, in place of the catalog's; %(tenant)s stands for the project's id.",
    ),
    cfg.StrOpt(
        "cinder_os_region_name", deprecated_name="os_region_name", help="Region of Cinder in the catalog."
    ),
    cfg.StrOpt(
        "cinder_ca_certificates_file", help="Authorities that Keystone and Cinder are verified by over HTTPS."
    ),
    cfg.BoolOpt("cinder_api_insecure", default=False, help="Do not verify Keystone and Cinder over HTTPS."),
    cfg.IntOpt("cinder_http_retries", default=3, min=0, help="How often a failed question is asked again."),
    cfg.IntOpt(
        "cinder_state_transition_timeout",
        default=300,
        min=0,
        help="Seconds that a volume may take to be made, extended or removed.",
    ),
    cfg.StrOpt("cinder_store_auth_address", help="URL of Keystone, with its version."),
    cfg.StrOpt(
        "cinder_store_user_name",
        help="User who owns the volumes. Default: whoever uploads, in their project.",
    ),
    cfg.StrOpt("cinder_store_password", secret=True, help="Password of the user."),
    cfg.StrOpt("cinder_store_project_name", help="Project that the volumes are in."),
    cfg.StrOpt("cinder_store_user_domain_name", default="Default", help="Domain of the user."),
    cfg.StrOpt("cinder_store_project_domain_name", default="Default", help="Domain of the project."),
    cfg.StrOpt(
        "cinder_store_application_credential_id",
        help="Application credential, in place of user and project.",
    ),
    cfg.StrOpt(
        "cinder_store_application_credential_secret",
        secret=True,
        help="Secret of the application credential.",
    ),
    cfg.StrOpt("cinder_volume_type", help="Type of the volumes. Default: Cinder's."),
    cfg.BoolOpt("cinder_use_multipath", default=False, help="Connect volumes by several paths."),
    cfg.BoolOpt(
        "cinder_enforce_multipath", default=False, help="Connect no volume when multipathd does not run."
    ),
    cfg.StrOpt(
        "cinder_mount_point_base",
        help="Folder in which volumes on NFS are mounted. Default: `cinder/mnt` in the state folder.",
    ),
    cfg.BoolOpt(
        "cinder_do_extend_attached",
        default=False,
        help="Extend volumes without detaching them; the backend must be able to.",
    ),
    cfg.IntOpt(
        "cinder_attachment_retry_attempts",
        default=5,
        min=1,
        help="How often it is tried to attach a volume while somebody else has it.",
    ),
)

# The project's id in a template of the endpoint, by the names that Glance knows it.
_PROJECT = re.compile(r"%\((tenant|tenant_id|project_id)\)s")

_USER = ("cinder_store_user_name", "cinder_store_password", "cinder_store_project_name")
_CREDENTIAL = ("cinder_store_application_credential_id", "cinder_store_application_credential_secret")


@dataclass(frozen=True, slots=True)
class CinderBackend:
    """Who the store is, where Cinder is, and what the volumes are like.

    `folder` is for what the processes of this machine tell each other, `mounts` for volumes on NFS.
    """

    account: Account
    endpoint: Endpoint
    folder: Path
    mounts: Path
    patience: int = 300
    attempts: int = 5
    volume_type: str | None = None
    multipath: bool = False
    enforce_multipath: bool = False
    extend_attached: bool = False

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.cinder.attachments import Attachments
        from glimpse.stores.cinder.devices import Brick
        from glimpse.stores.cinder.store import CinderStore
        from glimpse.stores.cinder.volumes import Volumes

        volumes = Volumes(store_id, self.account, self.endpoint, self.patience)
        brick = Brick(
            volumes.part,
            self.folder,
            self.mounts,
            multipath=self.multipath,
            enforce_multipath=self.enforce_multipath,
        )
        return CinderStore(
            store_id,
            volumes,
            Attachments(volumes, brick, self.folder, self.attempts),
            volume_type=self.volume_type,
            extend_attached=self.extend_attached,
        )

    def properties(self) -> Mapping[str, object]:
        """As Glance tells them."""
        return {"volume_type": self.volume_type, "use_multipath": self.multipath}


def _read(options: Any, _: cfg.ConfigOpts, state: Path) -> CinderBackend:
    return CinderBackend(
        _account(options),
        _endpoint(options),
        state / "cinder",
        Path(options.cinder_mount_point_base or state / "cinder" / "mnt"),
        # Nothing would have the time to happen.
        patience=max(options.cinder_state_transition_timeout, 1),
        attempts=options.cinder_attachment_retry_attempts,
        volume_type=options.cinder_volume_type,
        multipath=options.cinder_use_multipath,
        enforce_multipath=options.cinder_enforce_multipath,
        extend_attached=options.cinder_do_extend_attached,
    )


def _account(options: Any) -> Account:
    address = options.cinder_store_auth_address
    if not address:
        raise Invalid("cinder_store_auth_address", "Keystone's URL is needed")
    _check_url("cinder_store_auth_address", address)
    if not any(options[name] for name in (*_CREDENTIAL, *_USER)):
        return Account(address)
    names = _CREDENTIAL if any(options[name] for name in _CREDENTIAL) else _USER
    for name in names:
        if not options[name]:
            raise Invalid(name, f"{' and '.join(names)} go together")
    if names is _CREDENTIAL:
        return Account(address, credential_id=options[names[0]], credential_secret=options[names[1]])
    return Account(
        address,
        user_name=options.cinder_store_user_name,
        password=options.cinder_store_password,
        project_name=options.cinder_store_project_name,
        user_domain=options.cinder_store_user_domain_name,
        project_domain=options.cinder_store_project_domain_name,
    )


def _endpoint(options: Any) -> Endpoint:
    parts = options.cinder_catalog_info.split(":")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise Invalid("cinder_catalog_info", "it must be type:name:interface")
    template = options.cinder_endpoint_template
    if template:
        _check_template(template)
    return Endpoint(
        parts[0],
        parts[1] or None,
        # Keystone has long dropped the ending of the names that the option has.
        parts[2].removesuffix("URL"),
        region=options.cinder_os_region_name,
        template=template,
        ca_file=options.cinder_ca_certificates_file,
        insecure=options.cinder_api_insecure,
        retries=options.cinder_http_retries,
    )


def _check_template(template: str) -> None:
    _check_url("cinder_endpoint_template", template)
    if "%" in _PROJECT.sub("", template):
        raise Invalid("cinder_endpoint_template", "it knows no names but %(tenant)s")


def _check_url(name: str, url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise Invalid(name, "it must be an HTTP or HTTPS URL")


KIND = Kind("cinder", frozenset({"cinder", "glance.store.cinder.Store"}), OPTIONS, _read)
