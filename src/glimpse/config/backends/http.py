"""The store of HTTP locations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.config.rules import read_rules
from glimpse.domain.url_rules import Rules
from glimpse.stores.base import Store

OPTIONS = (
    cfg.StrOpt("https_ca_certificates_file", help="Authorities that HTTPS locations are verified by."),
    cfg.BoolOpt(
        "https_insecure",
        default=False,
        help="Do not verify HTTPS locations, unless there is a CA file.",
    ),
)


@dataclass(frozen=True, slots=True)
class HttpBackend:
    """Which sources are allowed, how they are verified, and how often a read goes on where it broke."""

    rules: Rules
    retries: int = 3
    ca_file: str | None = None
    insecure: bool = False

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.http import HttpStore
        from glimpse.stores.outbound import Outbound, Patience

        patience = Patience(retries=self.retries)
        return HttpStore(
            store_id, Outbound(self.rules, patience, ca_file=self.ca_file, insecure=self.insecure)
        )

    def properties(self) -> Mapping[str, object]:
        """None."""
        return {}


def _read(options: Any, config: cfg.ConfigOpts, _: Path) -> HttpBackend:
    retries = max(config.http_retries, 0)
    ca_file, insecure = options.https_ca_certificates_file, options.https_insecure
    return HttpBackend(read_rules(config), retries, ca_file, insecure)


KIND = Kind("http", frozenset({"http", "https", "glance.store.http.Store"}), OPTIONS, _read, read_only=True)
