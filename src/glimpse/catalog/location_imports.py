"""The verbs of the location API: an image gets its first location, and a job makes sure of the data there
(Image API v2.17, "Add location").
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from glimpse.catalog.catalog import Catalog, find_image, require_writer
from glimpse.catalog.events import tell_image, tell_task
from glimpse.catalog.locations import Offer, require_formats
from glimpse.catalog.ports import Allowance, Charge, Resource
from glimpse.catalog.quotas import allowance, storage_quota
from glimpse.catalog.tasks import pending
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden
from glimpse.domain.image import Location
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import TaskType
from glimpse.jobs.ports import Job


def begin_location_import(
    catalog: Catalog,
    caller: Caller,
    image_id: str,
    offer: Offer,
    check: Callable[[Location], object] | None,
    request_id: str,
) -> Job:
    """Take the image from queued to importing; the job that comes back gives it the location.

    `check` judges an http(s) location, and is None where there is no store for such.

    :raises NotFound: no such image for this caller.
    :raises Forbidden: policy, or a location that only services may bring.
    :raises Conflict: the image is not queued.
    :raises Invalid: a format of the image is not set, and what `check` raises.
    """
    image = find_image(catalog, caller, image_id, "add_image_location")
    require_writer(caller)
    on_the_web = offer.location.url.lower().startswith(("http://", "https://"))
    if not catalog.policy.allows("service_api", caller, {}) and not (on_the_web and check):
        raise Forbidden("Only services may register a location that is not on the web.")
    if on_the_web and check:
        check(offer.location)
    if image.status is not ImageStatus.QUEUED:
        raise Conflict(f"Image {image_id} is {image.status}; it can get its first location while queued.")
    require_formats(image)
    given = {"image_id": image.id, "loc_url": offer.location.url, "validation_data": dict(offer.digests)}
    task = pending(catalog, caller, TaskType.LOCATION_IMPORT, image, given, request_id)
    job = Job(task.id, task.type.value, image_id, _arguments(catalog, caller, offer))
    catalog.records.location_imports.begin(task, job, task.created_at)
    tell_task(catalog, "task.create", task)
    importing = replace(image, status=ImageStatus.IMPORTING, updated_at=task.created_at)
    tell_image(catalog, "image.update", importing)
    return job


def _arguments(catalog: Catalog, caller: Caller, offer: Offer) -> dict[str, Any]:
    allowed = allowance(catalog, caller)
    return {
        "url": offer.location.url,
        "digests": dict(offer.digests),
        "project_id": caller.project_id,
        "limits": None if allowed is None else {str(name): most for name, most in allowed.limits.items()},
    }


def charge_of(catalog: Catalog, job: Job) -> Charge:
    """What the bytes of a location import must fit: the limits of when it began."""
    limits, project = job.arguments["limits"], job.arguments["project_id"]
    allowed = (
        None
        if limits is None
        else Allowance(project, {Resource(name): most for name, most in limits.items()})
    )
    return Charge(project, storage_quota(catalog), allowed)
