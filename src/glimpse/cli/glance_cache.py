"""`glance-cache-cleaner`, `-pruner` and `-prefetcher`: now, what the service does by itself before long."""

import asyncio
import sys
from dataclasses import replace

import click

from glimpse import __version__
from glimpse.app import make_service
from glimpse.cli.database import require_tables
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.config.settings import settings_of
from glimpse.jobs.engine import Engine, run_jobs
from glimpse.transfer.cache.cache import Cache
from glimpse.transfer.cache.prefetch import kind_of, prefetching, queued
from glimpse.transfer.cache.upkeep import clean

_LOOK_SECONDS = 0.2


def _open(name: str, files: tuple[str, ...], dirs: tuple[str, ...], **said: object) -> Cache:
    """The cache of this host. :raises Invalid, Conflict, Unavailable: settings or database will not do."""
    settings = settings_of(source_of(name, files, dirs, **said))
    require_tables(settings)
    service = make_service(replace(settings, cache=replace(settings.cache, wanted=True)))
    assert service.cache is not None  # noqa: S101 - it is wanted
    return service.cache


@click.command("glance-cache-cleaner", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@click.option("--verify", is_flag=True, help="Read all of the cache, and remove what has rotted.")
def cleaner(files: tuple[str, ...], dirs: tuple[str, ...], verify: bool, **said: object) -> None:
    """Remove from the cache of this host what is invalid, stalled or of images that are gone."""
    done = clean(_open("glance-cache-cleaner", files, dirs, **said), verify=verify)
    click.echo(f"{done.removed} removed, {done.adopted} taken over.")


@click.command("glance-cache-pruner", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
def pruner(files: tuple[str, ...], dirs: tuple[str, ...], **said: object) -> None:
    """Make the cache of this host as small as `image_cache_max_size` says; the longest unread goes first."""
    count, freed = _open("glance-cache-pruner", files, dirs, **said).prune()
    click.echo(f"{count} images evicted, {freed} bytes freed.")


@click.command("glance-cache-prefetcher", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
def prefetcher(files: tuple[str, ...], dirs: tuple[str, ...], **said: object) -> None:
    """Fetch what is queued for the cache of this host. The exit status is 1 if some cannot be cached."""
    cache = _open("glance-cache-prefetcher", files, dirs, **said)
    wanted = queued(cache)
    asyncio.run(_fetch(cache))
    have = {row.image_id for row in cache.listed()}
    lost = [image_id for image_id in wanted if image_id not in have]
    click.echo(f"{len(wanted) - len(lost)} of {len(wanted)} images cached.")
    for image_id in lost:
        click.echo(f"{image_id} is not cached: the log says why.", err=True)
    sys.exit(1 if lost else 0)


async def _fetch(cache: Cache) -> None:
    transfer = cache.transfer
    kinds = {kind_of(cache.node): prefetching(cache)}
    engine = Engine(transfer.catalog.records.jobs, transfer.worker, kinds, transfer.threads.record)
    working = asyncio.create_task(run_jobs(engine))
    try:
        while await transfer.threads.record(queued, cache):
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def clean_main() -> None:
    """Run `glance-cache-cleaner`."""
    run(cleaner)


def prune_main() -> None:
    """Run `glance-cache-pruner`."""
    run(pruner)


def prefetch_main() -> None:
    """Run `glance-cache-prefetcher`."""
    run(prefetcher)
