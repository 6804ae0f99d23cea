"""The indexes on Glance's tables from which pages of images are read in order."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Index, MetaData, Table, func, literal_column, text

from glimpse.records.tables import image_members, image_properties, image_tags, images

# Index entries are limited in length, and values can be long: their beginning is enough to find them.
INDEXED_VALUE = 64


def page_indexes(dialect_name: str) -> list[Index]:
    """The indexes on Glance's tables from which pages of images are read in order.

    They are bound to copies of the tables, so that `glance` stays what Glance makes.
    """
    copies = MetaData()
    image, member, tag = (table.to_metadata(copies) for table in (images, image_members, image_tags))
    scopes: dict[str, tuple[Column[object], ...]] = {
        "visibility": (image.c.visibility, image.c.deleted, image.c.os_hidden),
        "owner": (image.c.owner, image.c.deleted, image.c.os_hidden),
        "all": (image.c.deleted, image.c.os_hidden),
    }
    indexes: list[Index] = []
    for scope, columns in scopes.items():
        last = (pinned(image.c.created_at, "created_at", scope, dialect_name), image.c.id)
        name = pinned(image.c.name, "name", scope, dialect_name)
        # NULL is the lowest value everywhere; only PostgreSQL must be told.
        lowest_first = name.asc().nulls_first() if dialect_name == "postgresql" else name
        indexes.append(Index(f"glimpse_ix_images_{scope}_created", *columns, *last))
        indexes.append(Index(f"glimpse_ix_images_{scope}_name", *columns, lowest_first, *last))
    return [
        *indexes,
        Index(
            "glimpse_ix_image_members_member", *_columns(member, "member", "deleted", "image_id", "status")
        ),
        Index("glimpse_ix_image_tags_value", *_columns(tag, "value", "deleted", "image_id")),
        _property_index(image_properties.to_metadata(copies), dialect_name),
    ]


def _columns(table: Table, *names: str) -> list[Column[object]]:
    return [table.c[name] for name in names]


def pinned(column: ColumnElement[Any], name: str, scope: str, dialect_name: str) -> ColumnElement[Any]:
    """`created_at` or `name` as the index for `scope` has it.

    For PostgreSQL an expression with the same value, another one for each scope. With the plain column, any
    index in that order would do, and it takes the one that is most alike to the order on disk: then it passes
    all images of the other owners.
    """
    if dialect_name != "postgresql":
        return column
    nothing: ColumnElement[Any] = literal_column("''" if name == "name" else "interval '0'")
    operator = "||" if name == "name" else "+"
    expressions: dict[str, ColumnElement[Any]] = {
        "visibility": column.op(operator, return_type=column.type)(nothing),
        "owner": nothing.op(operator, return_type=column.type)(column),
        "all": func.greatest(column, column, type_=column.type),
    }
    return expressions[scope]


def _property_index(table: Table, dialect_name: str) -> Index:
    name, value, image_id = _columns(table, "name", "value", "image_id")
    index = "glimpse_ix_image_properties_value"
    if dialect_name == "mysql":
        return Index(index, name, value, image_id, mysql_length={"value": INDEXED_VALUE})
    return Index(index, name, func.substr(value, text("1"), text(str(INDEXED_VALUE))), image_id)
