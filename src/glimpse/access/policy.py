"""The operator's policy, by oslo.policy."""

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from glimpse.access.rules import OWNED, rules
from glimpse.domain.caller import Caller

LOG = logging.getLogger(__name__)

# A changed policy file counts after at most this long; so long answers are remembered, too.
REFRESH_SECONDS = 1.0
REMEMBER_ANSWERS = 10_000

_ATTRIBUTE = re.compile(r"%\(([^)]*)\)s")
_REFERENCE = re.compile(r"\brule:([^\s()]+)")
# A check that asks somebody else may look at the whole target.
_ASKS_ELSEWHERE = re.compile(r"\bhttps?:")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The rules as the files had them at one time, and what was asked about them."""

    enforcer: oslo_policy.Enforcer
    stamp: tuple[object, ...]
    names: dict[str, frozenset[str] | None] = field(default_factory=dict)
    answers: dict[tuple[object, ...], bool] = field(default_factory=dict)


class OsloPolicy:
    """The port `Policy`: the default rules, overlaid with the operator's policy file where there is one.

    oslo.policy takes about 100 us for an answer, a fifth of a `show`. So answers are remembered by what they
    depend on: the rule, the caller, and those attributes of the target that the rule's text names.
    """

    def __init__(self, config: cfg.ConfigOpts) -> None:
        """:raises ValueError, OSError: a file will not do; `check_policy` says where."""
        self._config = config
        self._refreshing = threading.Lock()
        self._loaded = _load(config)
        self._owned = {} if config.oslo_policy.enforce_new_defaults else OWNED
        self._fresh_until = time.monotonic() + REFRESH_SECONDS

    def allows(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        """Whether `caller` may do `rule` to `target`. An unknown rule falls back to the rule `default`."""
        self._refresh()
        loaded = self._loaded
        names = _attributes(loaded, rule)
        if names is None:
            return self._ask(loaded, rule, caller, target)
        # Rules compare texts.
        owner = target.get(self._owned.get(rule, ""))
        key = (rule, caller, owner, *[str(target.get(name)) for name in names])
        answer = loaded.answers.get(key)
        if answer is None:
            answer = self._ask(loaded, rule, caller, target)
            if len(loaded.answers) < REMEMBER_ANSWERS:
                loaded.answers[key] = answer
        return answer

    def is_admin(self, caller: Caller) -> bool:
        """Whether the caller counts as administrator (rule `context_is_admin`)."""
        return self.allows("context_is_admin", caller, {})

    def knows(self, rule: str) -> bool:
        """Whether there is a rule of this name."""
        return rule in self._loaded.enforcer.rules

    def attributes(self, rule: str) -> frozenset[str] | None:
        """The target attributes on which the answer for `rule` depends; None if that cannot be told."""
        return _attributes(self._loaded, rule)

    def _ask(self, loaded: _Loaded, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        # Nobody's image is not the image of everybody who has no project.
        known = {name: value for name, value in target.items() if value is not None}
        owner = self._owned.get(rule)
        if owner is not None and not caller.is_admin and known.get(owner, "") != caller.project_id:
            return False
        return bool(loaded.enforcer.enforce(rule, known, _credentials(caller)))

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._fresh_until or not self._refreshing.acquire(blocking=False):
            return
        try:
            if _stamp(self._config) != self._loaded.stamp:
                # A new one rather than the old one filled anew: other threads may be asking it.
                self._loaded = _load(self._config)
            else:
                # Callers come and go, and so do their answers.
                self._loaded = replace(self._loaded, answers={})
        except (ValueError, OSError) as error:
            LOG.error("the policy files will not do, the rules stay as they were: %s", error)
        finally:
            self._fresh_until = time.monotonic() + REFRESH_SECONDS
            self._refreshing.release()


def policy_files(config: cfg.ConfigOpts) -> Iterator[Path]:
    """The operator's files in the order in which oslo.policy reads them, later ones winning."""
    options = config.oslo_policy
    main = config.find_file(options.policy_file)
    if main:
        yield Path(main)
    for folder in filter(None, map(config.find_file, options.policy_dirs)):
        yield from sorted(
            path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith(".")
        )


def _load(config: cfg.ConfigOpts) -> _Loaded:
    # Registers the options of [oslo_policy], too.
    enforcer = oslo_policy.Enforcer(config)
    stamp = _stamp(config)
    enforcer.suppress_default_change_warnings = enforcer.suppress_deprecation_warnings = True
    for rule in rules():
        enforcer.register_default(rule)
    enforcer.load_rules()
    # Left on, this would make oslo.policy look at its files at every question.
    enforcer.use_conf = False
    circle = find_circle({name: str(check) for name, check in enforcer.rules.items()})
    if circle is not None:
        raise ValueError(f"the rule {circle} refers to itself")
    return _Loaded(enforcer, stamp)


def find_circle(texts: Mapping[str, str]) -> str | None:
    """A rule that refers to itself, at once or by others: it could never be answered."""
    for name in texts:
        waiting, seen = [name], set[str]()
        while waiting:
            named = set(references(texts.get(waiting.pop(), "")))
            if name in named:
                return name
            waiting.extend(named - seen)
            seen |= named
    return None


def references(text: str) -> list[str]:
    """The rules that a rule's text refers to."""
    return _REFERENCE.findall(text)


def _stamp(config: cfg.ConfigOpts) -> tuple[object, ...]:
    files = [(path, path.stat()) for path in policy_files(config)]
    return tuple((path, status.st_mtime_ns, status.st_size, status.st_ino) for path, status in files)


def _attributes(loaded: _Loaded, rule: str) -> frozenset[str] | None:
    if rule not in loaded.names:
        loaded.names[rule] = _read_attributes(loaded.enforcer.rules, rule)
    return loaded.names[rule]


def _read_attributes(loaded: Mapping[Any, object], rule: str) -> frozenset[str] | None:
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
        waiting.extend(set(references(check)) - seen)
    return frozenset(names)


def _credentials(caller: Caller) -> dict[str, Any]:
    return {
        **dict(caller.credentials),
        "roles": list(caller.roles),
        "service_roles": list(caller.service_roles),
        "is_admin": caller.is_admin,
        "user_id": caller.user_id or "",
        "project_id": caller.project_id or "",
        "system_scope": caller.system_scope,
        "domain_id": caller.domain_id,
    }
