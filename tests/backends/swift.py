"""Swift for the contract of stores: containers of a real cluster, each made for one test."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from glimpse.stores.base import Store
from glimpse.stores.swift.account import Access, Account, Container
from glimpse.stores.swift.places import Containers, Credentials, parse
from glimpse.stores.swift.store import SwiftStore, Terms

MIB = 1024 * 1024
_ENVIRONMENT = Path(__file__).parents[2] / ".services" / "env"


def running(environment: Path = _ENVIRONMENT) -> dict[str, str]:
    """What the running servers say of themselves; skips the test where Swift does not run."""
    lines = environment.read_text().splitlines() if environment.is_file() else []
    told = dict(line.removeprefix("GLIMPSE_TEST_").split("=", 1) for line in lines if "=" in line)
    if "SWIFT_BARE_AUTH_URL" not in told:
        pytest.skip("Swift is not running; start it with: make services")
    return told


def options() -> str:
    """The options of a store in the running Swift."""
    told = running()
    return (
        f"swift_store_auth_address = {told['SWIFT_AUTH_URL']}\n"
        "swift_store_auth_version = 1\n"
        f"swift_store_user = {told['SWIFT_USER']}\n"
        f"swift_store_key = {told['SWIFT_KEY']}\n"
        "swift_store_container = glance\n"
        "swift_store_create_container_on_put = true\n"
    )


def forget_tokens() -> None:
    """All tokens that Swift has given out end now."""
    parts = urlsplit(running()["SWIFT_URL"])
    with socket.create_connection((parts.hostname, (parts.port or 0) + 4), 5) as memcached:
        memcached.sendall(b"flush_all\r\n")
        assert memcached.recv(100) == b"OK\r\n"


@dataclass(frozen=True)
class Cluster:
    """A way into the cluster: whose account, and by which proxy."""

    credentials: Credentials
    access: Access

    @classmethod
    def by_swift(cls, proxy: str = "SWIFT_AUTH_URL", told: Mapping[str, str] | None = None) -> "Cluster":
        """The account of the test user, by Swift's own authentication."""
        told = told or running()
        credentials = Credentials(told[proxy], told["SWIFT_USER"], told["SWIFT_KEY"], 1)
        return cls(credentials, Access(timeout=10))

    @classmethod
    def by_keystone(cls, user: str = "service:glance", access: Access | None = None) -> "Cluster":
        """The account of `project:user`, by Keystone."""
        told = running()
        if "KEYSTONE_URL" not in told:
            pytest.skip("Keystone is not running; start it with: make services")
        project, _, name = user.partition(":")
        credentials = Credentials(
            told["KEYSTONE_URL"],
            name,
            "secret",
            project_name=project,
            user_domain_id="default",
            project_domain_id="default",
        )
        return cls(credentials, access or Access(region="RegionOne", timeout=10))

    def store(self, terms: Terms, id: str = "swift") -> SwiftStore:  # noqa: A002
        return SwiftStore(id, {terms.reference: self.credentials}, terms, self.access)

    def account(self) -> Account:
        return _account(self)

    def container(self, name: str) -> Container:
        account = self.account()
        return Container(account, account.storage_url(), name)


@cache
def _account(cluster: Cluster) -> Account:
    return Account("test", cluster.credentials, cluster.access)


class SwiftBackend:
    """Two new containers, one of them with a quota; `close` removes them."""

    def __init__(self, cluster: Cluster, *, segment: int = MIB, seed: int = 0) -> None:
        self.cluster = cluster
        name = f"test-{uuid4().hex}"
        self.terms = Terms("ref1", Containers(name, seed), segment, create_containers=True)
        self._full = cluster.container(f"full-{uuid4().hex}")
        self._swift = cluster.store(self.terms)

    @property
    def store(self) -> Store:
        return self._swift

    def full_store(self) -> Store:
        account = self._full.account
        quota = {"X-Container-Meta-Quota-Bytes": str(4 * MIB)}
        account.send("PUT", self._full.path(), quota, b"")
        terms = replace(self.terms, containers=Containers(self._full.name), segment=16 * MIB)
        return self.cluster.store(terms, "full")

    def truncate(self, url: str, size: int) -> None:
        place = parse(url)
        container = self.cluster.container(place.container)
        response = container.account.send("GET", container.path(place.name))
        container.account.send("PUT", container.path(place.name), data=response.content[:size])

    def containers(self) -> list[Container]:
        account = self._full.account
        response = account.send("GET", f"{self._full.url}?prefix={self.terms.containers.name}&format=json")
        names = [entry["name"] for entry in response.json()] if response.content else []
        return [*(Container(account, self._full.url, name) for name in names), self._full]

    def leftovers(self) -> Sequence[str]:
        return [one.name for container in self.containers() for one in container.listing("")]

    def close(self) -> None:
        for container in self.containers():
            for one in container.listing(""):
                container.delete(one.name)
            container.account.send("DELETE", container.path(), fine=(404,))
