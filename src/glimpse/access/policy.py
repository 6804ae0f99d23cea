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

# A changed policy file counts after at most this long; so long answers are remembered, too.
REFRESH_SECONDS = 1.0
REMEMBER_ANSWERS = 10_000

_ATTRIBUTE = re.compile(r"%\(([^)]*)\)s")
_RULE = re.compile(r"\brule:([^\s()]+)")
# A check that asks somebody else may look at the whole target.
_ASKS_ELSEWHERE = re.compile(r"\bhttps?:")


class OsloPolicy:
    """The port `Policy`: the default rules, overlaid with the operator's policy file where there is one.

    oslo.policy takes about 100 us for an answer, a fifth of a `show`. So answers are remembered by what they
    depend on: the rule, the caller, and those attributes of the target that the rule's text names.
    """

    def __init__(self, config: cfg.ConfigOpts) -> None:
        self._enforcer = oslo_policy.Enforcer(config)
        for name, check in rules():
            self._enforcer.register_default(oslo_policy.RuleDefault(name, check))
        self._refreshing = threading.Lock()
        self._fresh_until = 0.0
        self._names: dict[str, frozenset[str] | None] = {}
        self._answers: dict[tuple[object, ...], bool] = {}
        self._refresh()

    def allows(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        """Whether `caller` may do `rule` to `target`. An unknown rule falls back to the rule `default`."""
        self._refresh()
        names = self.attributes(rule)
        if names is None:
            return self._ask(rule, caller, target)
        # Rules compare texts.
        key = (rule, caller, *(str(target.get(name)) for name in names))
        answer = self._answers.get(key)
        if answer is None:
            answer = self._ask(rule, caller, target)
            if len(self._answers) < REMEMBER_ANSWERS:
                self._answers[key] = answer
        return answer

    def is_admin(self, caller: Caller) -> bool:
        """Whether the caller counts as administrator (rule `context_is_admin`)."""
        return self.allows("context_is_admin", caller, {})

    def attributes(self, rule: str) -> frozenset[str] | None:
        """The target attributes on which the answer for `rule` depends; None if that cannot be told."""
        if rule not in self._names:
            self._names[rule] = self._read_attributes(rule)
        return self._names[rule]

    def _read_attributes(self, rule: str) -> frozenset[str] | None:
        loaded: Mapping[Any, object] = self._enforcer.rules
        names: set[str] = set()
        waiting, seen = [rule], set[str]()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            # A name that is missing means the rule `default` here.
            check = str(loaded.get(name) or loaded.get("default", ""))
            if _ASKS_ELSEWHERE.search(check):
                return None
            names.update(_ATTRIBUTE.findall(check))
            waiting.extend(set(_RULE.findall(check)) - seen)
        return frozenset(names)

    def _ask(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        # Nobody's image is not the image of everybody who has no project.
        known = {name: value for name, value in target.items() if value is not None}
        return bool(self._enforcer.enforce(rule, known, _credentials(caller)))

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._fresh_until or not self._refreshing.acquire(blocking=False):
            return
        try:
            # Left on, this would make oslo.policy look at its files at every question.
            self._enforcer.use_conf = True
            self._enforcer.load_rules()
            self._enforcer.use_conf = False
            # New dictionaries rather than emptied ones: other threads may be using the old.
            self._names, self._answers = {}, {}
            self._fresh_until = now + REFRESH_SECONDS
        finally:
            self._refreshing.release()


def _credentials(caller: Caller) -> dict[str, Any]:
    credentials: dict[str, Any] = dict(caller.credentials)
    credentials |= {
        "roles": list(caller.roles),
        "is_admin": caller.is_admin,
        "user_id": caller.user_id or "",
        "project_id": caller.project_id or "",
    }
    return credentials
