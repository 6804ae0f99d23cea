"""Members of images: the port's `MemberRecords` in SQL."""

from datetime import datetime

import orjson
from sqlalchemy import Connection, Update, bindparam, false, insert, select, true, update

from glimpse.domain.errors import Duplicate, LimitExceeded, NotFound
from glimpse.domain.image import Member, MemberStatus
from glimpse.records.database import Database
from glimpse.records.tables import image_members, images, is_present

_LIMIT = "image_member_quota"

_row = image_members.c
_LOCK_IMAGE = (
    select(images.c.id).where(images.c.id == bindparam("of"), images.c.deleted == false()).with_for_update()
)
_ALL_ROWS = select(_row.id, _row.member, _row.deleted).where(_row.image_id == bindparam("of"))
_REVIVE = (
    update(image_members)
    .where(_row.id == bindparam("row"))
    .values(
        status=bindparam("new_status"),
        can_share=bindparam("may_share"),
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        deleted=False,
        deleted_at=None,
    )
)


class SqlMemberRecords:
    """Members in the table `image_members`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        columns = (_row.image_id, _row.member, _row.status, _row.created_at, _row.updated_at, _row.can_share)
        present = (_row.image_id == bindparam("of"), is_present(image_members))
        this = (*present, database.sql.same(_row.member, bindparam("who", type_=_row.member.type)))
        in_order = select(database.sql.text(database.sql.array(*columns))).order_by(_row.created_at, _row.id)
        self._list = database.prepare(in_order.where(*present))
        self._get = database.prepare(in_order.where(*this))
        self._change = update(image_members).where(*this)
        who = database.sql.same(_row.member, bindparam("who", type_=_row.member.type))
        self._shared_on = database.prepare(
            select(_row.image_id).where(who, is_present(image_members), _row.can_share == true())
        )

    def list(self, image_id: str) -> list[Member]:
        """See the port."""
        return [_member(text) for (text,) in self._database.read(self._list, {"of": image_id})]

    def get(self, image_id: str, member_id: str) -> Member:
        """See the port."""
        rows = self._database.read(self._get, {"of": image_id, "who": member_id})
        if not rows:
            raise NotFound("member", member_id)
        return _member(rows[0][0])

    def add(self, member: Member, maximum: int) -> None:
        """See the port."""
        self._database.write(lambda connection: _add(connection, member, maximum))

    def set_status(self, image_id: str, member_id: str, status: MemberStatus, now: datetime) -> Member:
        """See the port."""
        self._write(image_id, member_id, self._change.values(status=status.value, updated_at=now))
        return self.get(image_id, member_id)

    def set_can_share(self, image_id: str, member_id: str, can_share: bool, now: datetime) -> Member:
        """See the port."""
        self._write(image_id, member_id, self._change.values(can_share=can_share, updated_at=now))
        return self.get(image_id, member_id)

    def shared_on(self, member_id: str) -> frozenset[str]:
        """See the port."""
        return frozenset(
            [image_id for (image_id,) in self._database.read(self._shared_on, {"who": member_id})]
        )

    def remove(self, image_id: str, member_id: str, now: datetime) -> None:
        """See the port."""
        gone = self._change.values(deleted=True, deleted_at=now, updated_at=now)
        self._write(image_id, member_id, gone)

    def _write(self, image_id: str, member_id: str, statement: Update) -> None:
        key = {"of": image_id, "who": member_id}
        if not self._database.write(lambda connection: connection.execute(statement, key).rowcount):
            raise NotFound("member", member_id)


def _add(connection: Connection, member: Member, maximum: int) -> None:
    key = {"of": member.image_id}
    # While the image's row is locked nobody else can add members.
    if connection.execute(_LOCK_IMAGE, key).one_or_none() is None:
        raise NotFound("image", member.image_id)
    rows = connection.execute(_ALL_ROWS, key).all()
    present = {row.member for row in rows if not row.deleted}
    if member.member_id in present:
        raise Duplicate(f"Project {member.member_id} is a member of image {member.image_id} already.")
    if 0 <= maximum < len(present) + 1:
        raise LimitExceeded(_LIMIT, maximum, len(present) + 1, "members")
    former = [row.id for row in rows if row.deleted and row.member == member.member_id]
    if former:
        values = {
            "row": former[0],
            "new_status": member.status.value,
            "may_share": member.can_share,
            "now": member.created_at,
        }
        connection.execute(_REVIVE, values)
    else:
        connection.execute(insert(image_members), _values(member))


def _values(member: Member) -> dict[str, object]:
    return {
        "image_id": member.image_id,
        "member": member.member_id,
        "status": member.status.value,
        "created_at": member.created_at,
        "updated_at": member.updated_at,
        "can_share": member.can_share,
        "deleted": False,
        "deleted_at": None,
    }


def _member(text: str | bytes) -> Member:
    image_id, member_id, status, created_at, updated_at, can_share = orjson.loads(text)
    return Member(
        image_id,
        member_id,
        MemberStatus(status),
        datetime.fromisoformat(created_at),
        datetime.fromisoformat(updated_at or created_at),
        bool(can_share),
    )
