"""The registry, as an API node and the registry itself are told about it: by Glance's historic options."""

from dataclasses import dataclass, field

from oslo_config import cfg

from glimpse.config.addresses import is_loopback
from glimpse.domain.errors import Invalid

PROGRAM = "glance-registry"
PORT = 9191

# A shorter one could be guessed.
SECRET_LENGTH = 32

# Where the records are, by Glance's names: in a database, or behind a registry.
_DATABASE = "glance.db.sqlalchemy.api"
_REGISTRY = "glance.db.registry.api"

OPTIONS = (
    cfg.StrOpt(
        "data_api",
        default=_DATABASE,
        choices=[(_DATABASE, "in the database of [database] connection"), (_REGISTRY, "behind a registry")],
        help=f"Where records are: `{_DATABASE}` or, for a node without a database of its own, `{_REGISTRY}`.",
    ),
    cfg.HostAddressOpt("registry_host", default="127.0.0.1", help="Where the registry is."),
    cfg.PortOpt("registry_port", default=PORT, help="Port of the registry."),
    cfg.StrOpt(
        "registry_client_protocol",
        default="http",
        choices=[("http", "without TLS"), ("https", "with TLS")],
        help="How the registry is spoken to: `http` or `https`.",
    ),
    cfg.StrOpt("registry_client_key_file", help="Private key (PEM) of `registry_client_cert_file`."),
    cfg.StrOpt("registry_client_cert_file", help="Certificate (PEM) that is shown to the registry."),
    cfg.StrOpt(
        "registry_client_ca_file", help="Who signs the registry's certificate (PEM). Default: the system's."
    ),
    cfg.BoolOpt("registry_client_insecure", default=False, help="Take any certificate of the registry."),
    cfg.IntOpt(
        "registry_client_timeout",
        default=60,
        min=1,
        help="Seconds of silence after which the registry counts as away.",
    ),
)

OWN_OPTIONS = (
    cfg.StrOpt(
        "registry_secret",
        secret=True,
        help=f"What API nodes and the registry both know, by which it knows them: {SECRET_LENGTH} characters "
        "or more. Default: tokens of Keystone, where the flavor is `keystone`.",
    ),
    cfg.StrOpt(
        "client_ca_file",
        help="Only clients with a certificate of this authority (PEM) may connect; needs TLS.",
    ),
)


@dataclass(frozen=True, slots=True)
class RegistryLink:
    """How a node reaches its registry. Without `tls` the files are not used."""

    host: str
    port: int
    tls: bool
    timeout: int
    key_file: str | None = None
    cert_file: str | None = None
    ca_file: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """`link` leads to the registry that keeps this node's records (None: they are in its database)."""

    link: RegistryLink | None
    secret: str | None = field(repr=False)


def read_registry(config: cfg.ConfigOpts, program: str) -> RegistrySettings:
    """What the options say; the registry itself has none before it.

    :raises Invalid: the secret is too short, or would be sent without TLS; a certificate has no key.
    """
    secret: str | None = config.glimpse.registry_secret
    if secret is not None and (len(secret) < SECRET_LENGTH or not secret.isascii() or " " in secret):
        raise Invalid(
            "registry_secret", f"at least {SECRET_LENGTH} ASCII characters without spaces are needed"
        )
    if config.data_api != _REGISTRY or program == PROGRAM:
        return RegistrySettings(None, secret)
    link = RegistryLink(
        host=config.registry_host,
        port=config.registry_port,
        tls=config.registry_client_protocol == "https",
        timeout=config.registry_client_timeout,
        key_file=config.registry_client_key_file,
        cert_file=config.registry_client_cert_file,
        ca_file=config.registry_client_ca_file,
        insecure=config.registry_client_insecure,
    )
    if bool(link.cert_file) != bool(link.key_file):
        raise Invalid(
            "registry_client_cert_file", "registry_client_cert_file and registry_client_key_file go together"
        )
    if secret and not link.tls and not is_loopback(link.host):
        raise Invalid(
            "registry_client_protocol",
            f"registry_secret would be sent to {link.host} for all to read: use https",
        )
    return RegistrySettings(link, secret)
