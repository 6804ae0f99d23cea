"""`glimpse store`: look at the stores and try them out, whether the service runs or not."""

import json
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from oslo_utils.strutils import mask_password

from glimpse.cli.jobs import table
from glimpse.cli.places import config_option, state_option
from glimpse.config.places import StorePlace
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.errors import NotFound
from glimpse.stores.trial import Trial, try_store

_MIB = 2**20
_LIST = ("ID", "TYPE", "DEFAULT", "TAKES DATA", "WEIGHT", "DESCRIPTION")
_CHECK = ("ID", "TYPE", "REACHABLE", "WRITE", "READ", "DELETE", "USED", "FREE")

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


@click.group()
def store() -> None:
    """The places where the data of images rests."""


@store.command("list")
@config_option
@state_option
@json_option
def store_list(config_files: tuple[str, ...], state_dir: Path | None, as_json: bool) -> None:
    """Show the stores that are configured, in their order."""
    settings = read_settings(config_files, state_dir=state_dir)
    if as_json:
        click.echo(json.dumps([_described(place, settings) for place in settings.stores], indent=2))
    else:
        click.echo(table([_LIST, *(_row(place, settings) for place in settings.stores)]))


@store.command("check")
@config_option
@state_option
@json_option
@click.option(
    "--size", type=click.IntRange(1), default=16, show_default=True, metavar="MIB", help="How much to write."
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
def store_check(
    config_files: tuple[str, ...], state_dir: Path | None, as_json: bool, size: int, ids: tuple[str, ...]
) -> None:
    """Write to stores, read it back and delete it; without an ID, all of them.

    Random bytes are written, and nothing stays, not even at Ctrl-C. Rates are in MiB a second. A store that
    takes no data is only looked at. The exit status is 1 if a store fails. Run it as the service's user.
    """
    places = _chosen(read_settings(config_files, state_dir=state_dir), ids)
    # Who ends it by another signal than Ctrl-C wants nothing to stay either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    trials = [
        try_store(partial(place.backend.open, place.id), None if place.read_only else size * _MIB)
        for place in places
    ]
    found = list(zip(places, trials, strict=True))
    if as_json:
        click.echo(json.dumps([_document(place, trial) for place, trial in found], indent=2))
    else:
        click.echo(table([_CHECK, *(_checked(place, trial) for place, trial in found)]))
        for place, trial in found:
            if trial.failure is not None:
                click.echo(f"{place.id}: {mask_password(trial.failure)}", err=True)
    if any(trial.failure is not None for trial in trials):
        sys.exit(1)


def _chosen(settings: Settings, ids: Sequence[str]) -> list[StorePlace]:
    """The stores of these names, in their order; without names, all. :raises NotFound: there is none."""
    known = {place.id: place for place in settings.stores}
    for name in ids:
        if name not in known:
            raise NotFound("store", name)
    return [known[name] for name in dict.fromkeys(ids or known)]


def _described(place: StorePlace, settings: Settings) -> dict[str, object]:
    return {
        "id": place.id,
        "type": place.kind,
        "default": place.id == settings.default_store,
        "read_only": place.read_only,
        "weight": place.weight,
        "description": place.description,
        "properties": dict(place.backend.properties()),
    }


def _row(place: StorePlace, settings: Settings) -> tuple[str, ...]:
    default, takes = place.id == settings.default_store, not place.read_only
    description = place.description or ""
    return place.id, place.kind, _said(default), _said(takes), str(place.weight), description


def _document(place: StorePlace, trial: Trial) -> dict[str, object]:
    return {
        "id": place.id,
        "type": place.kind,
        "read_only": place.read_only,
        "ok": trial.failure is None,
        "reachable": trial.reachable,
        "writable": trial.writable,
        "readable": trial.readable,
        "deletable": trial.deletable,
        "write_mib_per_second": _rate(trial.write_rate),
        "read_mib_per_second": _rate(trial.read_rate),
        "used_bytes": trial.used,
        "free_bytes": trial.free,
        "error": None if trial.failure is None else mask_password(trial.failure),
    }


def _checked(place: StorePlace, trial: Trial) -> tuple[str, ...]:
    return (
        place.id,
        place.kind,
        _said(trial.reachable),
        "read-only" if place.read_only else _passed(trial.writable, trial.write_rate),
        _passed(trial.readable, trial.read_rate),
        _passed(trial.deletable, None),
        _size(trial.used),
        _size(trial.free),
    )


def _said(answer: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[answer]


def _passed(passed: bool | None, rate: float | None) -> str:
    if not passed:
        return "-" if passed is None else "failed"
    return "ok" if rate is None else f"ok, {_rate(rate)}"


def _rate(rate: float | None) -> float | None:
    return None if rate is None else round(rate / _MIB, 1)


def _size(count: int | None) -> str:
    if count is None:
        return "-"
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / _MIB:.1f} MiB"
