"""Imports point one way, and nothing grows beyond what can be read at once."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import glimpse

SOURCE = Path(glimpse.__file__).parent
ROOT = SOURCE.parent.parent
MODULES = sorted(SOURCE.rglob("*.py"))

MAX_FUNCTION_LINES = 40
MAX_MODULE_LINES = 400


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_imports_point_one_way() -> None:
    """In a process of its own: the linter switches off the loggers that it finds."""
    linter = Path(sys.executable).with_name("lint-imports")
    command = [str(linter), "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_can_be_read_at_once(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_functions_can_be_read_at_once(path: Path) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, functions)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_say_what_they_are_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


# What only extras bring, by the names of the modules.
EXTRAS = (
    *("botocore", "castellan", "MySQLdb", "oslo_messaging", "openstack", "os_brick", "psycopg", "pymongo"),
    *("pymysql", "pyVmomi", "qemu", "rados", "rbd", "swiftclient"),
)


def test_commands_start_without_extras() -> None:
    hidden = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))"
    used = "from glimpse.cli import main, glance_api, glance_cache, glance_cache_manage, glance_manage"
    more = "from glimpse.cli import glance_registry, glance_scrubber, glance_status"
    rest = "from glimpse.cli import glance_control, glance_replicator"
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}\n{used}\n{more}\n{rest}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
