"""The verbs on tasks. Policy: `tasks_api_access` for the tasks API, then the rule of the verb."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from glimpse.catalog.catalog import Catalog, find_image, require_rule, require_writer
from glimpse.catalog.events import tell_task
from glimpse.catalog.task_ports import TaskQuery
from glimpse.domain.caller import Caller
from glimpse.domain.image import Image
from glimpse.domain.tasks import Task, TaskStatus, TaskType
from glimpse.jobs.ports import Job
from glimpse.jobs.report import progress_text

_OWN = "Only the service itself begins tasks of this type."


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks in order, and the id after which the next page starts if there may be one."""

    tasks: list[Task]
    next_marker: str | None = None


def refuse(
    catalog: Catalog, caller: Caller, type_: TaskType, wanted: Mapping[str, Any], request_id: str
) -> Task:
    """Note a task of a type that clients cannot begin: it has failed at once, and says so.

    :raises Forbidden: policy.
    """
    require_creator(catalog, caller)
    now = catalog.clock()
    task = Task(
        id=str(uuid4()),
        type=type_,
        status=TaskStatus.FAILURE,
        owner=caller.project_id or "",
        created_at=now,
        updated_at=now,
        expires_at=expiry(catalog, now),
        request_id=request_id[:64],
        user_id=caller.user_id,
        input=wanted,
        message=_OWN,
    )
    catalog.records.tasks.add(task)
    for event in ("task.create", "task.failure", "task.run"):
        tell_task(catalog, event, task)
    return task


def pending(
    catalog: Catalog, caller: Caller, type_: TaskType, image: Image, given: Mapping[str, Any], request_id: str
) -> Task:
    """A task about an image that a job will do. It is not noted yet."""
    now = catalog.clock()
    return Task(
        id=str(uuid4()),
        type=type_,
        status=TaskStatus.PENDING,
        owner=image.owner or caller.project_id or "",
        created_at=now,
        updated_at=now,
        image_id=image.id,
        request_id=request_id[:64],
        user_id=caller.user_id,
        input=given,
    )


def require_creator(catalog: Catalog, caller: Caller) -> None:
    """:raises Forbidden: the caller may not create tasks."""
    _require_access(catalog, caller, "add_task")
    require_writer(caller)


def expiry(catalog: Catalog, now: datetime) -> datetime:
    """When a task that ends now is forgotten."""
    return now + timedelta(hours=catalog.limits.task_time_to_live)


def show(catalog: Catalog, caller: Caller, task_id: str) -> Task:
    """A task; one that is processed says how far its job is.

    :raises Forbidden: policy. :raises NotFound: no such task for this caller.
    """
    _require_access(catalog, caller, "get_task")
    task = catalog.records.tasks.get(task_id, _owner(caller))
    return _with_progress(task, catalog.records.jobs.get(task_id)) if _is_processed(task) else task


def page(catalog: Catalog, caller: Caller, query: TaskQuery) -> TaskPage:
    """One page of the caller's tasks; administrators see everybody's. :raises Forbidden: policy."""
    _require_access(catalog, caller, "get_tasks")
    if query.limit == 0:
        return TaskPage([])
    tasks = catalog.records.tasks.page(query, catalog.clock())
    return TaskPage(tasks, tasks[-1].id if len(tasks) == query.limit else None)


def of_image(catalog: Catalog, caller: Caller, image_id: str) -> list[Task]:
    """The tasks about an image; those that are processed say how far their jobs are.

    :raises NotFound: no such image for this caller.
    """
    image = find_image(catalog, caller, image_id)
    tasks = catalog.records.tasks.of_image(image.id, _owner(caller), catalog.clock())
    if not any(map(_is_processed, tasks)):
        return tasks
    jobs = {job.id: job for job in catalog.records.jobs.of_subject(image.id)}
    return [_with_progress(task, jobs.get(task.id)) if _is_processed(task) else task for task in tasks]


def _is_processed(task: Task) -> bool:
    return task.status is TaskStatus.PROCESSING


def _with_progress(task: Task, job: Job | None) -> Task:
    return task if job is None else replace(task, message=progress_text(job))


def check_access(catalog: Catalog, caller: Caller) -> None:
    """:raises Forbidden: the caller may not use the tasks API."""
    require_rule(catalog, caller, "tasks_api_access", {})


def _require_access(catalog: Catalog, caller: Caller, rule: str) -> None:
    check_access(catalog, caller)
    require_rule(catalog, caller, rule, {"project_id": caller.project_id, "owner": caller.project_id})


def _owner(caller: Caller) -> str | None:
    """Whose tasks the caller may see; None: everybody's."""
    return None if caller.is_admin else caller.project_id or ""
