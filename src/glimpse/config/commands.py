"""The options of `glance-control` and `glance-replicator`, by Glance's names."""

from dataclasses import dataclass, field
from pathlib import Path

from oslo_config import cfg

from glimpse.domain.errors import Invalid

# Glance's list: fields that differ between two services anyhow.
NOT_REPLICATED = "created_at date deleted_at location updated_at"

CONTROL = (
    cfg.StrOpt(
        "pid_file",
        help="`glance-control`: the PID file of the server. Default: /var/run/glance/SERVER.pid.",
    ),
    cfg.IntOpt(
        "await_child",
        default=0,
        min=0,
        help="`glance-control`: seconds for which a new server is watched; if it ends, so does this.",
    ),
    cfg.BoolOpt(
        "capture_output",
        default=False,
        help="`glance-control`: send what servers print to syslog, instead of nowhere.",
    ),
    cfg.BoolOpt(
        "respawn",
        default=False,
        help="`glance-control`: stay, and start servers again that die unexpectedly.",
    ),
)

REPLICATOR = (
    cfg.IntOpt(
        "chunksize",
        default=1024 * 1024,
        min=1024,
        max=64 * 1024 * 1024,
        help="`glance-replicator`: bytes that are read and sent at a time.",
    ),
    cfg.StrOpt(
        "dontreplicate",
        default=NOT_REPLICATED,
        help="`glance-replicator`: fields of images that are neither copied nor compared, between spaces.",
    ),
    cfg.BoolOpt(
        "metaonly",
        default=False,
        help="`glance-replicator`: copy what is known of images, but not their data.",
    ),
    cfg.StrOpt(
        "token", secret=True, help="`glance-replicator`: the token for the source and for the target."
    ),
    cfg.StrOpt(
        "sourcetoken",
        secret=True,
        deprecated_name="mastertoken",
        help="`glance-replicator`: the token for the source.",
    ),
    cfg.StrOpt(
        "targettoken",
        secret=True,
        deprecated_name="slavetoken",
        help="`glance-replicator`: the token for the target.",
    ),
)


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """How servers are started; without a `pid_file`, each has its own."""

    pid_file: Path | None
    await_child: int
    capture_output: bool
    respawn: bool


@dataclass(frozen=True, slots=True)
class ReplicatorSettings:
    """How images are replicated; `excluded` are fields."""

    chunksize: int
    excluded: frozenset[str]
    metaonly: bool
    sourcetoken: str | None = field(repr=False)
    targettoken: str | None = field(repr=False)


def read_control(config: cfg.ConfigOpts) -> ControlSettings:
    """What the options say. :raises Invalid: two of them exclude each other."""
    if config.await_child and config.respawn:
        raise Invalid("await_child", "--await-child and --respawn exclude each other")
    return ControlSettings(
        pid_file=Path(config.pid_file) if config.pid_file else None,
        await_child=config.await_child,
        capture_output=config.capture_output,
        respawn=config.respawn,
    )


def read_replicator(config: cfg.ConfigOpts) -> ReplicatorSettings:
    """What the options say: `token` wins over the two others."""
    return ReplicatorSettings(
        chunksize=config.chunksize,
        excluded=frozenset(config.dontreplicate.split()),
        metaonly=config.metaonly,
        sourcetoken=config.token or config.sourcetoken or None,
        targettoken=config.token or config.targettoken or None,
    )
