"""Who may do what to which custom property: the operator's property protection file.

    [^x_billing_]              regular expressions, searched in the name; the first section that fits decides
    create = admin,billing     roles; or with the rule format `policies` the name of one policy rule
    read = @                   everybody
    update = admin,billing
    delete = !                 nobody

A property that fits no section is closed to all. The service's own properties (`os_glance…`) are open.
"""

import configparser
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from oslo_config import cfg

from glimpse.access.policy import OsloPolicy
from glimpse.domain.attributes import RESERVED_PREFIX
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid

LOG = logging.getLogger(__name__)

OPERATIONS = ("create", "read", "update", "delete")
EVERYBODY, NOBODY = "@", "!"

_OPTION = "property_protection_file"


@dataclass(frozen=True, slots=True)
class Section:
    """For each operation on the properties that fit `pattern`: roles, or one policy rule, or `@`."""

    pattern: re.Pattern[str]
    words: Mapping[str, frozenset[str]]


class PropertyProtection:
    """The port `PropertyRules`. With `policy` the words are its rules, without one they are roles."""

    def __init__(self, sections: tuple[Section, ...], policy: OsloPolicy | None) -> None:
        self._sections = sections
        self._policy = policy
        # Searching the expressions takes longer than all else.
        self._words = lru_cache(maxsize=4096)(self._find)

    def allows(self, operation: str, name: str, caller: Caller) -> bool:
        """Whether `caller` may do this to the property of this name. The roles of a service count, too."""
        words = self._words(operation, name)
        if EVERYBODY in words:
            return True
        if self._policy is not None:
            return any(self._policy.allows(rule, caller, {}) for rule in words)
        return not (words.isdisjoint(caller.roles) and words.isdisjoint(caller.service_roles))

    def _find(self, operation: str, name: str) -> frozenset[str]:
        if name.startswith(RESERVED_PREFIX):
            return frozenset({EVERYBODY})
        found = (section.words[operation] for section in self._sections if section.pattern.search(name))
        return next(found, frozenset())


def read_protection(config: cfg.ConfigOpts, policy: OsloPolicy) -> PropertyProtection | None:
    """The protection that the configuration names; None: no file is named, and all properties are open.

    :raises Invalid: the file is not there or will not do; names it, the section and the option.
    """
    name = config.property_protection_file
    if not name:
        return None
    path = config.find_file(name)
    if path is None:
        raise Invalid(_OPTION, f"there is no file {name}")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            parser.read_file(file)
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        raise Invalid(_OPTION, f"{path}: {error}") from None
    by_policy = config.property_protection_rule_format == "policies"
    sections = tuple(_sections(parser, path, policy if by_policy else None))
    return PropertyProtection(sections, policy if by_policy else None)


def _sections(parser: configparser.ConfigParser, path: str, policy: OsloPolicy | None) -> Iterator[Section]:
    for name in parser.sections():
        # These are the service's own, whatever the file says.
        if name.lstrip("^").startswith(RESERVED_PREFIX):
            continue
        place = f"{path}: section [{name}]"
        try:
            pattern = re.compile(name)
        except re.error as error:
            raise Invalid(_OPTION, f"{place} is no regular expression: {error}") from None
        words = {one: _words(parser, name, one, place, policy) for one in OPERATIONS}
        yield Section(pattern, words)


def _words(
    parser: configparser.ConfigParser, section: str, operation: str, place: str, policy: OsloPolicy | None
) -> frozenset[str]:
    if not parser.has_option(section, operation):
        raise Invalid(_OPTION, f"{place} lacks the option {operation}")
    words = {word.strip() for word in parser.get(section, operation).split(",")} - {""}
    place = f"{place}, option {operation}"
    if {EVERYBODY, NOBODY} <= words:
        raise Invalid(_OPTION, f"{place}: everybody (@) and nobody (!) exclude each other")
    if not words:
        LOG.warning("%s is empty: nobody may do that", place)
    if EVERYBODY in words:
        return frozenset({EVERYBODY})
    if NOBODY in words:
        return frozenset()
    if policy is None:
        return frozenset(word.lower() for word in words)
    if len(words) > 1:
        raise Invalid(_OPTION, f"{place}: exactly one policy rule is expected")
    unknown = next((rule for rule in words if not policy.knows(rule)), None)
    if unknown is not None:
        raise Invalid(_OPTION, f"{place}: there is no policy rule {unknown}")
    return frozenset(words)
