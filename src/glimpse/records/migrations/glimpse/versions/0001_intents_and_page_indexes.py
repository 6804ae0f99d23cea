"""Write intents, the locks of projects, and the indexes from which pages of images are read."""

from alembic import op

from glimpse.records import tables
from glimpse.records.page_indexes import page_indexes

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing: on MySQL an interrupted run leaves a part of it."""
    connection = op.get_bind()
    tables.glimpse.create_all(connection)
    for index in page_indexes(connection.dialect.name):
        index.create(connection, checkfirst=True)
