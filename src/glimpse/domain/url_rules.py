"""What the operator allows of URLs that images come from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """What is allowed of a kind of thing. An allow list that is not empty makes the other one moot."""

    allowed: frozenset[str] = frozenset()
    disallowed: frozenset[str] = frozenset()

    def admits(self, thing: str) -> bool:
        """Whether it is allowed."""
        return thing in self.allowed if self.allowed else thing not in self.disallowed


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's rules for URLs, by the options of `[import_filtering_opts]`."""

    schemes: Choice = Choice(frozenset({"http", "https"}))
    hosts: Choice = Choice()
    ports: Choice = Choice(frozenset({"80", "443"}))
