"""The whole schema of Glance at its head, under the name that Glance knows it by."""

from alembic import op

from glimpse.records import tables

revision = "2024_1_contract01"
down_revision = None


def upgrade() -> None:
    """Make the tables that are missing: on MySQL an interrupted run leaves some of them."""
    tables.glance.create_all(op.get_bind())
