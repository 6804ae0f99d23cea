import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from glimpse.domain.errors import Invalid, SignatureInvalid
from glimpse.signing.properties import Signature, signature_of
from glimpse.signing.verify import Verifier, key_type_of
from tests.keys import HASHES, KEY_TYPES, Signer, signer

DATA = b"an image" * 1000


def read(properties: dict[str, str]) -> Signature:
    found = signature_of({**properties})
    assert found is not None
    return found


def judge(signature: Signature, who: Signer, data: bytes) -> None:
    verifier = Verifier(signature, who.certificate)
    verifier.update(data[:100])
    verifier.update(data[100:])
    verifier.finish()


@pytest.mark.parametrize("method", HASHES)
@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_data_is_what_was_signed_or_is_refused(key_type: str, method: str) -> None:
    who = signer(key_type)
    signature = read(who.properties(DATA, "id", method))
    judge(signature, who, DATA)
    with pytest.raises(SignatureInvalid):
        judge(signature, who, DATA[:-1] + b"!")


@pytest.mark.parametrize("salt", [None, 0, 32])
def test_in_the_scheme_of_liberty_the_checksum_is_signed(salt: int | None) -> None:
    who = signer()
    signature = read(who.liberty_properties(DATA, "id", salt=salt))
    judge(signature, who, DATA)
    with pytest.raises(SignatureInvalid):
        judge(signature, who, DATA + b"!")


def test_the_length_of_the_salt_must_be_right() -> None:
    properties = signer().liberty_properties(DATA, "id", salt=32)
    for wrong in ("33", "9999"):
        with pytest.raises(SignatureInvalid):
            judge(read({**properties, "pss_salt_length": wrong}), signer(), DATA)


def test_the_digest_of_somebody_else_will_do() -> None:
    verifier = Verifier(read(signer().properties(DATA, "id", "SHA-512")), signer().certificate)
    assert verifier.algorithm == "sha512"
    verifier.check(hashlib.sha512(DATA).digest())
    with pytest.raises(SignatureInvalid):
        verifier.check(hashlib.sha512(b"other").digest())


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_another_key_of_the_same_type_did_not_sign(key_type: str) -> None:
    with pytest.raises(SignatureInvalid):
        judge(read(signer(key_type).properties(DATA, "id")), signer(key_type, number=1), DATA)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_truncated_signature(key_type: str) -> None:
    properties = signer(key_type).properties(DATA, "id")
    with pytest.raises(SignatureInvalid):
        judge(read({**properties, "img_signature": properties["img_signature"][:40]}), signer(key_type), DATA)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_certificate_with_another_type_of_key(key_type: str) -> None:
    other = KEY_TYPES[KEY_TYPES.index(key_type) - 1]
    with pytest.raises(Invalid, match=f"its key is {other}, not {key_type}"):
        Verifier(read(signer(key_type).properties(DATA, "id")), signer(other).certificate)


def test_curves_that_no_key_type_names_make_no_signatures() -> None:
    assert key_type_of(ec.generate_private_key(ec.SECP256R1())) is None
