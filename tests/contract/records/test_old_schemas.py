"""Databases of every release of Glance since Queens are taken over, and nothing in them is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from glimpse.domain.errors import Conflict
from glimpse.records import open_records, tables
from glimpse.records.database import connect
from glimpse.records.glance_history import EXPANDED, GLANCE_REVISION
from glimpse.records.schema import Plan, contract, expand, is_current, migrate, plan, revisions, upgrade
from tests.contract.records.old_schemas import GONE, IMAGE, QUEENS, ROCKY, WALLABY, make_old

pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")


def _silent(_: object) -> None:
    pass


@pytest.fixture
def empty_url(empty_url: str) -> str:
    if "program_name" in empty_url:
        pytest.skip("what is asked of the server is the same with the other driver")
    return empty_url


def take_over(url: str) -> int:
    """The three steps; how many rows were migrated."""
    expand(url, _silent)
    database = connect(url)
    migrated = migrate(database, _silent)
    database.close()
    contract(url)
    return migrated


def is_complete(engine: Engine) -> None:
    """Whether the tables are those of Glance's head."""
    inspector = inspect(engine)
    for table in tables.glance.sorted_tables:
        found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert found == {column.name: column.nullable for column in table.columns}, table.name
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= indexes
    assert is_current(engine)


def keeps_all(url: str) -> None:
    """Whether the rows of `old_schemas` are there, and can be changed."""
    database = connect(url)
    records = open_records(database)
    image = records.images.get(IMAGE, "guest")
    assert (image.name, image.size, image.owner, image.visibility) == ("old", 5, "p1", "community")
    assert (image.min_disk, image.min_ram, image.protected, image.os_hidden) == (1, 2, True, False)
    assert (dict(image.properties), set(image.tags), image.member) == (
        {"os_distro": "fedora"},
        {"t"},
        "guest",
    )
    assert [(location.url, dict(location.metadata)) for location in image.locations] == [
        ("file:///a", {"store": "fast", "note": "backend"}),
        ("file:///b", {"store": "slow"}),
        ("file:///c", {"note": {"backend": "x"}}),
    ]
    assert records.images.get(GONE, None, deleted=True).status == "deleted"
    assert records.tasks.get("t1", "p1").id == "t1"
    database.close()


@pytest.mark.parametrize("found", [*QUEENS[1:], *ROCKY[1:], *WALLABY[1:]])
def test_every_revision_since_queens_is_known(tmp_path: Path, found: str) -> None:
    url = f"sqlite:///{tmp_path}/db"
    make_old(url, found).dispose()
    assert take_over(url) == 1
    keeps_all(url)


@pytest.mark.parametrize("found", [QUEENS[0], ROCKY[0], WALLABY[0]])
def test_an_old_database_is_taken_over(empty_url: str, found: str) -> None:
    engine = make_old(empty_url, found)
    with pytest.raises(Conflict, match="glance-manage db sync"):
        upgrade(empty_url)
    todo = plan(empty_url)
    assert (todo.rows, todo.contract) == (1, True)
    assert todo.steps[-1].startswith("add to Glimpse's part")
    assert revisions(empty_url) == (set(found.split("+")), set())

    expand(empty_url, _silent)
    assert revisions(empty_url)[0] == {EXPANDED, found.split("+")[-1]}
    with pytest.raises(Conflict, match="db migrate"):
        contract(empty_url)
    assert take_over(empty_url) == 1
    assert plan(empty_url) == Plan((), 0, contract=False)
    is_complete(engine)
    keeps_all(empty_url)
    assert take_over(empty_url) == 0
    keeps_all(empty_url)
    engine.dispose()


def test_what_upgrades_of_glance_left_out_is_made_up_for(empty_url: str) -> None:
    """Glance is at its head, but went there from Queens in one leap, without Train's migration of data."""
    engine = make_old(empty_url, QUEENS[0])
    expand(empty_url, _silent)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        connection.execute(text(f"INSERT INTO alembic_version VALUES ('{GLANCE_REVISION}')"))
    assert plan(empty_url).rows == 1
    upgrade(empty_url)
    assert take_over(empty_url) == 1
    keeps_all(empty_url)
    engine.dispose()


def test_a_killed_upgrade_is_completed_by_the_next(empty_url: str, tmp_path: Path) -> None:
    engine = make_old(empty_url, QUEENS[0])
    steps = plan(empty_url).steps
    assert _sync(empty_url, tmp_path, kill_after=4) == -signal.SIGKILL
    assert 0 < len(plan(empty_url).steps) < len(steps)
    assert _sync(empty_url, tmp_path) == 0
    is_complete(engine)
    keeps_all(empty_url)
    engine.dispose()


def _sync(url: str, folder: Path, kill_after: int | None = None) -> int:
    """The exit status of `glance-manage db sync`, which is killed when it tells of so many steps."""
    config = folder / "glance-manage.conf"
    config.write_text(f"[database]\nconnection = {url}\n")
    program = Path(sys.executable).with_name("glance-manage")
    with subprocess.Popen(
        [program, "--config-file", config, "db", "sync"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    ) as process:
        assert process.stdout is not None
        for number, _ in enumerate(process.stdout, 1):
            if number == kill_after:
                process.kill()
    return process.returncode
