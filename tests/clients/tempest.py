"""Tempest: how it is configured, and what came out of it."""

import fnmatch
import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.clients.keystone import PASSWORD, Keystone
from tests.clients.process import Options, write

_OUTCOMES = Path(__file__).parent / "programs" / "outcomes.py"
_ROW = re.compile(r"^\| `(?P<pattern>tempest\.[^`]+)` \| (?P<reason>.+) \|$")

RUN_SECONDS = 900


@dataclass(frozen=True)
class Outcome:
    """What became of one test: "success", "skip", "fail", ...; why, when it did not succeed."""

    id: str
    status: str
    reason: str

    @property
    def name(self) -> str:
        """The id without Tempest's labels."""
        return self.id.split("[")[0].removeprefix("setUpClass (").removesuffix(")")


def options(keystone: Keystone, folder: Path, http_image: str, http_qcow2_image: str) -> Options:
    """Tempest's configuration: an image service and nothing else, users made for each class of tests."""
    none = dict.fromkeys(("nova", "neutron", "cinder", "swift", "horizon"), False)
    return {
        "DEFAULT": {"log_dir": folder, "log_file": "tempest.log"},
        "oslo_concurrency": {"lock_path": folder / "locks"},
        "auth": {
            "use_dynamic_credentials": True,
            "create_isolated_networks": False,
            "tempest_roles": "member",
            "admin_username": "admin",
            "admin_password": PASSWORD,
            "admin_project_name": "admin",
            "admin_domain_name": "Default",
        },
        "identity": {"uri_v3": keystone.url, "auth_version": "v3", "region": keystone.region},
        "service_available": {**none, "glance": True},
        "image": {
            "http_image": http_image,
            "http_qcow2_image": http_qcow2_image,
            "image_caching_enabled": True,
            "build_interval": 1,
            "build_timeout": 60,
        },
        "image-feature-enabled": {
            "import_image": True,
            "store_weight_enabled": True,
            "manage_locations": True,
            "http_store_enabled": True,
            "image_format_enforcement": False,
        },
    }


def run(programs: Path, folder: Path, options: Options, regex: str) -> list[Outcome]:
    """The outcomes of the tests that the regular expression finds. :raises AssertionError: it found none."""
    home = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
    home |= {"HOME": str(folder), "PATH": f"{programs}{os.pathsep}{home.get('PATH', os.defpath)}"}
    place = folder / "workspace"
    subprocess.run([programs / "tempest", "init", place], env=home, check=True, capture_output=True)
    write(place / "etc" / "tempest.conf", options)
    words: list[str | Path] = [
        programs / "tempest",
        "run",
        "--regex",
        regex,
        "--concurrency",
        "2",
        "--subunit",
    ]
    done = subprocess.run(words, env=home, cwd=place, capture_output=True, timeout=RUN_SECONDS)
    told = subprocess.run(
        [programs / "python", _OUTCOMES], input=done.stdout, capture_output=True, check=True, env=home
    )
    outcomes = [Outcome(**json.loads(line)) for line in told.stdout.decode().splitlines()]
    assert outcomes, f"Tempest has run nothing:\n{done.stdout[-4000:]!r}\n{done.stderr[-4000:]!r}"
    return outcomes


def together(*runs: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes of several runs. What one of them has skipped and another has done was not skipped."""
    outcomes = [outcome for run in runs for outcome in run]
    done = [outcome.name for outcome in outcomes if outcome.status != "skip"]
    return [
        outcome
        for outcome in outcomes
        if outcome.status != "skip" or not any(name.startswith(outcome.name) for name in done)
    ]


def listed(document: Path) -> dict[str, str]:
    """The skips that a document explains: the reason by the pattern of the test's name."""
    rows = (_ROW.match(line) for line in document.read_text().splitlines())
    return {row["pattern"]: row["reason"] for row in rows if row}


def unexplained(outcomes: Iterable[Outcome], patterns: Iterable[str]) -> list[str]:
    """The names of the tests that were skipped and that no pattern matches."""
    patterns = [*patterns]
    skipped = (outcome for outcome in outcomes if outcome.status == "skip")
    return [
        f"{skip.name}: {skip.reason}"
        for skip in skipped
        if not any(fnmatch.fnmatchcase(skip.name, pattern) for pattern in patterns)
    ]
