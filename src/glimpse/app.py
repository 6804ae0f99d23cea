"""The composition root: builds the parts from the settings and hands them to each other.

The only module that may import everything.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

from starlette.types import ASGIApp

from glimpse.access.identity import BasicIdentity, Identity, NoIdentity
from glimpse.access.policy import OsloPolicy
from glimpse.access.users import UserFiles
from glimpse.api.application import make_application
from glimpse.api.service import Service
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.worker import Worker
from glimpse.config.settings import Settings, read_config
from glimpse.domain.attributes import attribute_table
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.stores.filesystem import FilesystemStore
from glimpse.transfer.removal import keep_house
from glimpse.transfer.threads import start_threads
from glimpse.transfer.transfer import Stores, Transfer


def create_application(settings: Settings) -> ASGIApp:
    """The ASGI application of one worker process. The database must be up to date."""
    service = make_service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        housekeeper = asyncio.create_task(keep_house(service.transfer))
        try:
            yield
        finally:
            housekeeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await housekeeper

    return make_application(service, lifespan)


def make_service(settings: Settings) -> Service:
    """The parts of the service, put together."""
    logging.basicConfig(
        level=logging.DEBUG if settings.debug else logging.INFO,
        format="%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    policy = OsloPolicy(read_config(settings.config_files))
    catalog = Catalog(
        records=open_records(connect(settings.database_url)),
        policy=policy,
        limits=settings.limits,
        attributes=attribute_table(settings.disk_formats, settings.container_formats),
        clock=utc_now,
    )
    store = FilesystemStore(
        "file", settings.image_folder, thin=settings.thin, file_mode=settings.image_file_mode
    )
    transfer = Transfer(
        catalog=catalog,
        worker=Worker(f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:8]}", settings.lease_seconds),
        stores=Stores({store.id: store}, store.id),
        threads=start_threads(),
        hashing_algorithm=settings.hashing_algorithm,
        require_format_match=settings.require_format_match,
    )
    identity: Identity = (
        NoIdentity()
        if settings.auth_strategy == "noauth"
        else BasicIdentity(UserFiles(settings.htpasswd), policy.is_admin)
    )
    return Service(catalog, transfer, identity, settings.public_endpoint)


def utc_now() -> datetime:
    """The time as the tables keep it: naive UTC, whole seconds."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
