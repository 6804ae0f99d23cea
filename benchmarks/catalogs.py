"""Big catalogs, written straight into the tables that both sides share."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

PROPERTIES = 10
TAGS = 2
ROWS_A_STATEMENT = 500

# Newer than everything that the benchmark creates, so that the first page stays the same throughout a run.
NEWEST = datetime(2037, 1, 1)  # noqa: DTZ001 - the tables hold times without a zone


@dataclass(frozen=True, slots=True)
class Catalog:
    """Images with ten properties and two tags each. The newest comes first in `ids`, as it does in a list."""

    owner: str
    visibility: str
    ids: list[str]
    member: str | None = None

    @property
    def size(self) -> int:
        return len(self.ids)


def plan(owner: str, visibility: str, size: int, member: str | None = None) -> Catalog:
    """The same owner and size give the same images on both sides."""
    chance = random.Random(f"{owner}/{visibility}/{size}")
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(size)]
    return Catalog(owner, visibility, ids, member)


def statements(catalog: Catalog) -> Iterator[str]:
    """The INSERT statements of a catalog, in an SQL that all databases understand."""
    yield from insert(
        "images (id, name, disk_format, container_format, size, status, visibility, checksum, os_hash_algo, "
        "os_hash_value, min_disk, min_ram, owner, protected, os_hidden, created_at, updated_at, deleted)",
        (image_row(catalog, number, image) for number, image in enumerate(catalog.ids)),
    )
    yield from insert(
        "image_properties (image_id, name, value, created_at, deleted)",
        (
            property_row(number, image, n)
            for number, image in enumerate(catalog.ids)
            for n in range(PROPERTIES)
        ),
    )
    yield from insert(
        "image_tags (image_id, value, created_at, deleted)",
        (
            f"('{image}', '{tag}', {time_of(number)}, false)"
            for number, image in enumerate(catalog.ids)
            for tag in tags(number)
        ),
    )
    yield from insert(
        "image_locations (image_id, value, meta_data, status, created_at, deleted)",
        (
            f"('{image}', 'file:///images/{image}', '{{}}', 'active', {time_of(number)}, false)"
            for number, image in enumerate(catalog.ids)
        ),
    )
    if catalog.member is not None:
        yield from insert(
            "image_members (image_id, member, can_share, status, created_at, deleted)",
            (
                f"('{image}', '{catalog.member}', false, 'accepted', {time_of(number)}, false)"
                for number, image in enumerate(catalog.ids)
            ),
        )


def insert(target: str, rows: Iterator[str]) -> Iterator[str]:
    """INSERT statements of many rows each."""
    while some := list(islice(rows, ROWS_A_STATEMENT)):
        yield f"insert into {target} values " + ",".join(some)


def image_row(catalog: Catalog, number: int, image: str) -> str:
    time = time_of(number)
    digest = image.replace("-", "")
    return (
        f"('{image}', 'image-{number}', 'qcow2', 'bare', 1073741824, 'active', '{catalog.visibility}', "
        f"'{digest}', 'sha512', '{digest * 4}', 0, 0, '{catalog.owner}', false, false, {time}, {time}, false)"
    )


def property_row(number: int, image: str, n: int) -> str:
    """The first property has twenty values; so a filter on it finds a twentieth of the catalog."""
    value = f"release-{number % 20}" if n == 0 else f"value {n} of image {number}"
    return f"('{image}', 'property_{n}', '{value}', {time_of(number)}, false)"


def tags(number: int) -> tuple[str, str]:
    return f"tag-{number % 10}", "benchmark"


def time_of(number: int) -> str:
    return f"'{NEWEST - timedelta(seconds=number)}'"
