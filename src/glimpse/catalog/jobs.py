"""The verbs on jobs. A project sees the jobs about its images, an administrator all of them.

Policy is that of the image: `get_image` to see its jobs, `modify_image` to cancel one; `get_images` for
the list.
"""

from dataclasses import dataclass

from glimpse.catalog.catalog import Catalog, find_image, require, require_rule, require_writer
from glimpse.domain.caller import Caller
from glimpse.domain.errors import NotFound
from glimpse.domain.image import Image
from glimpse.jobs.ports import Job
from glimpse.jobs.worker import Worker


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs by their ids, and the id after which the next page starts if there may be one."""

    jobs: list[Job]
    next_marker: str | None = None


def show(catalog: Catalog, caller: Caller, job_id: str) -> Job:
    """A job that has not ended. :raises NotFound: no such job for this caller."""
    return _find(catalog, caller, job_id)[0]


def page(catalog: Catalog, caller: Caller, limit: int, marker: str | None = None) -> JobPage:
    """At most `limit` jobs that the caller may see, after the one of this id, which may have ended.

    :raises Forbidden: policy.
    """
    require_rule(catalog, caller, "get_images", {"project_id": caller.project_id or ""})
    if limit == 0 or not (caller.is_admin or caller.project_id):
        return JobPage([])
    jobs = catalog.records.jobs.page(limit, marker or "", None if caller.is_admin else caller.project_id)
    return JobPage(jobs, jobs[-1].id if len(jobs) == limit else None)


def cancel(catalog: Catalog, worker: Worker, caller: Caller, job_id: str) -> None:
    """Ask that a job be given up; whoever does it, or takes it next, does so.

    :raises NotFound: no such job for this caller, or no longer.
    :raises Forbidden: the caller may see it, but not change its image.
    """
    job, image = _find(catalog, caller, job_id)
    require_writer(caller)
    if image is not None:
        require(catalog, caller, "modify_image", image)
    if not catalog.records.jobs.cancel(job.id, worker.clock()):
        raise NotFound("job", job_id)


def _find(catalog: Catalog, caller: Caller, job_id: str) -> tuple[Job, Image | None]:
    """A job and its image; administrators also find the jobs of images that are gone."""
    job = catalog.records.jobs.get(job_id)
    if job is None:
        raise NotFound("job", job_id)
    try:
        image = find_image(catalog, caller, job.subject)
    except NotFound:
        if caller.is_admin:
            return job, None
        raise NotFound("job", job_id) from None
    if caller.is_admin or (caller.project_id and caller.project_id == image.owner):
        return job, image
    raise NotFound("job", job_id)
