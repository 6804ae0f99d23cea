"""Images in Swift, in containers of the service's own account, or of the account of each image's project.

An image's object has the image's id as its name, as Glance gives it, and the URL
`swift+config://<reference>/<container>/<image_id>`; the reference names the credentials in the configuration.
In the account of a project its URL is `swift+https://<host>/v1/<account>/<container>_<image_id>/<image_id>`.
Callers of that project use it by their own tokens (decision 022). For others, and where nobody calls, the
service's user does, who must be a reseller administrator.
An image that is larger than one segment is a static large object, or a dynamic one where the cluster has no
others. `writer` says how it comes into being.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import unquote

import requests

from glimpse.domain.caller import ON_BEHALF_OF
from glimpse.domain.errors import Invalid, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.swift.account import Abilities, Access, Account, Container, answering
from glimpse.stores.swift.places import (
    SCHEMES,
    Containers,
    Credentials,
    Place,
    location,
    meant,
    origin,
    parse,
)
from glimpse.stores.swift.writer import Shape, SwiftWriter, remove_all, remove_attempt

# Requests under way at once for all segments that are written or removed.
_THREADS = 16
# What a reader gets at once.
_WINDOW = 1024 * 1024
# Identity services would be asked again and again for users of locations that Glance wrote.
_MOST_ACCOUNTS = 32

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Terms:
    """How images are kept: new ones by the credentials that `reference` names.

    `segment` is the size of the parts of large images in bytes; smaller parts are made where the cluster
    takes no such large objects. A read that breaks is taken up again `retries` times without any progress.
    With `per_project`, images rest in the accounts of their projects, in containers to which the
    `admin_projects` may write too.
    """

    reference: str
    containers: Containers
    segment: int
    create_containers: bool = False
    retries: int = 3
    per_project: bool = False
    admin_projects: tuple[str, ...] = ()


class SwiftStore:
    """Images in Swift. Nothing is asked of the cluster before the first call."""

    schemes = SCHEMES

    def __init__(
        self,
        id: str,  # noqa: A002
        references: Mapping[str, Credentials],
        terms: Terms,
        access: Access | None = None,
    ) -> None:
        self.id = id
        self._part = f"store {id}"
        self._references = references
        self._terms = terms
        self._own = references[terms.reference]
        self._access = access or Access()
        self._accounts: dict[Credentials, Account] = {}
        self._abilities: Abilities | None = None
        self._threads = ThreadPoolExecutor(_THREADS, f"swift-{id}")

    def open_writer(self, key: ObjectKey, size: int | None) -> SwiftWriter:
        """Begin an object with its mark. A `size` beyond the container's quota is refused."""
        if "/" in str(key) or not str(key).isprintable() or key.image_id in ("", ".", ".."):
            raise Invalid("image id", "it cannot be the name of an object.")
        container = self._container(key)
        if size is not None:
            _check_room(container.head(), size)
        if self._terms.per_project:
            url = f"swift+{container.path(key.image_id)}"
        else:
            url = location(self._terms.reference, container.name, key.image_id)
        writer = SwiftWriter(self._part, container, key, url, self._shape(), self._threads)
        self._put_mark(container, str(key))
        return writer

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """The bytes, at most 1 MiB at once. What breaks is taken up where it broke, unless it was changed."""
        container, name = self._locate(url)
        if not length:
            if self.stat(url) < offset:
                raise StoreObjectMissing(url)
            return iter(())
        chunks = self._read(_Reading(container, name, url, offset, offset + length))
        next(chunks)
        return chunks

    def owns(self, url: str) -> bool:
        """Whether the URL leads into a container of this store by a reference or identity service of ours.

        A URL of an account itself, from a store for many tenants, tells only by its container.
        """
        try:
            place = parse(url)
        except StoreObjectMissing:
            return False
        known = place.storage_url is not None or meant(place, self._references) is not None
        return known and self._terms.containers.may_hold(place.container)

    def stat(self, url: str) -> int:
        """The object's size."""
        container, name = self._locate(url)
        headers = container.head(name)
        if headers is None:
            raise StoreObjectMissing(url)
        if "Content-Length" in headers:
            return int(headers["Content-Length"])
        # A dynamic large object of more segments than one listing tells.
        segments, prefix = _dynamic(container, headers)
        return sum(one.size for one in segments.listing(prefix))

    def delete(self, url: str) -> None:
        """Remove the object with its segments: these first, so that what breaks here can be begun again."""
        container, name = self._locate(url)
        headers = container.head(name)
        if headers is None:
            raise StoreObjectMissing(url)
        static = headers.get("X-Static-Large-Object", "").lower() == "true"
        if static:
            self._delete_static(container, name)
        elif headers.get("X-Object-Manifest"):
            segments, prefix = _dynamic(container, headers)
            names = {one.name for one in segments.listing(prefix)}
            # Whose name begins like those of its segments is not one of them.
            remove_all(segments, names if segments != container else names - {name}, self._threads)
        if not static:
            container.delete(name)
        if parse(url).storage_url and name.startswith(container.name.rpartition("_")[2]):
            # In a project's account each image has a container.
            _delete_empty(container)

    def discard(self, key: ObjectKey) -> None:
        """Remove the mark, the object if it is this attempt's, and the segments, however many there are."""
        container = self._container(key)
        remove_attempt(container, key, self._threads)
        if self._terms.per_project:
            _delete_empty(container)

    def check_url(self, url: str) -> None:  # noqa: ARG002 - the contract's signature
        """:raises Invalid: always, since clients must not choose among what the service may read."""
        raise Invalid("url", "locations of this scheme are not taken")

    def usage(self) -> Usage:
        """Of the container, and what its quota leaves; of many containers, the whole account's.

        Of the accounts of many projects nobody can tell.
        """
        account = self._account(self._own)
        kind, url = "Account", account.storage_url()
        if not self._terms.containers.seed:
            kind, url = "Container", Container(account, url, self._terms.containers.name).path()
        headers = account.send("HEAD", url, fine=(404,)).headers
        if self._terms.per_project:
            return Usage(None, None)
        used, quota = int(headers.get(f"X-{kind}-Bytes-Used", 0)), headers.get(f"X-{kind}-Meta-Quota-Bytes")
        return Usage(used, max(int(quota) - used, 0) if quota else None)

    def _account(self, credentials: Credentials) -> Account:
        account = self._accounts.get(credentials)
        if account is None:
            if len(self._accounts) >= _MOST_ACCOUNTS:
                self._accounts = {}
            account = self._accounts.setdefault(credentials, Account(self._part, credentials, self._access))
        return account

    def _container(self, key: ObjectKey) -> Container:
        account, name = self._account(self._own), self._terms.containers.of(key.image_id)
        if not self._terms.per_project or key.owner is None:
            return Container(account, account.storage_url(), name)
        url = account.project_url(key.owner)
        return Container(self._acting(account, url), url, name)

    def _acting(self, account: Account, url: str) -> Account:
        """Who uses the account of that URL: the caller if it is theirs, else the service's user."""
        caller = ON_BEHALF_OF.get()
        if caller is None or not caller.token or not caller.project_id or not url.endswith(caller.project_id):
            return account
        return account.on_behalf(caller.token)

    def _locate(self, url: str) -> tuple[Container, str]:
        """The container and the name of an object. :raises StoreObjectMissing: the URL leads elsewhere."""
        place = parse(url)
        if place.storage_url is not None:
            return self._foreign(place, url), place.name
        credentials = meant(place, self._references)
        if credentials is None:
            raise StoreObjectMissing(url)
        account = self._account(credentials)
        return Container(account, account.storage_url(), place.container), place.name

    def _foreign(self, place: Place, url: str) -> Container:
        """A container of another account of this cluster, which the caller or the service's user may use."""
        account = self._account(self._own)
        storage_url = place.storage_url or ""
        if origin(storage_url) != origin(account.storage_url()):
            raise StoreObjectMissing(url)
        return Container(self._acting(account, storage_url), storage_url, place.container)

    def _shape(self) -> Shape:
        if self._abilities is None:
            self._abilities = self._account(self._own).abilities()
        largest = self._abilities.largest_object or self._terms.segment
        return Shape(min(self._terms.segment, largest), self._abilities.static_segments)

    def _put_mark(self, container: Container, name: str) -> None:
        account = container.account
        response = account.send("PUT", container.path(name), data=b"", fine=(404,))
        if response.status_code == 404 and (self._terms.create_containers or self._terms.per_project):
            admins = ",".join(f"{project}:*" for project in self._terms.admin_projects)
            account.send("PUT", container.path(), {"X-Container-Write": admins} if admins else None, b"")
            response = account.send("PUT", container.path(name), data=b"", fine=(404,))
        if response.status_code == 404:
            raise Unavailable(self._part, f"the container '{container.name}' does not exist")

    def _delete_static(self, container: Container, name: str) -> None:
        """Let the cluster remove a manifest with its segments. It tells in the body how that went."""
        url = container.path(name, "multipart-manifest=delete")
        headers = {"Accept": "application/json"}
        response = container.account.send("DELETE", url, headers, fine=(404,))
        if response.ok:
            try:
                status = str(response.json()["Response Status"])
            except (ValueError, KeyError):
                status = "nothing that can be understood"
            if not status.startswith(("200", "404")):
                raise Unavailable(self._part, f"it answers {status[:40]} to the removal of segments")

    def _read(self, reading: "_Reading") -> Iterator[bytes]:
        """The bytes. The first chunk is empty, and comes when the first answer has begun."""
        failures = 0
        while True:
            before = reading.at
            try:
                yield from reading.go_on(self._part)
                return
            except Unavailable:
                failures = 1 if reading.at > before else failures + 1
                if not reading.begun or failures > self._terms.retries:
                    raise


@dataclass(slots=True)
class _Reading:
    """How far a read has come. `etag` tells that it is still the same object."""

    container: Container
    name: str
    url: str
    at: int
    end: int
    begun: bool = False
    etag: str | None = None

    def go_on(self, part: str) -> Iterator[bytes]:
        headers = {"Range": f"bytes={self.at}-{self.end - 1}"}
        if self.etag is not None:
            headers["If-Match"] = self.etag
        url = self.container.path(self.name)
        response = self.container.account.send("GET", url, headers, stream=True, fine=(404, 409, 412, 416))
        with closing(response):
            skip = self._begin(response, part)
            if not self.begun:
                self.begun, self.etag = True, response.headers.get("Etag")
                yield b""
            while self.at < self.end:
                with answering(part):
                    chunk = response.raw.read(min(_WINDOW, self.end - self.at + skip))
                if not chunk:
                    raise Unavailable(part, "the data ended too early")
                skip, wanted = max(0, skip - len(chunk)), chunk[skip:]
                self.at += len(wanted)
                if wanted:
                    yield wanted

    def _begin(self, response: requests.Response, part: str) -> int:
        """How many bytes of the answer come before those that are asked for."""
        if response.status_code in (404, 416):
            raise StoreObjectMissing(self.url)
        if response.status_code == 412:
            raise Unavailable(part, "the object was changed while it was read")
        if response.status_code == 409:
            raise Unavailable(part, "segments of the object are missing")
        if response.status_code == 200:
            # So answers a dynamic large object of more segments than one listing tells.
            return self.at
        match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        if match is None or int(match.group(1)) != self.at:
            raise Unavailable(part, "it sends another range than was asked for")
        if int(match.group(2)) < self.end - 1:
            raise StoreObjectMissing(self.url)
        return 0


def _delete_empty(container: Container) -> None:
    """Remove a container, unless something is in it."""
    container.account.send("DELETE", container.path(), fine=(404, 409))


def _dynamic(container: Container, headers: Mapping[str, str]) -> tuple[Container, str]:
    """Where the segments of a dynamic large object are, and how their names begin."""
    name, _, prefix = unquote(headers.get("X-Object-Manifest", "")).partition("/")
    return Container(container.account, container.url, name), prefix


def _check_room(headers: Mapping[str, str] | None, size: int) -> None:
    """:raises LimitExceeded: the container's quota does not let `size` more bytes in."""
    quota = (headers or {}).get("X-Container-Meta-Quota-Bytes")
    if quota and int((headers or {}).get("X-Container-Bytes-Used", 0)) + size > int(quota):
        raise LimitExceeded("store capacity", int(quota), size, "bytes")
