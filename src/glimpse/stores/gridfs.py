"""Images as files of MongoDB's GridFS, in the bucket `fs` of one database, as Glance kept them until Mitaka.

An object is a document of `fs.files`, whose `_id` is `<image_id>.<attempt>` and whose filename is the
image's id, with its data in `fs.chunks`; its URL is `gridfs://<_id>`. Glance's own objects have the image's
id as `_id`: they are read and removed by the same rule. Attempts cannot share that `_id`, since the chunks
of two would mix; any GridFS client still finds the image, by its filename.

An attempt stands in the collection `glimpse_incoming` from before its first chunk until its commit has put
the document into `fs.files`, and as long as it stands there, the store does not see that document. Whoever
takes the attempt out decides: the writer that commits, or `discard`, after which a commit finds nothing to
take and undoes itself.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from glimpse.domain.errors import Conflict, GlimpseError, Invalid, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage

_Document = dict[str, Any]

_SCHEME = "gridfs://"

_CHUNK = 1024 * 1024
# Chunks go and come so many bytes in one message, of which MongoDB takes 48 MB.
_BATCH = 8 * _CHUNK
# Chunks are removed so many in one call, so that none outlasts its deadline.
_REMOVED_AT_ONCE = 1024

# What the URI does not say. The first two bound the connecting, the third every answer.
_DEADLINES = {"serverSelectionTimeoutMS": 5000, "connectTimeoutMS": 5000, "socketTimeoutMS": 60000}

# The codes of MongoDB's errors.
_UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = 18
_NO_SUCH_COMMAND = 59
_FULL = frozenset({14031, 12501})


class GridFSStore:
    """Images in the GridFS of `database` on the servers of `uri`, which are asked on first use."""

    schemes = ("gridfs",)

    def __init__(self, id: str, uri: str, database: str) -> None:  # noqa: A002
        self.id = id
        self._uri = uri
        self._database = database
        self._lock = threading.Lock()
        self._made: _Bucket | None = None

    def open_writer(self, key: ObjectKey, size: int | None) -> "GridFSWriter":
        """Begin an object. A `size` beyond the free space is refused, though MongoDB compresses."""
        if "\0" in key.image_id:
            raise Invalid("image id", "it cannot be the name of a file.")
        with self.writing(size, 0):
            bucket = self._bucket()
            bucket.make_indexes()
            self._check_room(bucket, size)
            bucket.incoming.insert_one({"_id": str(key), "began": datetime.now(UTC)})
        return GridFSWriter(self, bucket, key, size)

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """The chunks, up to 8 MiB at a time; between them nothing is open on the server."""
        with self._answering():
            bucket = self._bucket()
            file = _File.of(self._find(bucket, url, "chunkSize"))
        if file.length < offset + length:
            raise StoreObjectMissing(url)
        return self._read(bucket, url, file, offset, length)

    def owns(self, url: str) -> bool:
        """Whether it is a location of GridFS: its URL names neither server nor database."""
        return url.startswith(_SCHEME) and len(url) > len(_SCHEME)

    def stat(self, url: str) -> int:
        """The length that the file's document states."""
        with self._answering():
            return int(self._find(self._bucket(), url)["length"])

    def delete(self, url: str) -> None:
        """Remove the chunks, then the document: what stopped half-way is found again by its document."""
        with self._answering():
            bucket = self._bucket()
            name = self._find(bucket, url)["_id"]
            bucket.remove_chunks(name)
            bucket.files.delete_one({"_id": name})

    def discard(self, key: ObjectKey) -> None:
        """Take the attempt out of `glimpse_incoming`, so that no commit can; then remove what it left."""
        name = str(key)
        with self._answering():
            bucket = self._bucket()
            bucket.incoming.delete_one({"_id": name})
            bucket.remove_chunks(name)
            bucket.files.delete_one({"_id": name})

    def check_url(self, url: str) -> None:  # noqa: ARG002 - the contract's signature
        """:raises Invalid: always: the files of the database are not the clients' to choose from."""
        raise Invalid("url", "locations of this scheme are not taken")

    def usage(self) -> Usage:
        """What the database occupies on its disk, and what is free there, if MongoDB tells."""
        with self._answering():
            return self._bucket().usage()

    @contextmanager
    def writing(self, size: int | None, fitted: int) -> Iterator[None]:
        """Failures of a write of `size` bytes, of which `fitted` are in the store."""
        with self._answering():
            try:
                yield
            except OperationFailure as error:
                if not _codes(error) & _FULL:
                    raise
                raise LimitExceeded("store capacity", fitted, size, "bytes") from error

    def _check_room(self, bucket: "_Bucket", size: int | None) -> None:
        free = bucket.usage().free if size else None
        if size and free is not None and size > free:
            raise LimitExceeded("store capacity", free, size, "bytes")

    def _find(self, bucket: "_Bucket", url: str, *fields: str) -> _Document:
        found = None
        if self.owns(url) and _is_text(url):
            found = bucket.files.find_one({"_id": url.removeprefix(_SCHEME)}, ["length", *fields])
        if found is None or bucket.is_incoming(found["_id"]):
            raise StoreObjectMissing(url)
        return found

    def _read(self, bucket: "_Bucket", url: str, file: "_File", offset: int, length: int) -> Iterator[bytes]:
        end = offset + length
        step = max(_BATCH // file.chunk_size, 1)
        for first in range(offset // file.chunk_size, -(-end // file.chunk_size) if length else 0, step):
            with self._answering():
                batch = bucket.read_chunks(file.name, first, min(step, -(-end // file.chunk_size) - first))
            for number, data in enumerate(batch, first):
                begin = number * file.chunk_size
                if len(data) != min(file.chunk_size, file.length - begin):
                    raise StoreObjectMissing(url)
                yield data[max(offset - begin, 0) : end - begin]

    def _bucket(self) -> "_Bucket":
        with self._lock:
            if self._made is None:
                self._made = _Bucket.of(self._connect(), self._database)
            return self._made

    def _connect(self) -> MongoClient[_Document]:
        try:
            stated = {name.lower() for name in parse_uri(self._uri)["options"]}
            deadlines = {name: ms for name, ms in _DEADLINES.items() if name.lower() not in stated}
            return MongoClient(self._uri, **deadlines)  # type: ignore[arg-type]
        except (PyMongoError, OSError, ValueError) as error:
            # The text may quote the URI, and with it the password.
            reason = f"mongodb_store_uri cannot be used ({type(error).__name__})"
            raise Unavailable(f"store {self.id}", reason) from None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except PyMongoError as error:
            raise Unavailable(f"store {self.id}", _reason(error)) from error


class GridFSWriter:
    """An image on its way into a `GridFSStore`."""

    def __init__(self, store: GridFSStore, bucket: "_Bucket", key: ObjectKey, size: int | None) -> None:
        self._store = store
        self._bucket = bucket
        self._key = key
        self._size = size
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._sent = 0
        self._given_up = False

    def write(self, chunks: Sequence[bytes]) -> None:
        """Keep chunks until they fill a batch. What follows a discard is dropped."""
        self._waiting += chunks
        self._waiting_bytes += sum(map(len, chunks))
        if self._waiting_bytes >= _BATCH:
            self._send(self._waiting_bytes - self._waiting_bytes % _CHUNK)

    def commit(self) -> str:
        """Send the rest, write the file's document, and take the attempt out of `glimpse_incoming`."""
        try:
            self._send(self._waiting_bytes)
            with self._store.writing(self._size, self._sent):
                self._publish()
        except Unavailable:
            # Whether it is committed, only `discard` can settle.
            raise
        except GlimpseError:
            self.abort()
            raise
        return f"{_SCHEME}{self._key}"

    def abort(self) -> None:
        """Remove what was sent."""
        self._waiting.clear()
        with suppress(GlimpseError):
            self._store.discard(self._key)

    def _send(self, length: int) -> None:
        """Store the first `length` bytes of those that wait."""
        data = memoryview(b"".join(self._waiting))
        self._waiting = []
        with self._store.writing(self._size, self._sent):
            for at in range(0, length, _BATCH):
                self._send_batch(data[at : min(at + _BATCH, length)])
        rest = bytes(data[length:])
        self._waiting, self._waiting_bytes = [rest], len(rest)

    def _send_batch(self, data: memoryview) -> None:
        # A writer that was given up must not fill the database with what nobody would remove.
        self._given_up = self._given_up or not self._bucket.is_incoming(str(self._key))
        if self._given_up:
            return
        first = self._sent // _CHUNK
        self._bucket.chunks.insert_many(
            [
                {"files_id": str(self._key), "n": first + at // _CHUNK, "data": bytes(data[at : at + _CHUNK])}
                for at in range(0, len(data), _CHUNK)
            ],
            ordered=False,
        )
        self._sent += len(data)

    def _publish(self) -> None:
        name, image_id = str(self._key), self._key.image_id
        if self._given_up:
            raise Conflict("The upload was given up meanwhile.")
        if (
            self._bucket.files.find_one({"$or": [{"_id": image_id}, {"filename": image_id}]}, ["_id"])
            is not None
        ):
            raise Conflict("The store holds data of this image already.")
        document = {"length": self._sent, "chunkSize": _CHUNK, "uploadDate": datetime.now(UTC)}
        self._bucket.files.insert_one({"_id": name, "filename": image_id, **document})
        if not self._bucket.incoming.delete_one({"_id": name}).deleted_count:
            raise Conflict("The upload was given up meanwhile.")


@dataclass(frozen=True, slots=True)
class _File:
    name: Any
    length: int
    chunk_size: int

    @classmethod
    def of(cls, document: _Document) -> "_File":
        return cls(document["_id"], int(document["length"]), int(document["chunkSize"]))


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The collections. Writes are acknowledged by a majority that has them in its journal; reads are those of
    the primary, which alone knows what was just committed or discarded."""

    files: Collection[_Document]
    chunks: Collection[_Document]
    incoming: Collection[_Document]

    @classmethod
    def of(cls, client: MongoClient[_Document], database: str) -> "_Bucket":
        concern = WriteConcern("majority", j=True)
        options = client.get_database(database, read_preference=ReadPreference.PRIMARY, write_concern=concern)
        return cls(options["fs.files"], options["fs.chunks"], options["glimpse_incoming"])

    def make_indexes(self) -> None:
        """Those of the GridFS specification; nothing happens where they are."""
        self.files.create_index([("filename", 1), ("uploadDate", 1)])
        self.chunks.create_index([("files_id", 1), ("n", 1)], unique=True)

    def is_incoming(self, name: str) -> bool:
        return self.incoming.find_one({"_id": name}, ["_id"]) is not None

    def read_chunks(self, name: Any, first: int, count: int) -> list[bytes]:
        """The data of chunks in a row; of one that is not there, nothing."""
        found = self.chunks.find(
            {"files_id": name, "n": {"$gte": first, "$lt": first + count}},
            ["n", "data"],
            batch_size=count + 1,
        )
        data = {chunk["n"]: chunk["data"] for chunk in found}
        return [data.get(number, b"") for number in range(first, first + count)]

    def remove_chunks(self, name: Any) -> None:
        while last := self.chunks.find_one({"files_id": name}, ["n"], sort=[("n", -1)]):
            self.chunks.delete_many({"files_id": name, "n": {"$gt": last["n"] - _REMOVED_AT_ONCE}})

    def usage(self) -> Usage:
        """Unknown where the server does not tell, or does not tell this user."""
        try:
            stats = self.files.database.command("dbStats")
        except OperationFailure as error:
            if error.code not in (_UNAUTHORIZED, _NO_SUCH_COMMAND):
                raise
            return Usage(None, None)
        used, total, taken = (stats.get(name) for name in ("totalSize", "fsTotalSize", "fsUsedSize"))
        free = None if total is None or taken is None else int(total) - int(taken)
        return Usage(None if used is None else int(used), free)


def _is_text(text: str) -> bool:
    """Whether it can be a string of MongoDB at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _codes(error: OperationFailure) -> set[object]:
    """The codes of a command's error, and of each of its writes that failed."""
    details = error.details or {}
    return {error.code, *(failed.get("code") for failed in details.get("writeErrors", ()))}


def _reason(error: PyMongoError) -> str:
    match error:
        case ServerSelectionTimeoutError():
            return "no server of mongodb_store_uri that takes writes answers"
        case NetworkTimeout() | ExecutionTimeout():
            return "MongoDB does not answer in time"
        case AutoReconnect():
            return "the connection to MongoDB is lost"
        case ConfigurationError():
            return "MongoDB and the options of mongodb_store_uri do not fit together"
        case OperationFailure(code=code) if code == _AUTHENTICATION_FAILED:
            return "MongoDB refuses the user or the password of mongodb_store_uri"
        case OperationFailure(code=code) if code == _UNAUTHORIZED:
            return "the user of mongodb_store_uri may not do this in the database"
        case OperationFailure():
            return f"MongoDB reports the errors {sorted(map(str, _codes(error)))}"
    return f"MongoDB's client failed ({type(error).__name__})"
