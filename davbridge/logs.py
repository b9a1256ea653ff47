"""Log records → lines on stderr, as text or as JSON.

Has the two formats, and the levels of libraries' loggers. Loggers are named after their modules.

Invariant: a record is one line that is a JSON object; or a line of text, with further lines that
are indented, whatever the record contains.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from davbridge.config import LogSettings

QUIET = ("boto3", "botocore", "s3transfer", "urllib3", "cheroot")
"""Libraries that log each step at INFO, or at DEBUG what must not be in a log: signed headers, and
whole request bodies. `dav` silences WsgiDAV's logger."""


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
    """Omits the place in the code, the thread and the process: finding them out was half of the
    cost of a line, and each request has one."""
    logging._srcfile = None  # As its documentation recommends.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class TextFormatter(logging.Formatter):
    """``time level logger: message``; a traceback follows, indented, so that it can't look like
    another record."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record)} {record.levelname.lower()} {record.name}: "
        message = record.getMessage()
        if message.isprintable() and not record.exc_info:
            return head + message
        lines = [head + message, *_trace(self, record).splitlines()]
        return "\n    ".join(_printable(line) for line in "\n".join(lines).splitlines() if line)


def _printable(line: str) -> str:
    """Names come from clients: control characters, and those that change the order of text, are
    escaped."""
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )


class JsonFormatter(logging.Formatter):
    """One object a record. ``extra={"fields": …}`` adds fields to it."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
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
