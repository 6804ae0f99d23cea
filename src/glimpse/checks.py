"""Whether the files that the settings name can be used: looked at before the service starts."""

import ssl
from collections.abc import Callable, Mapping

from oslo_config import cfg

from glimpse.access.policy import OsloPolicy, policy_files
from glimpse.access.policy_files import check_policy
from glimpse.access.protection import read_protection
from glimpse.config.image_schema import read_known_properties
from glimpse.config.paste import read_pipeline
from glimpse.config.settings import Settings, check_values, read_config, require_loopback
from glimpse.domain.errors import Invalid
from glimpse.parts import bus_of, identity_of
from glimpse.signing.certificates import read_trust_store


def check_files(settings: Settings) -> None:
    """Try the files that the settings name. :raises Invalid: one of them will not do; names it."""
    for check in FILE_CHECKS.values():
        check(settings)


def _check_policy(settings: Settings) -> list[str]:
    config = read_config(settings.source)
    unknown = [f"There is no rule {name}." for name in check_policy(config)]
    old = [f"{path} is JSON: YAML is expected." for path in policy_files(config) if path.suffix == ".json"]
    return old + unknown


def _check_protection(settings: Settings) -> list[str]:
    config = read_config(settings.source)
    check_policy(config)
    read_protection(config, OsloPolicy(config))
    return []


def _check_pipeline(settings: Settings) -> list[str]:
    if settings.auth_strategy != "paste":
        return []
    # Imported only when used, as the middleware itself.
    from keystoneauth1.exceptions import ClientException

    config = read_config(settings.source)
    pipeline = read_pipeline(config, settings.source)
    if not pipeline.by_keystone:
        require_loopback(settings)
    try:
        identity_of(settings, config, OsloPolicy(config))
    except (cfg.Error, ClientException, ValueError) as error:
        # The middleware has told its options by now: most often it is one of them, and has a place.
        check_values(config, settings.source)
        raise Invalid("keystone_authtoken", str(error)) from None
    return [f"The filter {name} does nothing." for name in pipeline.without_effect]


def _check_certificate(settings: Settings) -> list[str]:
    if settings.cert_file:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                settings.cert_file, settings.key_file
            )
        except (OSError, ssl.SSLError) as error:
            pair = f"{settings.cert_file}, {settings.key_file}"
            raise Invalid("cert_file", f"{pair}: {error.strerror or error}") from None
    return []


def _check_certificates(settings: Settings) -> list[str]:
    folder, store = settings.signing.certificate_folder, settings.signing.trust_store
    if folder is not None and not folder.is_dir():
        raise Invalid("certificate_folder", f"{folder} is no folder")
    if store is not None:
        read_trust_store(store)
    return []


def _check_image_schema(settings: Settings) -> list[str]:
    read_known_properties(read_config(settings.source))
    return []


def _check_notifications(settings: Settings) -> list[str]:
    if settings.notifications.drivers:
        bus_of(settings)
    return []


# Each tries a file that the settings name, returns what to warn of, and raises Invalid when it will not do.
FILE_CHECKS: Mapping[str, Callable[[Settings], list[str]]] = {
    "Policy": _check_policy,
    "Property protection": _check_protection,
    "Image schema": _check_image_schema,
    "Pipeline": _check_pipeline,
    "Certificate": _check_certificate,
    "Signing certificates": _check_certificates,
    "Notifications": _check_notifications,
}
