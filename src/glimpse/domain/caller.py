"""Who is calling."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated (or anonymous) caller of the service; roles are in lower case."""

    user_id: str | None = None
    project_id: str | None = None
    roles: frozenset[str] = frozenset()
    is_admin: bool = False
    read_only: bool = False
    # What policy rules may look at beyond the fields above, by oslo.policy's names.
    credentials: Mapping[str, object] = field(default_factory=dict)
