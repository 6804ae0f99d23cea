"""Where the data of an image comes from: the body of the request, a location, or a web server."""

from collections.abc import Mapping
from enum import Enum, auto

from starlette.requests import Request

from glimpse.api.delivery import DATA_TYPE
from glimpse.api.requests import announced_size, read_data
from glimpse.api.service import Call, Service
from glimpse.api.v1.headers import Meta
from glimpse.catalog.catalog import require_rule
from glimpse.catalog.locations import Offer, adding, change_locations
from glimpse.domain.errors import Conflict, Invalid
from glimpse.domain.image import Image, Location
from glimpse.domain.status import ImageStatus
from glimpse.imports.request import Method, Wanted, begin_import
from glimpse.imports.signed import seal_of_image
from glimpse.transfer.locations import check_location, survey
from glimpse.transfer.upload import upload


class Source(Enum):
    """What a request brings."""

    NOTHING = auto()
    DATA = auto()
    LOCATION = auto()
    COPY = auto()


def read_source(service: Service, call: Call, meta: Meta) -> Source:
    """What the request brings, judged by what is written; nothing is looked at yet.

    :raises Invalid: several at once, a body of another media type, a size above the cap, a store that takes
        no data, or a place that must not be read from.
    """
    place, url = meta.text("location"), meta.text("copy_from")
    given = [
        source
        for source, there in ((Source.DATA, _has_body(call)), (Source.LOCATION, place), (Source.COPY, url))
        if there
    ]
    if len(given) > 1:
        raise Invalid("source", "a body, a location and copy-from exclude each other")
    cap = service.catalog.limits.image_size_cap
    if meta.size is not None and meta.size > cap:
        raise Invalid("x-image-meta-size", f"{meta.size} bytes are more than the {cap} of image_size_cap")
    store = _store(service, meta)
    if store is not None:
        service.transfer.stores.taking(store)
    source = given[0] if given else Source.NOTHING
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if source is Source.DATA and media != DATA_TYPE:
        raise Invalid("Content-Type", f"that of image data must be {DATA_TYPE}")
    if place:
        check_location(service.transfer, Location(place))
    if url:
        _check_copied(service, url, meta)
    return source


def _has_body(call: Call) -> bool:
    return call.headers.get("content-length", "0") != "0" or "transfer-encoding" in call.headers


def _check_copied(service: Service, url: str, meta: Meta) -> None:
    service.imports.outbound.check_url(url)
    if meta.text("checksum") and any(step.transforms for step in service.imports.steps):
        raise Invalid("x-image-meta-checksum", "this service changes data that it copies")


def _store(service: Service, meta: Meta) -> str | None:
    """The store that the request names, where there are several to choose from."""
    return meta.text("store") if service.transfer.stores.several else None


def require_open(image: Image, source: Source) -> None:
    """Check that the image can get what the request brings.

    :raises Conflict, Invalid: it is not queued any more.
    """
    if source is Source.NOTHING or image.status is ImageStatus.QUEUED:
        return
    if source is Source.LOCATION:
        raise Invalid("x-image-meta-location", f"the image is {image.status}, and had to be queued")
    raise Conflict(f"Image {image.id} is {image.status}; data can only be uploaded while it is queued.")


async def bring(
    service: Service, call: Call, request: Request, image: Image, meta: Meta, source: Source
) -> None:
    """Give a queued image what the request brings. An upload or a copy that fails kills it.

    Raises as `upload`, as `survey` and `change_locations`, or as `begin_import`.
    """
    size = image.size if meta.size is None else meta.size
    checksum = meta.text("checksum") or image.checksum
    match source:
        case Source.DATA:
            await upload(
                service.transfer,
                call.caller,
                image.id,
                read_data(request),
                size=announced_size(request) if size is None else size,
                store_id=_store(service, meta),
                checksum=checksum,
                failed=ImageStatus.KILLED,
            )
        case Source.LOCATION:
            await _register(service, call, image, meta, size)
        case Source.COPY:
            await _copy(service, call, image, meta, {"size": size, "checksum": checksum})


async def _register(service: Service, call: Call, image: Image, meta: Meta, size: int | None) -> None:
    transfer, checksum = service.transfer, meta.text("checksum")
    vouched = {"checksum": checksum.lower()} if checksum else {}
    offer = Offer(Location(meta.text("location") or ""), vouched)
    [offer] = await survey(transfer, call.caller, image.id, [offer])
    if size is not None and size != offer.size:
        raise Conflict(f"{offer.size} bytes are at the location, and {size} were announced.")
    await transfer.threads.record(
        change_locations,
        service.catalog,
        transfer.worker,
        call.caller,
        image.id,
        [adding(service.catalog, call.caller, offer)],
        "modify_image",
    )


async def _copy(
    service: Service, call: Call, image: Image, meta: Meta, announced: Mapping[str, int | str | None]
) -> None:
    record, catalog = service.transfer.threads.record, service.catalog
    target = {"project_id": image.owner, "owner": image.owner}
    await record(require_rule, catalog, call.caller, "copy_from", target)
    url = meta.text("copy_from") or ""
    wanted = Wanted(
        Method.WEB_DOWNLOAD,
        header=_store(service, meta),
        source={"url": url, **{name: str(value) for name, value in announced.items() if value is not None}},
        shown={"method": {"name": Method.WEB_DOWNLOAD.value, "uri": url}},
        failed=ImageStatus.KILLED,
    )
    seal = await seal_of_image(service.transfer, call.caller, image.id, wanted)
    await record(
        begin_import,
        catalog,
        service.transfer.stores,
        call.caller,
        image.id,
        wanted,
        call.request_id,
        seal,
    )
    service.jobs.wake()
