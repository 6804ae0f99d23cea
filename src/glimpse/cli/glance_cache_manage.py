"""`glance-cache-manage`: look after the image cache of a host, by its API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import httpx

from glimpse import __version__
from glimpse.cli.jobs import table
from glimpse.cli.keystone import password_plugin
from glimpse.cli.programs import CONTEXT, run
from glimpse.domain.errors import Conflict, Forbidden, Invalid, Unauthenticated, Unavailable
from glimpse.transfer.cache.folder import is_image_id

_SECONDS = 60.0
_HEADINGS = ("ID", "LAST ACCESSED (UTC)", "LAST MODIFIED (UTC)", "SIZE", "HITS")


@dataclass(frozen=True, slots=True)
class _Service:
    """The service, and how it is to be asked."""

    client: httpx.Client
    force: bool

    def ask(self, method: str, path: str) -> Any:
        """What it answers. :raises Unavailable, Unauthenticated, Forbidden, Conflict: it does not."""
        try:
            answer = self.client.request(method, path)
        except httpx.HTTPError as error:
            raise Unavailable("image service", f"{self.client.base_url}: {error}") from None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise Unauthenticated
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise Forbidden("Policy `manage_image_cache` does not let you.")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Conflict("The image cache is not enabled on this service.")
        if answer.is_error:
            raise Conflict(f"The service answers {answer.status_code}.")
        return answer.json()

    def sure(self, text: str) -> bool:
        """Whether the operator means it."""
        return self.force or click.confirm(text)


_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option("-v", "--verbose", is_flag=True, help="Say what is asked of the service."),
    click.option("-d", "--debug", is_flag=True, help="As --verbose."),
    click.option("-H", "--host", default="127.0.0.1", help="Where the service is. Default: 127.0.0.1."),
    click.option("-p", "--port", default=9292, type=click.IntRange(1, 65535), help="Default: 9292."),
    click.option("--ssl", is_flag=True, help="Speak HTTPS."),
    click.option("-k", "--insecure", is_flag=True, help="Do not look at the certificate."),
    click.option("-f", "--force", is_flag=True, help="Do not ask before something is removed."),
    click.option("-A", "--os-auth-token", envvar="OS_TOKEN", help="A token; default: $OS_TOKEN."),
    click.option("-I", "--os-username", envvar="OS_USERNAME", help="Default: $OS_USERNAME."),
    click.option("-K", "--os-password", envvar="OS_PASSWORD", help="Default: $OS_PASSWORD."),
    click.option("-R", "--os-region-name", envvar="OS_REGION_NAME", help="Not used: --host says where."),
    click.option("--os-project-id", envvar="OS_PROJECT_ID", help="Default: $OS_PROJECT_ID."),
    click.option("-T", "--os-project-name", envvar="OS_PROJECT_NAME", help="Default: $OS_PROJECT_NAME."),
    click.option("--os-user-domain-id", envvar="OS_USER_DOMAIN_ID", help="Default: as --os-domain-id."),
    click.option("--os-project-domain-id", envvar="OS_PROJECT_DOMAIN_ID", help="Default: as --os-domain-id."),
    click.option("--os-domain-id", envvar="OS_DOMAIN_ID", default="default", help="Default: default."),
    click.option("-N", "--os-auth-url", envvar="OS_AUTH_URL", help="Keystone; without: HTTP basic."),
    click.option("-S", "--os_auth_strategy", "strategy", help="Not used: --os-auth-url says it."),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("glance-cache-manage", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@_options
@click.pass_context
def glance_cache_manage(
    context: click.Context, /, host: str, port: int, ssl: bool, insecure: bool, force: bool, **said: Any
) -> None:
    """Look after the image cache of the host on which the service runs."""
    name = f"[{host}]" if ":" in host else host
    url = f"{'https' if ssl else 'http'}://{name}:{port}/v2"
    if said["verbose"] or said["debug"]:
        click.echo(f"Asking {url}.", err=True)
    client = httpx.Client(base_url=url, verify=not insecure, timeout=_SECONDS, trust_env=False)
    context.call_on_close(client.close)
    context.obj = lambda: _Service(_signed_in(client, said, insecure=insecure), force)


def _signed_in(client: httpx.Client, said: dict[str, Any], *, insecure: bool) -> httpx.Client:
    """:raises Unauthenticated: Keystone does not believe it."""
    token = said["os_auth_token"]
    if token is None and said["os_auth_url"]:
        token = _token(said, insecure=insecure)
    if token is not None:
        client.headers["X-Auth-Token"] = token
    elif said["os_username"]:
        client.auth = httpx.BasicAuth(said["os_username"], said["os_password"] or "")
    return client


def _token(said: dict[str, Any], *, insecure: bool) -> str:
    # Imported only when used: it takes a while.
    from keystoneauth1.exceptions import ClientException
    from keystoneauth1.session import Session

    try:
        return str(Session(password_plugin(said), verify=not insecure).get_token())
    except ClientException as error:
        raise Unauthenticated(f"Keystone: {error}") from None


@glance_cache_manage.command("help")
@click.argument("name", required=False)
@click.pass_context
def help_of(context: click.Context, name: str | None) -> None:
    """Tell what there is, or what a command does."""
    command = glance_cache_manage.get_command(context, name) if name else glance_cache_manage
    if command is None or context.parent is None:
        raise Invalid("command", f"there is none called '{name}'")
    click.echo(command.get_help(click.Context(command, info_name=command.name)))


@glance_cache_manage.command("list-cached")
@click.pass_obj
def list_cached(connect: Callable[[], _Service]) -> None:
    """List the images that are cached."""
    rows = connect().ask("GET", "/cached_images")["cached_images"]
    click.echo(f"{len(rows)} images are cached.")
    if rows:
        click.echo(table([_HEADINGS, *map(_row, rows)]))


def _row(row: dict[str, Any]) -> Sequence[str]:
    times = (datetime.fromtimestamp(row[name], UTC) for name in ("last_accessed", "last_modified"))
    return (
        row["image_id"],
        *(f"{one:%Y-%m-%dT%H:%M:%S}" for one in times),
        str(row["size"]),
        str(row["hits"]),
    )


@glance_cache_manage.command("list-queued")
@click.pass_obj
def list_queued(connect: Callable[[], _Service]) -> None:
    """List the images that wait to be cached."""
    ids = connect().ask("GET", "/queued_images")["queued_images"]
    click.echo(f"{len(ids)} images are queued.")
    for image_id in ids:
        click.echo(image_id)


@glance_cache_manage.command("queue-image")
@click.argument("image_id")
@click.pass_obj
def queue_image(connect: Callable[[], _Service], image_id: str) -> None:
    """Have an image cached."""
    connect().ask("PUT", f"/queued_images/{_checked(image_id)}")
    click.echo(f"{image_id} is queued.")


@glance_cache_manage.command("delete-cached-image")
@click.argument("image_id")
@click.pass_obj
def delete_cached_image(connect: Callable[[], _Service], image_id: str) -> None:
    """Remove an image from the cache."""
    service = connect()
    if service.sure(f"Remove {_checked(image_id)} from the cache?"):
        service.ask("DELETE", f"/cached_images/{image_id}")
        click.echo(f"{image_id} is not cached any more.")


@glance_cache_manage.command("delete-all-cached-images")
@click.pass_obj
def delete_all_cached_images(connect: Callable[[], _Service]) -> None:
    """Empty the cache."""
    service = connect()
    if service.sure("Remove all images from the cache?"):
        click.echo(f"{service.ask('DELETE', '/cached_images')['num_deleted']} images were removed.")


@glance_cache_manage.command("delete-queued-image")
@click.argument("image_id")
@click.pass_obj
def delete_queued_image(connect: Callable[[], _Service], image_id: str) -> None:
    """Take an image out of the queue."""
    service = connect()
    if service.sure(f"Take {_checked(image_id)} out of the queue?"):
        service.ask("DELETE", f"/queued_images/{image_id}")
        click.echo(f"{image_id} is not queued any more.")


@glance_cache_manage.command("delete-all-queued-images")
@click.pass_obj
def delete_all_queued_images(connect: Callable[[], _Service]) -> None:
    """Empty the queue."""
    service = connect()
    if service.sure("Take all images out of the queue?"):
        click.echo(f"{service.ask('DELETE', '/queued_images')['num_deleted']} images were taken out.")


def _checked(image_id: str) -> str:
    if not is_image_id(image_id):
        raise Invalid("image id", f"'{image_id[:60]}' is none")
    return image_id


def main() -> None:
    """Run `glance-cache-manage`."""
    run(glance_cache_manage)
