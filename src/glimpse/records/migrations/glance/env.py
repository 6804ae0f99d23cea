"""Run by Alembic: hands it the connection of `glimpse.records.schema.upgrade`."""

from alembic import context

options = context.config.attributes
context.configure(connection=options["connection"], version_table=options["version_table"])
with context.begin_transaction():
    context.run_migrations()
