"""The operator's policy, by oslo.policy."""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from glimpse.access.rules import rules
from glimpse.domain.caller import Caller

_ATTRIBUTE = re.compile(r"%\((\w+)\)s")
_RULE = re.compile(r"\brule:([\w:-]+)")
# A check that asks somebody else may look at the whole target.
_ASKS_ELSEWHERE = re.compile(r"\bhttps?:")

# A changed policy file counts after at most this long.
REFRESH_SECONDS = 1.0


class OsloPolicy:
    """The port `Policy`: the default rules, overlaid with the operator's policy file where there is one."""

    def __init__(self, config: cfg.ConfigOpts) -> None:
        self._enforcer = oslo_policy.Enforcer(config)
        for name, check in rules():
            self._enforcer.register_default(oslo_policy.RuleDefault(name, check))
        self._refreshing = threading.Lock()
        self._fresh_until = 0.0
        self._refresh()

    def allows(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        """Whether `caller` may do `rule` to `target`. An unknown rule falls back to the rule `default`."""
        self._refresh()
        credentials = {**caller.credentials, **_credentials(caller)}
        return bool(self._enforcer.enforce(rule, target, credentials))

    def is_admin(self, caller: Caller) -> bool:
        """Whether the caller counts as administrator (rule `context_is_admin`)."""
        return self.allows("context_is_admin", caller, {})

    def attributes(self, rule: str) -> frozenset[str] | None:
        """The target attributes on which the answer for `rule` depends; None if that cannot be told."""
        self._refresh()
        names: set[str] = set()
        waiting, seen = [rule], set[str]()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            check = str(self._enforcer.rules.get(name, ""))
            if _ASKS_ELSEWHERE.search(check):
                return None
            names.update(_ATTRIBUTE.findall(check))
            waiting.extend(set(_RULE.findall(check)) - seen)
        return frozenset(names)

    def _refresh(self) -> None:
        """Read changed policy files; not at every question, where looking would be a tenth of a `show`."""
        now = time.monotonic()
        if now < self._fresh_until or not self._refreshing.acquire(blocking=False):
            return
        try:
            self._enforcer.use_conf = True
            self._enforcer.load_rules()
            self._enforcer.use_conf = False
            self._fresh_until = now + REFRESH_SECONDS
        finally:
            self._refreshing.release()


def _credentials(caller: Caller) -> dict[str, Any]:
    return {
        "user_id": caller.user_id,
        "project_id": caller.project_id,
        "roles": list(caller.roles),
        "is_admin": caller.is_admin,
    }
