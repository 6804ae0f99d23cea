"""How a job is told to people: its status, and how far it is in a line."""

from enum import StrEnum

from glimpse.jobs.ports import Job

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class JobStatus(StrEnum):
    """Waiting for a worker, done by one, or about to be given up since somebody wants so."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"


def status_of(job: Job, now: float) -> JobStatus:
    """The status at this time; a job whose worker has been silent for longer than its lease waits."""
    if job.cancelled:
        return JobStatus.CANCELLING
    return JobStatus.RUNNING if job.worker and job.due_at > now else JobStatus.WAITING


def progress_text(job: Job) -> str:
    """How far a job is: `12 of 100 MiB, 34 MiB/s; attempt 2 after: ...`. What is not known is left out."""
    amounts = [_amount(job), f"{_sized(job.rate)}/s" if job.worker and job.rate else ""]
    return "; ".join(filter(None, (", ".join(filter(None, amounts)), _turn(job))))


def _amount(job: Job) -> str:
    if job.total is None:
        return _sized(job.done) if job.done else ""
    power = _power(job.total)
    return f"{_number(job.done, power)} of {_sized(job.total)}"


def _turn(job: Job) -> str:
    after = f" after: {job.error}" if job.error else ""
    if job.cancelled:
        return "being cancelled"
    if job.worker:
        return f"attempt {job.attempts}{after}" if job.attempts > 1 else ""
    return f"waiting for attempt {job.attempts + 1}{after}" if job.attempts else "waiting for a worker"


def _sized(count: float) -> str:
    power = _power(count)
    return f"{_number(count, power)} {_UNITS[power]}"


def _number(count: float, power: int) -> str:
    return f"{count / 1024**power:.1f}".removesuffix(".0")


def _power(count: float) -> int:
    """The largest unit of which there is one at least."""
    return max((power for power in range(len(_UNITS)) if count >= 1024**power), default=0)
