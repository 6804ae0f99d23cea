"""Who is calling."""

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An image service that a caller's catalogue of services names: where it is, and for whom."""

    region: str
    interface: str
    url: str


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated (or anonymous) caller of the service; roles are in lower case.

    `service_roles` are those of the service that passes the request on for its user. A caller whose token is
    for the system or for a domain has `system_scope` or `domain_id` and no project. `token` is what the
    caller showed, for calls to other services in their name, of which `image_endpoints` are those for images;
    two callers are equal without them.
    """

    user_id: str | None = None
    project_id: str | None = None
    roles: frozenset[str] = frozenset()
    is_admin: bool = False
    read_only: bool = False
    service_roles: frozenset[str] = frozenset()
    system_scope: str | None = None
    domain_id: str | None = None
    # What policy rules may look at beyond the fields above, by oslo.policy's names.
    credentials: tuple[tuple[str, str], ...] = ()
    token: str | None = field(default=None, repr=False, compare=False)
    image_endpoints: tuple[Endpoint, ...] = field(default=(), repr=False, compare=False)


# On whose behalf the program works; None: nobody's, as in jobs and when the dead are cleaned up after.
ON_BEHALF_OF: ContextVar[Caller | None] = ContextVar("on_behalf_of", default=None)
