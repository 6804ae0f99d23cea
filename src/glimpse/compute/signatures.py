"""Signatures on the compute side: what an image must be signed by before it is booted."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from glimpse.compute.images import RemoteImage
from glimpse.domain.caller import Caller
from glimpse.domain.errors import SignatureInvalid
from glimpse.signing.certificates import KeyManager, check_certificate
from glimpse.signing.properties import signature_of
from glimpse.signing.verify import Verifier


@dataclass(frozen=True, slots=True)
class Seal:
    """The signature of an image and the certificate that it must be by."""

    verifier: Verifier
    certificate: Certificate

    @property
    def fingerprint(self) -> str:
        """The same for two seals that need not both be verified."""
        der = self.certificate.public_bytes(Encoding.DER)
        return hashlib.sha256(repr(self.verifier.signature).encode() + der).hexdigest()

    def __str__(self) -> str:
        signature, certificate = self.verifier.signature, self.certificate
        return (
            f"{signature.key_type} with {signature.hash_method}, certificate {signature.certificate} of"
            f" {certificate.subject.rfc4514_string()}, serial number {certificate.serial_number:x},"
            f" valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
        )


@dataclass(frozen=True, slots=True)
class Signatures:
    """Demands signatures by certificates of a key manager, fetched in the name of `caller`.

    With `trusted`, a certificate must be one of these or be issued by one of them.
    """

    key_manager: KeyManager
    caller: Caller
    trusted: Sequence[Certificate] | None = None

    def seal(self, image: RemoteImage) -> Seal:
        """What the data of an image must be verified with. The certificate is asked for each time.

        :raises SignatureInvalid: the image is not signed.
        :raises Invalid: its properties, or the certificate, will not do.
        :raises Unavailable: the key manager does not answer.
        """
        signature = signature_of(image.properties)
        if signature is None:
            raise SignatureInvalid(f"The image {image.id} is not signed.")
        certificate = self.key_manager.certificate(signature.certificate, self.caller)
        check_certificate(certificate, datetime.now(UTC), self.trusted)
        return Seal(Verifier(signature, certificate), certificate)
