"""Addresses that services listen on and are reached at."""

import re

_LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|::1|localhost)\Z")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    return _LOOPBACK.match(host) is not None
