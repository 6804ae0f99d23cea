"""`glimpse compute flavor` and `glimpse compute image`: what instances are made by, and of."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from glimpse.cli.compute_places import cloud_option, host_of, source_of, verify_option
from glimpse.cli.jobs import table
from glimpse.cli.places import config_option, state_option
from glimpse.cli.stores import json_option
from glimpse.compute.bases import Base
from glimpse.compute.checks import Damaged
from glimpse.compute.flavors import Flavor
from glimpse.compute.instances import Host
from glimpse.compute.launch import provided
from glimpse.domain.errors import Conflict, Invalid

_FLAVOR = ("NAME", "VCPUS", "RAM", "DISK", "EPHEMERAL")
_IMAGE = ("KEY", "NAME", "FORMAT", "SIZE", "SIGNATURE", "USED")


@click.group()
def flavor() -> None:
    """The sizes of instances: memory in MiB, disks in GiB."""


@flavor.command("list")
@config_option
@state_option
@json_option
def flavor_list(config_files: tuple[str, ...], state_dir: Path | None, as_json: bool) -> None:
    """Show the flavors."""
    flavors = [asdict(one) for one in host_of(config_files, state_dir)[0].flavors.all()]
    if as_json:
        click.echo(json.dumps(flavors, indent=2))
    else:
        click.echo(table([_FLAVOR, *(tuple(map(str, one.values())) for one in flavors)]))


@flavor.command("create")
@config_option
@state_option
@click.option("--vcpus", type=int, default=1, show_default=True, help="Processors.")
@click.option("--ram", type=int, required=True, metavar="MIB", help="Memory.")
@click.option(
    "--disk", type=int, default=0, metavar="GIB", help="Root disk. Default: as large as the image's."
)
@click.option("--ephemeral", type=int, default=0, metavar="GIB", help="Second, empty disk. Default: none.")
@click.argument("name")
def flavor_create(
    config_files: tuple[str, ...],
    state_dir: Path | None,
    vcpus: int,
    ram: int,
    disk: int,
    ephemeral: int,
    name: str,
) -> None:
    """Add a flavor."""
    host_of(config_files, state_dir)[0].flavors.create(Flavor(name, vcpus, ram, disk, ephemeral))


@flavor.command("edit")
@config_option
@state_option
@click.option("--vcpus", type=int, help="Processors.")
@click.option("--ram", type=int, metavar="MIB", help="Memory.")
@click.option("--disk", type=int, metavar="GIB", help="Root disk; 0: as large as the image's.")
@click.option("--ephemeral", type=int, metavar="GIB", help="Second, empty disk; 0: none.")
@click.argument("name")
def flavor_edit(
    config_files: tuple[str, ...], state_dir: Path | None, name: str, **sizes: int | None
) -> None:
    """Change a flavor. Instances keep what they were launched with."""
    changes = {field: size for field, size in sizes.items() if size is not None}
    host_of(config_files, state_dir)[0].flavors.edit(name, changes)


@flavor.command("delete")
@config_option
@state_option
@click.argument("name")
def flavor_delete(config_files: tuple[str, ...], state_dir: Path | None, name: str) -> None:
    """Remove a flavor. Instances keep what they were launched with."""
    host_of(config_files, state_dir)[0].flavors.delete(name)


@click.group()
def image() -> None:
    """The images whose data this host has."""


@image.command("list")
@config_option
@state_option
def image_list(config_files: tuple[str, ...], state_dir: Path | None) -> None:
    """Show the images that were fetched."""
    host, _ = host_of(config_files, state_dir)
    rows = [_row(host, base) for base in host.bases.all()]
    if rows:
        click.echo(table([_IMAGE, *rows]))


@image.command("fetch")
@config_option
@state_option
@cloud_option
@verify_option
@click.argument("name", metavar="IMAGE")
def image_fetch(
    config_files: tuple[str, ...], state_dir: Path | None, cloud: str | None, verify: bool | None, name: str
) -> None:
    """Fetch an image and verify it, so that the first launch need not; the path of its data is printed.

    A fetch that was broken off goes on where it ended.
    """
    host, settings = host_of(config_files, state_dir)
    source = source_of(settings, config_files, cloud, verify)
    with provided(host, source, source.service.find(name)) as base:
        click.echo(base.data)


@image.command("check")
@config_option
@state_option
def image_check(config_files: tuple[str, ...], state_dir: Path | None) -> None:
    """Read all data again and compare the digests. The exit status is 1 if something is damaged.

    What is damaged is fetched again by the next launch.
    """
    host, _ = host_of(config_files, state_dir)
    damaged = 0
    for base in host.bases.all():
        try:
            host.bases.checked(base.key, thoroughly=True)
            click.echo(f"{base.key}: good")
        except Damaged as error:
            damaged += 1
            click.echo(f"{base.key}: {error}", err=True)
    if damaged:
        sys.exit(1)


@image.command("remove")
@config_option
@state_option
@click.option("--unused", is_flag=True, help="Remove all from which there is no instance.")
@click.argument("name", metavar="[IMAGE]", required=False)
def image_remove(
    config_files: tuple[str, ...], state_dir: Path | None, unused: bool, name: str | None
) -> None:
    """Remove the data of an image from this host; not the image itself."""
    host, _ = host_of(config_files, state_dir)
    if unused == (name is not None):
        raise Invalid("IMAGE", "name one image, or use --unused")
    for base in host.bases.all() if name is None else host.bases.find(name):
        try:
            host.bases.remove(base.key, host.is_in_use)
        except Conflict:
            if not unused:
                raise
        else:
            click.echo(f"{base.key} is removed.")


def _row(host: Host, base: Base) -> tuple[str, ...]:
    used = "yes" if host.is_in_use(base.key) else "no"
    verified = "verified" if base.seal else "not verified"
    state = verified if base.stamp else "damaged"
    return base.key, base.image.name or "", base.image.disk_format or "", str(base.image.size), state, used
