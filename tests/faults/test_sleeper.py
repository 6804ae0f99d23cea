"""A worker that sleeps longer than its lease finds its write taken over, and can do no harm any more."""

import os
import signal

import pytest

from tests.faults.promises import (
    QUICK_LEASE,
    check_promises,
    files,
    intents,
    new_image,
    show,
    upload,
    wait_until,
)
from tests.faults.wire import Upload
from tests.server import Server

pytestmark = pytest.mark.faults

SIZE = 2_000_000


def send_signal(server: Server, number: signal.Signals) -> None:
    assert server.process is not None
    os.killpg(server.process.pid, number)


@pytest.mark.parametrize("before", [SIZE // 2, SIZE - 1])
@pytest.mark.parametrize("again", [True, False], ids=["uploaded again meanwhile", "left alone"])
def test_sleeper(server: Server, before: int, again: bool) -> None:
    old, new = b"o" * SIZE, b"n" * SIZE
    sleeper = Server(server.state, QUICK_LEASE, name="sleeper")
    sleeper.start()
    try:
        with server.client() as api:
            image = new_image(api)
            with Upload(sleeper, image, old) as current:
                current.send(before)
                wait_until("it has begun", lambda: show(api, image)["status"] == "saving")
                send_signal(sleeper, signal.SIGSTOP)
                wait_until("it is taken over", lambda: show(api, image)["status"] == "queued")
                assert files(server.state) == set()
                if again:
                    upload(api, image, new)
                send_signal(sleeper, signal.SIGCONT)
                status = current.finish()
            assert status is None or status in (409, 410)
            wait_until("nothing is under way", lambda: not intents(server.state))
            assert show(api, image)["status"] == ("active" if again else "queued")
        check_promises(server, {image: new})
    finally:
        send_signal(sleeper, signal.SIGCONT)
        sleeper.stop()
