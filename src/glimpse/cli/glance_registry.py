"""`glance-registry`: the service that keeps the database, for API nodes that have none."""

import click

from glimpse import __version__
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.cli.serve import serve_supervised
from glimpse.config.registry import PROGRAM
from glimpse.config.settings import settings_of
from glimpse.registry.service import check_registry, create_registry_from


@click.command(PROGRAM, context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
def glance_registry(files: tuple[str, ...], dirs: tuple[str, ...], **said: object) -> None:
    """Serve the records of images to API nodes.

    SIGTERM ends it when what has begun is finished; SIGHUP makes new workers, with the configuration as it is
    then, and ends the old ones.
    """
    serve_supervised(
        settings_of(source_of(PROGRAM, files, dirs, **said)), create_registry_from, check_registry
    )


def main() -> None:
    """Run `glance-registry`."""
    run(glance_registry)
