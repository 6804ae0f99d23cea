"""Who may use the registry: API nodes that know the secret, or whose account in Keystone is a service's."""

import hmac
from collections.abc import Collection, Mapping

from glimpse.access.identity import Identity
from glimpse.domain.errors import Forbidden, Unauthenticated
from glimpse.registry.server import Gate

_SCHEME = "Bearer "


def by_secret(secret: str) -> Gate:
    """Let in who sends the secret as a bearer token (RFC 6750)."""
    expected = secret.encode()

    async def gate(_: str, headers: Mapping[str, str]) -> None:
        given = headers.get("authorization", "")
        if not given.startswith(_SCHEME):
            raise Unauthenticated("Send registry_secret as a bearer token.")
        # Takes the same time wherever the two differ.
        if not hmac.compare_digest(given[len(_SCHEME) :].encode(), expected):
            raise Unauthenticated("The registry_secret is another one here.")

    return gate


def by_keystone(identity: Identity, roles: Collection[str]) -> Gate:
    """Let in whose token of Keystone has one of these roles."""

    async def gate(path: str, headers: Mapping[str, str]) -> None:
        caller = await identity.caller("POST", path, headers)
        if not caller.roles & frozenset(role.lower() for role in roles):
            raise Forbidden(f"The account of an API node needs one of the roles {', '.join(sorted(roles))}.")

    return gate


async def for_all(_: str, __: Mapping[str, str]) -> None:
    """Let everybody in: this machine's, or those whose certificates have been checked."""


def secret_headers(secret: str) -> Mapping[str, str]:
    """The headers that `by_secret` asks for."""
    return {"authorization": f"{_SCHEME}{secret}"}
