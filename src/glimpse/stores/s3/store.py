"""Images as objects in a bucket of an S3 server.

An object is named by the image's id, as Glance names it; its URL is `s3://HOST/BUCKET/ID`, and begins with
`s3+https` where the server speaks HTTPS. Its metadata tell the attempt that wrote it. While an attempt may be
committed there is a marker, an empty object `incoming/ID.ATTEMPT/UPLOAD`. Its name tells which upload
in parts belongs to the attempt, since the server's list of uploads does not tell whose they are.

The marker makes `discard` final on every server that shows at once what was written. To end the upload would
not do: objects that come as a whole have none, and some servers let it be ended and completed together.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from glimpse.domain.errors import Invalid, LimitExceeded
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.s3.bucket import Absent, Bucket, Different, Endpoint, Full, NoBucket
from glimpse.stores.s3.writer import MARK, Cut, S3Writer, Upload, remove_own

_INCOMING = "incoming/"
_WHOLE = "whole"
# Not `.` and `..`, which the way to the server might resolve.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\x00-\x1f\x7f]{1,300}\Z")


@dataclass(frozen=True, slots=True)
class _Begun:
    marker: str
    upload: str | None


class S3Store:
    """Images in the bucket of `endpoint`.

    :param create_bucket: make the bucket when an image is written and there is none.
    """

    schemes = ("s3", "s3+http", "s3+https")

    def __init__(self, id: str, endpoint: Endpoint, cut: Cut, *, create_bucket: bool = False) -> None:  # noqa: A002
        self.id = id
        self._bucket = Bucket(id, endpoint)
        self._cut = cut
        self._create_bucket = create_bucket
        parts = urlsplit(endpoint.url)
        scheme = "s3+https" if parts.scheme == "https" else "s3"
        self._place = f"{parts.netloc}{parts.path}".strip("/").lower(), endpoint.bucket
        self._prefix = f"{scheme}://{'/'.join(self._place)}/"

    def open_writer(self, key: ObjectKey, size: int | None) -> S3Writer:
        """Begin an object. Nothing is known of the room that there is."""
        if not _NAME.match(key.image_id):
            raise Invalid("image id", "it cannot be the name of an object.")
        try:
            begun = self._begin(key, size)
        except NoBucket:
            if not self._create_bucket:
                raise
            self._bucket.create()
            begun = self._begin(key, size)
        upload = None
        if begun.upload is not None:
            upload = Upload(self._bucket, key.image_id, begun.upload, size, self._cut)
        url = f"{self._prefix}{key.image_id}"
        return S3Writer(self._bucket, key, url, begun.marker, size, upload)

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """The object's bytes, over one connection. A read that breaks goes on where it broke."""
        if not length:
            if self.stat(url) < offset:
                raise StoreObjectMissing(url)
            return iter(())
        try:
            return self._bucket.read(self._name(url), offset, length)
        except Absent:
            raise StoreObjectMissing(url) from None

    def owns(self, url: str) -> bool:
        """Whether the URL names the server and the bucket."""
        try:
            self._name(url)
        except StoreObjectMissing:
            return False
        return True

    def stat(self, url: str) -> int:
        """The object's size."""
        try:
            return self._bucket.head(self._name(url)).size
        except Absent:
            # Without its bucket the store has lost nothing: it is away.
            self._bucket.check()
            raise StoreObjectMissing(url) from None

    def delete(self, url: str) -> None:
        """Remove the object."""
        self.stat(url)
        self._bucket.delete(self._name(url))

    def discard(self, key: ObjectKey) -> None:
        """Remove what `key` left: its marker first, then its upload, then its object.

        An upload that no marker tells of belongs to a writer that died before it had written its marker. It
        is removed whosever it is: at worst another attempt, which is beginning this very moment, fails.
        """
        others = set()
        for marker in self._bucket.names(f"{_INCOMING}{key.image_id}."):
            attempt, _, upload = marker.rpartition("/")
            if attempt == f"{_INCOMING}{key}":
                self._bucket.delete(marker)
            else:
                others.add(upload)
        for upload in self._bucket.uploads(key.image_id):
            if upload not in others:
                self._bucket.abort_upload(key.image_id, upload)
        remove_own(self._bucket, key)

    def check_url(self, url: str) -> None:  # noqa: ARG002 - the contract's signature
        """:raises Invalid: always, since a client must not choose among the objects of this service."""
        raise Invalid("url", "locations of this scheme are not taken")

    def usage(self) -> Usage:
        """S3 does not tell; it is asked whether the bucket is there, unless the first write will make it."""
        try:
            self._bucket.check()
        except NoBucket:
            if not self._create_bucket:
                raise
        return Usage(None, None)

    def _begin(self, key: ObjectKey, size: int | None) -> _Begun:
        try:
            upload = None
            if self._cut.is_needed(size):
                upload = self._bucket.begin_upload(key.image_id, {MARK: key.attempt})
            marker = f"{_INCOMING}{key}/{upload or _WHOLE}"
            # If the answer was lost and the call repeated, the marker is there.
            with suppress(Different):
                self._bucket.put(marker, b"", {})
        except Full:
            raise LimitExceeded("store capacity", 0, size, "bytes") from None
        return _Begun(marker, upload)

    def _name(self, url: str) -> str:
        """The name of the object at that URL, which lies in this bucket.

        Glance once wrote its credentials before the host, in which there may be slashes. They are skipped:
        what is configured opens this bucket.
        """
        scheme, _, rest = url.partition("://")
        place, _, name = rest.rpartition("@")[2].rpartition("/")
        host, _, bucket = place.rpartition("/")
        if scheme not in self.schemes or (host.lower(), bucket) != self._place or not _NAME.match(name):
            raise StoreObjectMissing(url)
        return name
