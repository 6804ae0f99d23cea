"""Spans of traces: what the parts of the service tell of their work, if anybody looks.

`tracing.exporting` gives them to OpenTelemetry. Until it does, a span costs the call of a function.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Attributes = Mapping[str, str | int]
Span = AbstractContextManager[object]


class Tracer(Protocol):
    """What makes spans of what it is told."""

    def work(self, name: str, attributes: Attributes) -> Span:
        """A span that is the parent of those that begin inside it. It ends in the task that began it."""

    def call(self, name: str, attributes: Attributes) -> Span:
        """A span without children in that of some work; it may end in another task or thread."""


_NOTHING: Attributes = {}
_UNTRACED = nullcontext()
_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """Tell this tracer from now on; None: nobody."""
    global _tracer
    _tracer = tracer


def traced() -> bool:
    """Whether anybody is told."""
    return _tracer is not None


def work(name: str, attributes: Attributes = _NOTHING) -> Span:
    """Work that has parts, for the length of a block in one task."""
    return _UNTRACED if _tracer is None else _tracer.work(name, attributes)


def call(name: str, attributes: Attributes = _NOTHING) -> Span:
    """A call on another part or another host, for the length of a block."""
    return _UNTRACED if _tracer is None else _tracer.call(name, attributes)
