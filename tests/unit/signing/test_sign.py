import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from glimpse.domain.errors import Invalid
from glimpse.signing.properties import signature_of
from glimpse.signing.sign import PasswordNeeded, read_private_key, sign
from glimpse.signing.verify import Verifier
from tests.keys import HASHES, KEY_TYPES, signer

DATA = b"an image" * 1000


@pytest.mark.parametrize("method", HASHES)
@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_what_is_signed_is_verified(key_type: str, method: str) -> None:
    who = signer(key_type)
    digest = hashlib.new(method.lower().replace("-", ""), DATA).digest()
    signature = signature_of({**sign(read_private_key(who.key_pem), digest, method, "id")})
    assert signature is not None
    assert (signature.key_type, signature.certificate) == (key_type, "id")
    Verifier(signature, who.certificate).check(digest)


def test_an_identifier_that_no_service_takes() -> None:
    with pytest.raises(Invalid, match="img_signature_certificate_uuid"):
        sign(read_private_key(signer().key_pem), bytes(32), "SHA-256", "../id")


def test_a_key_with_a_password() -> None:
    data = signer().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
    assert read_private_key(data, "open") is not None
    with pytest.raises(PasswordNeeded):
        read_private_key(data)
    with pytest.raises(Invalid, match="the password is wrong"):
        read_private_key(data, "shut")
    with pytest.raises(Invalid, match="needs no password"):
        read_private_key(signer().key_pem, "open")


def test_keys_that_sign_no_images() -> None:
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())):
        data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(Invalid, match="its type is none of RSA-PSS, DSA, ECC_SECP384R1"):
            read_private_key(data)
    with pytest.raises(Invalid, match="a private key in PEM is expected"):
        read_private_key(b"no key")
