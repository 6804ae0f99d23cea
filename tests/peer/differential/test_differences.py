"""The same requests to upstream Glance and to us: what differs is in `docs/differences.md`, with a reason."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.clients.keystone import Keystone
from tests.clients.process import Options, behind, glance_api, merged
from tests.peer.differential.exchange import differences
from tests.peer.differential.known import Row, explain, read_rows
from tests.peer.differential.requests import exchanges
from tests.peer.upstream import Upstream
from tests.server import free_port

pytestmark = [pytest.mark.services, pytest.mark.clients]

ENOUGH = 500


@dataclass(frozen=True)
class Report:
    """How many requests were sent, what differs without a reason, and the rows of the page."""

    sent: int
    unexplained: list[str]
    rows: list[Row]


@pytest.fixture(scope="module")
def tokens(keystone: Keystone) -> dict[str, str | None]:
    """A token for each persona."""
    return {
        "admin": keystone.token(),
        "demo": keystone.token("demo", "demo"),
        "reader": keystone.token("reader", "demo"),
        "demo2": keystone.token("demo2", "demo2"),
        "system": keystone.token("system-admin", None, system=True),
        "domain": keystone.token("domain-admin", None, domain="default"),
        "forged": "gAAAAABforged",
        "nobody": None,
    }


@pytest.fixture(scope="module")
def report(
    keystone: Keystone,
    tokens: dict[str, str | None],
    upstream: Callable[[str, Options], Upstream],
    tmp_path_factory: pytest.TempPathFactory,
) -> Report:
    """What came of sending everything to both, each with an empty database."""
    folder = tmp_path_factory.mktemp("differential")
    access = behind(keystone.url)
    theirs = upstream(f"sqlite:///{folder}/theirs.db", access)
    theirs.manage("db", "sync")
    database: Options = {"database": {"connection": f"sqlite:///{folder}/ours.db"}}
    projects = {name: keystone.project_id(name) for name in ("demo", "demo2")}
    with (
        theirs.running() as left,
        glance_api(folder / "ours", free_port(), merged(access, database)) as right,
        left.client() as there,
        right.client() as here,
    ):
        rows = read_rows()
        unexplained = list(_compare(there, here, tokens, projects, rows))
    sent = len(list(exchanges(projects)))
    path = os.environ.get("GLIMPSE_DIFFERENCES")
    if path:
        Path(path).write_text("\n".join(unexplained))
    return Report(sent, unexplained, rows)


def _compare(
    there: httpx.Client,
    here: httpx.Client,
    tokens: dict[str, str | None],
    projects: dict[str, str],
    rows: list[Row],
) -> Iterator[str]:
    for exchange in exchanges(projects):
        token = tokens[exchange.persona]
        answers = exchange.send(there, token), exchange.send(here, token)
        for aspect, theirs, ours in differences(*answers):
            if not explain(rows, exchange.name, aspect, theirs, ours):
                yield f"{exchange.name} | {aspect} | {_short(theirs)} | {_short(ours)}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= 100_000 else f"{text[:100_000]}…"


def test_both_got_enough_requests(report: Report) -> None:
    assert report.sent >= ENOUGH


def test_what_differs_has_a_reason(report: Report) -> None:
    assert report.unexplained == []


def test_every_reason_is_still_needed(report: Report) -> None:
    assert [f"{row.requests} | {row.aspect}" for row in report.rows if not row.used] == []
