"""Handlers: tasks, and the tasks of an image (Image API v2, "Tasks")."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.problems import problem
from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response, read_draft, timestamp
from glimpse.api.v2.query import Query
from glimpse.catalog import tasks
from glimpse.catalog.catalog import Limits
from glimpse.catalog.images import Draft
from glimpse.catalog.task_ports import TaskQuery
from glimpse.domain.errors import Invalid, NotFound
from glimpse.domain.tasks import Task, TaskStatus, TaskType
from glimpse.imports.request import Method, Wanted, begin_task
from glimpse.imports.signed import seal_of

SORT_KEYS = ("created_at", "updated_at", "expires_at", "id", "type", "status")
# Sent back by clients that show what they got; only the service writes them.
_IGNORED = frozenset({"status", "owner"})
_NEEDED = ("import_from", "import_from_format", "image_properties")


async def create_task(service: Service, call: Call, request: Request) -> Response:
    """POST /v2/tasks"""
    del request
    record = service.transfer.threads.record
    type_, given = await record(_read, service, call)
    if type_ is TaskType.IMPORT:
        task = await _begin(service, call, *await record(_read_import, service, given))
    else:
        task = await record(tasks.refuse, service.catalog, call.caller, type_, given, call.request_id)
    response = json_response(_document(task), HTTPStatus.CREATED)
    response.headers["Location"] = f"{call.base_url}/v2/tasks/{task.id}"
    return response


def _read(service: Service, call: Call) -> tuple[TaskType, Mapping[str, Any]]:
    tasks.check_access(service.catalog, call.caller)
    return _read_task(call.body)


async def _begin(service: Service, call: Call, wanted: Wanted, draft: Draft) -> Task:
    transfer = service.transfer
    seal = await seal_of(transfer, call.caller, draft.properties)
    task = await transfer.threads.record(
        begin_task, service.catalog, transfer.stores, call.caller, draft, wanted, call.request_id, seal
    )
    service.jobs.wake()
    return task


def _read_import(service: Service, given: Mapping[str, Any]) -> tuple[Wanted, Draft]:
    """An import into a new image, as administrators ask for it: from where, and what image."""
    for name in _NEEDED:
        if name not in given or (not given[name] and name != "image_properties"):
            raise Invalid("input", f"an import needs '{name}'")
    url, format_, properties = (given[name] for name in _NEEDED)
    if not isinstance(url, str):
        raise Invalid("import_from", "a string is expected")
    try:
        service.imports.outbound.check_url(url)
    except Invalid as error:
        raise Invalid("import_from", error.reason) from None
    if not isinstance(properties, dict):
        raise Invalid("image_properties", "a JSON object is expected")
    if properties.get("disk_format", format_) != format_:
        raise Invalid("import_from_format", "it is not the image's disk_format")
    document = {"container_format": "bare", **properties, "disk_format": format_}
    if document["container_format"] is None:
        raise Invalid("container_format", "an image with data has one")
    draft = read_draft(service.catalog.attributes, document, service.catalog.known)
    return Wanted(Method.WEB_DOWNLOAD, source={"url": url}, shown=given), draft


def list_tasks(service: Service, call: Call) -> Response:
    """GET /v2/tasks"""
    tasks.check_access(service.catalog, call.caller)
    query, marker = read_task_query(call.query, service.catalog.limits)
    if marker is not None:
        query = replace(query, marker=_find_marker(service, call, marker))
    if not call.caller.is_admin:
        query = replace(query, owner=call.caller.project_id or "")
    page = tasks.page(service.catalog, call.caller, query)
    document: dict[str, object] = {
        "tasks": [_summary(task) for task in page.tasks],
        "first": page_path("/v2/tasks", call.query, None),
        "schema": "/v2/schemas/tasks",
    }
    if page.next_marker is not None:
        document["next"] = page_path("/v2/tasks", call.query, page.next_marker)
    return json_response(document)


def _find_marker(service: Service, call: Call, marker: str) -> Task:
    try:
        return tasks.show(service.catalog, call.caller, marker)
    except NotFound:
        raise Invalid("marker", f"no task has the ID '{marker}'") from None


def show_task(service: Service, call: Call) -> Response:
    """GET /v2/tasks/{task_id}"""
    return json_response(_document(tasks.show(service.catalog, call.caller, call.path["task_id"])))


def delete_task(service: Service, call: Call) -> Response:
    """DELETE /v2/tasks/{task_id}"""
    tasks.check_access(service.catalog, call.caller)
    text = "Tasks cannot be deleted; they go when they expire."
    response = problem(HTTPStatus.METHOD_NOT_ALLOWED, text, call.headers.get("accept", ""))
    response.headers["Allow"] = "GET"
    return response


def list_image_tasks(service: Service, call: Call) -> Response:
    """GET /v2/images/{image_id}/tasks"""
    found = tasks.of_image(service.catalog, call.caller, call.path["image_id"])
    return json_response({"tasks": [_row(task) for task in found]})


def read_task_query(query: Query, limits: Limits) -> tuple[TaskQuery, str | None]:
    """The page that a client asks for, and the id of the marker. :raises Invalid: names the parameter."""
    given = dict(query)
    status = _one_of(given, "status", *TaskStatus)
    type_ = _one_of(given, "type", TaskType.IMPORT)
    page = TaskQuery(
        limit=read_limit(given.get("limit"), limits),
        sort_key=_one_of(given, "sort_key", *SORT_KEYS) or "created_at",
        descending=_one_of(given, "sort_dir", "asc", "desc") != "asc",
        status=TaskStatus(status) if status else None,
        type=TaskType(type_) if type_ else None,
        owner=given.get("owner"),
    )
    return page, read_marker(given.get("marker"))


def read_limit(text: str | None, limits: Limits) -> int:
    """How many entries a page shall hold. :raises Invalid: not a number."""
    limit = str(limits.limit_param_default) if text is None else text
    if not limit.isascii() or not limit.isdigit():
        raise Invalid("limit", f"'{limit[:40]}' is not a number of entries")
    # More digits than any limit has need not be read.
    return min(int(limit.lstrip("0")[:10] or "0"), limits.api_limit_max)


def read_marker(marker: str | None) -> str | None:
    """The id after which a page starts. :raises Invalid: it is none."""
    if marker is not None and len(marker) != len("00000000-0000-0000-0000-000000000000"):
        raise Invalid("marker", f"'{marker[:60]}' is not a UUID")
    return marker


def _one_of(given: dict[str, str], name: str, *choices: str) -> str | None:
    value = given.get(name)
    if value is not None and value not in choices:
        raise Invalid(name, f"'{value[:60]}' is not one of {', '.join(choices)}")
    return value


def _read_task(body: object) -> tuple[TaskType, dict[str, Any]]:
    if not isinstance(body, dict):
        raise Invalid("body", "a JSON object is expected")
    for name in body.keys() - {"type", "input"} - _IGNORED:
        raise Invalid(name[:60], "a task has no such field")
    if body.get("type") not in list(TaskType):
        raise Invalid("type", f"it is not one of {', '.join(TaskType)}")
    if not isinstance(body.get("input"), dict):
        raise Invalid("input", "a JSON object is expected")
    return TaskType(body["type"]), body["input"]


def page_path(path: str, query: Query, marker: str | None) -> str:
    """The link to a page of what is at this path: the query, with this marker instead of the one it has."""
    kept = [(name, value) for name, value in query if name != "marker"]
    if marker is not None:
        kept.append(("marker", marker))
    return f"{path}?{urlencode(kept)}" if kept else path


def _summary(task: Task) -> dict[str, object]:
    return {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner,
        "image_id": task.image_id,
        "request_id": task.request_id,
        "user_id": task.user_id,
        "expires_at": timestamp(task.expires_at) if task.expires_at else None,
        "created_at": timestamp(task.created_at),
        "updated_at": timestamp(task.updated_at),
        "self": f"/v2/tasks/{task.id}",
        "schema": "/v2/schemas/task",
    }


def _document(task: Task) -> dict[str, object]:
    return {**_summary(task), "input": task.input, "result": task.result, "message": task.message}


def _row(task: Task) -> dict[str, object]:
    """A task as this one list shows it: times with microseconds, and without a zone."""
    times = {
        name: moment.isoformat(timespec="microseconds") if moment else None
        for name in ("expires_at", "created_at", "updated_at")
        for moment in (getattr(task, name),)
    }
    document = _document(task)
    del document["self"], document["schema"]
    return {**document, **times, "deleted_at": None, "deleted": False}
