"""The steps that imported data goes through on its way into the stores, in the operator's order.

A step takes the stream of bytes and gives another one, and may change what will be written about the image.
Other packages add steps as entry points of the group `glimpse.import_steps`, named as the option names them:
each is a function that takes `StepOptions` and returns a `Step`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from glimpse.domain.errors import Invalid, Unavailable
from glimpse.domain.image import Image
from glimpse.imports.scratch import Scratch, make_scratch
from glimpse.transfer.conversion import VMDK_TYPES, convert
from glimpse.transfer.decompression import decompressed
from glimpse.transfer.lanes import BATCH_BYTES
from glimpse.transfer.threads import Threads, to_the_end


@dataclass(slots=True)
class Draft:
    """What will be written about the image, as the import finds it and its steps leave it.

    `roles` are those of whoever asked for the import.
    """

    image: Image
    roles: frozenset[str]
    disk_format: str | None = None
    container_format: str | None = None
    properties: dict[str, str | None] = field(default_factory=dict)


Stream = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. What `transforms` may give other bytes than it takes, and may change the draft until the last
    of them. What does not is done with the draft when it is called: perhaps there are no bytes to be read.
    """

    run: Callable[[Draft, Stream], Stream]
    transforms: bool = False


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What steps are made with: the service's threads, and the options by the operator's names."""

    threads: Threads
    scratch: Path
    image_size_cap: int
    inject: Mapping[str, str] = field(default_factory=dict)
    ignore_user_roles: frozenset[str] = frozenset({"admin"})
    output_format: str = "raw"
    vmdk_allowed_types: frozenset[str] = VMDK_TYPES


def make_steps(names: Sequence[str], options: StepOptions) -> tuple[Step, ...]:
    """The steps of these names, in this order. :raises Invalid: a name that no step has."""
    return tuple(_maker(name)(options) for name in names)


def _maker(name: str) -> Callable[[StepOptions], Step]:
    if name in _STEPS:
        return _STEPS[name]
    for found in entry_points(group="glimpse.import_steps", name=name):
        maker: Callable[[StepOptions], Step] = found.load()
        return maker
    raise Invalid("image_import_plugins", f"there is no step '{name}'; known are {', '.join(sorted(_STEPS))}")


def _no_op(options: StepOptions) -> Step:
    del options
    return Step(lambda _, stream: stream)


def _inject(options: StepOptions) -> Step:
    """Give the image properties, unless whoever asked has a role that is spared."""
    wanted = {name: value for name, value in options.inject.items() if not name.startswith("os_glance")}

    def run(draft: Draft, stream: Stream) -> Stream:
        if not draft.roles & options.ignore_user_roles:
            draft.properties.update(wanted)
        return stream

    return Step(run)


def _decompress(options: StepOptions) -> Step:
    def run(draft: Draft, stream: Stream) -> Stream:
        if draft.container_format == "compressed":
            return stream
        return decompressed(options.threads, stream)

    return Step(run, transforms=True)


def _convert(options: StepOptions) -> Step:
    def run(draft: Draft, stream: Stream) -> Stream:
        # A CD image stays one, as in Glance.
        if draft.disk_format in (options.output_format, "iso"):
            return stream
        return _converted(options, draft, stream)

    return Step(run, transforms=True)


async def _converted(options: StepOptions, draft: Draft, stream: Stream) -> Stream:
    """The data in the output format, by way of two scratch files, which are the only ones of an import."""
    async with _scratch(options) as folder:
        source, target = folder / "source", folder / "target"
        await _spool(options.threads, stream, source)
        await convert(
            options.threads,
            source,
            draft.disk_format or "raw",
            target,
            options.output_format,
            largest=options.image_size_cap,
            vmdk_types=options.vmdk_allowed_types,
        )
        await options.threads.bulk(source.unlink)
        draft.disk_format, draft.container_format = options.output_format, "bare"
        async with aclosing(_read(options.threads, target)) as chunks:
            async for chunk in chunks:
                yield chunk


@asynccontextmanager
async def _scratch(options: StepOptions) -> AsyncIterator[Path]:
    """A scratch folder, which is gone when this is left, even if that happened while it was made."""
    bulk, made = options.threads.bulk, list[Scratch]()
    try:
        await to_the_end(bulk(lambda: made.append(make_scratch(options.scratch))))
        yield made[0].folder
    finally:
        for scratch in made:
            await to_the_end(bulk(scratch.remove))


async def _spool(threads: Threads, stream: Stream, path: Path) -> None:
    try:
        with await threads.bulk(path.open, "wb", BATCH_BYTES) as file:
            async for chunk in stream:
                await threads.bulk(file.write, chunk)
    except OSError as error:
        raise Unavailable("scratch folder", error.strerror or "it cannot be written to") from error


async def _read(threads: Threads, path: Path) -> AsyncGenerator[bytes, None]:
    with await threads.bulk(path.open, "rb", 0) as file:
        while chunk := await threads.bulk(file.read, BATCH_BYTES):
            yield chunk


_STEPS: Mapping[str, Callable[[StepOptions], Step]] = {
    "no_op": _no_op,
    "inject_image_metadata": _inject,
    "image_decompression": _decompress,
    "image_conversion": _convert,
}
