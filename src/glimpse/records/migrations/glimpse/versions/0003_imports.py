"""Staged data, and how far jobs are."""

from alembic import op
from sqlalchemy import inspect

from glimpse.records import tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make what is missing: the first revision makes whole tables, and on MySQL a run may be interrupted."""
    connection = op.get_bind()
    tables.staged.create(connection, checkfirst=True)
    present = {column["name"] for column in inspect(connection).get_columns(tables.jobs.name)}
    for name in ("done", "total", "rate", "cancelled"):
        if name not in present:
            op.add_column(tables.jobs.name, tables.jobs.c[name].copy())
