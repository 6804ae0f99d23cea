"""How the URLs of locations are kept: as they are, or encrypted as Glance does (`metadata_encryption_key`).

Glance's form has no mark and no proof: AES in CBC mode of the URL, a NUL, and random bytes other than NUL up
to a whole block; with its initialisation vector before it, as URL-safe base64. That alphabet has no colon,
which every URL has: so what is not encrypted is known from what is, and both may be in one database.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

_BLOCK = 16


class LocationUrls:
    """The form in which one database keeps URLs: encrypted by `key` (16, 24 or 32 bytes), or as they are."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key

    def kept(self, url: str) -> str:
        """A URL as it is kept; another text each time if it is encrypted."""
        if self._key is None:
            return url
        text = url.encode() + b"\0"
        padding = bytes(secrets.randbelow(255) + 1 for _ in range(-len(text) % _BLOCK))
        vector = secrets.token_bytes(_BLOCK)
        encryptor = Cipher(AES(self._key), CBC(vector)).encryptor()
        return urlsafe_b64encode(vector + encryptor.update(text + padding) + encryptor.finalize()).decode()

    def read(self, text: str) -> str:
        """The URL that is kept as `text`; what another key has encrypted stays as it is."""
        if self._key is None or ":" in text:
            return text
        try:
            data = urlsafe_b64decode(text)
            decryptor = Cipher(AES(self._key), CBC(data[:_BLOCK])).decryptor()
            padded = decryptor.update(data[_BLOCK:]) + decryptor.finalize()
            url = padded[: padded.rindex(b"\0")].decode()
        except (Error, ValueError):
            return text
        return url if ":" in url else text
