"""Log records → lines on stderr, as text or as JSON.

Owns the two formats and which loggers may be how loud. Loggers are named after their modules. Must
not know who logs what.

Invariant: one record is one line of text, or one line that is a JSON object.
"""

import json
import logging
import sys
from datetime import UTC, datetime
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


class TextFormatter(logging.Formatter):
    """``time level logger: message``; a traceback follows, indented, so that it stays one's own."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record)} {record.levelname.lower()} {record.name}: "
        lines = [head + record.getMessage(), *_trace(self, record).splitlines()]
        return "\n    ".join(line for line in "\n".join(lines).splitlines() if line)


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
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""
