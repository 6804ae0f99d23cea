"""The query of an image list: filters, sort keys and pages (Image API v2, "List images")."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from glimpse.catalog.catalog import Limits
from glimpse.catalog.ports import Condition, Operator, PageQuery, SortKey
from glimpse.domain.attributes import MAX_INTEGER, check_tag
from glimpse.domain.errors import Invalid
from glimpse.domain.image import MemberStatus, Visibility

Query = tuple[tuple[str, str], ...]

SORT_KEYS = (
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "id",
    "created_at",
    "updated_at",
)
_LISTED = ("name", "id", "status", "container_format", "disk_format")
_TIMES = ("created_at", "updated_at")
_NUMBERS = ("size", "min_ram", "min_disk", "virtual_size")
_TEXTS = ("checksum", "os_hash_value", "os_hash_algo", "owner")
_REFUSED = ("changes-since", "locations", "properties", "tags", "is_public")
_MAX_BIGINT = 2**63 - 1


def read_page_query(query: Query, limits: Limits) -> tuple[PageQuery, str | None]:
    """The page that a client asks for, and the id of the marker if it names one.

    :raises Invalid: an unknown value, sort key, operator or number; names the parameter.
    """
    page = PageQuery(sort=read_sort(query), limit=limits.limit_param_default)
    marker: str | None = None
    properties: dict[str, str] = {}
    for name, value in query:
        if name == "marker":
            marker = value
        elif name in ("sort", "sort_key", "sort_dir", "deleted"):
            continue
        elif name in _READERS:
            page = _READERS[name](page, value, limits)
        elif (condition := read_condition(name, value)) is not None:
            page = replace(page, conditions=(*page.conditions, condition))
        else:
            properties[name] = value
    if ("visibility", "") in query:
        # Nothing has an empty visibility.
        page = replace(page, limit=0)
    return replace(page, properties=tuple(properties.items())), marker


def read_limit(page: PageQuery, value: str, limits: Limits) -> PageQuery:
    if not value.isascii() or not value.isdigit():
        raise Invalid("limit", f"'{value}' is not a number of images")
    # More digits than any limit has need not be read.
    return replace(page, limit=min(int(value.lstrip("0")[:10] or "0"), limits.api_limit_max))


def _visibility(page: PageQuery, value: str, _: Limits) -> PageQuery:
    if value == "":
        return page
    if value != "all" and value not in list(Visibility):
        raise Invalid("visibility", f"'{value}' is not one of {', '.join(Visibility)}, all")
    return replace(page, visibility=value if value == "all" else Visibility(value))


def _member_status(page: PageQuery, value: str, _: Limits) -> PageQuery:
    if value != "all" and value not in list(MemberStatus):
        raise Invalid("member_status", f"'{value}' is not one of {', '.join(MemberStatus)}, all")
    return replace(page, member_status=None if value == "all" else MemberStatus(value))


def _hidden(page: PageQuery, value: str, _: Limits) -> PageQuery:
    return replace(page, os_hidden=_boolean("os_hidden", value.lower()))


def _tag(page: PageQuery, value: str, _: Limits) -> PageQuery:
    return replace(page, tags=(*page.tags, check_tag(value.strip())))


_READERS: dict[str, Callable[[PageQuery, str, Limits], PageQuery]] = {
    "limit": read_limit,
    "visibility": _visibility,
    "member_status": _member_status,
    "os_hidden": _hidden,
    "tag": _tag,
}


def _boolean(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise Invalid(name, f"'{value}' is neither true nor false")
    return value == "true"


def read_condition(name: str, value: str) -> Condition | None:
    """The condition on a base attribute that a parameter states; None if it names no base attribute.

    :raises Invalid: the value does not fit the attribute, or the attribute cannot be compared so.
    """
    if name in _REFUSED:
        raise Invalid(name, "images cannot be filtered by it")
    if name in _LISTED:
        return _listed(name, value)
    if name in _TIMES:
        return _time(name, value)
    if name == "protected":
        return Condition(name, Operator.EQUAL, _boolean(name, value))
    if name in _TEXTS:
        return Condition(name, Operator.EQUAL, value)
    column, _, bound = name.rpartition("_")
    if bound in ("min", "max") and column:
        if column not in _NUMBERS:
            raise Invalid(name, f"'{column}' is not a number of an image")
        operator = Operator.GREATER_OR_EQUAL if bound == "min" else Operator.LESS_OR_EQUAL
        return Condition(column, operator, _number(name, value))
    if name in _NUMBERS:
        return Condition(name, Operator.EQUAL, _number(name, value))
    return None


def _number(name: str, value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        raise Invalid(name, f"'{value[:40]}' is not a whole number") from None
    if not -_MAX_BIGINT <= number <= (_MAX_BIGINT if name.startswith(("size", "virtual")) else MAX_INTEGER):
        raise Invalid(name, f"{value[:40]} is out of range")
    return number


def _listed(name: str, value: str) -> Condition:
    operator, colon, rest = value.partition(":")
    if not colon:
        return Condition(name, Operator.EQUAL, value)
    if operator == "eq":
        return Condition(name, Operator.EQUAL, rest)
    if operator != "in":
        raise Invalid(name, f"the operator of '{value}' is neither 'in' nor 'eq'")
    return Condition(name, Operator.ONE_OF, _split(name, rest))


def _split(name: str, text: str) -> tuple[str, ...]:
    """The values of a comma-separated list in which double quotes protect commas."""
    if text.count('"') % 2:
        raise Invalid(name, "a quotation mark is not closed")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise Invalid(name, f"not a comma-separated list ({error})") from None
    values = tuple(value for row in rows for value in row)
    if not values:
        raise Invalid(name, "the list is empty")
    return values


def _time(name: str, value: str) -> Condition:
    operator, colon, rest = value.partition(":")
    known = {"gt", "gte", "lt", "lte", "eq", "neq"}
    if not colon or operator not in known:
        operator, rest = "eq", value
    return Condition(name, Operator(operator), read_moment(name, rest))


def read_moment(name: str, text: str) -> datetime:
    try:
        # A plus sign that a client forgot to escape arrives as a blank.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise Invalid(name, f"'{text[:60]}' is not an ISO 8601 time") from None


def read_sort(query: Query) -> tuple[SortKey, ...]:
    """The total order that a client asks for; ties are broken by created_at and id.

    :raises Invalid: unknown keys or directions, or both ways of asking at once.
    """
    joint = [value for name, value in query if name == "sort"]
    keys = [value for name, value in query if name == "sort_key"]
    directions = [value for name, value in query if name == "sort_dir"]
    if joint and (keys or directions):
        raise Invalid("sort", "it cannot be combined with sort_key and sort_dir")
    pairs = _joint_pairs(joint[-1]) if joint else _separate_pairs(keys, directions)
    order = [_sort_key(key.strip(), direction.strip()) for key, direction in pairs]
    last = order[-1].descending
    for column in ("created_at", "id"):
        if column not in [key.column for key in order]:
            order.append(SortKey(column, last))
    return tuple(order)


def _joint_pairs(text: str) -> list[tuple[str, str]]:
    items = [item.partition(":") for item in text.split(",")]
    return [(key, direction if colon else "desc") for key, colon, direction in items]


def _separate_pairs(keys: list[str], directions: list[str]) -> list[tuple[str, str]]:
    keys = keys or ["created_at"]
    directions = directions or ["desc"]
    if len(directions) == 1:
        directions = directions * len(keys)
    if len(directions) != len(keys):
        raise Invalid("sort_dir", f"{len(directions)} directions do not fit {len(keys)} sort keys")
    return list(zip(keys, directions, strict=True))


def _sort_key(key: str, direction: str) -> SortKey:
    if key not in SORT_KEYS:
        raise Invalid("sort_key", f"'{key[:60]}' is not one of {', '.join(SORT_KEYS)}")
    if direction not in ("asc", "desc"):
        raise Invalid("sort_dir", f"'{direction[:60]}' is neither asc nor desc")
    return SortKey(key, direction == "desc")


def page_path(query: Query, marker: str | None) -> str:
    """The path of a page: the client's own query (repeated parameters kept) with this marker."""
    kept = [(name, value) for name, value in query if name != "marker"]
    if marker is not None:
        kept.append(("marker", marker))
    return f"/v2/images?{urlencode(kept)}" if kept else "/v2/images"
