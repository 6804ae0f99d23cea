"""The real application in process, and the people who call it.

A `World` is the service as the composition root builds it, on an SQLite file and an image folder, with two
things exchanged: the identity, so that a test can be anybody, and the clock, so that times are known.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from glimpse.access.identity import Identity
from glimpse.access.policy import OsloPolicy
from glimpse.api.application import make_application
from glimpse.api.operations import PATCH_TYPES
from glimpse.api.service import Service
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.events import Payload
from glimpse.catalog.ports import PropertyRules, Quotas
from glimpse.catalog.records import Records
from glimpse.config.backends.files import FileBackend
from glimpse.config.settings import Settings, read_config
from glimpse.domain.attributes import attribute_table
from glimpse.domain.caller import Caller, Endpoint
from glimpse.domain.errors import Unauthenticated
from glimpse.jobs.worker import Worker
from glimpse.parts import cache_of, engine_of, imports_of, options_of, signatures_of, stores_of
from glimpse.stores.base import Store
from glimpse.transfer.threads import start_threads
from glimpse.transfer.transfer import Stores, Transfer

T = TypeVar("T")
Json = dict[str, Any]
Body = bytes | AsyncIterator[bytes]

OLDER, NEWER = PATCH_TYPES
DATA_TYPE = "application/octet-stream"

# Who calls: project a has a member and a mere reader, project b only a member.
ALICE = "Persona alice;project=a;roles=member,reader"
READER = "Persona rita;project=a;roles=reader"
BOB = "Persona bob;project=b;roles=member,reader"
CAROL = "Persona carol;project=c;roles=member,reader"
ADMIN = "Persona root;project=admin;roles=admin,member,reader"
DRIFTER = "Persona dan;roles=member,reader"
ANONYMOUS = "Persona ;readonly=yes"
NOBODY = ""


class Personas:
    """Believes everybody: `Persona <user>;project=<project>;roles=<role>,<role>;system=all;domain=<id>`.

    `token=<token>;endpoint=<URL>;region=<region>;interface=<interface>` are for another image service.
    """

    challenge = 'Persona realm="tests"'

    def __init__(self) -> None:
        self.revoked = False

    async def caller(self, method: str, path: str, headers: Mapping[str, str]) -> Caller:
        """The caller as the header describes them."""
        authorization = headers.get("authorization", "")
        scheme, _, description = authorization.partition(" ")
        if scheme != "Persona" or self.revoked:
            raise Unauthenticated
        user, *facts = description.split(";")
        known = dict(fact.split("=", 1) for fact in facts)
        roles = frozenset(known.get("roles", "").split(",")) - {""}
        return Caller(
            user_id=user or None,
            project_id=known.get("project"),
            roles=roles,
            is_admin="admin" in roles and "project" in known,
            read_only="readonly" in known,
            service_roles=frozenset(known.get("service", "").split(",")) - {""},
            system_scope=known.get("system"),
            domain_id=known.get("domain"),
            token=known.get("token"),
            image_endpoints=_endpoints(known),
        )


def _endpoints(known: Mapping[str, str]) -> tuple[Endpoint, ...]:
    if "endpoint" not in known:
        return ()
    return (Endpoint(known.get("region", ""), known.get("interface", "public"), known["endpoint"]),)


@dataclass
class Clock:
    """Goes on by `step` seconds whenever somebody looks at it."""

    now: datetime = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as the tables keep it
    step: int = 1
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> datetime:
        with self.lock:
            self.now += timedelta(seconds=self.step)
            return self.now


@dataclass(frozen=True)
class Heard:
    """An event that was told."""

    type: str
    payload: Any
    failed: bool


class Ears:
    """Hears all events, in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def wants(self, event: str) -> bool:
        """All of them."""
        return bool(event)

    def notify(self, event: str, payload: Payload, *, failed: bool = False) -> None:
        """Remember it as it would be sent."""
        self.heard.append(Heard(event, json.loads(json.dumps(payload)), failed))


class Loop:
    """An event loop on a thread of its own, for tests that are not coroutines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class World:
    """One service, and what a test may want to look at behind it."""

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        policy: OsloPolicy,
        records: Records,
        *,
        identity: Identity | None = None,
        store: Store | None = None,
        protection: PropertyRules | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.loop = loop
        self.settings = settings
        self.protection, self.quotas = protection, quotas
        self.clock = Clock()
        self.ears = Ears()
        # By how many seconds the leases' clock is ahead.
        self.later = 0.0
        self.personas = Personas()
        self.service = self._service(
            policy,
            records,
            identity or self.personas,
            _stores(settings, store),
        )
        self.application = make_application(self.service, lambda _: contextlib.nullcontext())
        transport = httpx.ASGITransport(self.application, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://glimpse.test", trust_env=False)
        # Silence asks for plain text; httpx would ask for anything.
        del self.http.headers["accept"]

    def _service(self, policy: OsloPolicy, records: Records, identity: Identity, stores: Stores) -> Service:
        config = read_config(self.settings.source)
        catalog = Catalog(
            records=records,
            policy=policy,
            limits=self.settings.limits,
            attributes=attribute_table(self.settings.disk_formats, self.settings.container_formats),
            clock=self.clock,
            protection=self.protection,
            quotas=self.quotas,
            delayed_delete=self.settings.scrubbing.delayed_delete,
            notifier=self.ears,
        )
        transfer = Transfer(
            catalog=catalog,
            worker=Worker("tests", self.settings.lease_seconds, lambda: time.time() + self.later),
            stores=stores,
            threads=start_threads(),
            signatures=signatures_of(self.settings, config),
            hashing_algorithm=self.settings.hashing_algorithm,
            require_format_match=self.settings.require_format_match,
        )
        imports = imports_of(self.settings, transfer)
        cache = cache_of(self.settings, config, transfer)
        return Service(
            catalog,
            transfer,
            identity,
            engine_of(self.settings, imports, cache),
            imports,
            self.settings.public_endpoint,
            options=options_of(self.settings, config),
            cache=cache,
        )

    def do_jobs(self) -> None:
        """Do the jobs that are due, until they have ended or are postponed."""

        async def work() -> None:
            await asyncio.gather(*await self.service.jobs.take())

        self.loop.run(work())

    def client(self, persona: str) -> "Client":
        """Somebody who calls."""
        return Client(self, persona)

    @property
    def image_folder(self) -> Path:
        """The folder of the default store."""
        return self.folder(self.settings.default_store)

    def folder(self, store: str) -> Path:
        """The folder of a store of files."""
        [backend] = (place.backend for place in self.settings.stores if place.id == store)
        assert isinstance(backend, FileBackend)
        return backend.folders[0].path

    def files(self, store: str | None = None) -> list[str]:
        """The names of everything in the folder of a store (None: the default), hidden files too."""
        return sorted(path.name for path in self.folder(store or self.settings.default_store).iterdir())

    def usage(self, project: str) -> int:
        """The bytes that count against a project's quota."""
        return self.service.catalog.records.images.usage(project)

    def close(self) -> None:
        """Let everything go, when nothing is being cached any more."""
        while self.service.cache is not None and self.service.cache._fills:
            time.sleep(0.005)
        self.loop.run(self.http.aclose())
        threads = self.service.transfer.threads
        for pool in (threads.records, threads.data, threads.digests):
            pool.shutdown()


@dataclass(frozen=True)
class Client:
    """The service as one persona sees it."""

    world: World
    persona: str

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, inside the loop."""
        headers = dict(options.pop("headers", None) or {})
        if self.persona:
            headers.setdefault("Authorization", self.persona)
        return await self.world.http.request(method, path, headers=headers, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request."""
        return self.world.loop.run(self.send(method, path, **options))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET; headers by their names with underscores."""
        return self.ask("GET", path, headers={name.replace("_", "-"): headers[name] for name in headers})

    def post(self, path: str, document: object = None) -> httpx.Response:
        """POST a document, or nothing."""
        return self.ask("POST", path) if document is None else self.ask("POST", path, json=document)

    def put(self, path: str, document: object = None) -> httpx.Response:
        """PUT a document, or nothing."""
        return self.ask("PUT", path) if document is None else self.ask("PUT", path, json=document)

    def delete(self, path: str) -> httpx.Response:
        """DELETE."""
        return self.ask("DELETE", path)

    def patch(self, image_id: str, *changes: object, media: str = NEWER) -> httpx.Response:
        """PATCH an image with changes in one of the two dialects."""
        return self.ask(
            "PATCH", f"/v2/images/{image_id}", json=list(changes), headers={"Content-Type": media}
        )

    def upload(self, image_id: str, data: Body, **headers: str) -> httpx.Response:
        """PUT the data of an image."""
        sent = {"Content-Type": DATA_TYPE, **{name.replace("_", "-"): headers[name] for name in headers}}
        return self.ask("PUT", f"/v2/images/{image_id}/file", content=data, headers=sent)

    def create(self, **attributes: object) -> Json:
        """Register an image that can take any data."""
        document = {"disk_format": "raw", "container_format": "bare", **attributes}
        response = self.post("/v2/images", document)
        assert response.status_code == 201, response.text
        return dict(response.json())

    def active(self, data: bytes = b"0123456789", **attributes: object) -> Json:
        """Register an image and give it data."""
        image = self.create(**attributes)
        response = self.upload(image["id"], data)
        assert response.status_code == 204, response.text
        return self.show(image["id"])

    def show(self, image_id: str) -> Json:
        """An image that must be there."""
        response = self.get(f"/v2/images/{image_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def data(self, image_id: str, **headers: str) -> httpx.Response:
        """GET the data of an image."""
        return self.get(f"/v2/images/{image_id}/file", **headers)

    def names(self, query: str = "") -> list[str]:
        """The names of one page of images."""
        response = self.get(f"/v2/images?{query}" if query else "/v2/images")
        assert response.status_code == 200, response.text
        return [image["name"] for image in response.json()["images"]]

    def share(self, image_id: str, project: str, status: str | None = None) -> None:
        """Make a project a member, and have it answer."""
        path = f"/v2/images/{image_id}/members"
        assert self.post(path, {"member": project}).status_code == 200
        if status is not None:
            member = self.world.client(f"Persona m;project={project};roles=member,reader")
            assert member.put(f"{path}/{project}", {"status": status}).status_code == 200


def _stores(settings: Settings, other: Store | None) -> Stores:
    """The stores of the settings, or this one instead of those that take data."""
    stores = stores_of(settings)
    if other is None:
        return stores
    reading = {name: store for name, store in stores.by_id.items() if name not in stores.writable}
    return Stores({other.id: other, **reading}, other.id)


def change(operation: str, name: str, value: object = None) -> Json:
    """A change in the newer dialect."""
    path = {"op": operation, "path": f"/{name}"}
    return path if operation == "remove" else {**path, "value": value}


def older(operation: str, name: str, value: object = None) -> Json:
    """A change in the older dialect."""
    path = {operation: f"/{name}"}
    return path if operation == "remove" else {**path, "value": value}


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for chunk in chunks:
        yield chunk


def without(document: Mapping[str, Any], *names: str) -> Json:
    """A document less some of its keys."""
    return {name: value for name, value in document.items() if name not in names}
