"""The queries of lists of metadata definitions. Parameters that are not known are ignored."""

from urllib.parse import urlencode

from glimpse.api.v2.metadef_documents import NAMESPACES
from glimpse.api.v2.query import Query
from glimpse.catalog.catalog import Limits
from glimpse.catalog.metadef_parts import TagQuery
from glimpse.catalog.metadef_ports import NamespaceQuery
from glimpse.domain.errors import Invalid
from glimpse.domain.image import Visibility

SORT_KEYS = ("created_at", "updated_at", "namespace", "display_name", "owner", "visibility")
TAG_SORT_KEYS = ("created_at", "updated_at", "name")
VISIBILITIES = (Visibility.PUBLIC, Visibility.PRIVATE)
MAX_RESOURCE_TYPES = 100


def read_namespace_query(query: Query, limits: Limits) -> tuple[NamespaceQuery, str | None]:
    """The page that a client asks for, and the name of the marker. :raises Invalid: names the parameter."""
    given = dict(query)
    visibility = given.get("visibility")
    if visibility is not None and visibility not in VISIBILITIES:
        raise Invalid("visibility", f"'{visibility[:60]}' is not one of {', '.join(VISIBILITIES)}")
    types = tuple(name.strip() for name in given.get("resource_types", "").split(",") if name.strip())
    if len(types) > MAX_RESOURCE_TYPES:
        raise Invalid("resource_types", f"{len(types)} are more than the {MAX_RESOURCE_TYPES} allowed")
    page = NamespaceQuery(
        limit=_limit(given, limits),
        sort_key=_one_of(given, "sort_key", SORT_KEYS),
        descending=_one_of(given, "sort_dir", ("desc", "asc")) == "desc",
        visibility=None if visibility is None else Visibility(visibility),
        resource_types=types,
    )
    return page, given.get("marker")


def read_tag_query(query: Query, limits: Limits) -> TagQuery:
    """The page of tags that a client asks for. :raises Invalid: names the parameter."""
    given = dict(query)
    return TagQuery(
        limit=_limit(given, limits),
        sort_key=_one_of(given, "sort_key", TAG_SORT_KEYS),
        descending=_one_of(given, "sort_dir", ("desc", "asc")) == "desc",
        marker=given.get("marker"),
    )


def check_object_query(query: Query, limits: Limits) -> None:
    """Lists of objects have no pages, but a limit must make sense. :raises Invalid: it does not."""
    if _limit(dict(query), limits) == 0:
        raise Invalid("limit", "it is not positive")


def resource_type_of(query: Query) -> str | None:
    """The type of resource whose names a client wants to see."""
    return dict(query).get("resource_type")


def page_path(query: Query, marker: str | None) -> str:
    """The path of a page of namespaces: the client's own query with this marker."""
    kept = [(name, value) for name, value in query if name != "marker"]
    if marker is not None:
        kept.append(("marker", marker))
    return f"{NAMESPACES}?{urlencode(kept)}" if kept else NAMESPACES


def _limit(given: dict[str, str], limits: Limits) -> int:
    value = given.get("limit")
    if value is None:
        return limits.limit_param_default
    if not value.isascii() or not value.isdigit():
        raise Invalid("limit", f"'{value[:40]}' is not a number of entries")
    # More digits than any limit has need not be read.
    return min(int(value.lstrip("0")[:10] or "0"), limits.api_limit_max)


def _one_of(given: dict[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The value of a parameter, by default the first choice."""
    value = given.get(name, choices[0])
    if value not in choices:
        raise Invalid(name, f"'{value[:60]}' is not one of {', '.join(choices)}")
    return value
