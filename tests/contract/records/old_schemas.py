"""Databases as older releases of Glance left them.

`queens.*.sql` is what Glance's migrations make up to `queens_contract01`, dumped from each kind of server.
The releases since only added what is in `rocky.sql`, `wallaby.sql`, and the tables of the cache in 2024.1.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from glimpse.records import engines

_FOLDER = Path(__file__).parent / "glance"
_KINDS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
# Those that have the tables of Queens, of Rocky, and of Wallaby; the other releases had none of their own.
QUEENS = ("queens_contract01", "pike_contract01", "rocky_expand01+queens_contract01")
ROCKY = ("rocky_contract02", "train_contract01", "ussuri_contract01", "wallaby_expand01+ussuri_contract01")
WALLABY = ("wallaby_contract01", "xena_contract01", "yoga_contract01", "zed_contract01", "2023_1_contract01")

IMAGE, GONE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

_MADE = {"created_at": "2018-03-01 10:00:00", "updated_at": "2018-03-02 10:00:00", "deleted": False}
_IMAGE = {
    **{"id": IMAGE, "name": "old", "size": 5, "status": "active", "owner": "p1", "min_disk": 1, "min_ram": 2},
    **{"protected": True, "visibility": "community", "disk_format": "raw", "container_format": "bare"},
    **_MADE,
}
_LOCATIONS = (
    ("file:///a", '{"backend": "fast", "note": "backend"}'),
    ("file:///b", '{"store": "slow"}'),
    ("file:///c", '{"note": {"backend": "x"}}'),
)
_ROWS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("images", _IMAGE),
    ("images", {**_IMAGE, "id": GONE, "status": "deleted", "deleted_at": "2018-03-03", "deleted": True}),
    ("image_properties", {"image_id": IMAGE, "name": "os_distro", "value": "fedora", **_MADE}),
    ("image_tags", {"image_id": IMAGE, "value": "t", **_MADE}),
    (
        "image_members",
        {"image_id": IMAGE, "member": "guest", "can_share": False, "status": "accepted", **_MADE},
    ),
    *(
        ("image_locations", {"image_id": IMAGE, "value": url, "meta_data": data, "status": "active", **_MADE})
        for url, data in _LOCATIONS
    ),
    ("tasks", {"id": "t1", "type": "import", "status": "success", "owner": "p1", **_MADE}),
    ("task_info", {"task_id": "t1", "input": "{}"}),
)


def make_old(url: str, revisions: str) -> Engine:
    """A database with some rows whose `revisions`, joined by `+`, are those of an old release."""
    engine = create_engine(engines.parse(url))
    with engine.begin() as connection:
        for statement in _schema(engine.dialect.name, revisions):
            connection.exec_driver_sql(statement)
        versions = [("alembic_version", {"version_num": one}) for one in revisions.split("+")]
        for name, row in (*_ROWS, *versions):
            names = (", ".join(row), ", ".join(f":{column}" for column in row))
            connection.execute(text(f"INSERT INTO {name} ({names[0]}) VALUES ({names[1]})"), row)
    return engine


def _schema(dialect: str, revisions: str) -> Iterator[str]:
    yield from _statements(f"queens.{_KINDS[dialect]}.sql")
    if revisions not in QUEENS:
        yield from _statements("rocky.sql")
    if revisions in WALLABY:
        yield from _statements("wallaby.sql")


def _statements(name: str) -> Iterator[str]:
    for statement in (_FOLDER / name).read_text().split(";\n"):
        if statement.strip():
            yield statement
