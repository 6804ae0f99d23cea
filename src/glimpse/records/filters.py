"""Which images a query asks for: conditions on columns, properties, tags and memberships.

All values are parameters, named by their place in the query: `where_0_0`, `property_0_name`, `tag_0`, ...
"""

import operator as operators
from collections.abc import Callable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, false, func, literal_column, select

from glimpse.catalog.ports import Operator
from glimpse.records.dialects import Sql
from glimpse.records.shapes import Shape
from glimpse.records.tables import image_members, image_properties, image_tags, images, is_present

Col = ColumnElement[Any]
Lookup = Callable[[str], Col]


def viewer_project() -> BindParameter[str]:
    """The project of the viewer."""
    return bindparam("me", type_=images.c.owner.type)


def membership(sql: Sql, shape: Shape) -> list[ColumnElement[bool]]:
    """What rows of members share with the viewer's project, as asked for."""
    terms = [sql.same(image_members.c.member, viewer_project()), image_members.c.deleted == false()]
    if shape.member_status:
        terms.append(image_members.c.status == bindparam("member_status", type_=image_members.c.status.type))
    return terms


def is_member(sql: Sql, image_id: Col) -> Col:
    """How often the viewer's project is a member of the image."""
    member = image_members.alias()
    return (
        select(func.count())
        .select_from(member)
        .where(
            member.c.image_id == image_id,
            sql.same(member.c.member, viewer_project()),
            member.c.deleted == false(),
        )
        .scalar_subquery()
    )


def filters(sql: Sql, shape: Shape, column: Lookup) -> list[ColumnElement[bool]]:
    """All conditions of the query, but for the property or tag that leads to the images."""
    found = [compared(sql, number, *where, column) for number, where in enumerate(shape.conditions)]
    for kind, count, rows in (("property", shape.properties, with_property), ("tag", shape.tags, with_tag)):
        found += [has_image(rows(sql, number)) for number in range(count) if (kind, number) != shape.lead]
    return found


def has_image(rows: Select[Any]) -> ColumnElement[bool]:
    """Whether `rows`, which are ids of images, have the image at hand.

    Asked for each image, so that images are read in order until the page is full. An EXISTS would be turned
    into a join by MariaDB and PostgreSQL, and all rows be collected first.
    """
    this = rows.where(rows.selected_columns[0] == images.c.id).limit(literal_column("1"))
    return this.correlate(images).scalar_subquery().is_not(None)


def with_property(sql: Sql, number: int) -> Select[Any]:
    """The images that have the property asked for in that place."""
    row = image_properties.alias(f"property_{number}")
    return select(row.c.image_id).where(
        sql.same(row.c.name, bindparam(f"property_{number}_name", type_=row.c.name.type)),
        sql.same_value(row.c.value, bindparam(f"property_{number}_value", type_=row.c.value.type)),
        is_present(row),
    )


def with_tag(sql: Sql, number: int) -> Select[Any]:
    """The images that have the tag asked for in that place."""
    row = image_tags.alias(f"tag_{number}")
    return select(row.c.image_id).where(
        sql.same(row.c.value, bindparam(f"tag_{number}", type_=row.c.value.type)), row.c.deleted == false()
    )


def compared(
    sql: Sql, number: int, name: str, operator: Operator, width: int, lookup: Lookup
) -> ColumnElement[bool]:
    """The condition in that place of the query: `name` compares by `operator` with `width` values."""
    column = lookup(name)
    if width == 0:
        return column.is_not(None) if operator is Operator.NOT_EQUAL else column.is_(None)
    values = [bindparam(f"where_{number}_{place}", type_=images.c[name].type) for place in range(width)]
    if operator in {Operator.EQUAL, Operator.ONE_OF, Operator.NOT_EQUAL}:
        equal = sql.one_of(column, values) if images.c[name].type.python_type is str else column.in_(values)
        return ~equal if operator is Operator.NOT_EQUAL else equal
    return _COMPARISONS[operator](column, values[0])


_COMPARISONS: dict[Operator, Callable[[Col, Col], ColumnElement[bool]]] = {
    Operator.GREATER: operators.gt,
    Operator.GREATER_OR_EQUAL: operators.ge,
    Operator.LESS: operators.lt,
    Operator.LESS_OR_EQUAL: operators.le,
}
