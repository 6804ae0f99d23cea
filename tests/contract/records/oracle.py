"""What a page of images must hold, said again in plain Python: slow, and simple enough to be believed."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glimpse.catalog.ports import Condition, Operator, PageQuery, SortKey, Viewer
from glimpse.domain.image import Image, MemberStatus, Visibility

_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.ONE_OF: lambda value, several: value in several,
}


@dataclass
class Shared:
    """An image and the projects with which it is shared."""

    image: Image
    members: Mapping[str, MemberStatus] = field(default_factory=dict)


def whole_list(catalog: Sequence[Shared], query: PageQuery, viewer: Viewer) -> list[Image]:
    """All images that `query` asks for, whatever its limit and marker."""
    images = [
        replace(shared.image, member=viewer.project_id if viewer.project_id in shared.members else None)
        for shared in catalog
        if _is_seen(shared, query, viewer) and _matches(shared.image, query)
    ]
    for key in reversed(query.sort):
        images.sort(key=lambda image, key=key: _rank(image, key), reverse=key.descending)  # type: ignore[misc]
    return images


def _rank(image: Image, key: SortKey) -> tuple[bool, Any]:
    value = getattr(image, key.column)
    return (value is not None, value if value is not None else 0)


def _is_seen(shared: Shared, query: PageQuery, viewer: Viewer) -> bool:
    image, asked = shared.image, query.visibility
    if viewer.is_admin:
        own = viewer.project_id is not None and image.owner == viewer.project_id
        if asked is None:
            return own or image.visibility is not Visibility.COMMUNITY
        return asked in {"all", image.visibility}
    if viewer.project_id is None:
        return _is_seen_by_nobody(image, asked)
    return _is_seen_by_project(shared, query, viewer.project_id)


def _is_seen_by_nobody(image: Image, asked: str | None) -> bool:
    if asked == Visibility.COMMUNITY:
        return image.visibility is Visibility.COMMUNITY
    return image.visibility is Visibility.PUBLIC and asked in {None, "all", Visibility.PUBLIC}


def _is_seen_by_project(shared: Shared, query: PageQuery, project: str) -> bool:
    image, asked = shared.image, query.visibility
    if asked not in {None, "all", image.visibility}:
        return False
    if image.visibility is Visibility.PUBLIC:
        return True
    if image.visibility is Visibility.COMMUNITY and asked is not None:
        return True
    if image.owner == project:
        return True
    status = shared.members.get(project)
    with_me = status is not None and query.member_status in {None, status}
    return image.visibility is Visibility.SHARED and with_me


def _matches(image: Image, query: PageQuery) -> bool:
    return (
        image.status not in {"killed", "deleted", "pending_delete"}
        and image.os_hidden is query.os_hidden
        and all(_fulfils(image, condition) for condition in query.conditions)
        and image.properties.items() >= set(query.properties)
        and image.tags.issuperset(query.tags)
    )


def _fulfils(image: Image, condition: Condition) -> bool:
    value = getattr(image, condition.column)
    if condition.value is None:
        return (value is None) is (condition.operator is Operator.EQUAL)
    return value is not None and _COMPARISONS[condition.operator](value, condition.value)
