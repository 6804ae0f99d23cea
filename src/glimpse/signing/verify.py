"""Whether data is what was signed, by the key of a certificate."""

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509 import Certificate

from glimpse.domain.errors import Invalid, SignatureInvalid
from glimpse.signing.properties import CURVES, DSA, RSA_PSS, Signature

HASH_CLASSES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "SHA-224": hashes.SHA224,
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}

PublicKey = rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey

_CERTIFICATE = "signature certificate"
_REASON = "The signature is not that of this data by the key of the certificate."


class Verifier:
    """Verifies one signature, of data that goes by or of its digest."""

    def __init__(self, signature: Signature, certificate: Certificate) -> None:
        """:raises Invalid: the key of the certificate is not of the signature's type."""
        self.signature = signature
        self.certificate = certificate
        self._key = _public_key(signature, certificate)
        self._digest = hashlib.new(signature.algorithm, usedforsecurity=False)

    @property
    def algorithm(self) -> str:
        """The digest that `check` takes, by hashlib's name."""
        return self.signature.algorithm

    def update(self, chunk: bytes) -> None:
        """Take the next chunk of the data."""
        self._digest.update(chunk)

    def finish(self) -> None:
        """After the last chunk. :raises SignatureInvalid: it is not this data that was signed."""
        self.check(self._digest.digest())

    def check(self, digest: bytes) -> None:
        """Verify data by its digest, which somebody else has made.

        :raises SignatureInvalid: it is not this data that was signed.
        """
        try:
            self._verify(digest)
        except (InvalidSignature, ValueError):
            # A salt that cannot have been in a signature of this key is a ValueError.
            raise SignatureInvalid(_REASON) from None

    def _verify(self, digest: bytes) -> None:
        signature, key = self.signature, self._key
        method = HASH_CLASSES[signature.hash_method]()
        signed, algorithm = digest, Prehashed(method)
        if signature.of_checksum:
            signed, algorithm = digest.hex().encode(), method  # type: ignore[assignment]
        match key:
            case rsa.RSAPublicKey():
                longest = padding.calculate_max_pss_salt_length(key, method)
                salt = longest if signature.salt_length is None else signature.salt_length
                key.verify(signature.value, signed, padding.PSS(padding.MGF1(method), salt), algorithm)
            case dsa.DSAPublicKey():
                key.verify(signature.value, signed, algorithm)
            case ec.EllipticCurvePublicKey():
                key.verify(signature.value, signed, ec.ECDSA(algorithm))


def key_type_of(key: object) -> str | None:
    """The key type, as properties name it, of a private or public key; None: no signatures are made by it."""
    match key:
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey():
            return RSA_PSS
        case dsa.DSAPublicKey() | dsa.DSAPrivateKey():
            return DSA
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey():
            return next((name for name, curve in CURVES.items() if curve == key.curve.name), None)
    return None


def _public_key(signature: Signature, certificate: Certificate) -> PublicKey:
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        raise Invalid(_CERTIFICATE, "the type of its key is not supported here") from None
    found = key_type_of(key)
    if found != signature.key_type:
        raise Invalid(_CERTIFICATE, f"its key is {found or 'of another type'}, not {signature.key_type}")
    assert isinstance(key, PublicKey)  # noqa: S101 - that is what a known type means
    return key
