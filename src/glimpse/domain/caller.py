"""Who is calling."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated (or anonymous) caller of the service; roles are in lower case."""

    user_id: str | None = None
    project_id: str | None = None
    roles: frozenset[str] = frozenset()
    is_admin: bool = False
    read_only: bool = False
    # What policy rules may look at beyond the fields above, by oslo.policy's names.
    credentials: tuple[tuple[str, str], ...] = ()
