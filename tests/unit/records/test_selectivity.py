from pathlib import Path

from glimpse.records.database import connect
from glimpse.records.schema import upgrade
from glimpse.records.selectivity import Selectivity


def test_the_answer_is_remembered_for_a_minute(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    upgrade(url)
    database = connect(url)
    now = 0.0
    asked = Selectivity(database, clock=lambda: now)
    assert asked.few_memberships("p")
    with database.writer.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("DROP TABLE image_members")
    now = 59.0
    assert asked.few_memberships("p")
    database.close()
