"""What `glance-replicator` does: measure, dump, load, copy and compare the images of services.

An image that cannot be done is told in the log and counted, and the others go on. What was done is not done
again by the next run, and what was interrupted goes on.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from glimpse.compute.checks import Damaged
from glimpse.compute.images import ImageService, RemoteImage, image_of
from glimpse.domain.errors import Conflict, GlimpseError, NotFound, Unauthenticated
from glimpse.replication.data import Verified, file_chunks, service_chunks
from glimpse.replication.dump import Dump
from glimpse.replication.fields import Document, copied, data_differences, differences, modern, patch
from glimpse.transfer.cache.folder import is_image_id

LOG = logging.getLogger(__name__)

# Somebody else is bringing the data.
_BUSY = frozenset({"saving", "uploading", "importing"})


@dataclass(frozen=True, slots=True)
class How:
    """`excluded` fields are not copied; with `metaonly`, no data is. Data is read by `chunk_size` bytes."""

    excluded: Collection[str]
    metaonly: bool
    chunk_size: int


class Outcome(Enum):
    """What became of an image: its data was copied, its fields were, nothing was to do, or it failed."""

    COPIED = "copied"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(slots=True)
class Size:
    """How many active images there are, and of how many bytes."""

    images: int = 0
    size: int = 0


@dataclass(slots=True)
class Comparison:
    """The images of the source by their ids: the same on the target, otherwise there, or missing."""

    same: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def size(service: ImageService) -> Size:
    """How large a dump of the service would be."""
    total = Size()
    for image in map(image_of, everything(service)):
        if image.status == "active":
            total.images += 1
            total.size += image.size or 0
    return total


def dump(service: ImageService, folder: Dump, how: How) -> Counter[Outcome]:
    """Dump all images of a service into a folder. :raises Conflict: another dump into it is going on."""
    with folder.making():
        return _each(
            (document["id"], partial(_dump_one, service, folder, how, document))
            for document in everything(service)
        )


def load(folder: Dump, service: ImageService, how: How) -> Counter[Outcome]:
    """Load what was dumped into a service."""
    return _each((image_id, partial(_load_one, folder, service, how, image_id)) for image_id in folder.ids())


def livecopy(source: ImageService, target: ImageService, how: How) -> Counter[Outcome]:
    """Copy all images of a service into another."""
    return _each(
        (document["id"], partial(_deliver, target, how, document, partial(service_chunks, source)))
        for document in everything(source)
    )


def compare(source: ImageService, target: ImageService, how: How) -> Comparison:
    """What of the source is missing on the target, or another there; the log tells the fields."""
    found = Comparison()
    for document in everything(source):
        image = image_of(document)
        present = _present(target, image.id)
        if present is not None:
            alike = _compare_one(document, present, how)
            (found.same if alike else found.different).append(image.id)
        elif image.status == "active":
            LOG.warning('Image %s ("%s") is entirely missing from the target', image.id, image.name)
            found.missing.append(image.id)
    return found


def everything(service: ImageService) -> Iterator[Document]:
    """The documents of all images that the caller may see, also of those that lists hide, oldest first."""
    filters = {"visibility": "all", "member_status": "all", "sort_key": "created_at", "sort_dir": "asc"}
    yield from service.documents(**filters)
    yield from service.documents(**filters, os_hidden="true")


def _each(work: Iterable[tuple[str, Callable[[], Outcome]]]) -> Counter[Outcome]:
    """Do one image after the other. :raises Unauthenticated: the credentials are not good any more."""
    tally: Counter[Outcome] = Counter()
    for image_id, do in work:
        try:
            # It becomes the name of a file, and other services take nothing else.
            if not is_image_id(image_id):
                raise Conflict("its id is no UUID")
            tally[do()] += 1
        except Unauthenticated:
            raise
        except GlimpseError as error:
            LOG.error("Image %s: %s", image_id, error)
            tally[Outcome.FAILED] += 1
    return tally


def _compare_one(document: Document, present: Document, how: How) -> bool:
    found = list(differences(document, present, how.excluded))
    for one in found:
        text = "%s: field %s differs (source is %s, target is %s)"
        LOG.warning(text, document["id"], one.field, one.source, one.target)
    return not found


def _dump_one(service: ImageService, folder: Dump, how: How, document: Document) -> Outcome:
    image = image_of(document)
    known = folder.document(image.id)
    fetching = image.status == "active" and not how.metaonly and folder.data(image) is None
    if fetching:
        _tell("dumped", image)
        folder.fetch(service, image, how.chunk_size)
    elif known == document:
        return Outcome.UNCHANGED
    # The last of all: where the document is, all is.
    folder.write(image.id, document)
    return Outcome.COPIED if fetching or known is None else Outcome.CHANGED


def _load_one(folder: Dump, service: ImageService, how: How, image_id: str) -> Outcome:
    document = folder.document(image_id)
    if document is None or document.get("id") != image_id:
        raise Conflict("its document in the dump is of another image")
    document = modern(document)

    def chunks(image: RemoteImage) -> Iterator[bytes]:
        path = folder.data(image)
        if path is None:
            raise Conflict("its data was not dumped, or not all of it")
        return file_chunks(path, how.chunk_size)

    return _deliver(service, how, document, chunks)


def _deliver(
    target: ImageService, how: How, document: Document, chunks: Callable[[RemoteImage], Iterator[bytes]]
) -> Outcome:
    """Have the target keep an image as its document says, and with its data."""
    image = image_of(document)
    present = _present(target, image.id)
    if present is None or present["status"] == "queued":
        if image.status == "active" and not how.metaonly:
            body = Verified(image, chunks(image))
            _tell("copied", image)
            _create(target, how, document) if present is None else _change(target, how, document, present)
            target.send(image.id, body)
            _require_same(document, target.document(image.id))
            return Outcome.COPIED
        if present is None:
            LOG.info("Image %s is skipped: it is %s", image.id, image.status)
            return Outcome.SKIPPED
    elif present["status"] in _BUSY:
        raise Conflict(f"the target is getting its data from somebody else: it is {present['status']}")
    elif image.status == "active":
        _require_same(document, present)
    return Outcome.CHANGED if _change(target, how, document, present) else Outcome.UNCHANGED


def _create(target: ImageService, how: How, document: Document) -> None:
    try:
        target.create(copied(document, how.excluded))
    except Conflict:
        raise Conflict("the target has an image of this id that it does not show, or had one") from None


def _change(target: ImageService, how: How, document: Document, present: Document) -> bool:
    """Change what is known of an image on the target; whether there was anything to change."""
    operations = patch(document, present, how.excluded)
    if operations:
        LOG.info("Image %s: %s", document["id"], ", ".join(one["path"][1:] for one in operations))
        target.change(document["id"], operations)
    return bool(operations)


def _require_same(document: Document, present: Document) -> None:
    """:raises Conflict: the target has no data. :raises Damaged: it has other data."""
    if present["status"] not in ("active", "deactivated"):
        raise Conflict(f"the target has it as {present['status']}")
    for one in data_differences(document, present):
        raise Damaged(f"the target has other data: {one.field} is {one.target}, not {one.source}")


def _present(service: ImageService, image_id: str) -> Document | None:
    try:
        return service.document(image_id)
    except NotFound:
        return None


def _tell(what: str, image: RemoteImage) -> None:
    LOG.info(
        "Image %s (%s, %s bytes) is being %s", image.id, image.name or "without a name", image.size, what
    )
