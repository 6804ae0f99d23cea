"""The limits of projects that Keystone keeps ("unified limits"), by oslo.limit."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from oslo_config import cfg

from glimpse.catalog.ports import Resource
from glimpse.domain.errors import Unavailable

LOG = logging.getLogger(__name__)

# A changed limit counts after at most this long.
REMEMBER_SECONDS = 10.0
REMEMBER_PROJECTS = 10_000
# How long Keystone may take for an answer, where [oslo_limit] timeout does not say.
TIMEOUT_SECONDS = 10


class KeystoneLimits:
    """The port `Quotas`. Answers are remembered for a while; when Keystone is silent, nothing is allowed."""

    def __init__(self, config: cfg.ConfigOpts, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet: the service starts without Keystone."""
        self._config = config
        self._clock = clock
        self._connecting = threading.Lock()
        self._enforcer: Any = None
        self._known: dict[str, tuple[float, Mapping[Resource, int]]] = {}

    def of(self, project_id: str) -> Mapping[Resource, int]:
        """See the port. What is not registered in Keystone has the limit 0."""
        known = self._known.get(project_id)
        if known is not None and self._clock() < known[0]:
            return known[1]
        limits = self._ask(project_id)
        if len(self._known) >= REMEMBER_PROJECTS:
            self._known = {}
        self._known[project_id] = (self._clock() + REMEMBER_SECONDS, limits)
        return limits

    def _ask(self, project_id: str) -> Mapping[Resource, int]:
        try:
            enforcer = self._connected()
            found = dict(enforcer.get_registered_limits(None))
            missing = [resource.value for resource in Resource if resource not in found]
            found |= dict(enforcer.get_project_limits(project_id, None))
        except Exception as error:
            # From a wrong endpoint id to a token that may not read limits: whatever it is, the request fails
            # for the service's sake, and the operator finds out why.
            LOG.error("limits of project %s cannot be read, see [oslo_limit]: %r", project_id, error)
            raise Unavailable("limits", "Keystone does not tell them.") from error
        if missing:
            LOG.error("not registered in Keystone, so that nothing is allowed: %s", ", ".join(missing))
        return {resource: int(found.get(resource.value, 0)) for resource in Resource}

    def _connected(self) -> Any:
        with self._connecting:
            if self._enforcer is None:
                self._enforcer = _connect(self._config)
            return self._enforcer


def _connect(config: cfg.ConfigOpts) -> Any:
    # With the SDK behind it, it takes half a second to import, and only those who use it shall pay.
    from oslo_limit import limit

    # oslo.limit reads the process-wide configuration only.
    limit.CONF(
        args=[],
        default_config_files=list(config.default_config_files or ()),
        default_config_dirs=list(config.default_config_dirs or ()),
    )
    limit.CONF.set_default("timeout", TIMEOUT_SECONDS, "oslo_limit")
    return limit.Enforcer(lambda _project, _resources: {}, cache=False)
