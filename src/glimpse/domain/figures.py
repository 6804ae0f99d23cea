"""What the parts of the service count, if anybody looks; `metrics.counted` gives it to Prometheus."""

from collections.abc import Callable
from enum import StrEnum


class Figure(StrEnum):
    """Something that is counted. Each count has a label, whose values are few."""

    DIGEST_SECONDS = "digest seconds, by algorithm"
    CACHE_REQUESTS = "requests to the image cache, by their result"
    CACHE_FILLS = "fills of the image cache, by their result"
    CACHE_FILLED_BYTES = "bytes of fills, by the result of the fill"
    NOTIFICATIONS = "notifications, by what became of them"
    JOBS_CANCELLED = "jobs that were cancelled, by kind"


Count = Callable[[Figure, str, float], None]


def uncounted(figure: Figure, label: str, amount: float) -> None:
    """Nobody looks."""
