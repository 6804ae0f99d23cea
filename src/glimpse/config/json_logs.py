"""Lines of the log as JSON, with the names of the fields that oslo.log's formatter has."""

import logging
import socket

import orjson

from glimpse.domain.correlation import REQUEST


class JsonFormatter(logging.Formatter):
    """One object a line. What is secret must be masked before."""

    def __init__(self, date_format: str) -> None:
        super().__init__(datefmt=date_format)
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        """See `logging`. The fields are those of a record, and more: the request's id is in `context`."""
        request, error = REQUEST.get(), record.exc_info[1] if record.exc_info else None
        text = record.getMessage()
        document = {
            "message": text,
            "asctime": self.formatTime(record, self.datefmt),
            "name": record.name,
            "msg": text,
            "args": None,
            "levelname": record.levelname,
            "levelno": record.levelno,
            "pathname": record.pathname,
            "filename": record.filename,
            "module": record.module,
            "lineno": record.lineno,
            "funcname": record.funcName,
            "created": record.created,
            "msecs": record.msecs,
            "relative_created": record.relativeCreated,
            "thread": record.thread,
            "thread_name": record.threadName,
            "process_name": record.processName,
            "process": record.process,
            "traceback": record.exc_text,
            "hostname": self._host,
            "error_summary": "" if error is None else (record.exc_text or "").rpartition("\n")[2],
            "context": {"request_id": request} if request else {},
            "extra": getattr(record, "extra", {}),
        }
        return orjson.dumps(document, default=str).decode()
