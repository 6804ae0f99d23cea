"""Where images lie in Swift, and who the service is there, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from glimpse.stores.base import StoreObjectMissing

SCHEMES = ("swift+config", "swift", "swift+http", "swift+https")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the service is for one identity service.

    `version` is 3 for Keystone, 1 for the older way that Swift itself offers (tempauth), in which `user` is
    `account:user`. With Keystone an application credential stands for user, key and project.
    """

    auth_address: str
    user: str = ""
    key: str = field(default="", repr=False)
    version: int = 3
    project_name: str | None = None
    project_id: str | None = None
    user_domain_name: str | None = None
    user_domain_id: str | None = None
    project_domain_name: str | None = None
    project_domain_id: str | None = None
    application_credential_id: str | None = None
    application_credential_secret: str | None = field(default=None, repr=False)

    @property
    def written_user(self) -> str:
        """The user as Glance wrote it into locations: `project:user`."""
        return f"{self.project_name}:{self.user}" if self.project_name else self.user


@dataclass(frozen=True, slots=True)
class Containers:
    """The container of each image: `name`, or `name_` and as many hex digits of the image's id as `seed`."""

    name: str
    seed: int = 0

    def of(self, image_id: str) -> str:
        """The container of an image. Dashes between the digits are kept and do not count, as in Glance."""
        end = digits = 0
        while digits < self.seed and end < len(image_id):
            digits += image_id[end] != "-"
            end += 1
        return f"{self.name}_{image_id[:end]}" if self.seed else self.name

    def may_hold(self, container: str) -> bool:
        """Whether images of this store are or once were there, with whatever seed."""
        return container == self.name or container.startswith(f"{self.name}_")


@dataclass(frozen=True, slots=True)
class Place:
    """What a location says: the object, and how to get to its account, which is one of three.

    `reference` names credentials of the configuration; `auth_address` is the identity service for the
    `user` and `key` that Glance wrote into the URL; `storage_url` is somebody's account itself.
    """

    container: str
    name: str
    reference: str | None = None
    auth_address: str | None = None
    user: str = ""
    key: str = field(default="", repr=False)
    storage_url: str | None = None


def location(reference: str, container: str, name: str) -> str:
    """The URL of an object; no credentials are in it."""
    return f"swift+config://{quote(reference, safe='')}/{quote(container, safe='')}/{quote(name, safe='')}"


def parse(url: str) -> Place:
    """What a location says. :raises StoreObjectMissing: it is no location in Swift."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES or "://" in rest or not rest.isprintable():
        raise StoreObjectMissing(url)
    parts = rest.split("/")
    container, name = (unquote(part) for part in parts[-2:]) if len(parts) > 2 else ("", "")
    if not (_is_name(container) and _is_name(name)):
        raise StoreObjectMissing(url)
    if scheme == "swift+config":
        if len(parts) != 3 or not parts[0]:
            raise StoreObjectMissing(url)
        return Place(container, name, reference=unquote(parts[0]))
    netloc, path = parts[0], parts[1:-2]
    written, at, host = netloc.rpartition("@")
    address = f"{'http' if scheme == 'swift+http' else 'https'}://{'/'.join([host, *path])}"
    if origin(address) is None:
        raise StoreObjectMissing(url)
    if not at:
        return Place(container, name, storage_url=address)
    user, _, key = written.rpartition(":")
    return Place(container, name, auth_address=address, user=unquote(user), key=unquote(key))


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None: it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def meant(place: Place, references: Mapping[str, Credentials]) -> Credentials | None:
    """The credentials by which an object is reached that a location names by reference or by user.

    Those of a URL are used for one of the identity services of the configuration alone, so they are told to
    nobody else. If the configuration knows the same user, its key counts, which may be newer.
    """
    if place.reference is not None:
        return references.get(place.reference)
    here = origin(place.auth_address) if place.auth_address else None
    known = [one for one in references.values() if here and origin(one.auth_address) == here]
    for credentials in known:
        if place.user in (credentials.written_user, credentials.user):
            return credentials
    if not known:
        return None
    like, (project, _, user) = known[0], place.user.rpartition(":")
    if like.version == 1:
        return Credentials(like.auth_address, place.user, place.key, 1)
    return Credentials(
        like.auth_address,
        user,
        place.key,
        project_name=project or like.project_name,
        user_domain_name=like.user_domain_name,
        user_domain_id=like.user_domain_id,
        project_domain_name=like.project_domain_name,
        project_domain_id=like.project_domain_id,
    )


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..") and "/" not in text and text.isprintable()
