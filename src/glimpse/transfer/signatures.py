"""Signatures of images on the road in: whose certificate, fetched before the first byte, and the verdict."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache

from cryptography.x509 import Certificate

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.signing.certificates import FIELD, KeyManager, check_certificate
from glimpse.signing.properties import signature_of
from glimpse.signing.verify import Verifier
from glimpse.transfer.threads import Threads

# A key manager answers within milliseconds; one that hangs must not hold up those who need none.
PATIENCE_SECONDS = 30.0
THREADS = 4


class Signatures:
    """How signatures are verified: by certificates of the key manager, which is opened when first needed.
    They must be trusted, or issued by those that are (None: any will do).
    """

    def __init__(
        self,
        open_key_manager: Callable[[], KeyManager],
        trusted: Sequence[Certificate] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._open = cache(open_key_manager)
        self._trusted = trusted
        self._patience = patience
        self._threads = ThreadPoolExecutor(THREADS, "keys")

    async def verifier(self, properties: Mapping[str, str | None], caller: Caller) -> Verifier | None:
        """What verifies the signature that properties of an image make, None if they make none.

        The certificate is fetched in the caller's name.

        :raises Invalid: the properties will not do, or the certificate; or there is no key manager.
        :raises Unavailable: the key manager does not answer.
        """
        signature = signature_of(properties)
        if signature is None:
            return None
        fetching = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self._open().certificate(signature.certificate, caller)
        )
        try:
            certificate = await asyncio.wait_for(fetching, self._patience)
        except TimeoutError:
            raise Unavailable("key manager", f"it does not answer within {self._patience:g} s") from None
        check_certificate(certificate, datetime.now(UTC), self._trusted)
        return Verifier(signature, certificate)


def needed(verifier: Verifier | None) -> tuple[str, ...]:
    """The algorithms of the digests that a verifier (None: nothing is to be verified) needs."""
    return () if verifier is None else (verifier.algorithm,)


async def verify(threads: Threads, verifier: Verifier | None, digests: Mapping[str, bytes]) -> None:
    """Verify data by its digests, among which is the one that is needed.

    :raises SignatureInvalid: it is not this data that was signed.
    """
    if verifier is not None:
        await threads.bulk(verifier.check, digests[verifier.algorithm])


def no_key_manager() -> KeyManager:
    """What opens the key manager of a service that has none. :raises Invalid: always."""
    raise Invalid(FIELD, "this service has no key manager to fetch it from")
