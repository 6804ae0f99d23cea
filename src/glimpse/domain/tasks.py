"""Tasks: work that outlives the request that asked for it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskType(StrEnum):
    """What is to be done: an import as administrators start it, an interoperable one, a location's hashes."""

    IMPORT = "import"
    API_IMAGE_IMPORT = "api_image_import"
    LOCATION_IMPORT = "location_import"


class TaskStatus(StrEnum):
    """How far it is (Image API v2, "Task statuses")."""

    PENDING = "pending"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILURE = "failure"


# A task that has come to its end stays as it is.
FINISHED = frozenset({TaskStatus.SUCCESS, TaskStatus.FAILURE})


@dataclass(frozen=True, slots=True)
class Task:
    """One task. Times are naive UTC; `expires_at` is when a finished one is forgotten."""

    id: str
    type: TaskType
    status: TaskStatus
    owner: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    image_id: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    input: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    message: str = ""
