"""What most unit tests need: people, images, a clock that only moves when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from glimpse.access.policy import OsloPolicy
from glimpse.catalog.catalog import Catalog, Limits
from glimpse.catalog.images import Draft, create
from glimpse.config.settings import read_config
from glimpse.domain.attributes import attribute_table
from glimpse.domain.caller import Caller
from glimpse.domain.image import Image, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.records import open_records
from glimpse.records.database import Database

T = TypeVar("T")

NOON = datetime(2026, 11, 23, 12, 0, 0)  # noqa: DTZ001 - naive UTC, as records keep it
MISSING = "00000000-0000-4000-8000-000000000000"

READER = Caller("rita", "lab", frozenset({"reader"}))
MEMBER = Caller("mel", "lab", frozenset({"member", "reader"}))
ADMIN = Caller("ada", "office", frozenset({"admin", "member", "reader"}), is_admin=True)
OTHER = Caller("otto", "elsewhere", frozenset({"member", "reader"}))
OTHER_READER = Caller("olga", "elsewhere", frozenset({"reader"}))
NOBODYS = Caller("nora", None, frozenset({"member", "reader"}))
ROLELESS = Caller("rolf", "lab", frozenset())
ANONYMOUS = Caller(roles=frozenset({"reader"}), read_only=True)


class Clock:
    """A time that stands still. As a call: seconds; `now`: the naive UTC time that records keep."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        """The time of day."""
        return NOON + timedelta(seconds=self.seconds - 1_000_000.0)

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.seconds += seconds


def make_catalog(
    database: Database, clock: Clock, policy: OsloPolicy | None = None, limits: Limits | None = None
) -> Catalog:
    """A catalog on a database whose schema is there already."""
    return Catalog(
        records=open_records(database),
        policy=policy or OsloPolicy(read_config([])),
        limits=limits or Limits(),
        attributes=attribute_table(),
        clock=clock.now,
    )


def register(
    catalog: Catalog,
    caller: Caller = MEMBER,
    *,
    visibility: Visibility = Visibility.SHARED,
    properties: dict[str, str] | None = None,
    tags: Iterable[str] = (),
    **attributes: object,
) -> Image:
    """A new image; public ones are registered by an administrator in the caller's name."""
    if visibility is Visibility.PUBLIC:
        attributes.setdefault("owner", caller.project_id)
        caller = ADMIN
    given = {"disk_format": "raw", "container_format": "bare", **attributes, "visibility": visibility}
    return create(catalog, caller, Draft(given, properties or {}, frozenset(tags)))


def reload(catalog: Catalog, image_id: str) -> Image:
    """The image as the database has it now, deleted or not."""
    return catalog.records.images.get(image_id, None, deleted=True)


def put_in_status(catalog: Catalog, image_id: str, *path: ImageStatus) -> None:
    """Lead an image along a path of statuses."""
    for target in path:
        source = reload(catalog, image_id).status
        catalog.records.images.move(image_id, frozenset({source}), target, catalog.clock())


@dataclass
class Source:
    """Chunks that come one by one; remembers how many were taken, and may fail at the end."""

    chunks: Iterable[bytes]
    failure: BaseException | None = None
    taken: int = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            await asyncio.sleep(0)
            self.taken += 1
            yield chunk
        if self.failure is not None:
            raise self.failure


def run(work: Coroutine[Any, Any, T], seconds: float = 10.0) -> T:
    """Run a coroutine; what hangs fails."""

    async def limited() -> T:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(limited())
