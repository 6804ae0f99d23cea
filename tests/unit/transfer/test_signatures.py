import asyncio
import threading

import pytest
from cryptography.x509 import Certificate

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.signing.certificates import KeyManager
from glimpse.transfer.signatures import Signatures, no_key_manager
from tests.keys import signer

ALICE = Caller("alice", "a", token="hers")
SIGNED = signer().properties(b"data", "id")


class Manager:
    """A key manager that answers when it is let go. `asked` is what for, and by whom."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Caller]] = []
        self.let_go = threading.Event()

    def certificate(self, reference: str, caller: Caller) -> Certificate:
        """See the port."""
        self.asked.append((reference, caller))
        assert self.let_go.wait(20)
        return signer().certificate


def test_the_certificate_is_fetched_in_the_name_of_the_caller() -> None:
    manager = Manager()
    manager.let_go.set()
    verifier = asyncio.run(Signatures(lambda: manager).verifier(SIGNED, ALICE))
    assert verifier is not None
    verifier.update(b"data")
    verifier.finish()
    assert manager.asked == [("id", ALICE)]


def test_without_a_signature_no_key_manager_is_needed() -> None:
    assert asyncio.run(Signatures(no_key_manager).verifier({"os_distro": "debian"}, ALICE)) is None
    with pytest.raises(Invalid, match="no key manager"):
        asyncio.run(Signatures(no_key_manager).verifier(SIGNED, ALICE))


def test_a_key_manager_is_opened_once_and_again_if_that_failed() -> None:
    manager, opened = Manager(), []
    manager.let_go.set()

    def open_manager() -> KeyManager:
        opened.append(1)
        if len(opened) == 1:
            raise Unavailable("key manager", "not yet")
        return manager

    signatures = Signatures(open_manager)
    with pytest.raises(Unavailable, match="not yet"):
        asyncio.run(signatures.verifier(SIGNED, ALICE))
    for _ in range(2):
        asyncio.run(signatures.verifier(SIGNED, ALICE))
    assert len(opened) == 2


def test_a_key_manager_that_hangs_is_given_up() -> None:
    manager = Manager()
    with pytest.raises(Unavailable, match=r"key manager is not available: it does not answer within 0\.05 s"):
        asyncio.run(Signatures(lambda: manager, patience=0.05).verifier(SIGNED, ALICE))
    manager.let_go.set()
