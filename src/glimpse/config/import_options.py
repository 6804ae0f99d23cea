"""The options of tasks and imports, and of the formats of images, by upstream's groups and names."""

from oslo_config import cfg

from glimpse.domain.attributes import CONTAINER_FORMATS, DISK_FORMATS

TASK = (
    cfg.IntOpt(
        "task_time_to_live", default=48, min=0, help="Hours after which a task that ended is forgotten."
    ),
    cfg.StrOpt("work_dir", help="Scratch space. Default: `scratch` in the state folder."),
)

IMAGE_FORMAT = (
    cfg.ListOpt(
        "disk_formats",
        default=list(DISK_FORMATS),
        deprecated_group="DEFAULT",
        help="Values allowed for disk_format.",
    ),
    cfg.ListOpt(
        "container_formats",
        default=list(CONTAINER_FORMATS),
        deprecated_group="DEFAULT",
        help="Values allowed for container_format.",
    ),
    cfg.ListOpt(
        "vmdk_allowed_types",
        default=["streamOptimized", "monolithicSparse"],
        help="Kinds of VMDK that `image_conversion` takes; empty: none.",
    ),
    cfg.BoolOpt(
        "require_image_format_match", default=True, help="Refuse data that is not of the image's disk_format."
    ),
)

IMPORT = (
    cfg.ListOpt(
        "image_import_plugins",
        default=[],
        bounds=True,
        help="Steps that imported data goes through, in this order; in brackets: `image_decompression`, "
        "`image_conversion`, `inject_image_metadata`, `no_op`.",
    ),
)

INJECT = (
    cfg.ListOpt("ignore_user_roles", default=["admin"], help="Roles whose imports get no properties."),
    cfg.DictOpt("inject", default={}, help="Properties that `inject_image_metadata` gives an image."),
)

CONVERSION = (
    cfg.StrOpt(
        "output_format",
        default="raw",
        choices=["raw", "qcow2", "vmdk"],
        help="What `image_conversion` makes of data in another format.",
    ),
)

GLANCE_DOWNLOAD = (
    cfg.ListOpt(
        "extra_properties",
        default=["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
        help="How the names of properties begin that `glance-download` copies.",
    ),
)

TASKFLOW = (cfg.IntOpt("max_workers", default=10, min=1, help="Imports that a process works on at once."),)
