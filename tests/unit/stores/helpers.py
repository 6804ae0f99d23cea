import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from glimpse.stores.base import ObjectKey
from glimpse.stores.filesystem import FilesystemStore

MIB = 1024 * 1024
NOISE = os.urandom(64 * 1024)


def new_key() -> ObjectKey:
    return ObjectKey(str(uuid4()), uuid4().hex)


def put(store: FilesystemStore, *chunks: bytes, key: ObjectKey | None = None) -> str:
    writer = store.open_writer(key or new_key(), None)
    writer.write(chunks)
    return writer.commit()


def path_of(url: str) -> Path:
    return Path(url.removeprefix("file://"))


def failing(code: int) -> Callable[..., NoReturn]:
    def fail(*args: object, **kwargs: object) -> NoReturn:
        raise OSError(code, os.strerror(code), "/secret/path")

    return fail
