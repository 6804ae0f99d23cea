"""`/healthcheck`: whether the service is well, in the words of oslo.middleware, which load balancers know."""

import html
import platform
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from glimpse.api.problems import preferred
from glimpse.api.v2.documents import json_response
from glimpse.transfer.health import Health


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """What the operator decided about the health check. Times are seconds."""

    # The service says that it is not well as long as this file is there.
    disable_by_file_path: str = ""
    detailed: bool = False
    required_stores: tuple[str, ...] = ()
    timeout: float = 2.0
    remember: float = 5.0


NO_STORE_NEEDED = HealthOptions()


@dataclass(frozen=True, slots=True)
class _Reason:
    """One line of the answer, and what kind of check it comes from."""

    reason: str
    details: str = ""
    kind: str = "Service"


def health_route(health: Health, options: HealthOptions) -> Callable[[Request], Awaitable[Response]]:
    """What answers `GET` and `HEAD`: 503 if a part does not answer that the service needs."""

    async def answer_health(request: Request) -> Response:
        well, reasons = await _judge(health, options.disable_by_file_path)
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        if request.method == "HEAD":
            return Response(status_code=HTTPStatus.NO_CONTENT if well else status)
        accept = request.headers.get("accept", "")
        if preferred(accept) == "json":
            return json_response(_document(reasons, detailed=options.detailed), status)
        if "text/html" in accept:
            return HTMLResponse(_page(reasons, detailed=options.detailed), status)
        return PlainTextResponse("\n".join(_text(one, options.detailed) for one in reasons), status)

    return answer_health


async def _judge(health: Health, disabling_file: str) -> tuple[bool, Sequence[_Reason]]:
    if disabling_file and Path(disabling_file).exists():
        return False, [_Reason("DISABLED BY FILE", f"The file {disabling_file} is there.", "DisableByFile")]
    faults = await health.faults()
    well = not any(fault.needed for fault in faults)
    found = [
        _Reason(f"{fault.part.upper()} UNAVAILABLE", fault.details, fault.part.title()) for fault in faults
    ]
    return well, [_Reason("OK"), *found] if well else found


def _text(reason: _Reason, detailed: bool) -> str:
    return f"{reason.reason}: {reason.details}" if detailed and reason.details else reason.reason


def _document(reasons: Sequence[_Reason], *, detailed: bool) -> dict[str, object]:
    if not detailed:
        return {"detailed": False, "reasons": [one.reason for one in reasons]}
    return {
        "detailed": True,
        "now": str(datetime.now(UTC).replace(tzinfo=None)),
        "platform": platform.platform(),
        "python_version": platform.python_version(),
        "reasons": [{"class": one.kind, "details": one.details, "reason": one.reason} for one in reasons],
    }


def _page(reasons: Sequence[_Reason], *, detailed: bool) -> str:
    rows = "".join(f"<tr><td>{html.escape(_text(one, detailed))}</td></tr>" for one in reasons)
    head = f"<h2>Result of {len(reasons)} checks:</h2>"
    return (
        "<html><head><title>Healthcheck Status</title></head><body>"
        f'{head}<table border="1"><tr><th>Reason</th></tr>{rows}</table></body></html>'
    )
