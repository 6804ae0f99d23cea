"""The options by upstream's groups and names (oslo.config), and our own in the group `glimpse`.

Each one is documented in `docs/reference/configuration.md`; a test holds that.
"""

from oslo_config import cfg, types

from glimpse.config import commands, registry, traces
from glimpse.config import import_options as imports
from glimpse.config.backends import OPTIONS as STORE_OPTIONS

DEFAULT = (
    cfg.HostAddressOpt("bind_host", default="127.0.0.1", help="Address to listen on."),
    cfg.PortOpt("bind_port", default=9292, help="Port to listen on."),
    cfg.IntOpt("workers", default=1, min=0, help="Processes that answer requests; 0: one."),
    cfg.StrOpt("cert_file", help="Certificate (PEM) with which to serve TLS."),
    cfg.StrOpt("key_file", help="Private key (PEM) of `cert_file`."),
    cfg.StrOpt("public_endpoint", help="Base URL in version links and Location headers."),
    cfg.BoolOpt("debug", default=False, help="Log more."),
    cfg.StrOpt("log_file", help="File of the log. Default: the standard error output."),
    cfg.StrOpt("log_dir", help="Folder of `log_file`; alone: of a file named like the program."),
    cfg.BoolOpt("use_stderr", default=False, help="Log to the standard error output beside `log_file`."),
    cfg.BoolOpt("use_json", default=False, help="Log objects of JSON, a line each, with oslo.log's fields."),
    cfg.StrOpt("hashing_algorithm", default="sha512", help="Algorithm of os_hash_value (a name of hashlib)."),
    cfg.IntOpt(
        "image_property_quota", default=128, help="Custom properties of an image; negative: any number."
    ),
    cfg.IntOpt("image_tag_quota", default=128, help="Tags of an image; negative: any number."),
    cfg.IntOpt("image_member_quota", default=128, help="Members of an image; negative: any number."),
    cfg.IntOpt("image_location_quota", default=10, help="Locations of an image; negative: any number."),
    cfg.StrOpt(
        "metadata_encryption_key",
        secret=True,
        help="Encrypts the URLs of locations in the database, as Glance does, with AES: 16, 24 or 32 bytes.",
    ),
    cfg.IntOpt("image_size_cap", default=2**40, min=1, max=2**63, help="Largest image, in bytes."),
    cfg.StrOpt(
        "user_storage_quota",
        default="0",
        regex=r"^[0-9]+(B|KB|MB|GB|TB)?$",
        help="Bytes that a project may store, with a binary unit (B, KB, MB, GB, TB); 0: any number.",
    ),
    cfg.BoolOpt(
        "use_keystone_limits",
        default=False,
        help="Limits of projects are those in Keystone, by [oslo_limit], instead of `user_storage_quota`.",
    ),
    cfg.IntOpt(
        "limit_param_default", default=25, min=1, help="Images in a page when the client does not say."
    ),
    cfg.IntOpt("api_limit_max", default=1000, min=1, help="Most images in a page."),
    cfg.BoolOpt(
        "allow_anonymous_access", default=False, help="Let callers without a token read what is public."
    ),
    cfg.IntOpt(
        "max_request_id_length", default=64, min=0, help="Longest request id taken from a client; 0: any."
    ),
    cfg.BoolOpt("enable_v1_api", default=False, help="Answer the Image API v1, too (docs/v1.md)."),
    cfg.BoolOpt("show_image_direct_url", default=False, help="Show `direct_url`: where an image's data is."),
    cfg.BoolOpt("show_multiple_locations", default=False, help="Show and edit all locations of an image."),
    cfg.StrOpt("property_protection_file", help="Who may do what to which property: an INI file."),
    cfg.StrOpt(
        "property_protection_rule_format",
        default="roles",
        choices=[("roles", "roles by name"), ("policies", "rules of the policy")],
        help="What the property protection file names.",
    ),
    cfg.BoolOpt(
        "do_secure_hash", default=True, help="Make the digests of data whose location a client registers."
    ),
    cfg.IntOpt("http_retries", default=3, help="How often a read from a web server goes on where it broke."),
    cfg.BoolOpt(
        "delayed_delete",
        default=False,
        help="Let the data of deleted images wait until `glance-scrubber` removes it.",
    ),
    cfg.IntOpt(
        "scrub_time",
        default=0,
        min=0,
        max=10**9,
        help="How long the scrubber leaves the data of a deleted image, in seconds.",
    ),
    cfg.IntOpt("scrub_pool_size", default=1, min=1, help="How many images a scrubber removes side by side."),
    cfg.IntOpt(
        "wakeup_time",
        default=300,
        min=0,
        help="How long a scrubber that runs as a daemon sleeps between two looks, in seconds.",
    ),
    cfg.BoolOpt("daemon", default=False, help="Let `glance-scrubber` run until it is stopped."),
    cfg.StrOpt(
        "metadata_source_path",
        default="/etc/glance/metadefs/",
        help="Folder of the metadata definitions that `glance-manage db load_metadefs` reads.",
    ),
    cfg.StrOpt(
        "image_cache_dir", help="Folder of the image cache. Default: `image-cache` in the state folder."
    ),
    cfg.IntOpt(
        "image_cache_max_size",
        default=10 * 2**30,
        min=0,
        help="Bytes in the image cache; what was not read for the longest time goes after each fill.",
    ),
    cfg.IntOpt(
        "image_cache_stall_time",
        default=86400,
        min=0,
        help="Seconds after which an image that is being cached and gets nothing is given up.",
    ),
    cfg.StrOpt(
        "image_cache_driver",
        default="centralized_db",
        ignore_case=True,
        choices=["centralized_db", "sqlite", "xattr"],
        help="How Glance lists what is cached. Here all three mean the same: in the database.",
    ),
    cfg.StrOpt(
        "worker_self_reference_url",
        max_length=255,
        help="Under which name the database lists what this host has cached. Default: its host name.",
    ),
    cfg.ListOpt(
        "enabled_import_methods",
        item_type=types.String(choices=["glance-direct", "web-download", "copy-image", "glance-download"]),
        default=["glance-direct", "web-download", "copy-image"],
        bounds=True,
        help="Ways by which data may be imported: `glance-direct`, `web-download`, `copy-image`, "
        "`glance-download`; in brackets.",
    ),
    cfg.StrOpt("default_publisher_id", default="image.localhost", help="As whom notifications are sent."),
    cfg.ListOpt(
        "disabled_notifications",
        default=[],
        help="Notifications that are not sent: types (`image.create`), or how they begin (`image.member`).",
    ),
    cfg.StrOpt(
        "transport_url",
        secret=True,
        default="rabbit://",
        help="The message bus, if [oslo_messaging_notifications] names none.",
    ),
    cfg.StrOpt(
        "control_exchange", default="glance", help="Exchange of the message bus to which notifications go."
    ),
    cfg.DictOpt(
        "enabled_backends",
        help="Stores, as `id:type`: any number of each type, but one `http` at most.",
    ),
    cfg.StrOpt(
        "node_staging_uri", help="Scratch space, as a `file://` URI, if [os_glance_tasks_store] names none."
    ),
)

# Of oslo.messaging: those that are read before it is imported.
MESSAGING = (
    cfg.MultiStrOpt(
        "driver",
        default=[],
        help="How notifications are sent: `messagingv2`, `messaging`, `routing`, `log`, `noop`, `test`; "
        "none: they are not.",
    ),
    cfg.StrOpt("transport_url", secret=True, help="The message bus. Default: that of [DEFAULT]."),
    cfg.ListOpt("topics", default=["notifications"], help="Topics to which notifications are sent."),
)

DATABASE = (
    cfg.StrOpt(
        "connection", secret=True, help="SQLAlchemy URL of the database. Default: SQLite in the state folder."
    ),
)

PASTE = (
    cfg.StrOpt("flavor", help="Which pipeline of the paste file: `keystone`, `keystone+caching`, ..."),
    cfg.StrOpt("config_file", help="The paste file. Default: named like the last configuration file."),
)

STORES = (
    cfg.ListOpt(
        "stores", default=["file", "http"], help="Stores without `enabled_backends`, by their types."
    ),
    cfg.StrOpt(
        "default_store", default="file", help="Without `enabled_backends`: which type new images go to."
    ),
    cfg.StrOpt("default_backend", help="Which of `enabled_backends` new images go to."),
)

# Of the groups named like the stores of `enabled_backends`; what one leaves out is as in [backend_defaults].
BACKEND = (
    *STORE_OPTIONS,
    cfg.IntOpt("weight", default=0, help="Of an image's stores, the one with the highest is read first."),
    cfg.StrOpt("store_description", help="What clients are told of the store."),
)

TASKS_STORE = (cfg.StrOpt("filesystem_store_datadir", help="Scratch space, if [task] work_dir names none."),)

IMPORT_FILTERING = (
    *(
        cfg.ListOpt(
            f"allowed_{kind}",
            default=default,
            help=f"{kind.capitalize()} of URLs that images come from; empty: all but `disallowed_{kind}`.",
        )
        for kind, default in (("schemes", ["http", "https"]), ("hosts", []), ("ports", ["80", "443"]))
    ),
    *(
        cfg.ListOpt(
            f"disallowed_{kind}",
            default=[],
            help=f"{kind.capitalize()} of URLs that are refused if `allowed_{kind}` is empty.",
        )
        for kind in ("schemes", "hosts", "ports")
    ),
)

MIDDLEWARE = (
    cfg.BoolOpt(
        "enable_proxy_headers_parsing",
        default=False,
        help="Believe Forwarded and X-Forwarded-Proto, -Host and -Prefix; for services behind a proxy alone.",
    ),
)

HEALTHCHECK = (
    cfg.StrOpt(
        "disable_by_file_path",
        default="/etc/glance/healthcheck_disable",
        help="While this file is there, the health check answers 503. The paste file's own setting wins.",
    ),
    cfg.BoolOpt(
        "detailed",
        default=False,
        help="Let the health check say why, to whoever asks. The paste file's own setting wins.",
    ),
)

CORS = (
    cfg.ListOpt("allowed_origin", help="Origins whose scripts may call, or `*`; none: no scripts of others."),
    cfg.BoolOpt("allow_credentials", default=True, help="Whether such scripts may send credentials."),
    cfg.ListOpt(
        "expose_headers",
        default=[
            *("X-Image-Meta-Checksum", "X-Auth-Token", "X-Subject-Token", "X-Service-Token"),
            "X-OpenStack-Request-ID",
        ],
        help="Headers of answers that such scripts may read.",
    ),
    cfg.IntOpt("max_age", default=3600, help="How long browsers may remember a permission, in seconds."),
    cfg.ListOpt(
        "allow_methods",
        default=["GET", "PUT", "POST", "DELETE", "PATCH"],
        help="Methods that such scripts may use.",
    ),
    cfg.ListOpt(
        "allow_headers",
        default=[
            *("Content-MD5", "X-Image-Meta-Checksum", "X-Storage-Token", "Accept-Encoding", "X-Auth-Token"),
            *("X-Identity-Status", "X-Roles", "X-Service-Catalog", "X-User-Id", "X-Tenant-Id"),
            "X-OpenStack-Request-ID",
        ],
        help="Headers that such scripts may send.",
    ),
)

GLIMPSE = (
    cfg.StrOpt("state_dir", help="Folder of everything that the service keeps by default."),
    cfg.StrOpt(
        "auth_strategy",
        choices=[
            ("paste", "the pipeline of the paste file: Keystone"),
            ("http_basic", "names and passwords from an htpasswd file"),
            ("noauth", "everybody is administrator"),
        ],
        help="How callers are known. Default: `paste`; for `glimpse serve` without a `flavor`, `http_basic`.",
    ),
    cfg.BoolOpt(
        "allow_noauth_on_network",
        default=False,
        help="Let `noauth` listen beyond loopback, where everybody who reaches it is administrator.",
    ),
    cfg.StrOpt(
        "http_basic_auth_user_file", help="The htpasswd file. Default: `htpasswd` in the state folder."
    ),
    cfg.StrOpt(
        "certificate_folder",
        help="Folder of the certificates (`ID.pem`) by which signatures of images are verified. Default: the "
        "key manager of [key_manager] has them.",
    ),
    cfg.StrOpt(
        "signature_trust_store",
        help="File (PEM) of the certificates that are trusted to sign images, or to issue certificates that "
        "do. Default: any certificate will do.",
    ),
    cfg.FloatOpt(
        "lease_seconds",
        default=10.0,
        min=1.0,
        help="Silence after which another worker undoes a write, in seconds.",
    ),
    cfg.ListOpt(
        "healthcheck_required_stores",
        default=[],
        help="Stores without which the health check answers 503. Others are named in it.",
    ),
    cfg.FloatOpt(
        "healthcheck_timeout",
        default=2.0,
        min=0.1,
        help="How long the health check waits for the database and for stores, in seconds.",
    ),
    cfg.FloatOpt(
        "healthcheck_remember",
        default=5.0,
        min=0.0,
        help="How long the health check answers by what it found out before, in seconds.",
    ),
    cfg.PortOpt("metrics_port", help="Port of `/metrics` for Prometheus. Default: no metrics are made."),
    cfg.PortOpt("worker_metrics_port", help="Port of `/metrics` of `glimpse worker`. Default: none."),
    cfg.HostAddressOpt(
        "metrics_host",
        default="127.0.0.1",
        help="Address of `/metrics`, which asks nobody who they are.",
    ),
    cfg.IntOpt(
        "notification_backlog",
        default=10_000,
        min=100,
        help="Most notifications that wait while the message bus is away; then the oldest are dropped.",
    ),
    cfg.BoolOpt(
        "image_cache",
        default=False,
        help="Cache images; for services without a paste file, whose flavor says so too.",
    ),
    cfg.BoolOpt(
        "run_jobs",
        default=True,
        help="Let the processes that answer requests do jobs; `glimpse worker` does them in any case.",
    ),
)

# Nova's, for the compute side.
GLANCE = (
    cfg.BoolOpt(
        "verify_glance_signatures",
        default=False,
        help="`glimpse compute` boots only images whose signatures it has verified.",
    ),
)

GROUPS = {
    "DEFAULT": DEFAULT + registry.OPTIONS + commands.CONTROL + commands.REPLICATOR,
    "oslo_messaging_notifications": MESSAGING,
    "database": DATABASE,
    "paste_deploy": PASTE,
    "glance_store": STORES + STORE_OPTIONS,
    "backend_defaults": BACKEND,
    "os_glance_tasks_store": TASKS_STORE,
    "import_filtering_opts": IMPORT_FILTERING,
    "oslo_middleware": MIDDLEWARE,
    "healthcheck": HEALTHCHECK,
    "cors": CORS,
    "image_format": imports.IMAGE_FORMAT,
    "task": imports.TASK,
    "taskflow_executor": imports.TASKFLOW,
    "image_import_opts": imports.IMPORT,
    "inject_metadata_properties": imports.INJECT,
    "image_conversion": imports.CONVERSION,
    "glance_download_properties": imports.GLANCE_DOWNLOAD,
    "glance": GLANCE,
    "glimpse": GLIMPSE + registry.OWN_OPTIONS + traces.OPTIONS,
}


def register(config: cfg.ConfigOpts) -> None:
    """Make the options known to `config`."""
    for group, options in GROUPS.items():
        config.register_opts(options, group=None if group == "DEFAULT" else group)


def registered(config: cfg.ConfigOpts) -> dict[str, set[str]]:
    """The names of the options that are known to `config`, ours and those of libraries, by group."""
    # Not told by their values: to read an option may fail.
    groups = {name for name in config if name in config._groups}
    return {name: set(config[name]) for name in groups} | {"DEFAULT": set(config) - groups}
