"""The options by which every `glimpse` command is told where the service keeps things."""

from pathlib import Path

import click

config_option = click.option(
    "--config-file", "config_files", multiple=True, help="A configuration file; may be repeated."
)
state_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the service keeps its database, images and users.",
)
