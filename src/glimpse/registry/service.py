"""The registry, put together from its settings; and the way to it, for a node that has one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from keystoneauth1.exceptions import ClientException
from oslo_config import cfg
from starlette.routing import Route
from starlette.types import ASGIApp

from glimpse.access.service_token import ServiceAccount
from glimpse.catalog.records import Records
from glimpse.config.addresses import is_loopback
from glimpse.config.files import Source
from glimpse.config.logs import set_up_logs
from glimpse.config.paste import read_pipeline
from glimpse.config.registry import RegistryLink
from glimpse.config.settings import Settings, check_values, read_config, settings_of
from glimpse.domain.errors import Invalid
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.registry.client import Credentials, Registry, records_behind
from glimpse.registry.gate import by_keystone, by_secret, for_all, secret_headers
from glimpse.registry.server import Gate, healthcheck_of, make_registry
from glimpse.transfer.health import Health, database_probe
from glimpse.transfer.threads import RECORD_THREADS, Crew


def create_registry_from(source: Source) -> ASGIApp:
    """The application of one worker process of a registry, with the settings as they are in the files now.

    :raises Invalid: they will not do.
    """
    settings = settings_of(source)
    check_registry(settings)
    set_up_logs(settings)
    database = connect(settings.database_url, settings.location_key)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(database.close)

    crew, records = Crew(RECORD_THREADS, "records"), open_records(database)
    return make_registry(records, _gate(settings), crew, _healthcheck(settings, records), lifespan)


def _healthcheck(settings: Settings, records: Records) -> Route:
    config = read_config(settings.source)
    own, pipeline = config.glimpse, read_pipeline(config, settings.source)
    health = Health([database_probe(records.jobs)], own.healthcheck_timeout, own.healthcheck_remember)
    return healthcheck_of(health, pipeline.disable_by_file_path or config.healthcheck.disable_by_file_path)


def check_registry(settings: Settings) -> None:
    """Try what the settings say of who may use the registry.

    :raises Invalid: everybody might, or what proves who calls could be read on its way.
    """
    secret = settings.registry.secret
    tls = settings.cert_file is not None
    config = read_config(settings.source)
    if not is_loopback(settings.bind_host):
        keystone = read_pipeline(config, settings.source).by_keystone
        if not (secret or keystone or settings.client_ca_file):
            raise Invalid(
                "bind_host",
                f"everybody who reaches {settings.bind_host} could read and write all records: bind to "
                "127.0.0.1, or set the flavor keystone, [glimpse] registry_secret or client_ca_file",
            )
        if secret and not tls:
            raise Invalid(
                "registry_secret", f"it would be sent to {settings.bind_host} for all to read: set cert_file"
            )
    try:
        _gate(settings)
    except (cfg.Error, ClientException, ValueError) as error:
        check_values(config, settings.source)
        raise Invalid("keystone_authtoken", str(error)) from None


def _gate(settings: Settings) -> Gate:
    if settings.registry.secret:
        return by_secret(settings.registry.secret)
    config = read_config(settings.source)
    if not read_pipeline(config, settings.source).by_keystone:
        return for_all
    # Imported only when used: it takes a third of a second.
    from glimpse.access.keystone import KeystoneIdentity

    identity = KeystoneIdentity(config, lambda _: False)
    return by_keystone(identity, config.keystone_authtoken.service_token_roles)


def try_registry(settings: Settings, link: RegistryLink) -> None:
    """See whether the registry lets this node in, and understands it.

    :raises Invalid: as `open_registry`. :raises Unavailable: it does not, or does not answer.
    """
    registry = open_registry(settings, link)
    try:
        # Any call will do.
        records_behind(registry).jobs.get("")
    finally:
        registry.close()


def open_registry(settings: Settings, link: RegistryLink) -> Registry:
    """The way to the registry that keeps a node's records.

    :raises Invalid: a file that the settings name, or the account in Keystone, cannot be used.
    """
    return Registry(link, _credentials(settings))


def _credentials(settings: Settings) -> Credentials:
    """By the secret; without one, by the account in Keystone, if the node's callers are known there."""
    if settings.registry.secret:
        shown = secret_headers(settings.registry.secret)
        return lambda _: shown
    config = read_config(settings.source)
    if settings.auth_strategy != "paste" or not read_pipeline(config, settings.source).by_keystone:
        return lambda _: {}
    account = ServiceAccount(config)

    def headers(renew: bool) -> Mapping[str, str]:
        return {"x-auth-token": account.token(renew=renew)}

    return headers
