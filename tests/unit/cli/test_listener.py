import pickle
import socket
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler

import pytest

from glimpse.cli.listener import Listener, bind
from glimpse.domain.errors import Unavailable


@pytest.fixture
def listener() -> Iterator[Listener]:
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        listener.setblocking(False)
        yield listener


def _clients(listener: Listener, count: int) -> list[socket.socket]:
    return [socket.create_connection(listener.getsockname()) for _ in range(count)]


def test_one_connection_in_each_turn(listener: Listener) -> None:
    clients = _clients(listener, 3)
    for client in clients:
        connection, peer = listener.accept()
        assert peer == client.getsockname()
        with pytest.raises(BlockingIOError):
            listener.accept()
        connection.close()
        client.close()


def test_a_turn_without_a_connection_takes_none_from_the_next(listener: Listener) -> None:
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            listener.accept()
    (client,) = _clients(listener, 1)
    listener.accept()[0].close()
    client.close()


def test_small_answers_are_not_delayed(listener: Listener) -> None:
    assert listener.proto == socket.IPPROTO_TCP


def test_a_worker_gets_it_from_its_parent(listener: Listener) -> None:
    (client,) = _clients(listener, 1)
    with pickle.loads(ForkingPickler.dumps(listener)) as of_worker:
        assert type(of_worker) is Listener
        assert of_worker.proto == socket.IPPROTO_TCP
        connection, peer = of_worker.accept()
    assert peer == client.getsockname()
    connection.close()
    client.close()


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1:"), ("192.0.2.1", "192.0.2.1:"), ("2001:db8::1", "2001:db8::1:")],
)
def test_an_address_that_cannot_be_bound(listener: Listener, host: str, shown: str) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(Unavailable, match=f"address {shown}{port}"):
        bind(host, port)
