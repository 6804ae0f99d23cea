"""Stores in Swift."""

from collections.abc import Mapping
from configparser import Error, RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store
from glimpse.stores.swift.places import Containers, Credentials

_MIB = 1024 * 1024
# Segments wait in memory, several at once.
_LARGEST_SEGMENT = 64
# All hex digits of an image's id.
_ALL = 32
_INTERFACES = {"publicURL": "public", "internalURL": "internal", "adminURL": "admin"}

# What is said of an account without a file.
_INLINE = (
    "auth_address",
    "user",
    "key",
    "auth_version",
    "project_name",
    "project_id",
    "application_credential_id",
    "application_credential_secret",
)

OPTIONS = (
    cfg.StrOpt(
        "default_swift_reference", default="ref1", help="Name of the account of new images in locations."
    ),
    cfg.StrOpt("swift_store_config_file", help="File of accounts: one section for each reference."),
    cfg.StrOpt("swift_store_auth_address", help="Identity service, if no file names accounts."),
    cfg.StrOpt("swift_store_user", secret=True, help="Who the service is there: `project:user`."),
    cfg.StrOpt("swift_store_key", secret=True, help="The user's password."),
    cfg.StrOpt(
        "swift_store_auth_version",
        default="3",
        help="3 (or 2): Keystone v3. 1: Swift's own authentication (Glance: 3 alone).",
    ),
    cfg.StrOpt(
        "swift_store_application_credential_id",
        secret=True,
        help="Application credential that stands for user and key.",
    ),
    cfg.StrOpt("swift_store_application_credential_secret", secret=True, help="Its secret."),
    cfg.StrOpt("swift_store_project_name", help="The user's project, if `swift_store_user` names none."),
    cfg.StrOpt("swift_store_project_id", help="The user's project by its id."),
    cfg.StrOpt("swift_store_region", help="Region of the catalog. Default: the first that has Swift."),
    cfg.StrOpt("swift_store_endpoint", help="URL of the account, if not the catalog's."),
    cfg.StrOpt(
        "swift_store_endpoint_type",
        default="publicURL",
        choices=sorted(_INTERFACES),
        help="Which of the catalog's endpoints.",
    ),
    cfg.StrOpt("swift_store_service_type", default="object-store", help="Swift's type in the catalog."),
    cfg.StrOpt("swift_store_cacert", help="Authorities that Swift and Keystone are verified by."),
    cfg.BoolOpt("swift_store_auth_insecure", default=False, help="Do not verify Swift and Keystone."),
    cfg.StrOpt("swift_store_container", default="glance", help="Container, or how its name begins."),
    cfg.IntOpt(
        "swift_store_multiple_containers_seed",
        default=0,
        min=0,
        max=32,
        help="How many hex digits of an image's id the container's name ends with; 0: one container.",
    ),
    cfg.BoolOpt(
        "swift_store_create_container_on_put", default=False, help="Make a container that is not there."
    ),
    cfg.IntOpt(
        "swift_store_large_object_chunk_size",
        default=32,
        min=1,
        help=f"Size of segments in MiB, at most {_LARGEST_SEGMENT}, since they wait in memory (Glance: 200).",
    ),
    cfg.IntOpt(
        "swift_store_retry_get_count",
        default=3,
        min=0,
        help="How often a read that broke is taken up again without getting on (Glance: 0).",
    ),
    cfg.IntOpt(
        "swift_store_expire_soon_interval",
        default=60,
        min=0,
        help="A token is renewed so many seconds before its end.",
    ),
    cfg.BoolOpt(
        "swift_store_multi_tenant",
        default=False,
        help="Keep each image in the account of its project, in a container of its own.",
    ),
    cfg.ListOpt(
        "swift_store_admin_tenants",
        default=[],
        help="With it: ids of projects that may write to these containers too.",
    ),
)


@dataclass(frozen=True, slots=True)
class SwiftBackend:
    """The accounts by their references, that of new images, and how they are reached and filled."""

    references: Mapping[str, Credentials]
    reference: str
    containers: Containers
    segment: int
    create_containers: bool = False
    retries: int = 3
    per_project: bool = False
    admin_projects: tuple[str, ...] = ()
    # As the fields of `glimpse.stores.swift.account.Access`, whose module imports the client's library.
    access: Mapping[str, Any] = field(default_factory=dict)

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.swift.account import Access
        from glimpse.stores.swift.store import SwiftStore, Terms

        terms = Terms(
            self.reference,
            self.containers,
            self.segment,
            self.create_containers,
            self.retries,
            self.per_project,
            self.admin_projects,
        )
        return SwiftStore(store_id, self.references, terms, Access(**self.access))

    def properties(self) -> Mapping[str, object]:
        """As Glance tells them."""
        return {
            "container": self.containers.name,
            "large_object_size": self.segment,
            "large_object_chunk_size": self.segment,
        }


def _read(options: Any, config: cfg.ConfigOpts, _: Path) -> SwiftBackend:
    references = _references(options, config)
    if options.default_swift_reference not in references:
        raise Invalid("default_swift_reference", "swift_store_config_file has no such section")
    container, per_project = options.swift_store_container, options.swift_store_multi_tenant
    if not container or "/" in container:
        raise Invalid("swift_store_container", "it is no name of a container")
    return SwiftBackend(
        references,
        options.default_swift_reference,
        Containers(container, _ALL if per_project else options.swift_store_multiple_containers_seed),
        min(options.swift_store_large_object_chunk_size, _LARGEST_SEGMENT) * _MIB,
        options.swift_store_create_container_on_put,
        options.swift_store_retry_get_count,
        per_project,
        tuple(options.swift_store_admin_tenants),
        _access(options),
    )


def _access(options: Any) -> dict[str, Any]:
    endpoint = options.swift_store_endpoint
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise Invalid("swift_store_endpoint", "it is no http:// or https:// URL")
    return {
        "region": options.swift_store_region,
        "service_type": options.swift_store_service_type,
        "interface": _INTERFACES[options.swift_store_endpoint_type],
        "endpoint": endpoint,
        "ca_file": options.swift_store_cacert,
        "insecure": options.swift_store_auth_insecure,
        "expire_soon": options.swift_store_expire_soon_interval,
    }


def _references(options: Any, config: cfg.ConfigOpts) -> Mapping[str, Credentials]:
    name = options.swift_store_config_file
    if not name:
        said = {key: getattr(options, f"swift_store_{key}") for key in _INLINE}
        inline = _credentials(_Said(said, "swift_store_{}"))
        return {options.default_swift_reference: inline}
    path = config.find_file(name)
    if path is None:
        raise Invalid("swift_store_config_file", "there is no such file")
    parser = RawConfigParser(strict=False)
    try:
        parser.read_string(Path(path).read_text())
    except (OSError, UnicodeDecodeError):
        raise Invalid("swift_store_config_file", "it cannot be read") from None
    except Error as error:
        # The error's text holds lines of the file.
        raise Invalid("swift_store_config_file", f"it is no ini file ({type(error).__name__})") from None
    return {
        section: _credentials(
            _Said(dict(parser.items(section)), f"swift_store_config_file: [{section}] {{}}")
        )
        for section in parser.sections()
    }


@dataclass(frozen=True, slots=True)
class _Said:
    """What one section says of an account; `place` names its options in errors."""

    values: Mapping[str, str | None]
    place: str

    def get(self, key: str) -> str | None:
        """A value without its quotes; None: there is none."""
        return (self.values.get(key) or "").strip("\"'") or None

    def need(self, key: str) -> str:
        """:raises Invalid: there is none."""
        value = self.get(key)
        if value is None:
            raise self.invalid(key, "it is needed")
        return value

    def invalid(self, key: str, reason: str) -> Invalid:
        """The error of an option."""
        return Invalid(self.place.format(key), reason)


def _credentials(said: _Said) -> Credentials:
    address = said.need("auth_address")
    if "://" not in address:
        address = f"https://{address}"
    if not address.startswith(("http://", "https://")):
        raise said.invalid("auth_address", "it is no http:// or https:// URL")
    version = (said.get("auth_version") or "3").partition(".")[0]
    if version not in ("1", "2", "3"):
        raise said.invalid("auth_version", "it is neither 3 nor 1")
    if version == "1":
        return Credentials(address, said.need("user"), said.need("key"), 1)
    if identity := said.get("application_credential_id"):
        secret = said.need("application_credential_secret")
        return Credentials(address, application_credential_id=identity, application_credential_secret=secret)
    return _by_password(address, said)


def _by_password(address: str, said: _Said) -> Credentials:
    project, _, user = said.need("user").rpartition(":")
    project_id, project_name = said.get("project_id"), said.get("project_name") or project
    if not (project_id or project_name):
        raise said.invalid("user", "it is not written project:user, and no project is named")
    user_domain, project_domain = said.get("user_domain_name"), said.get("project_domain_name")
    return Credentials(
        address,
        user,
        said.need("key"),
        project_name=None if project_id else project_name,
        project_id=project_id,
        user_domain_name=user_domain,
        user_domain_id=said.get("user_domain_id") or (None if user_domain else "default"),
        project_domain_name=project_domain,
        project_domain_id=said.get("project_domain_id") or (None if project_domain else "default"),
    )


# `default_store` may name the scheme of locations.
_TYPES = frozenset({"swift", "swift+http", "swift+https", "swift+config", "glance.store.swift.Store"})

KIND = Kind("swift", _TYPES, OPTIONS, _read)
