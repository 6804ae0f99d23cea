"""Jobs."""

from alembic import op

from glimpse.records import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table, unless the one before has made it already, as it makes all that are known."""
    tables.jobs.create(op.get_bind(), checkfirst=True)
