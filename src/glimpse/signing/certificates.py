"""Certificates: where they come from, and whether they may be believed."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid

FIELD = "signature certificate"


class KeyManager(Protocol):
    """Who keeps certificates. Calls block, and may come from several threads at once."""

    def certificate(self, reference: str, caller: Caller) -> x509.Certificate:
        """The certificate that is known by `reference` (letters, digits, - and _), as `caller` may see it.

        :raises Invalid: there is none, it is not the caller's to see, or it is no X.509 certificate.
        :raises Unavailable: the key manager does not answer.
        """


def read_certificate(data: bytes) -> x509.Certificate:
    """A certificate from DER or PEM. :raises Invalid: it is none."""
    try:
        if data.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError:
        raise Invalid(FIELD, "it is no X.509 certificate") from None


def read_trust_store(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file. :raises Invalid: the file cannot be read, or has none."""
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise Invalid("signature_trust_store", f"{path}: {error.strerror}") from None
    except ValueError:
        raise Invalid("signature_trust_store", f"{path}: PEM certificates are expected") from None


def check_certificate(
    certificate: x509.Certificate, now: datetime, trusted: Sequence[x509.Certificate] | None = None
) -> None:
    """Judge a certificate at the time `now` (with time zone), by those `trusted` (None: any will do).

    One that is trusted itself needs no other; else one of them (there must be one at least) has issued it, as
    RFC 5280 rules.

    :raises Invalid: it is not valid yet or any more, or its chain does not end at one that is trusted.
    """
    if now < certificate.not_valid_before_utc:
        raise Invalid(FIELD, f"it is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC on")
    if now > certificate.not_valid_after_utc:
        raise Invalid(FIELD, f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC")
    if trusted is None or certificate in trusted:
        return
    anything = ExtensionPolicy.permit_all()
    authority = ExtensionPolicy.webpki_defaults_ca()
    policy = PolicyBuilder().store(Store(list(trusted))).time(now)
    verifier = policy.extension_policies(ca_policy=authority, ee_policy=anything).build_client_verifier()
    try:
        verifier.verify(certificate, [])
    except VerificationError as error:
        raise Invalid(FIELD, f"it does not lead to a trusted certificate: {error}") from None
