"""Somebody who listens to notifications on RabbitMQ, by a client that is not the sender's library."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer

_SERVICES = Path(__file__).parents[1] / ".services" / "env"
_NAME = "GLIMPSE_TEST_RABBITMQ_URL"

Message = dict[str, Any]


def rabbitmq_url() -> str:
    """Where RabbitMQ is; the test is skipped if it is not running."""
    lines = _SERVICES.read_text().splitlines() if _SERVICES.exists() else []
    url = os.environ.get(_NAME) or dict(line.split("=", 1) for line in lines).get(_NAME)
    if url is None:
        pytest.skip("RabbitMQ is not running; start it with: make services")
    return url


class Listener:
    """All messages of a topic, each once, in the order in which they came. Those in queues that are `durable`
    outlive the server.
    """

    def __init__(self, connection: Connection, topic: str, *, durable: bool = False) -> None:
        self.topic = topic
        self.messages: list[Message] = []
        self._connection = connection
        exchange = Exchange("glance", type="topic", durable=durable, auto_delete=False)
        # As the sender declares them: whoever comes first makes them.
        self._queues = [
            Queue(f"{topic}.{priority}", exchange, f"{topic}.{priority}", durable=durable)
            for priority in ("info", "error")
        ]

    def wait(self, enough: Callable[[list[Message]], bool], seconds: float = 30.0) -> list[Message]:
        """Listen until there is enough. :raises AssertionError: there was not."""
        deadline = time.monotonic() + seconds
        with Consumer(self._connection, self._queues, callbacks=[self._take]):
            while not enough(self.messages):
                assert time.monotonic() < deadline, [one["event_type"] for one in self.messages]
                try:
                    self._connection.drain_events(timeout=0.5)
                except TimeoutError:
                    continue
        return self.messages

    def types(self) -> list[str]:
        """The types of the events that came."""
        return [one["event_type"] for one in self.messages]

    def close(self) -> None:
        """Remove the queues."""
        for queue in self._queues:
            queue(self._connection).delete()

    def _take(self, body: Any, delivery: Any) -> None:
        document = body if isinstance(body, dict) else json.loads(body)
        # The envelope of messagingv2.
        message = json.loads(document["oslo.message"])
        # One that was on its way when the line broke may come again.
        if message["message_id"] not in [one["message_id"] for one in self.messages]:
            self.messages.append(message)
        delivery.ack()


@contextmanager
def listening(topic: str, server: str | None = None) -> Iterator[Listener]:
    """A listener for the length of a block; with durable queues if it has a `server` of its own."""
    url = (server or rabbitmq_url()).replace("rabbit://", "amqp://", 1)
    with Connection(url) as connection:
        listener = Listener(connection, topic, durable=server is not None)
        try:
            yield listener
        finally:
            listener.close()
