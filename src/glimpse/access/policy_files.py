"""The operator's policy files, judged before the service starts.

oslo.policy takes an expression that it does not understand for "nobody", and says so in the log only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from glimpse.access.policy import find_circle, policy_files, references
from glimpse.access.rules import RULES
from glimpse.domain.errors import Invalid

_WORD = re.compile(r"[^\s()]+")
_NOBODY = type(oslo_policy.RuleDefault("nobody", "!").check)

# A rule's text, and where it is.
_Rule = tuple[str, str]


def check_policy(config: cfg.ConfigOpts) -> list[str]:
    """The names in the operator's files that are no rule and that no rule refers to: misspelled, or outdated.

    :raises Invalid: a file does not parse, or a rule's expression is none; names the file and the line.
    """
    # Registers the options of [oslo_policy].
    oslo_policy.Enforcer(config)
    found: dict[str, _Rule] = {}
    try:
        for path in policy_files(config):
            found.update(_read(path))
    except OSError as error:
        raise Invalid("policy_dirs", str(error)) from None
    for name, (text, place) in found.items():
        if not _is_rule(text):
            raise Invalid("policy_file", f"{place}: the rule {name} is not understood: {text!r}")
    circle = find_circle(RULES | {name: text for name, (text, _) in found.items()})
    if circle is not None:
        place = found[circle][1] if circle in found else next(iter(found.values()))[1]
        raise Invalid("policy_file", f"{place}: the rule {circle} refers to itself")
    used = {name for text, _ in found.values() for name in references(text)}
    return [name for name in found if name not in RULES and name not in used]


def _read(path: Path) -> Iterator[tuple[str, _Rule]]:
    try:
        node: yaml.Node | None = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)  # type: ignore[no-untyped-call]
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("policy_file", f"{path}: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Invalid("policy_file", f"{place}: {getattr(error, 'problem', error)}") from None
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        raise Invalid("policy_file", f"{path}:1: rules by name are expected")
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if isinstance(value, yaml.ScalarNode) and isinstance(key, yaml.ScalarNode):
            yield key.value, ("" if value.tag.endswith(":null") else value.value, place)
        elif not isinstance(value, yaml.SequenceNode):
            raise Invalid("policy_file", f"{place}: the rule {key.value} must be text")


def _is_rule(text: str) -> bool:
    """Whether oslo.policy understands `text`: what it does not becomes `!`, which then is not in the text."""
    asked = _WORD.findall(text).count("!")
    return _count_nobody(oslo_policy.RuleDefault("rule", text).check) == asked


def _count_nobody(check: object) -> int:
    if type(check) is _NOBODY:
        return 1
    parts = [*getattr(check, "rules", ()), *filter(None, [getattr(check, "rule", None)])]
    return sum(map(_count_nobody, parts))
