"""The backlog of notifications."""

from alembic import op

from glimpse.records import tables

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make what is missing: the first revision makes all tables."""
    tables.notifications.create(op.get_bind(), checkfirst=True)
