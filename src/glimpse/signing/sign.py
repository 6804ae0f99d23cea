"""Making a signature: what a user does before the upload."""

import base64

from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from glimpse.domain.errors import Invalid
from glimpse.signing.properties import CURRENT, KEY_TYPES, signature_of
from glimpse.signing.verify import HASH_CLASSES, key_type_of

PrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey


class PasswordNeeded(Exception):
    """The private key is encrypted."""


def read_private_key(data: bytes, password: str | None = None) -> PrivateKey:
    """A private key from PEM.

    :raises PasswordNeeded: it is encrypted, and there is no password.
    :raises Invalid: it is none, of a type that makes no signatures of images, or the password is wrong.
    """
    try:
        key = load_pem_private_key(data, password.encode() if password else None)
    except TypeError:
        if password:
            raise Invalid("key", "it is not encrypted, and needs no password") from None
        raise PasswordNeeded from None
    except ValueError:
        raise Invalid("key", "a private key in PEM is expected, or the password is wrong") from None
    if not isinstance(key, PrivateKey) or key_type_of(key) is None:
        raise Invalid("key", f"its type is none of {', '.join(KEY_TYPES)}")
    return key


def sign(key: PrivateKey, digest: bytes, hash_method: str, certificate: str) -> dict[str, str]:
    """The properties of an image whose data has this digest, by the current scheme.

    :raises Invalid: there is no such hash, or `certificate` cannot be the identifier of one.
    """
    key_type = key_type_of(key)
    assert key_type is not None  # noqa: S101 - `read_private_key` has seen to it
    # Before the key is used: what the service would refuse.
    signature_of(dict(zip(CURRENT, ("AAAA", hash_method, key_type, certificate), strict=True)))
    signed = base64.b64encode(_signed(key, digest, hash_method)).decode()
    return dict(zip(CURRENT, (signed, hash_method, key_type, certificate), strict=True))


def _signed(key: PrivateKey, digest: bytes, hash_method: str) -> bytes:
    method = HASH_CLASSES[hash_method]()
    algorithm = Prehashed(method)
    match key:
        case rsa.RSAPrivateKey():
            pss = padding.PSS(padding.MGF1(method), padding.PSS.MAX_LENGTH)
            return key.sign(digest, pss, algorithm)
        case dsa.DSAPrivateKey():
            return key.sign(digest, algorithm)
        case ec.EllipticCurvePrivateKey():
            return key.sign(digest, ec.ECDSA(algorithm))
