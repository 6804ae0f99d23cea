import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, Unavailable
from glimpse.records import engines, open_records, tables
from glimpse.records.database import connect
from glimpse.records.glance_history import GLANCE_REVISION
from glimpse.records.page_indexes import page_indexes
from glimpse.records.schema import is_current, upgrade
from tests.contract.records.making import an_image, run_together


def _names(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def _works(url: str) -> None:
    database = connect(url)
    try:
        assert is_current(database.reader)
        records: Records = open_records(database)
        image = an_image(properties={"k": "v"})
        records.images.create(image)
        assert records.images.get(image.id, None) == image
    finally:
        database.close()


@pytest.fixture
def engine(empty_url: str) -> Engine:
    return create_engine(engines.parse(empty_url))


def test_an_empty_database_gets_both_histories(empty_url: str, engine: Engine) -> None:
    assert not is_current(engine)
    upgrade(empty_url)
    assert is_current(engine)
    ours = {
        "glimpse_intents",
        "glimpse_projects",
        "glimpse_jobs",
        "glimpse_staged",
        "glimpse_notifications",
        "glimpse_alembic_version",
        "alembic_version",
    }
    assert _names(engine) == set(tables.glance.tables) | ours
    _works(empty_url)
    engine.dispose()


def test_upgrading_again_changes_nothing(empty_url: str, engine: Engine) -> None:
    upgrade(empty_url)
    _works(empty_url)
    upgrade(empty_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM images")).scalar_one() == 1
    engine.dispose()


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_the_tables_are_those_that_are_described(empty_url: str, engine: Engine) -> None:
    upgrade(empty_url)
    inspector = inspect(engine)
    for table in tables.glance.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= indexes
    indexes = {index["name"] for name in _names(engine) for index in inspector.get_indexes(name)}
    # SQLAlchemy does not see indexes of expressions on SQLite.
    ours = {str(index.name) for index in page_indexes(engine.dialect.name)}
    assert ours - {"glimpse_ix_image_properties_value"} <= indexes
    engine.dispose()


def _make_glance(engine: Engine, revision: str) -> None:
    tables.glance.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def test_a_glance_database_is_taken_over(empty_url: str, engine: Engine) -> None:
    _make_glance(engine, GLANCE_REVISION)
    with engine.begin() as connection:
        row = {"id": "x", "status": "active", "min_disk": 0, "min_ram": 0, "deleted": False, "size": 5}
        times = {"created_at": "2024-01-01 00:00:00"}
        connection.execute(
            text(
                "INSERT INTO images (id, status, min_disk, min_ram, deleted, size, created_at) "
                "VALUES (:id, :status, :min_disk, :min_ram, :deleted, :size, :created_at)"
            ),
            row | times,
        )
    assert not is_current(engine)
    upgrade(empty_url)
    assert is_current(engine)
    _works(empty_url)
    database = connect(empty_url)
    image = open_records(database).images.get("x", None)
    assert (image.size, image.visibility, image.protected, image.os_hidden) == (5, "shared", False, False)
    database.close()
    engine.dispose()


@pytest.mark.parametrize("revision", ["2023_1_contract01", "2099_1_contract01"])
def test_another_revision_is_refused_by_name(empty_url: str, engine: Engine, revision: str) -> None:
    _make_glance(engine, revision)
    before = _names(engine)
    with pytest.raises(Conflict) as caught:
        upgrade(empty_url)
    assert revision in str(caught.value)
    assert GLANCE_REVISION in str(caught.value)
    assert _names(engine) == before
    engine.dispose()


def test_a_schema_from_before_alembic_is_refused(empty_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE migrate_version (version INTEGER)"))
        connection.execute(text("INSERT INTO migrate_version VALUES (44)"))
    with pytest.raises(Conflict, match="44"):
        upgrade(empty_url)
    engine.dispose()


def test_what_was_interrupted_is_completed(empty_url: str, engine: Engine) -> None:
    """As MySQL leaves it, which cannot undo the making of a table."""
    tables.images.create(engine)
    tables.intents.create(engine)
    upgrade(empty_url)
    _works(empty_url)
    engine.dispose()


def test_several_upgrades_at_once_all_end_well(empty_url: str) -> None:
    assert run_together(*[lambda: upgrade(empty_url)] * 4) == [None] * 4
    _works(empty_url)


def test_a_database_that_is_not_there() -> None:
    for url in (
        "postgresql+psycopg://user:secret@127.0.0.1:1/none",
        "mysql+pymysql://user:secret@127.0.0.1:1/none",
        "sqlite:////no/such/folder/x.db",
    ):
        for attempt in (upgrade, _read_one):
            with pytest.raises(Unavailable) as caught:
                attempt(url)
            assert "secret" not in str(caught.value)


def _read_one(url: str) -> None:
    open_records(connect(url)).images.get("x", None)
