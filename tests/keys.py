"""Keys and certificates for tests, and signatures as a user makes them: by `cryptography` alone."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey

KEY_TYPES = ("RSA-PSS", "DSA", "ECC_SECP384R1", "ECC_SECP521R1")
HASHES = {
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Signer:
    """Somebody with a key and a certificate for it."""

    key: PrivateKey
    certificate: x509.Certificate
    key_type: str

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def properties(self, data: bytes, reference: str, method: str = "SHA-256") -> dict[str, str]:
        """The current set."""
        values = (_sign(self.key, data, method), method, self.key_type, reference)
        names = ("", "_hash_method", "_key_type", "_certificate_uuid")
        return {f"img_signature{name}": value for name, value in zip(names, values, strict=True)}

    def liberty_properties(
        self, data: bytes, reference: str, method: str = "SHA-256", salt: int | None = None
    ) -> dict[str, str]:
        """The set of Liberty."""
        checksum = hashlib.md5(data).hexdigest().encode()
        values = (_sign(self.key, checksum, method, salt), method, self.key_type, reference)
        names = ("", "_hash_method", "_key_type", "_certificate_uuid")
        found = {f"signature{name}": value for name, value in zip(names, values, strict=True)}
        extra = {} if salt is None else {"pss_salt_length": str(salt)}
        return {**found, "mask_gen_algorithm": "MGF1", **extra}


def _sign(key: PrivateKey, data: bytes, method: str, salt: int | None = None) -> str:
    algorithm = HASHES[method]
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH if salt is None else salt)
        signed = key.sign(data, pss, algorithm)
    elif isinstance(key, dsa.DSAPrivateKey):
        signed = key.sign(data, algorithm)
    else:
        signed = key.sign(data, ec.ECDSA(algorithm))
    return base64.b64encode(signed).decode()


@cache
def key_of(key_type: str, number: int = 0) -> PrivateKey:
    """The same key whenever type and number are the same."""
    del number
    if key_type == "RSA-PSS":
        return rsa.generate_private_key(65537, 2048)
    if key_type == "DSA":
        return dsa.generate_private_key(1024)
    return ec.generate_private_key({"ECC_SECP384R1": ec.SECP384R1, "ECC_SECP521R1": ec.SECP521R1}[key_type]())


@cache
def signer(
    key_type: str = "RSA-PSS",
    *,
    number: int = 0,
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
    issuer: Signer | None = None,
    authority: bool = False,
) -> Signer:
    """Somebody whose certificate is valid between two times from now; without an issuer, their own."""
    key, now = key_of(key_type, number), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{key_type} {number}")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer.key if issuer else key).public_key()),
            critical=False,
        )
    )
    if authority:
        builder = builder.add_extension(_KEY_CERT_SIGN, critical=True).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    return Signer(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()), key_type)


_KEY_CERT_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
