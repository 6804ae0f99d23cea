"""What the options allow of URLs that images come from."""

from collections.abc import Iterable

from oslo_config import cfg

from glimpse.domain.url_rules import Choice, Rules


def read_rules(config: cfg.ConfigOpts) -> Rules:
    """The rules of [import_filtering_opts]."""
    options = config.import_filtering_opts
    schemes, hosts, ports = (
        Choice(unbracketed(options[f"allowed_{kind}"]), unbracketed(options[f"disallowed_{kind}"]))
        for kind in ("schemes", "hosts", "ports")
    )
    return Rules(schemes, hosts, ports)


def unbracketed(items: Iterable[str]) -> frozenset[str]:
    """The items of a list that Glance wants in brackets, where we take it without them, too."""
    return frozenset(item.strip("[] ") for item in items) - {""}
