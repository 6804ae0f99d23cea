"""A folder of certificates: the key manager of a service that stands alone."""

from pathlib import Path

from cryptography import x509

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.signing.certificates import FIELD, read_certificate


class CertificateFolder:
    """The file `ID.pem` of the folder is the certificate ID, for every caller. The port is `KeyManager`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def certificate(self, reference: str, caller: Caller) -> x509.Certificate:
        """See the port."""
        del caller
        try:
            return read_certificate((self._folder / f"{reference}.pem").read_bytes())
        except FileNotFoundError:
            raise Invalid(FIELD, f"none is known by the identifier {reference}") from None
        except OSError as error:
            raise Unavailable("key manager", f"a certificate cannot be read: {error.strerror}") from None
