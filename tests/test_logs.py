"""Log lines: one record is one line, and nobody else's chatter gets in."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from davbridge import logs
from davbridge.config import LogSettings
from tests.support.calls import calls_of

KEPT = ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing")
"""What `configure` switches off for the whole process."""


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; the loggers are as before afterwards."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, logs.QUIET))}
    kept = {name: vars(logging)[name] for name in KEPT}
    yield io.StringIO()
    vars(logging).update(kept)
    root.handlers[:] = handlers
    logging.captureWarnings(False)
    for logger, level in levels.items():
        logger.setLevel(level)


def test_a_record_is_a_line_of_time_level_logger_and_message(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    logging.getLogger("davbridge.x").info("made %s", "it")
    time, _, rest = stream.getvalue().partition(" ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert rest == "info davbridge.x: made it\n"


def test_a_message_of_many_lines_can_begin_no_record_of_its_own(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    try:
        raise ValueError("a\n2026-01-01T00:00:00Z info davbridge: forged")
    except ValueError:
        logging.getLogger("davbridge.x").exception("failed\nagain")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("error davbridge.x: failed")
    assert rest[0] == "    again"
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("char", ["\x1b", "\x9b", "\b", "\r", "\x7f", "\u202e", "\u2028", "\ufeff"])
def test_control_characters_of_terminals_are_never_written(char: str, stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    try:
        raise ValueError(f"a{char}[2Jb")
    except ValueError:
        logging.getLogger("davbridge.x").exception("no %s here: ä€", f"ü{char}]0;x")
    assert char not in stream.getvalue()
    assert "ä€" in stream.getvalue()


def test_json_is_one_object_a_line_with_the_traceback_inside(stream: io.StringIO) -> None:
    logs.configure(LogSettings(json=True), stream)
    try:
        raise ValueError("wrong")
    except ValueError:
        logging.getLogger("davbridge.x").exception('failed\n"again"')
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record["level"] == "error"
    assert record["logger"] == "davbridge.x"
    assert record["message"] == 'failed\n"again"'
    assert record["trace"].endswith("ValueError: wrong")


@pytest.mark.parametrize("library", ["botocore.endpoint", "urllib3.connectionpool", "cheroot"])
def test_libraries_are_heard_from_warnings_on_only(stream: io.StringIO, library: str) -> None:
    logs.configure(LogSettings(level="debug"), stream)
    logger = logging.getLogger(library)
    logger.info("a step")
    logger.warning("a problem")
    logging.getLogger("davbridge.x").debug("a detail")
    said = stream.getvalue()
    assert "a step" not in said
    assert "a problem" in said
    assert "a detail" in said


def test_a_level_is_a_threshold(stream: io.StringIO) -> None:
    logs.configure(LogSettings(level="error"), stream)
    logging.getLogger("davbridge.x").warning("a problem")
    logging.getLogger("botocore").warning("a problem")
    assert stream.getvalue() == ""


def test_warnings_of_python_are_logged(stream: io.StringIO) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(LogSettings(json=True), stream)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "DeprecationWarning: old" in json.loads(stream.getvalue())["message"]


def test_a_record_does_not_look_for_what_no_format_shows(stream: io.StringIO) -> None:
    logs.configure(LogSettings(), stream)
    with calls_of(logging.Logger.findCaller) as calls:
        logging.getLogger("davbridge.x").info("made")
    assert calls == {}


def test_json_has_the_fields_that_come_with_a_message(stream: io.StringIO) -> None:
    logs.configure(LogSettings(json=True), stream)
    logging.getLogger("davbridge.test").info("told", extra={"fields": {"status": 200, "path": "/"}})
    record = json.loads(stream.getvalue())
    assert (record["message"], record["status"], record["path"]) == ("told", 200, "/")
