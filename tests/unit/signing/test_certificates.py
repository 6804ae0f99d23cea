from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from glimpse.domain.errors import Invalid
from glimpse.signing.certificates import check_certificate, read_certificate, read_trust_store
from tests.keys import DAY, KEY_TYPES, signer

NOW = datetime.now(UTC)


def test_der_and_pem() -> None:
    who = signer()
    assert read_certificate(who.der) == read_certificate(who.pem) == who.certificate


@pytest.mark.parametrize(
    "data", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAA==\n", b"\x30\x00"]
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(Invalid, match=r"it is no X\.509"):
        read_certificate(data)


def test_the_time_of_a_certificate() -> None:
    check_certificate(signer().certificate, NOW)
    with pytest.raises(Invalid, match="it expired on"):
        check_certificate(signer().certificate, NOW + timedelta(days=2))
    with pytest.raises(Invalid, match="it is valid from"):
        check_certificate(signer().certificate, NOW - timedelta(days=2))


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_certificate_that_is_trusted_itself(key_type: str) -> None:
    who = signer(key_type)
    check_certificate(who.certificate, NOW, [signer(number=7).certificate, who.certificate])


@pytest.mark.parametrize("key_type", [name for name in KEY_TYPES if name != "DSA"])
def test_a_certificate_by_a_trusted_authority(key_type: str) -> None:
    root = signer("ECC_SECP384R1", number=8, authority=True)
    who = signer(key_type, issuer=root)
    check_certificate(who.certificate, NOW, [root.certificate])
    with pytest.raises(Invalid, match="does not lead to a trusted certificate"):
        check_certificate(who.certificate, NOW, [signer(number=9, authority=True).certificate])


def test_nobody_else_may_issue() -> None:
    no_authority = signer("ECC_SECP384R1", number=8)
    who = signer(issuer=no_authority)
    with pytest.raises(Invalid, match="does not lead to a trusted certificate"):
        check_certificate(who.certificate, NOW, [no_authority.certificate])


def test_an_authority_that_has_expired() -> None:
    root = signer("ECC_SECP384R1", number=8, authority=True, begins=-3 * DAY, ends=-DAY)
    with pytest.raises(Invalid, match="does not lead to a trusted certificate"):
        check_certificate(signer(issuer=root).certificate, NOW, [root.certificate])


def test_the_trust_store_is_a_pem_file(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(signer().pem + signer(number=1).pem)
    assert read_trust_store(file) == (signer().certificate, signer(number=1).certificate)
    file.write_bytes(b"nothing")
    with pytest.raises(Invalid, match="PEM certificates are expected"):
        read_trust_store(file)
    with pytest.raises(Invalid, match="No such file"):
        read_trust_store(tmp_path / "missing")
