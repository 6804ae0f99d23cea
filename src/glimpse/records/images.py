"""Images: the port's `ImageRecords` in SQL."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam

from glimpse.catalog.ports import Allowance, Charge, Intent, PageQuery, Resource, Viewer
from glimpse.domain.errors import NotFound
from glimpse.domain.image import Image, ImageChange
from glimpse.domain.status import ImageStatus
from glimpse.records import changes
from glimpse.records.database import Database
from glimpse.records.filters import viewer_project
from glimpse.records.pages import Pages
from glimpse.records.quota import STORED, TOTALS, USAGE_KEY, require_allowed, require_room, stored
from glimpse.records.removals import removal, removal_of_staged
from glimpse.records.rows import image_of, image_of_parts, parts
from glimpse.records.staging import take_staged
from glimpse.records.tables import images

_ID = bindparam("id", type_=images.c.id.type)


class SqlImageRecords:
    """Images with their properties, tags and locations. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pages = Pages(database)
        self._usage = database.prepare(STORED)
        self._totals = {resource: database.prepare(total) for resource, total in TOTALS.items()}
        self._get = tuple(
            database.prepare(parts(database.sql, _ID, viewer_project(), deleted=deleted))
            for deleted in (False, True)
        )

    def create(self, image: Image, allowance: Allowance | None = None) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            require_allowed(connection, allowance, {Resource.COUNT_TOTAL: 1})
            changes.create(connection, image)

        self._database.write(work)

    def get(self, image_id: str, project_id: str | None, *, deleted: bool = False) -> Image:
        """See the port."""
        rows = self._database.read(self._get[deleted], {"id": image_id, "me": project_id})
        image = image_of_parts(rows, project_id, self._database.urls)
        # MySQL finds an id that is written in other letters, too.
        if image is None or image.id != image_id:
            raise NotFound("image", image_id)
        return image

    def page(self, query: PageQuery, viewer: Viewer) -> list[Image]:
        """See the port."""
        project_id = viewer.project_id
        urls = self._database.urls
        return [image_of(text, project_id, urls) for (text,) in self._pages.read(query, viewer)]

    def change(
        self, image_id: str, change: ImageChange, statuses: frozenset[ImageStatus], now: datetime
    ) -> None:
        """See the port."""
        urls = self._database.urls
        self._database.write(
            lambda connection: changes.change(connection, urls, image_id, change, statuses, now)
        )

    def relocate(
        self,
        image_id: str,
        change: ImageChange,
        statuses: frozenset[ImageStatus],
        charge: Charge | None,
        worker: str,
        lease_until: float,
        now: datetime,
    ) -> list[Intent]:
        """See the port."""
        before, after = change.locations or ((), ())
        kept = {location.url for location in after}
        wanted = [
            removal(image_id, location, worker, lease_until)
            for location in before
            if location.url not in kept
        ]

        def work(connection: Connection) -> None:
            changes.change(connection, self._database.urls, image_id, change, statuses, now)
            if charge is not None:
                # What came in counts by now.
                require_room(connection, charge.project_id, 0, charge.quota)
                require_allowed(connection, charge.allowance, {Resource.SIZE_TOTAL: 0})
            changes.note_intents(connection, wanted)

        self._database.write(work)
        return wanted

    def move(
        self, image_id: str, sources: frozenset[ImageStatus], target: ImageStatus, now: datetime
    ) -> None:
        """See the port."""
        self._database.write(lambda connection: changes.move(connection, image_id, sources, target, now))

    def delete(
        self, image_id: str, sources: frozenset[ImageStatus], worker: str, lease_until: float, now: datetime
    ) -> list[Intent]:
        """See the port."""

        def work(connection: Connection) -> list[Intent]:
            locations = changes.delete(connection, self._database.urls, image_id, sources, now)
            wanted = [removal(image_id, location, worker, lease_until) for location in locations]
            staged = take_staged(connection, image_id)
            wanted += [removal_of_staged(one, worker, lease_until) for one in staged]
            changes.note_intents(connection, wanted)
            return wanted

        return self._database.write(work)

    def usage(self, project_id: str) -> int:
        """See the port."""
        return stored(self._database.read(self._usage, {USAGE_KEY: project_id}))

    def totals(self, project_id: str) -> Mapping[Resource, int]:
        """See the port."""
        key = {USAGE_KEY: project_id}
        return {resource: stored(self._database.read(total, key)) for resource, total in self._totals.items()}
