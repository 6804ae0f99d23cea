"""A table at the end: which backend passed the suite of stores, and on which server."""

from collections import Counter, defaultdict

import pytest
from _pytest.terminal import TerminalReporter

_MARK = "store suite"
_COLUMNS = ("passed", "failed", "error", "skipped")
_HEADINGS = ("BACKEND", "SERVER", "PASSED", "FAILED", "ERRORS", "SKIPPED")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each test whose it is: its class, and the `server` that the class names, or which of its
    `servers` by the test's parameter. What is noted comes with the report, from workers too.
    """
    from tests.contract.stores.suite import StoreSuite

    for item in items:
        suite = item.cls if isinstance(item, pytest.Function) else None
        if suite is not None and issubclass(suite, StoreSuite):
            item.user_properties.append((_MARK, (suite.__name__.removeprefix("Test"), _server(item, suite))))


def _server(item: pytest.Item, suite: type) -> str:
    servers: dict[str, str] = getattr(suite, "servers", {})
    words = item.name.partition("[")[2].rstrip("]").split("-")
    return next((servers[word] for word in words if word in servers), getattr(suite, "server", "none"))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table, if the suite was run at all."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for outcome in _COLUMNS:
        for report in terminalreporter.stats.get(outcome, []):
            for name, suite in getattr(report, "user_properties", ()):
                if name == _MARK:
                    counts[tuple(suite)][outcome] += 1
    if not counts:
        return
    rows = [_HEADINGS, *((*suite, *_numbers(counts[suite])) for suite in sorted(counts))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminalreporter.section("stores")
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        terminalreporter.write_line(line.rstrip())


def _numbers(counted: Counter[str]) -> tuple[str, ...]:
    return tuple(str(counted[outcome]) for outcome in _COLUMNS)
