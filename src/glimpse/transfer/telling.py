"""The line of the log that each transfer gets."""

import logging

LOG = logging.getLogger(__name__)


def tell_transfer(image_id: str, what: str, count: int, seconds: float) -> None:
    """Log what became of the data of an image: how many bytes, in which time, and how many a second."""
    rate = round(count / seconds) if seconds > 0 else 0
    figures = {"image_id": image_id, "bytes": count, "seconds": round(seconds, 3), "bytes_per_second": rate}
    # A formatter for JSON has them as numbers, too.
    LOG.info(
        "image %s %s: %d bytes in %.3f s, %d bytes/s",
        *(image_id, what, count, seconds, rate),
        extra={"extra": figures},
    )
