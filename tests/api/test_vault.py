"""Certificates in a key manager that speaks as Vault does: a web server on the loopback plays it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE
from tests.keys import signer

DATA = b"some data" * 1000


class Vault(BaseHTTPRequestHandler):
    """The version 2 of Vault's key-value store: one certificate, one token, and a path that breaks."""

    def do_GET(self) -> None:
        """Read a secret."""
        value = {"type": "certificate", "value": signer().der.hex(), "name": None, "created": None}
        if self.headers.get("X-Vault-Token") != "hers":
            self._reply(403, {"errors": ["permission denied"]})
        elif self.path == "/v1/secret/data/mine":
            self._reply(200, {"data": {"data": value}})
        elif self.path == "/v1/secret/data/broken":
            self._reply(503, {"errors": ["Vault is sealed"]})
        else:
            self._reply(404, {"errors": []})

    def _reply(self, status: int, document: object) -> None:
        body = orjson.dumps(document)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def vault() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vault)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("reference", "token", "status", "text"),
    [
        ("mine", "hers", 204, ""),
        ("other", "hers", 400, "none is known by the identifier other"),
        ("broken", "hers", 503, "The key manager is not available"),
        ("mine", "forged", 400, "does not give mine to you"),
    ],
)
def test_vault(make_world: MakeWorld, vault: str, reference: str, token: str, status: int, text: str) -> None:
    options = f"[key_manager]\nbackend = vault\n[vault]\nvault_url = {vault}\nroot_token_id = {token}\n"
    alice = make_world(options).client(ALICE)
    image = alice.create(**signer().properties(DATA, reference))
    answer = alice.upload(image["id"], DATA)
    assert answer.status_code == status
    assert text in answer.text
    assert "forged" not in answer.text
    assert alice.show(image["id"])["status"] == ("active" if status == 204 else "queued")
