"""The Barbican that `make services-all` starts, behind Keystone."""

import base64
from dataclasses import dataclass

import httpx

from tests.clients.keystone import service_address


@dataclass(frozen=True)
class Barbican:
    """Where it is."""

    url: str

    def keep(self, token: str, certificate: bytes) -> str:
        """The identifier of a certificate (PEM) that the owner of the token gives it."""
        secret = {
            "secret_type": "certificate",
            "payload": base64.b64encode(certificate).decode(),
            "payload_content_type": "application/octet-stream",
            "payload_content_encoding": "base64",
        }
        headers = {"X-Auth-Token": token}
        answer = httpx.post(
            f"{self.url}/v1/secrets", json=secret, headers=headers, trust_env=False, timeout=60
        )
        return str(answer.raise_for_status().json()["secret_ref"]).rpartition("/")[2]


def find_barbican() -> Barbican | None:
    """The one that `make services-all` has started, if it answers."""
    url = service_address("BARBICAN_URL")
    if url is None:
        return None
    try:
        httpx.get(url, trust_env=False, timeout=10)
    except httpx.HTTPError:
        return None
    return Barbican(url)
