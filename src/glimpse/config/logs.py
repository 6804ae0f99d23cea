"""Logging as oslo.log does it: the same lines or JSON, to a file, to the standard error output, or both."""

import logging
import re
import sys
from logging.handlers import WatchedFileHandler

from oslo_utils.strutils import mask_password

from glimpse.config.json_logs import JsonFormatter
from glimpse.config.settings import Settings
from glimpse.domain.correlation import REQUEST
from glimpse.domain.errors import Invalid

_FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(request_id)s] %(message)s"
_DATE = "%Y-%m-%d %H:%M:%S"
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

_PLAIN = logging.Formatter()
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
    formatter = JsonFormatter(_DATE) if settings.logs.use_json else logging.Formatter(_FORMAT, _DATE)
    for handler in handlers:
        handler.name = _NAME
        handler.setFormatter(formatter)
        handler.addFilter(_mask)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if settings.logs.debug else logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _mask(record: logging.LogRecord) -> bool:
    record.msg, record.args = mask_secrets(record.getMessage()), None
    if record.exc_info:
        # Handlers of others may have written it out already.
        record.exc_text = mask_secrets(record.exc_text or _PLAIN.formatException(record.exc_info))
    # As oslo.log has it where there is no request.
    record.request_id = REQUEST.get() or "-"
    return True


def mask_secrets(text: str) -> str:
    """The text without passwords, tokens and keys."""
    return _URL_PASSWORD.sub(r"\1***\2", str(mask_password(text)))
