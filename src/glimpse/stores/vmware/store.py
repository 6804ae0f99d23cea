"""Images as files in the datastores of a vCenter (or of one ESXi host).

An image is `[datastore] <folder>/<image_id>`, as Glance names it, and its URL
`vsphere://host/folder/<folder>/<image_id>?dcPath=…&dsName=…`. While it comes in it has another name, and
commit gives it its own.

A file in a datastore can carry no mark, so a small one beside it says whose it is: `<image_id>.owner` holds
the attempt. It was written under a name of the attempt's own before the first byte of the image, and commit
moves it before it moves the image. A name can be moved to once only; so of several attempts one becomes the
owner, and nobody but the owner moves an image to the name that all of them want.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from glimpse.domain.errors import (
    Conflict,
    GlimpseError,
    Invalid,
    LimitExceeded,
    StoreObjectInUse,
    Unavailable,
)
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.vmware.files import DatastoreFiles
from glimpse.stores.vmware.places import Account, Datastore, File, Names, Places, by_weight, owner_of
from glimpse.stores.vmware.session import FileExists, FileInUse, FileMissing, Full, VcenterSession

_TAKEN = "The store holds data of this image already."

# A datastore with less than this left is full for an upload that broke.
_LITTLE = 1024 * 1024


class VmwareStore:
    """Images in `folder` of one of `datastores`, which is made if it is not there.

    Nothing is asked of vCenter before the first call.

    :raises OSError: the account's CA file cannot be read.
    """

    schemes = ("vsphere",)

    def __init__(self, id: str, account: Account, folder: str, datastores: Sequence[Datastore]) -> None:  # noqa: A002
        self.id = id
        self._part = f"store {id}"
        self._places = Places(account.host, folder.strip("/"), tuple(datastores))
        self._session = VcenterSession(account, self._part)
        self._files = DatastoreFiles(account, self._session, self._part)
        self._turns = itertools.count()
        self._folders: set[Datastore] = set()

    def open_writer(self, key: ObjectKey, size: int | None) -> "VmwareWriter":
        """Begin an object, in the first datastore with room for `size`: see `by_weight`."""
        # Before anything is asked of vCenter.
        Names.of(self._places.datastores[0], self._places.folder, key)
        datastore = self._choose(size)
        names = Names.of(datastore, self._places.folder, key)
        writer = VmwareWriter(self._part, self._places, self._session, self._files, names, size)
        self._make_folder(names.final)
        try:
            writer.begin(key.attempt)
        except FileMissing:
            self._folders.discard(datastore)
            raise Unavailable(self._part, f"the folder of {names.final} does not exist") from None
        return writer

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """Bytes of the file, as they arrive. A read that breaks goes on where it broke."""
        file = self._places.file(url)
        with self._finding(url):
            if not length:
                if self._files.size(file) < offset:
                    raise FileMissing
                return iter(())
            chunks = self._files.read(file, offset, length)
            next(chunks)
        return self._reading(url, chunks)

    def owns(self, url: str) -> bool:
        """Whether the URL is of this vCenter, and names an image in the store's folder and datastores."""
        try:
            self._places.file(url)
        except StoreObjectMissing:
            return False
        return True

    def stat(self, url: str) -> int:
        """The file's size."""
        file = self._places.file(url)
        with self._finding(url):
            return self._files.size(file)

    def delete(self, url: str) -> None:
        """Remove the file, and what says whose it is. Images of Glance have no such thing."""
        final = self._places.file(url)
        with self._finding(url):
            self._files.size(final)
            # First: what would be left of it otherwise would keep the image from being written again.
            _remove(self._session, owner_of(final))
            try:
                self._session.remove(final)
            except FileInUse:
                raise StoreObjectInUse("vCenter has the image's file locked.") from None

    def discard(self, key: ObjectKey) -> None:
        """Remove what `key` left, in whatever datastore.

        First what the attempt would make its commit of: from here on a writer that still lives can neither
        become the owner nor move its image. Then the image, if the attempt is its owner and was not found
        to be incoming still. The owner's file goes last: until then nobody else can become the owner, so a
        crash before it does no harm.
        """
        for datastore in self._places.datastores:
            try:
                names = Names.of(datastore, self._places.folder, key)
            except Invalid:
                # Then nothing was ever written.
                return
            _remove(self._session, names.ticket)
            moved = not _remove(self._session, names.incoming)
            with suppress(FileMissing):
                if self._files.read_small(names.owner) == key.attempt.encode():
                    if moved:
                        _remove(self._session, names.final)
                    _remove(self._session, names.owner)

    def check_url(self, url: str) -> None:
        """:raises Invalid: it is not in this store."""
        if not self.owns(url):
            raise Invalid("url", "it is not in a datastore of this store")

    def usage(self) -> Usage:
        """Of all datastores together."""
        spaces = [self._session.space(each) for each in self._places.datastores]
        free = sum(space.free for space in spaces)
        return Usage(sum(space.capacity for space in spaces) - free, free)

    def _choose(self, size: int | None) -> Datastore:
        most, closed = 0, 0
        for datastore in by_weight(self._places.datastores, next(self._turns)):
            space = self._session.space(datastore)
            if not space.open:
                closed += 1
            elif space.free >= (size or 1):
                return datastore
            else:
                most = max(most, space.free)
        if closed == len(self._places.datastores):
            raise Unavailable(self._part, "no datastore takes files now")
        raise LimitExceeded("store capacity", most, size, "bytes")

    def _make_folder(self, file: File) -> None:
        if file.datastore not in self._folders:
            self._session.make_folder(File(file.datastore, self._places.folder))
            self._folders.add(file.datastore)

    def _reading(self, url: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        with self._finding(url):
            yield from chunks

    @contextmanager
    def _finding(self, url: str) -> Iterator[None]:
        try:
            yield
        except FileMissing:
            raise StoreObjectMissing(url) from None


class VmwareWriter:
    """An image on its way into a `VmwareStore`."""

    def __init__(
        self,
        part: str,
        places: Places,
        session: VcenterSession,
        files: DatastoreFiles,
        names: Names,
        size: int | None,
    ) -> None:
        self._part = part
        self._places = places
        self._session = session
        self._files = files
        self._names = names
        self._size = size
        self._sent = 0

    def begin(self, attempt: str) -> None:
        """Write the ticket, and begin the upload. :raises FileMissing: the folder is not there."""
        try:
            self._files.write_small(self._names.ticket, attempt.encode())
            with self._filling():
                self._upload = self._files.open_upload(self._names.incoming, self._size)
        except (GlimpseError, FileMissing):
            self._remove()
            raise

    def write(self, chunks: Sequence[bytes]) -> None:
        """Send the chunks; none is kept. Now and then, show vCenter that the session is in use."""
        with self._filling():
            self._upload.send(chunks)
        self._sent += sum(map(len, chunks))
        with suppress(Unavailable):
            self._session.keep_alive()

    def commit(self) -> str:
        """Wait until vCenter has all, become the image's owner, and give it its name."""
        names = self._names
        try:
            with self._filling():
                self._upload.finish()
            self._check_name()
            self._move(names.ticket, names.owner)
        except GlimpseError:
            self.abort()
            raise
        # If this fails, the image must stay incoming: by that `discard` knows that it made no other one.
        self._move(names.incoming, names.final)
        return self._places.url(names.final)

    def abort(self) -> None:
        """End the upload, and remove its file."""
        self._upload.close()
        self._remove()

    def _check_name(self) -> None:
        """An image of Glance has no owner, and would not keep us from becoming it."""
        with suppress(FileMissing):
            self._files.size(self._names.final)
            raise Conflict(_TAKEN)

    def _move(self, source: File, target: File) -> None:
        try:
            self._session.move(source, target)
        except FileMissing:
            raise Conflict("The upload was given up meanwhile.") from None
        except FileExists:
            raise Conflict(_TAKEN) from None

    def _remove(self) -> None:
        with suppress(GlimpseError):
            for file in (self._names.ticket, self._names.incoming):
                _remove(self._session, file)

    @contextmanager
    def _filling(self) -> Iterator[None]:
        """What the upload fails of may be that the datastore is full, whatever vCenter answers then."""
        try:
            yield
        except Unavailable as error:
            with suppress(Unavailable):
                self._check_room(isinstance(error, Full))
            raise

    def _check_room(self, full: bool) -> None:
        left = 0 if self._size is None else self._size - self._sent
        free = self._session.space(self._names.final.datastore).free
        # What was sent need not have been written.
        if full or free < max(left, _LITTLE):
            raise LimitExceeded("store capacity", self._sent + free, self._size, "bytes")


def _remove(session: VcenterSession, file: File) -> bool:
    """Remove a file that may not be there. Whether it was."""
    try:
        session.remove(file)
    except FileMissing:
        return False
    return True
