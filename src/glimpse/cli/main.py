"""`glimpse`: the command that holds all others."""

import sys
from pathlib import Path

import click

from glimpse import __version__
from glimpse.access.users import UserFiles
from glimpse.cli.compute import compute
from glimpse.cli.image import image
from glimpse.cli.jobs import job
from glimpse.cli.places import config_option as _config
from glimpse.cli.places import state_option as _state
from glimpse.cli.serve import make_folder, serve_forever
from glimpse.cli.stores import store
from glimpse.cli.worker import work_forever
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.errors import GlimpseError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """An image service for virtual machines that speaks the OpenStack Image API v2."""


@cli.command()
@_config
@_state
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
def serve(config_files: tuple[str, ...], state_dir: Path | None, host: str | None, port: int | None) -> None:
    """Start the service; it stops at Ctrl-C."""
    serve_forever(read_settings(config_files, state_dir=state_dir, bind_host=host, bind_port=port))


@cli.command()
@_config
@_state
def worker(config_files: tuple[str, ...], state_dir: Path | None) -> None:
    """Do jobs and keep house, without answering requests; Ctrl-C or SIGTERM ends it.

    Any number may run, on any hosts that reach the database and the stores.
    """
    work_forever(read_settings(config_files, state_dir=state_dir))


cli.add_command(compute)
cli.add_command(image)
cli.add_command(job)
cli.add_command(store)


@cli.group()
def user() -> None:
    """The people who may use a service without Keystone."""


@user.command("add")
@_config
@_state
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, help="admin, member or reader; may be repeated.", default=["member"]
)
@click.option("--project", help="The project whose images are theirs. Default: one named like them.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def user_add(
    config_files: tuple[str, ...],
    state_dir: Path | None,
    name: str,
    roles: tuple[str, ...],
    project: str | None,
    password_stdin: bool,
) -> None:
    """Add somebody, or give them a new password."""
    users = _users(read_settings(config_files, state_dir=state_dir))
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    users.add(name, password, list(roles), project)
    click.echo(f"{name} may use the service.")


@user.command("list")
@_config
@_state
def user_list(config_files: tuple[str, ...], state_dir: Path | None) -> None:
    """Show who may use the service."""
    for someone in _users(read_settings(config_files, state_dir=state_dir)).all():
        click.echo(f"{someone.name}\t{someone.project}\t{','.join(sorted(someone.roles))}")


@user.command("remove")
@_config
@_state
@click.argument("name")
def user_remove(config_files: tuple[str, ...], state_dir: Path | None, name: str) -> None:
    """Remove somebody."""
    _users(read_settings(config_files, state_dir=state_dir)).remove(name)
    click.echo(f"{name} may not use the service any more.")


def _users(settings: Settings) -> UserFiles:
    make_folder("http_basic_auth_user_file", settings.htpasswd.parent, 0o700)
    return UserFiles(settings.htpasswd)


def main() -> None:
    """Run a command; what the user can mend is told in one line."""
    try:
        cli()
    except GlimpseError as error:
        click.echo(f"glimpse: {error}", err=True)
        sys.exit(1)
