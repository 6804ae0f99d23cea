"""The options by upstream's groups and names (oslo.config), and our own in the group `glimpse`.

Each one is documented in `docs/reference/configuration.md`; a test holds that.
"""

from oslo_config import cfg

from glimpse.domain.attributes import CONTAINER_FORMATS, DISK_FORMATS

DEFAULT = (
    cfg.HostAddressOpt("bind_host", default="127.0.0.1", help="Address to listen on."),
    cfg.PortOpt("bind_port", default=9292, help="Port to listen on."),
    cfg.IntOpt("workers", default=1, min=1, help="Processes that answer requests."),
    cfg.StrOpt("cert_file", help="Certificate (PEM) with which to serve TLS."),
    cfg.StrOpt("key_file", help="Private key (PEM) of `cert_file`."),
    cfg.StrOpt("public_endpoint", help="Base URL in version links and Location headers."),
    cfg.BoolOpt("debug", default=False, help="Log more."),
    cfg.StrOpt("hashing_algorithm", default="sha512", help="Algorithm of os_hash_value (a name of hashlib)."),
    cfg.IntOpt(
        "image_property_quota", default=128, help="Custom properties of an image; negative: any number."
    ),
    cfg.IntOpt("image_tag_quota", default=128, help="Tags of an image; negative: any number."),
    cfg.IntOpt("image_member_quota", default=128, help="Members of an image; negative: any number."),
    cfg.IntOpt("image_location_quota", default=10, help="Locations of an image; negative: any number."),
    cfg.IntOpt("image_size_cap", default=2**40, min=1, max=2**63, help="Largest image, in bytes."),
    cfg.StrOpt(
        "user_storage_quota",
        default="0",
        regex=r"^[0-9]+(B|KB|MB|GB|TB)?$",
        help="Bytes that a project may store, with a binary unit (B, KB, MB, GB, TB); 0: any number.",
    ),
    cfg.IntOpt(
        "limit_param_default", default=25, min=1, help="Images in a page when the client does not say."
    ),
    cfg.IntOpt("api_limit_max", default=1000, min=1, help="Most images in a page."),
)

DATABASE = (
    cfg.StrOpt(
        "connection", secret=True, help="SQLAlchemy URL of the database. Default: SQLite in the state folder."
    ),
)

STORE = (
    cfg.StrOpt(
        "filesystem_store_datadir", help="Folder of the images. Default: `images` in the state folder."
    ),
    cfg.IntOpt("filesystem_store_file_perm", default=0, min=0, help="Permissions of image files; 0: 0640."),
    cfg.BoolOpt(
        "filesystem_thin_provisioning", default=True, help="Keep holes instead of writing blocks of zeros."
    ),
)

IMAGE_FORMAT = (
    cfg.ListOpt("disk_formats", default=list(DISK_FORMATS), help="Values allowed for disk_format."),
    cfg.ListOpt(
        "container_formats", default=list(CONTAINER_FORMATS), help="Values allowed for container_format."
    ),
    cfg.BoolOpt(
        "require_image_format_match", default=True, help="Refuse data that is not of the image's disk_format."
    ),
)

GLIMPSE = (
    cfg.StrOpt("state_dir", help="Folder of everything that the service keeps by default."),
    cfg.StrOpt(
        "auth_strategy",
        default="http_basic",
        choices=[
            ("http_basic", "names and passwords from an htpasswd file"),
            ("noauth", "everybody is administrator"),
        ],
        help="How callers are known.",
    ),
    cfg.BoolOpt(
        "allow_noauth_on_network",
        default=False,
        help="Let `noauth` listen beyond loopback, where everybody who reaches it is administrator.",
    ),
    cfg.StrOpt(
        "http_basic_auth_user_file", help="The htpasswd file. Default: `htpasswd` in the state folder."
    ),
    cfg.FloatOpt(
        "lease_seconds",
        default=10.0,
        min=1.0,
        help="Silence after which another worker undoes a write, in seconds.",
    ),
)

GROUPS = {
    "DEFAULT": DEFAULT,
    "database": DATABASE,
    "glance_store": STORE,
    "image_format": IMAGE_FORMAT,
    "glimpse": GLIMPSE,
}


def register(config: cfg.ConfigOpts) -> None:
    """Make the options known to `config`."""
    for group, options in GROUPS.items():
        config.register_opts(options, group=None if group == "DEFAULT" else group)
