"""The operations on tasks and jobs, on what the service offers, and on the image cache."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from glimpse.api.operations import Body, Operation, text_parameter
from glimpse.api.v2 import cache, imports, info, jobs, stores, tasks
from glimpse.domain.tasks import TaskStatus, TaskType
from glimpse.imports.request import Method

_S = HTTPStatus
_IMAGE = "/v2/images/{image_id}"
_CACHED = "/v2/cached_images/{image_id}"
_QUEUED = "/v2/queued_images/{image_id}"


def _paging(what: str) -> tuple[Mapping[str, Any], ...]:
    schema = {"type": "integer", "minimum": 0}
    return (
        {"name": "limit", "in": "query", "description": f"Most {what}s in the page", "schema": schema},
        text_parameter("marker", f"Id of the {what} after which the page starts"),
    )


_TASK_QUERY = (
    *_paging("task"),
    text_parameter("status", "Status", *TaskStatus),
    text_parameter("type", "Type", TaskType.IMPORT),
    text_parameter("owner", "Project that owns the task"),
    text_parameter("sort_key", "What to sort by", *tasks.SORT_KEYS),
    text_parameter("sort_dir", "A direction", "asc", "desc"),
)
_TASK_BODY = {
    "type": "object",
    "required": ["type", "input"],
    "properties": {"type": {"type": "string", "enum": list(TaskType)}, "input": {"type": "object"}},
}
_IMPORT_BODY = {
    "type": "object",
    "required": ["method"],
    "properties": {
        "method": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "enum": list(Method)},
                "uri": {"type": "string"},
                "glance_region": {"type": "string"},
                "glance_image_id": {"type": "string", "format": "uuid"},
                "glance_service_interface": {"type": "string"},
            },
        },
        "stores": {"type": "array", "items": {"type": "string"}},
        "all_stores": {"type": "boolean"},
        "all_stores_must_succeed": {"type": "boolean"},
    },
}

TASKS = (
    Operation(
        "GET",
        "/v2/tasks",
        "List tasks",
        tasks.list_tasks,
        body=Body.IGNORED,
        query=_TASK_QUERY,
        result="tasks",
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND),
    ),
    Operation(
        "POST",
        "/v2/tasks",
        "Start a task",
        data_handler=tasks.create_task,
        body=Body.JSON,
        request_schema=_TASK_BODY,
        success=_S.CREATED,
        result="task",
        errors=(_S.BAD_REQUEST, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation(
        "GET", "/v2/tasks/{task_id}", "Show a task", tasks.show_task, result="task", errors=(_S.NOT_FOUND,)
    ),
    Operation(
        "DELETE",
        "/v2/tasks/{task_id}",
        "Not allowed: tasks go when they expire",
        tasks.delete_task,
        success=_S.METHOD_NOT_ALLOWED,
    ),
    Operation(
        "GET",
        f"{_IMAGE}/tasks",
        "List the tasks of an image",
        tasks.list_image_tasks,
        errors=(_S.NOT_FOUND,),
    ),
)

_JOB = "/v2/jobs/{job_id}"
JOBS = (
    Operation(
        "GET",
        "/v2/jobs",
        "List the jobs that are not done yet",
        jobs.list_jobs,
        body=Body.IGNORED,
        query=_paging("job"),
        result="jobs",
    ),
    Operation("GET", _JOB, "Show a job", jobs.show_job, result="job", errors=(_S.NOT_FOUND,)),
    Operation(
        "DELETE",
        _JOB,
        "Cancel a job",
        data_handler=jobs.cancel_job,
        success=_S.ACCEPTED,
        errors=(_S.NOT_FOUND,),
    ),
)

IMPORT = (
    Operation(
        "POST",
        f"{_IMAGE}/import",
        "Import data into an image",
        data_handler=imports.import_image,
        body=Body.JSON,
        request_schema=_IMPORT_BODY,
        success=_S.ACCEPTED,
        errors=(_S.BAD_REQUEST, _S.FORBIDDEN, _S.NOT_FOUND, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation(
        "PUT",
        f"{_IMAGE}/stage",
        "Stage data for an import",
        data_handler=imports.stage_image,
        body=Body.DATA,
        success=_S.NO_CONTENT,
        errors=(
            _S.BAD_REQUEST,
            _S.FORBIDDEN,
            _S.NOT_FOUND,
            _S.CONFLICT,
            _S.GONE,
            _S.REQUEST_ENTITY_TOO_LARGE,
            _S.UNSUPPORTED_MEDIA_TYPE,
        ),
    ),
)

INFO = (
    Operation("GET", "/v2/info/import", "List the import methods", imports.show_import_methods),
    Operation("GET", "/v2/info/stores", "List the stores", stores.list_stores, errors=(_S.NOT_FOUND,)),
    Operation(
        "GET",
        "/v2/info/stores/detail",
        "List the stores with their properties",
        stores.list_stores_detail,
        errors=(_S.NOT_FOUND,),
    ),
    Operation("GET", "/v2/info/usage", "Show what the project may have, and has", info.show_usage),
    Operation(
        "DELETE",
        "/v2/stores/{store_id}/{image_id}",
        "Remove an image from a store",
        data_handler=stores.remove_from_store,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND, _S.CONFLICT),
    ),
)

_CACHE = (
    Operation("GET", "/v2/cache", "List cached and queued images", cache.list_cache, errors=(_S.NOT_FOUND,)),
    Operation(
        "DELETE",
        "/v2/cache",
        "Empty the cache",
        cache.empty_cache,
        body=Body.IGNORED,
        success=_S.NO_CONTENT,
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND),
    ),
    Operation(
        "PUT",
        "/v2/cache/{image_id}",
        "Queue an image for caching",
        data_handler=cache.cache_image,
        body=Body.IGNORED,
        success=_S.ACCEPTED,
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND),
    ),
    Operation(
        "DELETE",
        "/v2/cache/{image_id}",
        "Remove an image from the cache",
        cache.remove_from_cache,
        body=Body.IGNORED,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "GET",
        "/v2/cache/nodes/{image_id}",
        "List the nodes that cache an image",
        cache.list_cache_nodes,
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "POST",
        "/v2/cache/clean",
        "Remove what is broken from the cache",
        data_handler=cache.clean_cache,
        body=Body.IGNORED,
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "POST",
        "/v2/cache/prune",
        "Bring the cache below its size",
        data_handler=cache.prune_cache,
        body=Body.IGNORED,
        errors=(_S.NOT_FOUND,),
    ),
)
# Glance's older routes, which `glance-cache-manage` uses.
_CACHE_MANAGEMENT = tuple(
    Operation(
        method,
        path,
        summary,
        handler,
        data_handler=data_handler,
        body=Body.NONE if method == "GET" else Body.IGNORED,
        errors=(_S.NOT_FOUND,),
    )
    for method, path, summary, handler, data_handler in (
        ("GET", "/v2/cached_images", "List cached images", cache.list_cached_images, None),
        ("DELETE", "/v2/cached_images", "Remove all from the cache", cache.delete_cached_images, None),
        ("DELETE", _CACHED, "Remove an image from the cache", cache.delete_cached_image, None),
        ("GET", "/v2/queued_images", "List images queued for caching", cache.list_queued_images, None),
        ("DELETE", "/v2/queued_images", "Empty the queue", cache.delete_queued_images, None),
        ("PUT", _QUEUED, "Queue an image for caching", None, cache.queue_image),
        ("DELETE", _QUEUED, "Take an image out of the queue", cache.delete_queued_image, None),
    )
)
CACHE = (*_CACHE, *_CACHE_MANAGEMENT)

OPERATIONS = (*TASKS, *JOBS, *IMPORT, *INFO, *CACHE)
