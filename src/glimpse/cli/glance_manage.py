"""`glance-manage`: the database, in upstream's two spellings: `db sync` and `db_sync`."""

import click

from glimpse import __version__
from glimpse.cli import manage_metadefs, manage_purge, manage_schema
from glimpse.cli.programs import CONTEXT, common_options, run, source_of


@click.group("glance-manage", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@click.pass_context
def glance_manage(
    context: click.Context, /, files: tuple[str, ...], dirs: tuple[str, ...], **said: object
) -> None:
    """Make, check and fill the database."""
    context.obj = source_of("glance-manage", files, dirs, **said)


@glance_manage.group("db")
def db() -> None:
    """The database. Each action is also a command of its own: `db_sync` is `db sync`.

    What changes anything has the option --dry-run, and can be run again, also when it was killed half-way,
    and while services use the database. The exit status is 1 when it fails, 2 for a wrong command line.
    """


for _action in (*manage_schema.ACTIONS, *manage_metadefs.ACTIONS, *manage_purge.ACTIONS):
    db.add_command(_action)
    glance_manage.add_command(_action, f"db_{_action.name}")


def main() -> None:
    """Run `glance-manage`."""
    run(glance_manage)
