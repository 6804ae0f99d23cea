"""Short ways to say what tests talk about."""

import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from glimpse.catalog.ports import (
    Condition,
    Intent,
    IntentKind,
    Operator,
    PageQuery,
    SortKey,
    Viewer,
    WrittenData,
)
from glimpse.catalog.records import Records
from glimpse.domain.image import Digests, Image, Location, Member, MemberStatus, Visibility
from glimpse.domain.status import ImageStatus

NOW = datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001 - as the tables keep it
LATER = NOW + timedelta(hours=1)
EVERY_STATUS = frozenset(ImageStatus)
NEWEST_FIRST = (SortKey("created_at"), SortKey("id"))
DATA = WrittenData(
    Location("file:///images/1", {"store": "file"}), 7, 9, Digests("c" * 32, "sha512", "h" * 128)
)


def an_image(**fields: Any) -> Image:
    """An image of project "mine", with what is given."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "status": ImageStatus.QUEUED,
        "visibility": Visibility.SHARED,
        "created_at": NOW,
        "updated_at": NOW,
        "owner": "mine",
    }
    return Image(**(values | fields))


def create(records: Records, **fields: Any) -> Image:
    image = an_image(**fields)
    records.images.create(image)
    return image


def an_intent(image: Image, **fields: Any) -> Intent:
    """An intent of worker "w" to write the data of `image`, for project "mine"."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "kind": IntentKind.WRITE,
        "image_id": image.id,
        "store": "file",
        "target": image.id,
        "worker": "w",
        "lease_until": 1000.125,
        "project_id": "mine",
    }
    return Intent(**(values | fields))


def share(
    records: Records, image: Image, project: str, status: MemberStatus = MemberStatus.ACCEPTED
) -> Member:
    member = Member(image.id, project, status, NOW, NOW)
    records.members.add(member, -1)
    return member


def write_data(records: Records, image: Image, data: WrittenData = DATA, quota: int | None = None) -> None:
    """Give the image its data."""
    intent = an_intent(image)
    records.intents.begin_write(intent, quota, NOW)
    records.intents.commit_write(intent.id, intent.worker, data, quota, NOW)


def a_query(**fields: Any) -> PageQuery:
    values: dict[str, Any] = {"sort": NEWEST_FIRST, "limit": 1000}
    return PageQuery(**(values | fields))


def equal(column: str, value: object) -> Condition:
    return Condition(column, Operator.EQUAL, value)


def found(records: Records, viewer: Viewer, **fields: Any) -> set[str]:
    """The names of the images that `viewer` finds."""
    return {str(image.name) for image in records.images.page(a_query(**fields), viewer)}


def run_together(*works: Callable[[], object]) -> list[BaseException | None]:
    """Run the functions in threads that start at one moment; what each raised."""
    barrier = threading.Barrier(len(works))
    outcomes: list[BaseException | None] = [None] * len(works)

    def run(number: int) -> None:
        barrier.wait()
        try:
            works[number]()
        except BaseException as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
