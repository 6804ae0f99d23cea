"""A client of the Image API v2, of any service that speaks it: for the compute side and for replication."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException, Unauthorized

from glimpse.domain.errors import (
    Conflict,
    Forbidden,
    GlimpseError,
    Invalid,
    NotFound,
    Unauthenticated,
    Unavailable,
)

_PART = "image service"
_ID = re.compile(r"[\w-][\w.-]{0,35}", re.ASCII)
_OCTETS = "application/octet-stream"
_PATCH = "application/openstack-images-v2.1-json-patch"
# Seconds to connect, and between two pieces of an answer.
_PATIENCE = (10, 60)
# The same for an upload: a store may take its time until all of it is durable.
_UPLOAD_PATIENCE = (10, 600)
_CHUNK = 1024 * 1024

# What an image's document says besides its properties.
_ATTRIBUTES = frozenset(
    {
        *("id", "name", "status", "visibility", "created_at", "updated_at"),
        *("disk_format", "container_format", "size", "virtual_size", "checksum", "os_hash_algo"),
        *("os_hash_value", "min_ram", "min_disk", "owner", "protected", "os_hidden"),
        *("tags", "locations", "direct_url", "self", "file", "schema"),
        *("stores", "deleted", "deleted_at"),
    }
)


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image as its service describes it. `min_disk` is in GiB, `min_ram` in MiB, `size` in bytes."""

    id: str
    status: str
    name: str | None = None
    size: int | None = None
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> tuple[str, str] | None:
        """The algorithm, by hashlib's name, and the digest that the data must have; None: none is known."""
        if self.os_hash_algo and self.os_hash_value:
            return self.os_hash_algo, self.os_hash_value
        return ("md5", self.checksum) if self.checksum else None


@dataclass(frozen=True, slots=True)
class Body:
    """Data that arrives: the range that was asked for if it is `partial`, else all there is."""

    partial: bool
    chunks: Iterator[bytes]


class ImageService:
    """The images of one service, by a session of keystoneauth that has logged in. Threads may share it.

    Every method may raise Unavailable (the service does not answer), Unauthenticated and Forbidden. Data is
    read by `chunk_size` bytes.
    """

    def __init__(self, adapter: Adapter, chunk_size: int | None = None) -> None:
        self._adapter = adapter
        self._chunk_size = chunk_size or _CHUNK

    def documents(self, **filters: str) -> Iterator[dict[str, Any]]:
        """The documents of all images that the caller may see and the filters let through, page by page."""
        page: dict[str, Any] = {"next": True}
        while page.get("next"):
            page = _document(self._ask("GET", "/images", params=filters))
            images = page.get("images")
            if not isinstance(images, list):
                raise Unavailable(_PART, "what it answers lists no images")
            for document in images:
                # The next page begins after it, wherever the service says that it is.
                filters["marker"] = image_of(document).id
                yield document
            if not images:
                return

    def document(self, image_id: str) -> dict[str, Any]:
        """All that the service says of an image. :raises NotFound: there is none."""
        found = _document(self._ask("GET", _path(image_id), subject=image_id))
        image_of(found)
        return found

    def find(self, name_or_id: str) -> RemoteImage:
        """The image of this id, else the one of this name.

        :raises NotFound: there is none. :raises Conflict: there are several of this name.
        """
        if _ID.fullmatch(name_or_id):
            try:
                return self.get(name_or_id)
            except NotFound:
                pass
        answer = self._ask("GET", "/images", params={"name": name_or_id})
        found = [one for one in _document(answer).get("images", ()) if one.get("name") == name_or_id]
        if not found:
            raise NotFound("image", name_or_id)
        if len(found) > 1:
            raise Conflict(f"Several images have the name {name_or_id}: choose one by its id.")
        return image_of(found[0])

    def get(self, image_id: str) -> RemoteImage:
        """The image of this id. :raises NotFound: there is none."""
        return image_of(self.document(image_id))

    @contextmanager
    def read(self, image_id: str, first: int, last: int) -> Iterator[Body]:
        """The bytes `first` to `last` of an image, or all of them if the service knows no ranges.

        :raises NotFound: the image has no data, or is not there.
        """
        headers = {"Accept": _OCTETS, "Accept-Encoding": "identity", "Range": f"bytes={first}-{last}"}
        path = f"{_path(image_id)}/file"
        answer = self._ask("GET", path, subject=image_id, headers=headers, stream=True)
        try:
            partial = answer.status_code == HTTPStatus.PARTIAL_CONTENT
            if partial and not answer.headers.get("Content-Range", "").startswith(f"bytes {first}-{last}/"):
                raise Unavailable(_PART, "it sends another range than was asked for")
            if answer.status_code == HTTPStatus.NO_CONTENT:
                raise NotFound("data of the image", image_id)
            yield Body(partial, _chunks(answer, self._chunk_size))
        finally:
            answer.close()

    def create(self, document: Mapping[str, Any]) -> str:
        """Register an image; its id. :raises Invalid, Conflict: the service does not want it so."""
        return image_of(_document(self._ask("POST", "/images", json=dict(document)))).id

    def upload(self, image_id: str, path: Path) -> RemoteImage:
        """Upload a file; what the image is then. :raises Invalid, Conflict: the service does not want it."""
        with path.open("rb") as file:
            self.send(image_id, file)
        return self.get(image_id)

    def send(self, image_id: str, data: Iterable[bytes]) -> None:
        """Upload data, of a length that is announced if it has one.

        :raises Invalid, Conflict: the service does not want it. What `data` raises ends the upload, too.
        """
        how = {"headers": {"Content-Type": _OCTETS}, "timeout": _UPLOAD_PATIENCE}
        self._ask("PUT", f"{_path(image_id)}/file", subject=image_id, data=data, **how)

    def change(self, image_id: str, patch: Sequence[Mapping[str, Any]]) -> None:
        """Change an image by a JSON patch. :raises NotFound, Invalid, Conflict: the service refuses."""
        headers = {"Content-Type": _PATCH}
        self._ask("PATCH", _path(image_id), subject=image_id, headers=headers, data=json.dumps(patch))

    def delete(self, image_id: str) -> None:
        """Delete an image. :raises NotFound: there is none."""
        self._ask("DELETE", _path(image_id), subject=image_id)

    def _ask(self, method: str, path: str, *, subject: str = "", **how: Any) -> requests.Response:
        try:
            answer = self._adapter.request(path, method, raise_exc=False, **{"timeout": _PATIENCE, **how})
        except Unauthorized:
            raise Unauthenticated("The identity service does not accept the credentials.") from None
        except (ClientException, requests.RequestException) as error:
            raise Unavailable(_PART, str(error).split("\n")[0]) from None
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            problem = _problem(answer, subject)
            answer.close()
            raise problem
        return answer


def _path(image_id: str) -> str:
    return f"/images/{quote(image_id, safe='')}"


def _problem(answer: requests.Response, subject: str) -> GlimpseError:
    status = answer.status_code
    said = re.sub(r"<[^>]*>|\s+", " ", answer.text[:2000]).strip() or f"it answers {status}"
    if status == HTTPStatus.UNAUTHORIZED:
        return Unauthenticated("The image service does not accept the credentials.")
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden(f"The image service does not allow it: {said}")
    if status == HTTPStatus.NOT_FOUND and subject:
        return NotFound("image", subject)
    if status == HTTPStatus.CONFLICT:
        return Conflict(f"The image service refuses: {said}")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
        return Invalid("request to the image service", said)
    return Unavailable(_PART, said)


def _document(answer: requests.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Unavailable(_PART, "what it answers is no JSON document")
    return document


def image_of(document: Mapping[str, Any]) -> RemoteImage:
    """The image that a document describes. :raises Unavailable: it describes none."""
    try:
        # It becomes part of paths and of URLs.
        if not _ID.fullmatch(document["id"]):
            raise Unavailable(_PART, "it gives an image an id that is none")
        return RemoteImage(
            id=document["id"],
            status=document["status"],
            name=document.get("name"),
            size=document.get("size"),
            disk_format=document.get("disk_format"),
            container_format=document.get("container_format"),
            min_disk=document.get("min_disk") or 0,
            min_ram=document.get("min_ram") or 0,
            checksum=document.get("checksum"),
            os_hash_algo=document.get("os_hash_algo"),
            os_hash_value=document.get("os_hash_value"),
            properties={
                name: value
                for name, value in document.items()
                if name not in _ATTRIBUTES and isinstance(value, str)
            },
        )
    except (KeyError, TypeError):
        raise Unavailable(_PART, "what it answers describes no image") from None


def _chunks(answer: requests.Response, size: int) -> Iterator[bytes]:
    try:
        yield from answer.iter_content(size)
    except requests.RequestException as error:
        raise Unavailable(_PART, f"the data breaks off: {type(error).__name__}") from None
