"""The query of an image list (Image API v1)."""

from dataclasses import replace

from glimpse.api.v1.documents import SAVING
from glimpse.api.v1.headers import read_flag
from glimpse.api.v2.query import Query, read_condition, read_limit, read_moment, read_sort
from glimpse.catalog.catalog import Limits
from glimpse.catalog.ports import Condition, Operator, PageQuery
from glimpse.domain.image import Visibility
from glimpse.domain.status import ImageStatus

_NUMBERS = frozenset({"min_ram", "min_disk", "size_min", "size_max"})
_TEXTS = frozenset({"name", "container_format", "disk_format"})
_PROPERTY = "property-"


def read_page_query(query: Query, limits: Limits, *, is_admin: bool) -> tuple[PageQuery, str | None]:
    """The page that a client asks for, and the id of the marker if it names one.

    Others than administrators always get what is public, theirs, or shared with them. What has changed since
    a time may be gone since then.

    :raises Invalid: an unknown value, sort key or number; names the parameter.
    """
    order = tuple((name, value) for name, value in query if name in ("sort_key", "sort_dir"))
    page = PageQuery(sort=read_sort(order), limit=limits.limit_param_default)
    if any(name == "changes-since" for name, _ in query):
        page = replace(page, deleted=None)
    if is_admin:
        page = _of_administrator(page, dict(query))
    marker: str | None = None
    properties: dict[str, str] = {}
    for name, value in query:
        if name == "marker":
            marker = value
        elif name == "limit":
            page = read_limit(page, value, limits)
        elif name.startswith(_PROPERTY):
            properties[name.removeprefix(_PROPERTY)] = value
        elif (condition := _condition(name, value)) is not None:
            page = replace(page, conditions=(*page.conditions, condition))
    return replace(page, properties=tuple(properties.items())), marker


def _of_administrator(page: PageQuery, given: dict[str, str]) -> PageQuery:
    if "deleted" in given:
        page = replace(page, deleted=read_flag("deleted", given["deleted"]))
    public = given.get("is_public", "true")
    if public.lower() == "none":
        return replace(page, visibility="all", member_status=None)
    if read_flag("is_public", public):
        return replace(page, visibility=Visibility.PUBLIC)
    hidden = Condition("visibility", Operator.NOT_EQUAL, Visibility.PUBLIC.value)
    return replace(page, visibility="all", member_status=None, conditions=(hidden,))


def _condition(name: str, value: str) -> Condition | None:
    if name in _NUMBERS:
        return read_condition(name, value)
    if name in _TEXTS:
        return Condition(name, Operator.EQUAL, value)
    if name == "status":
        if value == ImageStatus.SAVING:
            return Condition(name, Operator.ONE_OF, tuple(status.value for status in SAVING))
        return Condition(name, Operator.EQUAL, value)
    if name == "protected":
        return Condition(name, Operator.EQUAL, read_flag(name, value))
    if name == "changes-since":
        return Condition("updated_at", Operator.GREATER, read_moment(name, value))
    return None
