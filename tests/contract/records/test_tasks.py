from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from glimpse.catalog.records import Records
from glimpse.catalog.task_ports import TaskQuery
from glimpse.domain.errors import NotFound
from glimpse.domain.tasks import Task, TaskStatus, TaskType
from tests.contract.records.making import LATER, NOW


@pytest.fixture
def me() -> str:
    """A project of its own for each test: the tests of a database share the table."""
    return str(uuid4())


def _add(records: Records, owner: str, **fields: object) -> Task:
    task = Task(
        id=str(uuid4()),
        type=TaskType.IMPORT,
        status=TaskStatus.PENDING,
        owner=owner,
        created_at=NOW,
        updated_at=NOW,
        input={"import_from": "http://example.com/disk", "deep": {"list": [1, None, "é"]}},
    )
    made = replace(task, **fields)  # type: ignore[arg-type]
    records.tasks.add(made)
    return made


def test_a_task_comes_back_as_it_was(records: Records, me: str) -> None:
    task = _add(
        records,
        me,
        status=TaskStatus.SUCCESS,
        expires_at=LATER,
        image_id="image",
        request_id="req-1",
        user_id="u",
        result={"image_id": "image"},
        message="done",
    )
    assert records.tasks.get(task.id, None) == task
    assert records.tasks.get(task.id, me) == task


def test_others_have_no_task(records: Records, me: str) -> None:
    task = _add(records, me)
    for task_id, owner in ((task.id, "b"), (task.id.upper() + "X", None), ("unknown", me)):
        with pytest.raises(NotFound):
            records.tasks.get(task_id, owner)


@pytest.mark.parametrize("sort_key", ["created_at", "updated_at", "expires_at", "id", "type", "status"])
@pytest.mark.parametrize("descending", [True, False])
def test_pages_have_every_task_once_and_in_order(
    records: Records, me: str, sort_key: str, descending: bool
) -> None:
    times = [NOW + timedelta(seconds=number // 2) for number in range(7)]
    made = [
        _add(records, me, created_at=time, updated_at=time, expires_at=None if number % 3 else LATER)
        for number, time in enumerate(times)
    ]
    query = TaskQuery(limit=2, sort_key=sort_key, descending=descending, owner=me)
    seen: list[Task] = []
    while page := records.tasks.page(query, NOW):
        seen += page
        query = replace(query, marker=page[-1])
    assert sorted(task.id for task in seen) == sorted(task.id for task in made)
    keys = [(getattr(task, sort_key) or NOW - timedelta(days=1), task.id) for task in seen]
    assert keys == sorted(keys, reverse=descending)


def test_filters(records: Records, me: str) -> None:
    pending = _add(records, me)
    done = _add(records, me, status=TaskStatus.FAILURE, type=TaskType.LOCATION_IMPORT)
    _add(records, f"{me}-other")

    def found(**wanted: object) -> set[str]:
        query = TaskQuery(limit=10, owner=me, **wanted)  # type: ignore[arg-type]
        return {task.id for task in records.tasks.page(query, NOW)}

    assert found() == {pending.id, done.id}
    assert found(status=TaskStatus.FAILURE) == found(type=TaskType.LOCATION_IMPORT) == {done.id}
    assert found(status=TaskStatus.PENDING, type=TaskType.LOCATION_IMPORT) == set()


def test_what_has_expired_is_not_listed(records: Records, me: str) -> None:
    image = str(uuid4())
    _add(records, me, image_id=image, expires_at=NOW)
    kept = _add(records, me, image_id=image, expires_at=NOW + timedelta(seconds=1))
    assert records.tasks.page(TaskQuery(limit=10, owner=me), NOW) == [kept]
    assert records.tasks.of_image(image, None, NOW) == [kept]
    assert records.tasks.of_image(image, me, NOW) == [kept]
    assert records.tasks.of_image(image, "other", NOW) == []
    assert records.tasks.of_image("other", None, NOW) == []
