"""The request on whose behalf the program works, by the id that its client knows. Log lines name it."""

from contextvars import ContextVar

# Empty: no request's.
REQUEST: ContextVar[str] = ContextVar("request", default="")
