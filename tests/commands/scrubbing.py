"""`glance-scrubber` as a real process, over images that were deleted with a delay."""

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import select

from glimpse.catalog.records import Records
from glimpse.domain.image import Image, Location
from glimpse.domain.status import ImageStatus
from glimpse.parts import utc_now
from glimpse.records import open_records, tables
from glimpse.records.database import connect
from glimpse.records.schema import upgrade
from tests.contract.records.making import DATA, create, write_data


@dataclass
class Place:
    """A database and an image folder, and the configuration file of a scrubber for them."""

    folder: Path
    url: str
    scheme: str = "file"
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        upgrade(self.url)
        self.images.mkdir()
        self.write()

    @property
    def images(self) -> Path:
        """The folder of the store."""
        return self.folder / "images"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "glance-scrubber.conf"

    def write(self, options: str = "") -> None:
        """Write the configuration file anew, with `options` in [DEFAULT]."""
        self.config.write_text(
            f"[DEFAULT]\n{options}\n[database]\nconnection = {self.url}\n"
            f"[glance_store]\nfilesystem_store_datadir = {self.images}\n"
            f"[glimpse]\nstate_dir = {self.folder}/state\nlease_seconds = 2\n"
        )

    def pending(self, count: int, age: int = 60, **fields: object) -> list[str]:
        """Images that were deleted so many seconds ago; their ids."""
        deleted_at = utc_now() - timedelta(seconds=age)
        database = connect(self.url)
        with closing(database):
            records = open_records(database)
            made = [self._filled(records, **fields) for _ in range(count)]
            for image in made:
                assert records.deletions.postpone(image.id, deleted_at)
        return [image.id for image in made]

    def _filled(self, records: Records, **fields: object) -> Image:
        image = create(records, id=str(uuid4()), **fields)
        path = self.images / image.id
        path.write_bytes(b"data")
        location = Location(self.scheme + path.as_uri().removeprefix("file"), {"store": "file"})
        write_data(records, image, replace(DATA, location=location, size=4))
        return image

    def statuses(self, ids: Iterable[str]) -> set[str]:
        """The statuses of these images."""
        database = connect(self.url)
        with closing(database), database.writer.begin() as connection:
            wanted = select(tables.images.c.status).where(tables.images.c.id.in_(list(ids)))
            return {str(ImageStatus(status)) for status in connection.execute(wanted).scalars()}

    def launch(self, *words: str) -> subprocess.Popen[str]:
        """Start a scrubber."""
        program = str(Path(sys.executable).with_name("glance-scrubber"))
        process = subprocess.Popen(
            [program, "--config-file", str(self.config), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "HOME": str(self.folder)},
        )
        self.started.append(process)
        return process

    def run(self, *words: str) -> tuple[int, str]:
        """Run a scrubber to its end: its exit status, and what it said."""
        process = self.launch(*words)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def stop(self) -> None:
        """End what runs still."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
