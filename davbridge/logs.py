"""Log records → lines on stderr, as text or as JSON.

Owns the two formats and which loggers may be how loud. Loggers are named after their modules. Must
not know who logs what.

Invariant: a record is one line that is a JSON object, or begins a line of text; what follows of it
there is indented, whatever is in it.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from davbridge.config import LogSettings

QUIET = ("boto3", "botocore", "s3transfer", "urllib3", "cheroot")
"""Libraries that tell their every step at INFO, or at DEBUG what belongs to nobody's log: signed
headers, and whole request bodies. WsgiDAV's logger is `dav`'s to silence."""


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Makes the root logger write to ``stream`` (stderr) as the settings say."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    _leave_out_what_no_format_shows()


def _leave_out_what_no_format_shows() -> None:
    """There is a line for each request: half of its cost was to find out where in the code it was
    written, in which thread and process."""
    logging._srcfile = None  # which its documentation recommends
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class TextFormatter(logging.Formatter):
    """``time level logger: message``; a traceback follows, indented, so that it stays one's own."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record)} {record.levelname.lower()} {record.name}: "
        message = record.getMessage()
        if message.isprintable() and not record.exc_info:
            return head + message
        lines = [head + message, *_trace(self, record).splitlines()]
        return "\n    ".join(_printable(line) for line in "\n".join(lines).splitlines() if line)


def _printable(line: str) -> str:
    """Names come from clients: what a terminal would obey, or show in another order, is escaped."""
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )


class JsonFormatter(logging.Formatter):
    """One object a record."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            fields["trace"] = trace
        return json.dumps(fields)


def _time(record: logging.LogRecord) -> str:
    second, fraction = divmod(record.created, 1)
    return f"{_second(int(second))}.{int(fraction * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""
