"""Errors as HTTP answers: the only place that knows which error is which status."""

import html
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.responses import Response

from glimpse.domain import errors
from glimpse.stores.base import StoreObjectMissing

STATUS: Mapping[type[errors.GlimpseError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.SizeMismatch: HTTPStatus.BAD_REQUEST,
    errors.ChecksumMismatch: HTTPStatus.BAD_REQUEST,
    errors.SignatureInvalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.ReadOnly: HTTPStatus.FORBIDDEN,
    errors.Reserved: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.NotEnabled: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Duplicate: HTTPStatus.CONFLICT,
    errors.StoreObjectInUse: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.LimitExceeded: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedContent: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreObjectMissing: HTTPStatus.SERVICE_UNAVAILABLE,
}

# How many seconds a client should wait before it asks an unavailable part again.
RETRY_AFTER = "5"

# Errors quote what was sent, but not at any length.
MAX_TEXT = 500


def answer(error: errors.GlimpseError, accept: str) -> Response:
    """The HTTP answer to an error, in the form that the request's `Accept` prefers."""
    text = str(error)
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}…"
    # A part of the service may have errors of its own that are kinds of these.
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    response = problem(status, text, accept)
    response.headers.update(_headers(error))
    return response


def _headers(error: errors.GlimpseError) -> dict[str, str]:
    match error:
        case errors.RangeNotSatisfiable(size=size):
            return {"Content-Range": f"bytes */{size}"}
        case errors.TooManyAttempts(retry_after_seconds=seconds):
            return {"Retry-After": str(seconds)}
        case errors.Unavailable():
            return {"Retry-After": RETRY_AFTER}
    return {}


def problem(status: HTTPStatus, explanation: str, accept: str) -> Response:
    """An error body as WebOb-based services write it: text, HTML or JSON by the request's `Accept`."""
    line = f"{status.value} {status.phrase}"
    match preferred(accept):
        case "json":
            document = {"message": f"{explanation}<br /><br />\n\n\n", "code": line, "title": status.phrase}
            return Response(orjson.dumps(document), status, media_type="application/json")
        case "html":
            body = (
                f"<html><head><title>{line}</title></head><body><h1>{line}</h1>"
                f"{html.escape(explanation)}<br /><br />\n\n\n</body></html>"
            )
            return Response(body, status, media_type="text/html")
        case _:
            return Response(f"{line}\n\n{explanation}\n\n   ", status, media_type="text/plain")


def preferred(accept: str) -> str:
    """ "json", "html" or "text": which error body the header prefers; a tie goes to HTML, silence to text."""
    weights = {"json": 0.0, "html": 0.0, "text": 0.0}
    for item in accept.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = _weight(parameters)
        for kind, names in _ACCEPTED.items():
            if media in names:
                weights[kind] = max(weights[kind], weight)
    best = max(weights.values())
    if best == 0:
        return "text"
    return next(kind for kind in ("html", "json", "text") if weights[kind] == best)


_ACCEPTED = {
    "json": ("application/json", "application/*"),
    "html": ("text/html", "*/*", "text/*"),
    "text": ("text/plain",),
}


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return max(0.0, min(1.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
