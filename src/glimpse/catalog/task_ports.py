"""What the catalog needs from the outside to keep tasks. The promises of `catalog/ports.py` hold here too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from glimpse.domain.tasks import Task, TaskStatus, TaskType


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """One page of tasks; ties in the order are broken by the id. `marker` is the task before the page."""

    limit: int
    sort_key: str = "created_at"
    descending: bool = True
    status: TaskStatus | None = None
    type: TaskType | None = None
    owner: str | None = None
    marker: Task | None = None


class TaskRecords(Protocol):
    """Tasks, with what went in and what came out."""

    def add(self, task: Task) -> None:
        """Insert a task."""

    def begin(self, task_id: str, now: datetime) -> None:
        """A pending task is processed from now on."""

    def get(self, task_id: str, owner: str | None) -> Task:
        """A task of this project (None: of any). :raises NotFound: there is none."""

    def page(self, query: TaskQuery, now: datetime) -> list[Task]:
        """At most `query.limit` tasks that have not expired, in order, in one statement."""

    def of_image(self, image_id: str, owner: str | None, now: datetime) -> list[Task]:
        """The tasks about an image that belong to this project (None: to any) and have not expired."""
