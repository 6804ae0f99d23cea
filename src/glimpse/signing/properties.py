"""Which properties of an image make a signature, and what they say.

Two sets are known. The current one (`img_signature*`, since Mitaka) signs the image's data. That of Liberty
signs the MD5 of the data, as hexadecimal text: its names have been ordinary properties since Newton, so that
they make a signature only where they are unmistakable.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from glimpse.domain.errors import Invalid

# The hashes that may be signed, by their names in properties, with hashlib's. Weaker ones are refused.
HASHES: Mapping[str, str] = {f"SHA-{bits}": f"sha{bits}" for bits in (224, 256, 384, 512)}

RSA_PSS = "RSA-PSS"
DSA = "DSA"
# Elliptic curves, by the key types of properties, with the names of SEC 2.
CURVES: Mapping[str, str] = {
    f"ECC_{curve.upper()}": curve
    for curve in ("secp384r1", "secp521r1", "sect409k1", "sect409r1", "sect571k1", "sect571r1")
}
KEY_TYPES = (RSA_PSS, DSA, *CURVES)

SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE = CURRENT = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)
LIBERTY = tuple(name.removeprefix("img_") for name in CURRENT)
MASK, SALT = "mask_gen_algorithm", "pss_salt_length"

# Key managers make a path of a URL or of a file from it.
_REFERENCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as properties give it.

    `certificate` is what the key manager knows the certificate by. `of_checksum`: as in Liberty, what is
    signed is the MD5 of the data. `salt_length` is that of RSA-PSS in bytes (None: the longest that fits).
    """

    value: bytes
    hash_method: str
    key_type: str
    certificate: str
    of_checksum: bool = False
    salt_length: int | None = None

    @property
    def algorithm(self) -> str:
        """The digest of the data that is needed, by hashlib's name."""
        return "md5" if self.of_checksum else HASHES[self.hash_method]


def signature_of(properties: Mapping[str, str | None]) -> Signature | None:
    """The signature that properties of an image make, None if they make none. The current set wins.

    :raises Invalid: a set is not complete, or a value will not do; names the property.
    """
    if any(properties.get(name) for name in CURRENT):
        return _read(properties, CURRENT)
    # One of these names alone may be anybody's.
    if sum(bool(properties.get(name)) for name in LIBERTY) > 1:
        return _read(properties, LIBERTY)
    return None


def _read(properties: Mapping[str, str | None], names: tuple[str, ...]) -> Signature:
    value, hash_method, key_type, certificate = (properties.get(name) or "" for name in names)
    for name in names:
        if not properties.get(name):
            raise Invalid(name, f"a signature needs all of {', '.join(names)}")
    liberty = names == LIBERTY
    _choose(names[1], hash_method, tuple(HASHES))
    _choose(names[2], key_type, (RSA_PSS,) if liberty else KEY_TYPES)
    if not _REFERENCE.match(certificate):
        raise Invalid(names[3], "the identifier of a certificate is expected: letters, digits, - and _")
    salt = _salt_length(properties) if liberty else None
    return Signature(_decoded(names[0], value), hash_method, key_type, certificate, liberty, salt)


def _choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise Invalid(name, f"'{value[:60]}' is not one of {', '.join(choices)}")


def _decoded(name: str, value: str) -> bytes:
    try:
        # Programs that write base64 break its lines.
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(name, "base64 is expected") from None


def _salt_length(properties: Mapping[str, str | None]) -> int | None:
    _choose(MASK, properties.get(MASK) or "MGF1", ("MGF1",))
    text = properties.get(SALT)
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,4}", text):
        raise Invalid(SALT, f"'{text[:60]}' is no number of bytes")
    return int(text)
