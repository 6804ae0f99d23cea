"""`glance-api`: the service as operators of Glance start it."""

import click

from glimpse import __version__
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.cli.serve import serve_supervised
from glimpse.config.settings import settings_of


@click.command("glance-api", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
def glance_api(files: tuple[str, ...], dirs: tuple[str, ...], **said: object) -> None:
    """Serve the Image API.

    SIGTERM ends it when what has begun is finished; SIGHUP makes new workers, with the configuration as it is
    then, and ends the old ones.
    """
    serve_supervised(settings_of(source_of("glance-api", files, dirs, **said)))


def main() -> None:
    """Run `glance-api`."""
    run(glance_api)
