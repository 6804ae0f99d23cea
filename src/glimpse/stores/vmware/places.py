"""Where images are in a vCenter: datastores, the files in them, and the URLs of these files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from glimpse.domain.errors import Invalid
from glimpse.stores.base import ObjectKey, StoreObjectMissing

# What an image's file may be called; a percent sign or a bracket means something in a datastore's path.
_NAME = re.compile(r"\w[\w.+=@ -]{0,199}", re.ASCII)
_INCOMING, _OWNER = ".incoming", ".owner"


@dataclass(frozen=True, slots=True)
class Account:
    """Which vCenter (`host` or `host:port`), and who calls.

    `retries`: how often a call is made again when its connection breaks. `look_every`: seconds between looks
    at a task, at most. `keep_alive`: seconds after which a session in use is kept from ending.
    """

    host: str
    user: str
    password: str = field(repr=False)
    ca_file: str | None = None
    insecure: bool = False
    retries: int = 3
    look_every: float = 5.0
    keep_alive: float = 300.0

    def address(self) -> tuple[str, int]:
        """Host and port. :raises ValueError: they are none."""
        parts = urlsplit(f"//{self.host}")
        if not parts.hostname or parts.netloc != self.host or "@" in self.host or self.host.endswith(":"):
            raise ValueError(self.host)
        return parts.hostname, parts.port or 443


@dataclass(frozen=True, slots=True)
class Datastore:
    """A datastore, by the path of its datacenter; that of the highest weight is filled first."""

    datacenter: str
    name: str
    weight: int = 0

    @classmethod
    def parse(cls, text: str) -> "Datastore":
        """Of `datacenter:name[:weight]`. :raises ValueError: it is not."""
        datacenter, name, weight = [*text.strip().split(":"), "0"][:3]
        if not datacenter or not name or text.count(":") > 2:
            raise ValueError(text)
        return cls(datacenter, name, int(weight or "0"))

    def __str__(self) -> str:
        return f"{self.datacenter}:{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a datastore: `path` from its top, without a slash at the beginning."""

    datastore: Datastore
    path: str

    def __str__(self) -> str:
        return f"[{self.datastore.name}] {self.path}"

    def resource(self) -> str:
        """The file as the datastore browser's URLs name it, after the host."""
        query = {"dcPath": self.datastore.datacenter, "dsName": self.datastore.name}
        return f"/folder/{quote(self.path)}?{urlencode(query)}"

    def beside(self, name: str) -> "File":
        """Another file in the same folder."""
        return File(self.datastore, f"{self.path.rpartition('/')[0]}/{name}")


@dataclass(frozen=True, slots=True)
class Names:
    """The files of an attempt.

    `final` is the image. `incoming` is what it was before. `ticket` holds the attempt's name, and becomes
    `owner`, of which an image has one: who has moved his ticket there, and nobody else, makes `final`.
    """

    incoming: File
    ticket: File
    owner: File
    final: File

    @classmethod
    def of(cls, datastore: Datastore, folder: str, key: ObjectKey) -> "Names":
        """:raises Invalid: the image's id cannot be the name of a file."""
        if not _is_image(key.image_id) or not _NAME.fullmatch(str(key)):
            raise Invalid("image id", "it cannot be the name of a file in a datastore")
        final = File(datastore, f"{folder}/{key.image_id}")
        incoming, ticket = final.beside(f"{key}{_INCOMING}"), final.beside(f"{key}{_OWNER}")
        return cls(incoming, ticket, owner_of(final), final)


def owner_of(final: File) -> File:
    """The file that says which attempt made the image. Images of Glance have none."""
    return File(final.datastore, final.path + _OWNER)


@dataclass(frozen=True, slots=True)
class Places:
    """The URLs of one store: its vCenter's, for one folder of some datastores."""

    host: str
    folder: str
    datastores: tuple[Datastore, ...]

    def url(self, file: File) -> str:
        """As Glance writes it."""
        return f"vsphere://{self.host}{file.resource()}"

    def file(self, url: str) -> File:
        """What a URL names. :raises StoreObjectMissing: no image of this store could be there."""
        try:
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query, strict_parsing=True, max_num_fields=2))
        except ValueError:
            raise StoreObjectMissing(url) from None
        if url != f"vsphere://{parts.netloc}{parts.path}?{parts.query}":
            # A fragment, or characters that the parser drops silently.
            raise StoreObjectMissing(url)
        place = (query.get("dcPath"), query.get("dsName"))
        found = [each for each in self.datastores if (each.datacenter, each.name) == place]
        folder, _, name = unquote(parts.path).rpartition("/")
        if (
            parts.netloc.lower() != self.host.lower()
            or not found
            or folder != f"/folder/{self.folder}"
            or not _is_image(name)
        ):
            raise StoreObjectMissing(url)
        return File(found[0], f"{self.folder}/{name}")


def _is_image(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not name.endswith((_INCOMING, _OWNER))


def by_weight(datastores: Sequence[Datastore], turn: int) -> list[Datastore]:
    """In the order in which to try them: by weight; of equal ones, another is the first each turn."""
    ordered = []
    for weight in sorted({each.weight for each in datastores}, reverse=True):
        equal = [each for each in datastores if each.weight == weight]
        begin = turn % len(equal)
        ordered += equal[begin:] + equal[:begin]
    return ordered
