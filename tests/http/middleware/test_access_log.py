"""The access log: one line per request, whatever the client sends."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from davbridge.http.middleware.access_log import AccessLog
from tests.support.timer import Timer
from tests.support.wire import RawClient, serving


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    caplog.set_level(logging.INFO, "davbridge.http.access")
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, handler = logging.getLogger("davbridge.http.access"), Keep()
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def environ(**changes: str) -> dict[str, Any]:
    usual = {
        "REMOTE_ADDR": "192.0.2.7",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/a%20b?c",
    }
    return usual | changes


def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
    return lambda block: None


def run(app: Any, environ: dict[str, Any]) -> None:
    blocks = app(environ, start_response)
    try:
        list(blocks)
    finally:
        blocks.close()


def test_a_request_is_one_line_with_user_status_bytes_and_seconds(lines: list[str]) -> None:
    timer = Timer()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_USER"] = "anna"
        start_response("207 Multi-Status", [])(b"123")
        timer.advance(0.25)
        return [b"4567", b"89"]

    run(AccessLog(app, timer=timer), environ())
    assert lines == ['192.0.2.7 anna "GET /a%20b?c" 207 9 0.250']


def test_nothing_that_a_client_sends_can_forge_a_line(lines: list[str]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_USER"] = 'x\r\n10.0.0.1 "root" \\\u202e\x1b'
        start_response("200 OK", [])
        return []

    run(AccessLog(app, timer=Timer()), environ(REQUEST_URI='/"\x85'))
    assert lines == [
        r'192.0.2.7 x\x0d\x0a10.0.0.1\x20\x22root\x22\x20\x5c\u202e\x1b "GET /\x22\x85" 200 0 0.000'
    ]


def test_a_user_s_name_in_any_script_can_be_read(lines: list[str]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_USER"] = "Jürgen"
        start_response("200 OK", [])
        return []

    run(AccessLog(app, timer=Timer()), environ())
    assert lines[0].startswith("192.0.2.7 Jürgen ")


def test_a_failure_before_or_in_the_answer_is_a_line_without_a_status(lines: list[str]) -> None:
    def before(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise RuntimeError

    def within(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"123"
        raise RuntimeError

    for app in (before, within):
        with pytest.raises(RuntimeError):
            run(AccessLog(app, timer=Timer()), environ())
    assert lines == [f'192.0.2.7 - "GET /a%20b?c" - {sent} 0.000' for sent in (0, 3)]


def test_the_blocks_of_the_application_are_closed(lines: list[str]) -> None:
    closed = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            yield b"x"
            yield b"y"
        finally:
            closed.append(True)

    blocks: Any = AccessLog(app, timer=Timer())(environ(), start_response)
    next(iter(blocks))
    blocks.close()
    assert closed == [True]
    assert lines == ['192.0.2.7 - "GET /a%20b?c" 200 1 0.000']


def test_requests_over_the_wire_are_logged(lines: list[str]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"hi"]

    with serving(AccessLog(app)) as server, RawClient(server.port) as client:
        client.ask(b'GET /"a" HTTP/1.1\r\nHost: a\r\n\r\n')
        client.ask(b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert client.at_end()
    assert lines[0].startswith(r'127.0.0.1 - "GET /\x22a\x22" 200 2 0.')
    assert len(lines) == 2


def test_a_request_is_not_logged_where_the_log_is_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "davbridge.http.access")
    blocks = [b"x"]
    log = AccessLog(lambda environ, start_response: blocks)
    assert log(environ(), start_response) is blocks
