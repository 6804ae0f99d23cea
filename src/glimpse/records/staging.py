"""Staged data in the table `glimpse_staged`, inside transactions that somebody else began."""

from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from glimpse.catalog.import_ports import Staged
from glimpse.domain.image import Digests
from glimpse.records.tables import staged

STAGED = select(staged).where(staged.c.image_id == bindparam("image"))
_NOTE = insert(staged)
_DROP = delete(staged).where(staged.c.image_id == bindparam("image"))


def note_staged(connection: Connection, one: Staged) -> None:
    """Insert what was staged."""
    digests = one.digests
    row = {
        "image_id": one.image_id,
        "store": one.store,
        "target": one.target,
        "attempt": one.attempt,
        "url": one.url,
        "size": one.size,
        "checksum": digests.checksum,
        "os_hash_algo": digests.os_hash_algo,
        "os_hash_value": digests.os_hash_value,
        "findings": orjson.dumps(one.findings).decode(),
        "project_id": one.project_id,
    }
    connection.execute(_NOTE, row)


def take_staged(connection: Connection, image_id: str) -> list[Staged]:
    """Forget what is staged for an image, if there is anything: it comes back."""
    row = connection.execute(STAGED, {"image": image_id}).one_or_none()
    if row is None or connection.execute(_DROP, {"image": image_id}).rowcount == 0:
        return []
    return [staged_of(row)]


def staged_of(row: Row[Any] | Any) -> Staged:
    """What a row of the table says."""
    values = dict(zip((column.name for column in staged.c), row, strict=True))
    digests = Digests(*(values.pop(name) for name in ("checksum", "os_hash_algo", "os_hash_value")))
    return Staged(**{**values, "findings": orjson.loads(values["findings"])}, digests=digests)
