"""Options of Glance that are accepted without effect: which, and why; and names that Glance itself gave up.

A file that worked there works here. What it asks for in vain is told at the start, and by
`glance-status upgrade check`.
"""

from collections.abc import Mapping

_ENGINE = "imports are durable jobs, which need no task engine"
_SERVER = "the server looks after its connections by itself"
_LOG = "logs go to log_file, or to the standard error output, in one format"
_REGISTRY = "since Glance 21; `glance-registry` serves one interface"
_REGISTRY_ACCOUNT = "since Glance 21; the registry knows nodes by the account in [keystone_authtoken]"
_STORE_GROUP = "since Glance 2014.2; the options of stores are in [glance_store]"
_DATABASE_GROUP = "since Glance 2014.2; use [database] connection"
_OLD_API = "with the API of that version, by Glance"


def _each(reason: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), reason)


IGNORED: Mapping[str, Mapping[str, str]] = {
    "DEFAULT": {
        **_each("no remote debugger is offered", "pydev_worker_debug_host pydev_worker_debug_port"),
        **_each("it has no effect in Glance either", "digest_algorithm"),
        **_each("the list of what is cached is in the database", "image_cache_sqlite_db"),
        **_each(
            "notifications are sent by one thread of each process, and nothing is called by the bus",
            "executor_thread_pool_size rpc_conn_pool_size rpc_response_timeout",
        ),
        "restore": "an image is restored by `glance-scrubber --restore`",
        **_each(_SERVER, "backlog tcp_keepidle max_header_line http_keepalive client_socket_timeout"),
        **_each(
            _LOG,
            "log_config_append log_date_format use_syslog use_journal syslog_log_facility "
            "use_eventlog log_color watch_log_file log_rotate_interval log_rotate_interval_type "
            "max_logfile_count max_logfile_size_mb log_rotation_type logging_context_format_string "
            "logging_default_format_string logging_debug_format_suffix logging_exception_prefix "
            "logging_user_identity_format default_log_levels publish_errors instance_format "
            "instance_uuid_format rate_limit_interval rate_limit_burst rate_limit_except_level "
            "fatal_deprecations",
        ),
    },
    "database": _each(
        "connections are pooled and retried by fixed rules",
        "backend sqlite_synchronous slave_connection mysql_sql_mode mysql_wsrep_sync_wait "
        "asyncio_connection asyncio_slave_connection synchronous_reader max_pool_size max_retries "
        "retry_interval max_overflow connection_debug connection_trace connection_recycle_time "
        "pool_timeout use_db_reconnect db_retry_interval db_inc_retry_interval "
        "db_max_retry_interval db_max_retries connection_parameters min_pool_size use_tpool "
        "mysql_enable_ndb idle_timeout sql_max_retries",
    ),
    "glance_store": {
        "filesystem_store_chunk_size": "the filesystem store chooses it by itself",
        "swift_store_large_object_size": "images larger than one segment are written in segments",
        "swift_store_use_trusts": "where a caller's token has ended, the service's own user goes on",
        "swift_store_ssl_compression": "TLS has no compression any more",
        **_each(
            "segments wait in memory, and are sent again from there",
            "swift_buffer_on_upload swift_upload_buffer_dir",
        ),
        "http_proxy_information": "HTTP locations are read without a proxy",
        "rootwrap_config": "os-brick becomes root by its own helper",
        "store_capabilities_update_min_interval": "it has no effect in Glance either",
    },
    "os_glance_tasks_store": {
        "filesystem_store_chunk_size": "what is read and written there has fixed sizes"
    },
    "healthcheck": _each(
        "the health check knows one file, the database and the stores",
        "path backends disable_by_file_paths enable_by_file_paths allowed_source_ranges "
        "ignore_proxied_requests",
    ),
    "oslo_messaging_notifications": {"retry": "what the bus does not take waits in the backlog"},
    "oslo_middleware": {
        "max_request_body_size": "documents of 8 MiB are taken; the size of images has options of its own",
        "secure_proxy_ssl_header": "X-Forwarded-Proto and Forwarded are read",
    },
    "image_format": _each("the inspection of uploads has fixed rules", "gpt_safety_checks_nonfatal"),
    "task": _each(_ENGINE, "task_executor eventlet_executor_pool_size"),
    "taskflow_executor": {
        "engine_mode": _ENGINE,
        "conversion_format": "tasks of the type import convert by [image_conversion] output_format",
    },
    "image_import_opts": {"max_parallel_stores": "all stores get the data at once, while it is read once"},
    "wsgi": _each(_SERVER, "task_pool_threads python_interpreter"),
}

# Groups of which nothing is used.
IGNORED_GROUPS: Mapping[str, str] = {
    "os_glance_staging_store": "data is staged where it will live",
    "oslo_messaging_zmq": "oslo.messaging gave up this transport",
    "oslo_concurrency": "no locks in files are needed",
    "oslo_reports": "no reports are written",
    "os_brick": "os-brick keeps its locks in the state folder, and its other options at their defaults",
    "profiler": "requests are not traced",
}

# Groups that libraries read, with options that may depend on plugins.
LIBRARY_GROUPS = (
    *("keystone_authtoken", "oslo_policy", "oslo_limit"),
    *("key_manager", "barbican", "barbican_service_user", "vault"),
    *("oslo_messaging_rabbit", "oslo_messaging_kafka", "oslo_messaging_amqp"),
)

# In effect, but Glance has announced that they will go.
DEPRECATED: Mapping[str, Mapping[str, str]] = {
    "DEFAULT": {"show_multiple_locations": "since Newton; grant the location rules by policy"},
    "glance_store": {
        "stores": "since Rocky; use enabled_backends",
        "default_store": "since Rocky; use [glance_store] default_backend",
        "filesystem_store_datadirs": "since Glance 31: use filesystem_store_datadir",
    },
}

REMOVED: Mapping[str, Mapping[str, str]] = {
    "glance_store": {
        "swift_enable_snet": "since Glance 2015.1",
        **_each(
            "since glance_store 0.16",
            "s3_store_object_buffer_dir s3_store_enable_proxy s3_store_proxy_host s3_store_proxy_port "
            "s3_store_proxy_user s3_store_proxy_password",
        ),
        **_each("since Glance 12; use vmware_datastores", "vmware_datacenter_path vmware_datastore_name"),
    },
    "DEFAULT": {
        "pipe_handle": "since Glance 30; it was for Windows",
        "eventlet_hub": "since Glance 2014.2",
        "ca_file": "since Glance 20; use [glimpse] client_ca_file",
        "secure_proxy_ssl_header": "since Glance 25; use [oslo_middleware] enable_proxy_headers_parsing",
        "cache_prefetcher_interval": "since Glance 25",
        "location_strategy": "since Glance 29; use the weight of stores",
        "allow_additional_image_properties": "since Glance 29; they are allowed",
        "enforce_secure_rbac": "since Glance 26; the new defaults of the policy are in force",
        "owner_is_tenant": "since Glance 22; owners are projects",
        "admin_role": "since Glance 22; use the policy rule context_is_admin",
        "enable_v2_api": f"{_OLD_API} 21; the API v2 is always there",
        "enable_v3_api": f"{_OLD_API} 12",
        "enable_v1_registry": _REGISTRY,
        "enable_v2_registry": _REGISTRY,
        "enable_image_import": "since Glance 17",
        **_each(
            _REGISTRY_ACCOUNT,
            "use_user_token admin_user admin_password admin_tenant_name auth_url auth_strategy auth_region "
            "send_identity_headers",
        ),
        "allowed_rpc_exception_modules": "since Glance 21; the registry hands on errors of its own alone",
        **_each(
            "since Glance 11: nothing waits in files",
            "cleanup_scrubber cleanup_scrubber_time scrubber_datadir",
        ),
        "known_stores": _STORE_GROUP,
        "default_store": _STORE_GROUP,
        "db_auto_create": _DATABASE_GROUP,
        "db_enforce_mysql_charset": _DATABASE_GROUP,
        **_each(
            "since Glance 2014.2; use [oslo_messaging_notifications]",
            "notifier_strategy notification_driver notification_topics",
        ),
        "verbose": "from oslo.log; use debug",
        "log_config": "from oslo.log",
        "use_syslog_rfc_format": "from oslo.log",
        "disable_process_locking": "moved to [oslo_concurrency]",
        "lock_path": "moved to [oslo_concurrency]",
        "flavor": "moved to [paste_deploy]",
        "config_file": "moved to [paste_deploy]",
        "load_enabled": "since Glance 15",
        "available_plugins": "since Glance 15",
    },
    "store_type_location_strategy": {"store_type_preference": "since Glance 29; use the weight of stores"},
    "oslo_policy": {"enforce_scope": "from oslo.policy; scopes are always enforced"},
}

# Names of removed options that are too many to list, by how they begin.
REMOVED_PREFIXES: Mapping[str, Mapping[str, str]] = {
    "DEFAULT": {
        "sql_": _DATABASE_GROUP,
        "sqlalchemy_": _DATABASE_GROUP,
        "rabbit_": "since Glance 2014.2; use [oslo_messaging_rabbit]",
        "qpid_": "since Glance 2014.2",
        "filesystem_store_": _STORE_GROUP,
        "swift_store_": _STORE_GROUP,
        "s3_store_": _STORE_GROUP,
        "rbd_store_": _STORE_GROUP,
        "cinder_": _STORE_GROUP,
        "vmware_": _STORE_GROUP,
        "sheepdog_store_": _STORE_GROUP,
    },
}
