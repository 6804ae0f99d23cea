"""Stores of Cinder volumes, on the servers of `make services-all`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.config.backends.cinder import CinderBackend
from glimpse.stores.base import Store
from glimpse.stores.cinder.access import Account, Endpoint
from glimpse.stores.cinder.volumes import Volumes

_SERVICES = Path(__file__).parents[2] / ".services" / "env"
_PREFIX = "GLIMPSE_TEST_CINDER_"


def server() -> dict[str, str]:
    """What the running Cinder has published; skips the test where none runs."""
    lines = _SERVICES.read_text().splitlines() if _SERVICES.is_file() else []
    found = dict(line.removeprefix(_PREFIX).split("=", 1) for line in lines if line.startswith(_PREFIX))
    if not found:
        pytest.skip("Cinder is not running; start it with: make services-all")
    return found


def options() -> str:
    """The store's options for the running Cinder."""
    return f"""\
cinder_store_auth_address = {server()["AUTH_URL"]}
cinder_store_user_name = glance
cinder_store_password = secret
cinder_store_project_name = service
cinder_volume_type = rbd
"""


def settings(folder: Path, volume_type: str = "rbd") -> CinderBackend:
    """A store of volumes of that type, in the project "service"."""
    account = Account(server()["AUTH_URL"], user_name="glance", password="secret", project_name="service")
    return CinderBackend(
        account, Endpoint(), folder, folder / "mnt", patience=60, attempts=3, volume_type=volume_type
    )


def in_small_project(backend: CinderBackend) -> CinderBackend:
    """The same in the project "demo", which has room for 3 GiB."""
    return replace(backend, account=replace(backend.account, user_name="demo", project_name="demo"))


def api(backend: CinderBackend) -> Volumes:
    """A side door into Cinder."""
    return Volumes("side door", backend.account, backend.endpoint, 60)


def volumes_of(door: Volumes) -> dict[str, str]:
    """The names of all volumes of the project, by their ids."""
    return {each["id"]: each["name"] for each in door._asked("GET", "/volumes/detail")["volumes"]}


class CinderServer:
    def __init__(self, folder: Path, volume_type: str = "rbd") -> None:
        self.url = server()["URL"]
        self.settings = settings(folder, volume_type)
        self.small_settings = in_small_project(self.settings)
        self.api = api(self.settings)
        self._doors = (self.api, api(self.small_settings))
        self._store = self.settings.open("cinder")
        self._small_store = self.small_settings.open("small")
        self._before = self._volumes()

    @property
    def store(self) -> Store:
        return self._store

    def full_store(self) -> Store:
        return self._small_store

    def truncate(self, url: str, size: int) -> None:
        volume = self.api.show(url.rpartition("/")[2])
        self.api.publish(volume.id, volume.name, {**volume.metadata, "image_size": str(size)})

    def leftovers(self) -> Sequence[str]:
        return [name for volume, name in self._volumes().items() if volume not in self._before]

    def _volumes(self) -> dict[str, str]:
        return {volume: name for door in self._doors for volume, name in volumes_of(door).items()}
