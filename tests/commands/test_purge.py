"""`glance-manage db purge` and `db purge_images_table`, as an operator runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from glimpse.catalog.records import Records
from glimpse.cli.glance_manage import glance_manage
from glimpse.domain.errors import GlimpseError
from glimpse.domain.image import Image
from glimpse.parts import utc_now
from glimpse.records import open_records, tables
from glimpse.records.database import Database, connect
from glimpse.records.purge import BATCH
from glimpse.records.schema import upgrade
from tests.contract.records.conftest import empty_url, server
from tests.contract.records.making import EVERY_STATUS, create, share, write_data

# The databases of the contract suites.
__all__ = ["empty_url", "server"]

LONG_AGO = utc_now() - timedelta(days=200)


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    if "program_name" in empty_url:
        pytest.skip("the records' own suite looks at PyMySQL's words")
    upgrade(empty_url)
    made = connect(empty_url)
    with closing(made):
        yield made


@pytest.fixture
def config(database: Database, tmp_path: Path, empty_url: str) -> Path:
    path = tmp_path / "glance-manage.conf"
    path.write_text(f"[database]\nconnection = {empty_url}\n[glimpse]\nstate_dir = {tmp_path}/state\n")
    return path


def manage(config: Path, *words: str) -> tuple[int, str]:
    """In this process, as each start of another takes a second."""
    done = CliRunner().invoke(glance_manage, ["--config-file", str(config), *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        assert isinstance(done.exception, GlimpseError)
        return 1, f"{done.output}ERROR: {done.exception}"
    return done.exit_code, done.output


def operate(config: Path, *words: str) -> tuple[int, str]:
    """As an operator does."""
    done = subprocess.run(
        [Path(sys.executable).with_name("glance-manage"), "--config-file", config, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(config.parent)},
    )
    return done.returncode, done.stdout + done.stderr


def filled(records: Records) -> Image:
    image = create(records, properties={"k": "v"}, tags=frozenset({"t"}))
    share(records, image, "guest")
    write_data(records, image)
    return image


def counts(database: Database) -> dict[str, int]:
    wanted = (
        *(tables.images, tables.image_properties, tables.image_tags),
        *(tables.image_locations, tables.image_members, tables.tasks, tables.task_info),
    )
    with database.writer.begin() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in wanted
        }


def test_purge(database: Database, config: Path) -> None:
    records = open_records(database)
    kept, pending, gone, recent = (filled(records) for _ in range(4))
    assert records.deletions.postpone(pending.id, LONG_AGO)
    records.images.delete(gone.id, EVERY_STATUS, "w", 1.0, LONG_AGO)
    records.images.delete(recent.id, EVERY_STATUS, "w", 1.0, utc_now())
    before = counts(database)
    assert manage(config, "db", "purge", "--dry-run")[1].count("Would remove 1 rows") == 4
    refused, words = manage(config, "db", "purge_images_table")
    assert (refused, "run `db purge` first" in words) == (1, True)
    assert counts(database) == before
    status, words = manage(config, "db_purge", "--age_in_days", "30")
    assert (status, words.count("Removed 1 rows")) == (0, 4), words
    assert operate(config, "db_purge_images_table") == (0, "Removed 1 rows of images\n")
    assert manage(config, "db", "purge_images_table") == (0, "Removed 0 rows of images\n")
    assert counts(database) == {name: 3 if count == 4 else count for name, count in before.items()}
    records.deletions.restore(pending.id, utc_now())
    assert manage(config, "db", "purge", "--age_in_days", "0", "--max_rows", "-1")[0] == 0
    manage(config, "db", "purge_images_table", "--age_in_days", "0")
    for image in (kept, pending):
        found = records.images.get(image.id, "guest")
        assert (dict(found.properties), set(found.tags)) == ({"k": "v"}, {"t"})
        assert found.member == "guest"


def test_batches_and_max_rows(database: Database, config: Path) -> None:
    records = open_records(database)
    image = create(records, properties={f"p{number}": "v" for number in range(BATCH + 120)})
    records.images.delete(image.id, EVERY_STATUS, "w", 1.0, LONG_AGO)
    words = manage(config, "db", "purge")[1]
    assert "Removed 100 rows of image_properties" in words
    words = manage(config, "db", "purge", "--max_rows", "-1")[1]
    assert f"Removed {BATCH + 20} rows of image_properties" in words


@pytest.mark.parametrize(
    "words",
    [
        *(("--age_in_days", text) for text in ("x", "99999999")),
        ("--max_rows", "-2"),
    ],
)
def test_what_is_no_number_is_refused(tmp_path: Path, words: tuple[str, str]) -> None:
    config = tmp_path / "glance-manage.conf"
    config.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/db\n")
    status, output = operate(config, "db", "purge", *words)
    assert (status, output.startswith(f"ERROR: Invalid {words[0][2:]}")) == (1, True), output
