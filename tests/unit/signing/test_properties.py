from pathlib import Path

import pytest

from glimpse.domain.errors import Invalid
from glimpse.signing.properties import CURRENT, LIBERTY, Signature, signature_of

GIVEN = {
    "img_signature": "AAEC",
    "img_signature_hash_method": "SHA-384",
    "img_signature_key_type": "ECC_SECP384R1",
    "img_signature_certificate_uuid": "5d7c1b7e-8a3c-4c6e-9a11-0a1b2c3d4e5f",
}
OLD = {
    "signature": "AAEC",
    "signature_hash_method": "SHA-256",
    "signature_key_type": "RSA-PSS",
    "signature_certificate_uuid": "old",
}


def test_the_current_set() -> None:
    found = signature_of({"os_distro": "debian", **GIVEN})
    assert found == Signature(b"\0\1\2", "SHA-384", "ECC_SECP384R1", GIVEN["img_signature_certificate_uuid"])
    assert found.algorithm == "sha384"


def test_the_set_of_liberty() -> None:
    found = signature_of({**OLD, "mask_gen_algorithm": "MGF1", "pss_salt_length": "32"})
    assert found == Signature(b"\0\1\2", "SHA-256", "RSA-PSS", "old", of_checksum=True, salt_length=32)
    assert found.algorithm == "md5"


def test_the_current_set_wins() -> None:
    found = signature_of({**OLD, **GIVEN})
    assert found is not None
    assert not found.of_checksum


@pytest.mark.parametrize("properties", [{}, {"signature": "Yours, Bob"}, dict.fromkeys(CURRENT), {"hw": "1"}])
def test_no_signature(properties: dict[str, str | None]) -> None:
    assert signature_of(properties) is None


@pytest.mark.parametrize("name", CURRENT)
@pytest.mark.parametrize("left", [None, ""])
def test_a_current_set_with_a_gap_is_refused(name: str, left: str | None) -> None:
    with pytest.raises(Invalid) as caught:
        signature_of({**GIVEN, name: left})
    assert caught.value.field == name


@pytest.mark.parametrize("name", LIBERTY)
def test_a_set_of_liberty_with_a_gap_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        signature_of({key: value for key, value in OLD.items() if key != name})
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("img_signature", "not base64!"),
        ("img_signature", "AAE"),
        ("img_signature", "ÄÖÜ="),
        ("img_signature_hash_method", "MD5"),
        ("img_signature_hash_method", "SHA-1"),
        ("img_signature_hash_method", "sha-256"),
        ("img_signature_key_type", "RSA"),
        ("img_signature_key_type", "ECC_SECP256K1"),
        ("img_signature_certificate_uuid", "../../etc/passwd"),
        ("img_signature_certificate_uuid", "a/../../v1/secrets"),
        ("img_signature_certificate_uuid", "a?b"),
        ("img_signature_certificate_uuid", "x\n"),
        ("img_signature_certificate_uuid", "x" * 129),
    ],
)
def test_a_value_that_will_not_do(name: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        signature_of({**GIVEN, name: value})
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature_key_type", "DSA"),
        ("signature_hash_method", "MD5"),
        ("mask_gen_algorithm", "MGF2"),
        ("pss_salt_length", "-1"),
        ("pss_salt_length", "many"),
        ("pss_salt_length", "99999"),
    ],
)
def test_a_value_of_liberty_that_will_not_do(name: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        signature_of({**OLD, name: value})
    assert caught.value.field == name


def test_base64_may_have_broken_lines() -> None:
    found = signature_of({**GIVEN, "img_signature": "AA\nEC\n"})
    assert found is not None
    assert found.value == b"\0\1\2"


def test_the_names_are_those_of_the_metadata_definitions() -> None:
    document = Path(__file__).parents[3] / "src/glimpse/metadefs/image-signature-verification.json"
    assert all(f'"{name}"' in document.read_text() for name in CURRENT)
