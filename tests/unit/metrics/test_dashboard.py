"""The dashboard for Grafana shows the metrics that are documented, all of them, by labels that they have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[3] / "docs"
DASHBOARD = json.loads((DOCS / "examples" / "grafana" / "glimpse.json").read_text())

# What Prometheus adds to all, and what a histogram's buckets have.
COMMON = {"instance", "le"}
_ROW = re.compile(r"^\| `(glimpse_\w+)` \|([^|]*)\|([^|]*)\|", re.MULTILINE)


def labels_by_metric() -> dict[str, set[str]]:
    """The series that are documented (`test_metrics` compares them with the service), and their labels."""
    found: dict[str, set[str]] = {}
    for name, labels, meaning in _ROW.findall((DOCS / "observability.md").read_text()):
        parts = ("_bucket", "_sum", "_count") if "histogram" in meaning else ("",)
        found |= {f"{name}{part}": set(re.findall(r"`(\w+)`", labels)) for part in parts}
    return found


def expressions() -> list[Any]:
    return [
        pytest.param(target["expr"], target["legendFormat"], id=panel["title"])
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    ]


@pytest.mark.parametrize(("expression", "legend"), expressions())
def test_what_is_asked_for_is_there(expression: str, legend: str) -> None:
    known = labels_by_metric()
    names = set(re.findall(r"glimpse_\w+", expression))
    assert names
    assert names <= known.keys()
    allowed = COMMON.union(*(known[name] for name in names))
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
    chosen = set(re.findall(r"[{,](\w+)=", expression))
    shown = set(re.findall(r"{{(\w+)}}", legend))
    assert (grouped | chosen | shown) <= allowed


def test_all_metrics_are_shown() -> None:
    text = json.dumps(DASHBOARD)
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels_by_metric()}
    assert {name for name in families if name not in text} == set()


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
