"""The tables: Glance's own at its head revision, and the few that Glimpse adds.

`glance` describes what `glance-manage db_sync` of Glance 2024.1 and later makes; it is never edited, because
both services work on it side by side. What Glimpse needs more is in `glimpse`: tables of its own, and the
indexes that let a page of images be read in order (see `pages.py`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    true,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.schema import SchemaItem

glance = MetaData()
glimpse = MetaData()

# On SQLite only INTEGER columns count up by themselves.
_BigInteger = BigInteger().with_variant(Integer(), "sqlite")
_Visibility = Enum("private", "public", "shared", "community", name="image_visibility", metadata=glance)


def _table(metadata: MetaData, name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items, mysql_engine="InnoDB", mysql_charset="utf8")


def _number() -> Column[int]:
    return Column("id", Integer, primary_key=True, nullable=False)


def _times() -> tuple[Column[object], ...]:
    return Column("created_at", DateTime, nullable=False), Column("updated_at", DateTime)


def _soft_delete() -> tuple[Column[object], ...]:
    return *_times(), Column("deleted_at", DateTime), Column("deleted", Boolean, nullable=False)


def _image() -> Column[str]:
    return Column("image_id", String(36), ForeignKey("images.id"), nullable=False)


def _namespace() -> Column[int]:
    return Column("namespace_id", Integer, ForeignKey("metadef_namespaces.id"), nullable=False)


images = _table(
    glance,
    "images",
    Column("id", String(36), primary_key=True, nullable=False),
    Column("name", String(255)),
    Column("disk_format", String(20)),
    Column("container_format", String(20)),
    Column("size", _BigInteger),
    Column("virtual_size", _BigInteger),
    Column("status", String(30), nullable=False),
    Column("visibility", _Visibility, nullable=False, server_default="shared"),
    Column("checksum", String(32)),
    Column("os_hash_algo", String(64)),
    Column("os_hash_value", String(128)),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("owner", String(255)),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("os_hidden", Boolean, nullable=False, server_default=false()),
    *_soft_delete(),
    Index("checksum_image_idx", "checksum"),
    Index("visibility_image_idx", "visibility"),
    Index("ix_images_deleted", "deleted"),
    Index("owner_image_idx", "owner"),
    Index("created_at_image_idx", "created_at"),
    Index("updated_at_image_idx", "updated_at"),
    Index("os_hidden_image_idx", "os_hidden"),
    Index("os_hash_value_image_idx", "os_hash_value"),
)

# The statuses of images that are neither listed nor counted: `deleted` does not say it all, for images that
# were killed by Glance are not deleted. Written out, since no statement needs them as parameters.
UNLISTED: tuple[ColumnElement[str], ...] = tuple(
    literal_column(f"'{status}'") for status in ("killed", "deleted", "pending_delete")
)

KILLED = UNLISTED[:1]

image_properties = _table(
    glance,
    "image_properties",
    _number(),
    _image(),
    Column("name", String(255), nullable=False),
    Column("value", Text),
    *_soft_delete(),
    UniqueConstraint("image_id", "name", name="ix_image_properties_image_id_name"),
    Index("ix_image_properties_deleted", "deleted"),
    Index("ix_image_properties_image_id", "image_id"),
)

image_locations = _table(
    glance,
    "image_locations",
    _number(),
    _image(),
    Column("value", Text, nullable=False),
    *_soft_delete(),
    Column("meta_data", Text),
    Column("status", String(30), nullable=False, server_default="active"),
    Index("ix_image_locations_image_id", "image_id"),
    Index("ix_image_locations_deleted", "deleted"),
)

image_members = _table(
    glance,
    "image_members",
    _number(),
    _image(),
    Column("member", String(255), nullable=False),
    Column("can_share", Boolean, nullable=False),
    *_soft_delete(),
    Column("status", String(20), nullable=False, server_default="pending"),
    UniqueConstraint("image_id", "member", "deleted_at", name="image_members_image_id_member_deleted_at_key"),
    Index("ix_image_members_deleted", "deleted"),
    Index("ix_image_members_image_id", "image_id"),
    Index("ix_image_members_image_id_member", "image_id", "member"),
)

image_tags = _table(
    glance,
    "image_tags",
    _number(),
    _image(),
    Column("value", String(255), nullable=False),
    *_soft_delete(),
    Index("ix_image_tags_image_id", "image_id"),
    Index("ix_image_tags_image_id_tag_value", "image_id", "value"),
)

tasks = _table(
    glance,
    "tasks",
    Column("id", String(36), primary_key=True, nullable=False),
    Column("type", String(30), nullable=False),
    Column("status", String(30), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("expires_at", DateTime),
    *_soft_delete(),
    Column("image_id", String(36)),
    Column("request_id", String(64)),
    Column("user_id", String(64)),
    Index("ix_tasks_type", "type"),
    Index("ix_tasks_status", "status"),
    Index("ix_tasks_owner", "owner"),
    Index("ix_tasks_deleted", "deleted"),
    Index("ix_tasks_updated_at", "updated_at"),
    Index("ix_tasks_image_id", "image_id"),
)

task_info = _table(
    glance,
    "task_info",
    Column("task_id", String(36), ForeignKey("tasks.id"), primary_key=True, nullable=False),
    Column("input", Text),
    Column("result", Text),
    Column("message", Text),
)

metadef_namespaces = _table(
    glance,
    "metadef_namespaces",
    _number(),
    Column("namespace", String(80), nullable=False),
    Column("display_name", String(80)),
    Column("description", Text),
    Column("visibility", String(32)),
    Column("protected", Boolean),
    Column("owner", String(255), nullable=False),
    *_times(),
    UniqueConstraint("namespace", name="uq_metadef_namespaces_namespace"),
    Index("ix_metadef_namespaces_owner", "owner"),
)

metadef_resource_types = _table(
    glance,
    "metadef_resource_types",
    _number(),
    Column("name", String(80), nullable=False),
    Column("protected", Boolean, nullable=False),
    *_times(),
    UniqueConstraint("name", name="uq_metadef_resource_types_name"),
)

metadef_namespace_resource_types = _table(
    glance,
    "metadef_namespace_resource_types",
    Column(
        "resource_type_id",
        Integer,
        ForeignKey("metadef_resource_types.id"),
        primary_key=True,
        autoincrement=False,
    ),
    Column(
        "namespace_id", Integer, ForeignKey("metadef_namespaces.id"), primary_key=True, autoincrement=False
    ),
    Column("properties_target", String(80)),
    Column("prefix", String(80)),
    *_times(),
    Index("ix_metadef_ns_res_types_namespace_id", "namespace_id"),
)

metadef_objects = _table(
    glance,
    "metadef_objects",
    _number(),
    _namespace(),
    Column("name", String(80), nullable=False),
    Column("description", Text),
    Column("required", Text),
    Column("json_schema", Text, nullable=False),
    *_times(),
    UniqueConstraint("namespace_id", "name", name="uq_metadef_objects_namespace_id_name"),
    Index("ix_metadef_objects_name", "name"),
)

metadef_properties = _table(
    glance,
    "metadef_properties",
    _number(),
    _namespace(),
    Column("name", String(80), nullable=False),
    Column("json_schema", Text, nullable=False),
    *_times(),
    UniqueConstraint("namespace_id", "name", name="uq_metadef_properties_namespace_id_name"),
    Index("ix_metadef_properties_name", "name"),
)

metadef_tags = _table(
    glance,
    "metadef_tags",
    _number(),
    _namespace(),
    Column("name", String(80), nullable=False),
    *_times(),
    UniqueConstraint("namespace_id", "name", name="uq_metadef_tags_namespace_id_name"),
    Index("ix_metadef_tags_name", "name"),
)

node_reference = _table(
    glance,
    "node_reference",
    Column("node_reference_id", _BigInteger, primary_key=True, nullable=False, autoincrement=True),
    Column("node_reference_url", String(255), nullable=False),
    UniqueConstraint("node_reference_url", name="uq_node_reference_node_reference_url"),
)

cached_images = _table(
    glance,
    "cached_images",
    Column("id", _BigInteger, primary_key=True, nullable=False, autoincrement=True),
    Column("image_id", String(36), nullable=False),
    Column("last_accessed", DateTime, nullable=False),
    Column("last_modified", DateTime, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("checksum", String(32)),
    Column("node_reference_id", _BigInteger, ForeignKey("node_reference.node_reference_id"), nullable=False),
    UniqueConstraint("image_id", "node_reference_id", name="ix_cached_images_image_id_node_reference_id"),
)

intents = _table(
    glimpse,
    "glimpse_intents",
    Column("id", String(36), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("image_id", String(36), nullable=False),
    Column("store", String(255), nullable=False),
    Column("target", Text, nullable=False),
    Column("worker", String(255), nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("project_id", String(255)),
    Column("reserved_bytes", BigInteger, nullable=False),
    Index("glimpse_ix_intents_worker", "worker"),
    Index("glimpse_ix_intents_lease_until", "lease_until"),
    Index("glimpse_ix_intents_project", "project_id", "kind"),
)

jobs = _table(
    glimpse,
    "glimpse_jobs",
    Column("id", String(36), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("worker", String(255), nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    # Since 0003: what has defaults, so that workers of both versions can add jobs.
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger),
    Column("rate", Double, nullable=False, server_default="0"),
    Column("cancelled", Boolean, nullable=False, server_default=false()),
    Index("glimpse_ix_jobs_due", "kind", "due_at"),
    Index("glimpse_ix_jobs_subject", "subject"),
)

# Data that was staged for an import, and has been looked at: what became of it is one row an image.
staged = _table(
    glimpse,
    "glimpse_staged",
    Column("image_id", String(36), primary_key=True),
    Column("store", String(255), nullable=False),
    Column("target", String(255), nullable=False),
    Column("attempt", String(36), nullable=False),
    Column("url", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("checksum", String(32), nullable=False),
    Column("os_hash_algo", String(64), nullable=False),
    Column("os_hash_value", String(128), nullable=False),
    Column("findings", Text, nullable=False),
    Column("project_id", String(255)),
    Index("glimpse_ix_staged_project", "project_id"),
)

# Notifications that wait for the message bus: JSON that may hold all properties of an image.
notifications = _table(
    glimpse,
    "glimpse_notifications",
    Column("id", _BigInteger, primary_key=True, autoincrement=True),
    Column("message", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
    Column("lease_until", Double, nullable=False),
)

# A row a project, locked while a quota of that project is compared with what it stores.
projects = _table(glimpse, "glimpse_projects", Column("project_id", String(255), primary_key=True))


def is_present(row: FromClause) -> ColumnElement[bool]:
    """Whether the row is not deleted, said so that no index is used for it.

    SQLite takes the index on `deleted`, which nearly all rows share, for as good as the one on the image.
    """
    return row.c.deleted.is_not(true())
