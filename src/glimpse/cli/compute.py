"""`glimpse compute`: instances on this host, from images of any service that speaks the Image API v2."""

import json
import sys
from pathlib import Path

import click

from glimpse.cli.compute_host import flavor, image
from glimpse.cli.compute_places import cloud_option, host_of, source_of, verify_option
from glimpse.cli.jobs import table
from glimpse.cli.places import config_option, state_option
from glimpse.cli.stores import json_option
from glimpse.compute.accelerator import KVM, TCG, find_accelerator
from glimpse.compute.cloud import connect
from glimpse.compute.instances import Instance
from glimpse.compute.launch import Order, delete, launch, start_again
from glimpse.compute.machine import CONSOLE, CONSOLE_LOG, is_running, stop
from glimpse.compute.snapshots import snapshot

_HEADINGS = ("ID", "NAME", "STATUS", "FLAVOR", "IMAGE")

_accelerator = click.option(
    "--accelerator",
    type=click.Choice(["auto", KVM, TCG]),
    default="auto",
    show_default=True,
    help="How the guest's instructions are run; `auto`: by KVM where it really works.",
)
_name = click.argument("name", metavar="INSTANCE")


@click.group()
def compute() -> None:
    """Instances on this host, launched from images of any Image API v2.

    The image service is found as by all OpenStack clients: by clouds.yaml, or by the OS_* variables.
    """


compute.add_command(flavor)
compute.add_command(image)


@compute.command("launch")
@config_option
@state_option
@cloud_option
@verify_option
@_accelerator
@click.option("--image", "image_name", required=True, help="Name or id of the image.")
@click.option("--flavor", "flavor_name", required=True, help="Name of the flavor.")
@click.option("--volume", help="A raw file, a device, or iscsi://HOST[:PORT]/TARGET/LUN, as the disk vdc.")
@click.argument("name")
def compute_launch(
    config_files: tuple[str, ...],
    state_dir: Path | None,
    cloud: str | None,
    verify: bool | None,
    accelerator: str,
    image_name: str,
    flavor_name: str,
    volume: str | None,
    name: str,
) -> None:
    """Launch an instance; its id is printed.

    The image is fetched if this host does not have it, and always verified by its digest. The exit status
    is 1 if it is not verified, or the instance does not start; nothing stays then.
    """
    host, settings = host_of(config_files, state_dir)
    order = Order(name, host.flavors.get(flavor_name), volume)
    source = source_of(settings, config_files, cloud, verify)
    click.echo(launch(host, source, image_name, order, _found(accelerator)).id)


@compute.command("list")
@config_option
@state_option
@json_option
def compute_list(config_files: tuple[str, ...], state_dir: Path | None, as_json: bool) -> None:
    """Show the instances of this host."""
    instances = host_of(config_files, state_dir)[0].instances()
    if as_json:
        click.echo(json.dumps([_described(one) for one in instances], indent=2))
    elif instances:
        click.echo(table([_HEADINGS, *(_row(one) for one in instances)]))


@compute.command("show")
@config_option
@state_option
@json_option
@_name
def compute_show(config_files: tuple[str, ...], state_dir: Path | None, as_json: bool, name: str) -> None:
    """Show all that is known of an instance."""
    described = _described(host_of(config_files, state_dir)[0].instance(name))
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        click.echo(table([(key, str(value)) for key, value in described.items() if value is not None]))


@compute.command("start")
@config_option
@state_option
@_accelerator
@_name
def compute_start(config_files: tuple[str, ...], state_dir: Path | None, accelerator: str, name: str) -> None:
    """Start an instance that has stopped."""
    host, _ = host_of(config_files, state_dir)
    with host.handling(name) as instance:
        start_again(host, instance, _found(accelerator))


@compute.command("stop")
@config_option
@state_option
@click.option(
    "--patience",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long the guest may take to shut down before it is switched off; 0: not at all.",
)
@_name
def compute_stop(config_files: tuple[str, ...], state_dir: Path | None, patience: float, name: str) -> None:
    """Stop an instance. Its disks stay."""
    host, _ = host_of(config_files, state_dir)
    with host.handling(name) as instance:
        stop(instance, patience)


@compute.command("delete")
@config_option
@state_option
@_name
def compute_delete(config_files: tuple[str, ...], state_dir: Path | None, name: str) -> None:
    """Switch an instance off, and delete its root and ephemeral disks. A volume and the image stay."""
    host, _ = host_of(config_files, state_dir)
    with host.handling(name) as instance:
        delete(instance)


@compute.command("snapshot")
@config_option
@state_option
@cloud_option
@_name
@click.argument("image_name", metavar="IMAGE")
def compute_snapshot(
    config_files: tuple[str, ...], state_dir: Path | None, cloud: str | None, name: str, image_name: str
) -> None:
    """Upload the root disk of an instance, which may run on, as a new image; its id is printed."""
    host, _ = host_of(config_files, state_dir)
    with host.handling(name) as instance:
        click.echo(snapshot(host, instance, connect(cloud).images, image_name).id)


@compute.command("console-log")
@config_option
@state_option
@_name
def compute_console_log(config_files: tuple[str, ...], state_dir: Path | None, name: str) -> None:
    """Write out what an instance has printed on its serial port.

    `show` tells the socket by which one can type too: `socat -,raw,echo=0 unix-connect:SOCKET`.
    """
    host, _ = host_of(config_files, state_dir)
    log = host.instance(name).folder / CONSOLE_LOG
    sys.stdout.buffer.write(log.read_bytes() if log.exists() else b"")


def _found(accelerator: str) -> str:
    return find_accelerator() if accelerator == "auto" else accelerator


def _status(instance: Instance) -> str:
    return "running" if is_running(instance) else "stopped"


def _row(instance: Instance) -> tuple[str, ...]:
    image_name = instance.image.name or instance.image.id
    return instance.id, instance.name, _status(instance), instance.flavor.name, image_name


def _described(instance: Instance) -> dict[str, object]:
    made = instance.flavor
    return {
        "id": instance.id,
        "name": instance.name,
        "status": _status(instance),
        "created_at": instance.created_at,
        "flavor": made.name,
        "vcpus": made.vcpus,
        "ram_mib": made.ram,
        "root_disk_bytes": instance.root_size,
        "ephemeral_disk_gib": made.ephemeral,
        "volume": instance.volume,
        "image_id": instance.image.id,
        "image_name": instance.image.name,
        "base_image": instance.base,
        "console": str(instance.folder / CONSOLE),
    }
