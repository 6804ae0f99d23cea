"""`glance-scrubber`: removes the data of deleted images when its time has come, or brings an image back."""

import asyncio
import logging
import sys

import click

from glimpse import __version__
from glimpse.app import make_scrubber
from glimpse.cli.database import current_records
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.cli.worker import stop_signal
from glimpse.config.logs import set_up_logs
from glimpse.config.settings import Settings, settings_of
from glimpse.parts import utc_now
from glimpse.transfer.scrubbing import Scrubber, scrub_forever, scrub_once

LOG = logging.getLogger(__name__)


@click.command("glance-scrubber", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@click.option("-D", "--daemon/--nodaemon", default=None, help="Run until SIGTERM or SIGINT comes.")
@click.option("--restore", metavar="IMAGE_ID", help="Bring back an image that is pending_delete, and end.")
def glance_scrubber(
    files: tuple[str, ...], dirs: tuple[str, ...], restore: str | None, **said: object
) -> None:
    """Remove the data of deleted images that `delayed_delete` has kept, once it is older than `scrub_time`.

    Any number may run, on any hosts that reach the database and the stores. What cannot be removed now is
    told in the log and tried again by the next run; the exit status is 0 all the same.
    """
    settings = settings_of(source_of("glance-scrubber", files, dirs, **said))
    if restore is not None and settings.scrubbing.daemon:
        click.echo("ERROR: --restore and --daemon exclude each other", err=True)
        sys.exit(1)
    set_up_logs(settings)
    # Looked at first: what is wrong with the database is told in a line.
    with current_records(settings) as records:
        if restore is not None:
            records.deletions.restore(restore, utc_now())
            click.echo(f"Image {restore} is restored.")
            return
    _scrub(settings)


def _scrub(settings: Settings) -> None:
    scrubber = make_scrubber(settings)
    worker = scrubber.transfer.worker.id
    if settings.scrubbing.daemon:
        LOG.info("scrubber %s has started", worker)
        asyncio.run(_scrub_until_stopped(scrubber))
        LOG.info("scrubber %s has stopped", worker)
        return
    asyncio.run(scrub_once(scrubber))
    tally = scrubber.tally
    click.echo(f"Removed images: {tally.removed}. Not removed yet: {len(tally.failed)}.")


async def _scrub_until_stopped(scrubber: Scrubber) -> None:
    stop = stop_signal()
    scrubbing = asyncio.create_task(scrub_forever(scrubber))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({scrubbing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    scrubbing.cancel()
    await asyncio.gather(scrubbing, return_exceptions=stop.is_set())


def main() -> None:
    """Run `glance-scrubber`."""
    run(glance_scrubber)
