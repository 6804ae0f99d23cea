"""Where the data of an import comes from, by method."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from glimpse.catalog.import_ports import Staged
from glimpse.domain.errors import Conflict, Gone
from glimpse.domain.image import Image, Location
from glimpse.imports.remote import headers_for
from glimpse.imports.request import Method
from glimpse.jobs.ports import Job
from glimpse.stores.base import LocalFile
from glimpse.stores.outbound import Outbound
from glimpse.transfer.download import Window, file_chunks, open_data
from glimpse.transfer.lanes import WINDOW_BYTES
from glimpse.transfer.reading import stream
from glimpse.transfer.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Source:
    """A stream of bytes, and how many there are (None: unknown). `staged` is whose bytes they are, if any."""

    chunks: AsyncIterator[bytes]
    size: int | None
    staged: Staged | None = None


@asynccontextmanager
async def open_source(
    transfer: Transfer, outbound: Outbound, job: Job, image: Image
) -> AsyncIterator[Source]:
    """The bytes that an import is about; they end when the context is left.

    :raises Conflict: nothing is staged. :raises Gone: the data is not where it was.
    :raises Invalid: the source must not be asked, or has no such thing. :raises Unavailable: it fails.
    """
    match Method(job.arguments["method"]):
        case Method.GLANCE_DIRECT:
            staged = await transfer.threads.record(transfer.catalog.records.imports.staged, image.id)
            if staged is None:
                raise Conflict("Nothing is staged on this service for the image.")
            location = Location(staged.url, {"store": staged.store})
            store = transfer.stores.holding(location)
            found: LocalFile | Iterator[bytes] | None = await transfer.threads.bulk(
                store.open_reader, staged.url, 0, staged.size
            )
            size: int | None = staged.size
        case Method.COPY_IMAGE:
            staged, size = None, image.size or 0
            found = await open_data(transfer, image, Window(0, size))
        case Method.WEB_DOWNLOAD:
            staged = None
            fetched = await transfer.threads.bulk(outbound.fetch, job.arguments["source"]["url"])
            found, size = fetched.chunks, fetched.size
        case Method.GLANCE_DOWNLOAD:
            staged, given = None, job.arguments["source"]
            fetched = await transfer.threads.bulk(outbound.fetch, f"{given['url']}/file", headers_for(given))
            found, size = fetched.chunks, fetched.size
    if found is None:
        raise Gone("The data of the image is not where it was.")
    chunks = file_chunks(found) if isinstance(found, LocalFile) else found
    async with aclosing(stream(transfer.threads, chunks, WINDOW_BYTES)) as streamed:
        yield Source(streamed, size, staged)
