"""The message bus by oslo.messaging, with the drivers that operators name. Imported only when one is."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg
from stevedore import NamedExtensionManager

from glimpse.domain.errors import Invalid, Unavailable
from glimpse.notify.ports import Message

with warnings.catch_warnings():
    # A part of it that is not used here brings eventlet along, which warns of itself.
    warnings.simplefilter("ignore", DeprecationWarning)
    from oslo_messaging import get_notification_transport, set_transport_defaults
    from oslo_messaging.exceptions import MessagingException
    from oslo_messaging.transport import NotificationTransport

_DRIVERS = "oslo.messaging.notify.drivers"
# These may fail; the others write to the log, or nowhere, and come last so that they do so once.
_MAY_FAIL = ("messaging", "messagingv2", "routing")

# They write whole messages, tracebacks and each attempt to the log; that the bus is away is told once.
for _name in ("oslo_messaging.notify.messaging", "oslo.messaging._drivers"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class OsloBus:
    """The port `Bus`."""

    def __init__(self, config: cfg.ConfigOpts, drivers: Sequence[str], topics: Sequence[str]) -> None:
        """No connection is made yet. :raises Invalid: no such driver, or no such transport."""
        # The exchange on which consumers look for the Image service, as Glance's own default is.
        set_transport_defaults("glance")
        try:
            self._line = _Line(get_notification_transport(config))
        except (MessagingException, ValueError) as error:
            raise Invalid("transport_url", f"no transport is made from it ({type(error).__name__})") from None
        names = sorted(set(drivers), key=lambda name: name not in _MAY_FAIL)
        found: NamedExtensionManager[Any] = NamedExtensionManager(
            _DRIVERS,
            names,
            invoke_on_load=True,
            invoke_args=(config,),
            invoke_kwds={"topics": list(topics), "transport": self._line},
            name_order=True,
            warn_on_missing_entrypoint=False,
        )
        if missing := set(names) - set(found.names()):
            raise Invalid("driver", f"no driver for notifications is called '{min(missing)[:60]}'")
        self._drivers = [extension.obj for extension in found if extension.obj is not None]

    def send(self, message: Message) -> None:
        """See the port."""
        for driver in self._drivers:
            self._line.failure = None
            # Without retries: what fails goes to the backlog.
            driver.notify({}, dict(message), message["priority"], 0)
            if self._line.failure is not None:
                raise Unavailable("message bus", str(self._line.failure)[:200])


class _Line:
    """A transport that remembers why it failed: the drivers, which swallow all errors, only log it."""

    def __init__(self, transport: NotificationTransport) -> None:
        self.conf = transport.conf
        self.failure: Exception | None = None
        self._transport = transport

    def _send_notification(self, *args: Any, **options: Any) -> None:
        try:
            self._transport._send_notification(*args, **options)
        except Exception as error:
            self.failure = error
            raise
