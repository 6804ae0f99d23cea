"""The key managers that castellan knows: Barbican, in the name of the caller, and Vault.

Options are castellan's own, in [key_manager], [barbican], [barbican_service_user] and [vault].
"""

import logging
from collections.abc import Iterator
from typing import Any

import requests
from castellan import key_manager
from castellan.common.exception import CastellanException, Forbidden, ManagedObjectNotFoundError
from cryptography import x509
from oslo_config import cfg
from oslo_context.context import RequestContext

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.signing.certificates import FIELD, read_certificate

LOG = logging.getLogger(__name__)

_PART = "key manager"


class CastellanKeyManager:
    """The port `KeyManager` by castellan."""

    def __init__(self, config: cfg.ConfigOpts) -> None:
        """:raises Unavailable: there is no such backend, or an option will not do."""
        try:
            self._backend: Any = key_manager.API(config)
        except (ImportError, ValueError, cfg.Error) as error:
            raise Unavailable(_PART, str(error)) from None

    def certificate(self, reference: str, caller: Caller) -> x509.Certificate:
        """See the port."""
        context = RequestContext(
            auth_token=caller.token,
            user_id=caller.user_id,
            project_id=caller.project_id,
            system_scope=caller.system_scope,
            domain_id=caller.domain_id,
            overwrite=False,
        )
        try:
            data = self._backend.get(context, reference).get_encoded()
        except ManagedObjectNotFoundError:
            raise Invalid(FIELD, f"none is known by the identifier {reference}") from None
        except (CastellanException, requests.RequestException) as error:
            if any(_is_refusal(cause) for cause in _causes(error)):
                raise Invalid(FIELD, f"the key manager does not give {reference} to you") from None
            LOG.warning("the key manager does not give a certificate: %s", error)
            raise Unavailable(_PART, "it does not give the certificate") from None
        except (ValueError, KeyError, TypeError):
            # No identifier of this key manager, or a secret that is not what it is said to be.
            raise Invalid(FIELD, f"no X.509 certificate is known by the identifier {reference}") from None
        return read_certificate(data or b"")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what has led to it: castellan's own errors say nothing of that."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_refusal(error: BaseException) -> bool:
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return isinstance(error, Forbidden) or status in (401, 403)
