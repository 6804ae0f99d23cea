"""Handlers: jobs, the work that outlives the request that asked for it. Not in the Image API of upstream."""

from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response, timestamp
from glimpse.api.v2.tasks import page_path, read_limit, read_marker
from glimpse.catalog import jobs
from glimpse.jobs.ports import Job
from glimpse.jobs.report import status_of

_PATH = "/v2/jobs"


def list_jobs(service: Service, call: Call) -> Response:
    """GET /v2/jobs"""
    given = dict(call.query)
    limit = read_limit(given.get("limit"), service.catalog.limits)
    page = jobs.page(service.catalog, call.caller, limit, read_marker(given.get("marker")))
    now = service.transfer.worker.clock()
    document: dict[str, object] = {
        "jobs": [_document(job, now) for job in page.jobs],
        "first": page_path(_PATH, call.query, None),
    }
    if page.next_marker is not None:
        document["next"] = page_path(_PATH, call.query, page.next_marker)
    return json_response(document)


def show_job(service: Service, call: Call) -> Response:
    """GET /v2/jobs/{job_id}"""
    job = jobs.show(service.catalog, call.caller, call.path["job_id"])
    return json_response(_document(job, service.transfer.worker.clock()))


async def cancel_job(service: Service, call: Call, request: Request) -> Response:
    """DELETE /v2/jobs/{job_id}"""
    del request
    transfer = service.transfer
    await transfer.threads.record(
        jobs.cancel, service.catalog, transfer.worker, call.caller, call.path["job_id"]
    )
    service.jobs.wake()
    return Response(status_code=HTTPStatus.ACCEPTED)


def _document(job: Job, now: float) -> dict[str, object]:
    return {
        "id": job.id,
        "kind": job.kind,
        "image_id": job.subject,
        "status": status_of(job, now),
        "bytes_done": job.done,
        "bytes_total": job.total,
        "bytes_per_second": round(job.rate),
        "attempts": job.attempts,
        "last_error": job.error or None,
        "worker": job.worker or None,
        "due_at": _moment(job.due_at),
    }


def _moment(seconds: float) -> str | None:
    """When a job is due; None: since it was added."""
    return timestamp(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)) if seconds > 0 else None
