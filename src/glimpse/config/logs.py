"""Logging as oslo.log does it: the same lines, to a file, to the standard error output, or both."""

import logging
import re
import sys
from logging.handlers import WatchedFileHandler

from oslo_utils.strutils import mask_password

from glimpse.config.settings import Settings
from glimpse.domain.errors import Invalid

_FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s %(message)s"
_NAME = "glimpse"

# Libraries that say too much, as oslo.log quiets them.
_QUIET = {
    "alembic": logging.WARNING,
    "keystoneauth": logging.WARNING,
    "keystonemiddleware": logging.WARNING,
    "oslo_policy": logging.INFO,
    "oslo_service": logging.WARNING,
    # At DEBUG it writes out its commands, and with them the data of images.
    "pymongo": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "stevedore": logging.WARNING,
    "urllib3": logging.WARNING,
    "httpx": logging.WARNING,
}

_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(@)")


def set_up_logs(settings: Settings) -> None:
    """Send the log of this process where the options say. Once only: later calls change nothing.

    :raises Invalid: the file cannot be written.
    """
    root = logging.getLogger()
    if any(handler.name == _NAME for handler in root.handlers):
        return
    handlers: list[logging.Handler] = []
    if settings.logs.to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    if settings.logs.file:
        try:
            # Opens the file anew when logrotate has moved it away.
            handlers.append(WatchedFileHandler(settings.logs.file))
        except OSError as error:
            raise Invalid("log_file", f"{settings.logs.file}: {error.strerror}") from None
    for handler in handlers:
        handler.name = _NAME
        handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S"))
        handler.addFilter(_mask)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if settings.logs.debug else logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _mask(record: logging.LogRecord) -> bool:
    record.msg, record.args = mask_secrets(record.getMessage()), None
    return True


def mask_secrets(text: str) -> str:
    """The text without passwords, tokens and keys."""
    return _URL_PASSWORD.sub(r"\1***\2", str(mask_password(text)))
