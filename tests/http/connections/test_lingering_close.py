"""A refused upload: its answer arrives, whatever the client sends before it reads that."""

import socket
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from davbridge.http.connections.lingering_close import _Discarding
from davbridge.http.server import HttpServer
from tests.support.timer import Timer
from tests.support.waiting import until
from tests.support.wire import RawClient, serving

MODULE = "davbridge.http.connections.lingering_close"

MIB = 1024 * 1024
BODY = b"x" * (4 * MIB)
HEAD = b"PUT /f HTTP/1.1\r\nHost: a\r\n"
KNOWN = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FRAMED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

FRAMINGS = {"length": (KNOWN, BODY), "chunked": (CHUNKED, FRAMED)}


def refuse(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Lets the client in, and refuses what it asks for."""
    environ["REMOTE_USER"] = ""
    start_response("423 Locked", [("Content-Length", "0")])
    return [b""]


def reject(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Doesn't let the client in."""
    start_response("401 Unauthorized", [("Content-Length", "0")])
    return [b""]


def read_and_refuse(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    assert environ["wsgi.input"].read(10)
    return refuse(environ, start_response)


def discarding(server: HttpServer) -> dict[socket.socket, _Discarding]:
    return server._core.closer._discarding


def has_left(upload: _Discarding, left: int) -> bool:
    return upload._left == left


@pytest.fixture
def timer(monkeypatch: pytest.MonkeyPatch) -> Timer:
    timer = Timer()
    monkeypatch.setattr(f"{MODULE}.time", SimpleNamespace(monotonic=timer))
    return timer


@pytest.mark.parametrize("app", [refuse, read_and_refuse])
@pytest.mark.parametrize(("head", "body"), FRAMINGS.values(), ids=FRAMINGS)
def test_the_connection_stays_open_until_a_refused_body_has_arrived(
    head: bytes, body: bytes, app: Any, timer: Timer
) -> None:
    """RFC 9112 §9.6: KIO takes a sending side that is closed earlier for a broken connection."""
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(head + body[:MIB])
        assert (answer.status, answer.closes) == (423, True)
        for at in range(MIB, len(body) - 3, MIB):
            assert client.is_silent(0.05)
            client.send(body[at : min(at + MIB, len(body) - 3)])
        assert client.is_silent(0.05)
        client.send(body[-3:])
        assert client.at_end()


def test_a_refused_body_that_came_with_its_head_is_not_waited_for(timer: Timer) -> None:
    for head, body in FRAMINGS.values():
        with serving(refuse) as server, RawClient(server.port) as client:
            assert client.ask(head + body).status == 423
            assert client.at_end()


@pytest.mark.parametrize("head", [KNOWN, CHUNKED], ids=FRAMINGS)
def test_a_refused_body_that_does_not_come_is_waited_for_a_bounded_time(
    head: bytes, timer: Timer
) -> None:
    with serving(refuse) as server, RawClient(server.port) as client:
        assert client.ask(head + b"1").status == 423
        until(lambda: len(discarding(server)) == 1)
        timer.advance(4)
        assert client.is_silent(0.1)
        timer.advance(1)
        assert client.at_end()


def test_a_refused_body_that_comes_too_slowly_is_waited_for_a_bounded_time(timer: Timer) -> None:
    with serving(refuse) as server, RawClient(server.port) as client:
        assert client.ask(KNOWN).status == 423
        until(lambda: len(discarding(server)) == 1)
        (upload,) = discarding(server).values()
        for left in range(upload._left - 1, upload._left - 75, -1):
            timer.advance(4)
            client.send(b"1")
            until(partial(has_left, upload, left))
        assert client.is_silent(0.1)
        timer.advance(4)
        assert client.at_end()


def test_a_refused_body_that_is_too_long_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, timer: Timer
) -> None:
    monkeypatch.setattr(f"{MODULE}.MAX_DISCARDED_BYTES", 2 * MIB)
    with serving(refuse) as server, RawClient(server.port) as client:
        assert client.ask(KNOWN + b"1").status == 423
        assert client.at_end()
    with serving(refuse) as server, RawClient(server.port) as client:
        assert client.ask(CHUNKED + FRAMED[:MIB]).status == 423
        assert client.is_silent(0.1)
        client.send(FRAMED[MIB : 3 * MIB])
        assert client.at_end()


@pytest.mark.parametrize(
    ("app", "head"),
    [
        (reject, KNOWN),
        (reject, CHUNKED),
        (refuse, KNOWN.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")),
        (refuse, HEAD.replace(b"Host", b" Host") + b"\r\n"),
    ],
    ids=["no login", "no login, chunked", "100-continue", "a malformed head"],
)
def test_no_body_is_waited_for_before_a_login_or_where_the_client_waits(
    app: Any, head: bytes, timer: Timer
) -> None:
    """RFC 9110 §10.1.1: the client sends no body once it has a final answer."""
    with serving(app) as server, RawClient(server.port) as client:
        assert client.ask(head).status in (400, 401, 423)
        assert client.at_end()


def test_uploads_without_a_login_give_way_first(
    monkeypatch: pytest.MonkeyPatch, timer: Timer
) -> None:
    monkeypatch.setattr(f"{MODULE}.MAX_SOCKETS", 2)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        app: Callable[..., Iterable[bytes]] = refuse if "HTTP_COOKIE" in environ else reject
        return app(environ, start_response)

    with serving(answer) as server, RawClient(server.port) as let_in:
        assert let_in.ask(KNOWN.replace(b"\r\n\r\n", b"\r\nCookie: a\r\n\r\n")).status == 423
        others = [RawClient(server.port) for _ in range(3)]
        for each in others:
            assert each.ask(KNOWN).status == 401
        until(lambda: len(server._core.closer._deadlines) == 1)
        assert len(discarding(server)) == 1
        assert let_in.is_silent(0.1)
        for each in others:
            each.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> tuple[dict[str, Path], ssl.SSLContext]:
    issued = authority.issue_cert("localhost")
    paths = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    for blob in issued.cert_chain_pems:
        blob.write_to_path(paths["tls_cert"], append=True)
    issued.private_key_pem.write_to_path(paths["tls_key"])
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return paths, context


@pytest.mark.parametrize(("head", "body"), FRAMINGS.values(), ids=FRAMINGS)
def test_over_tls_close_notify_is_sent_once_a_refused_body_has_arrived(
    head: bytes, body: bytes, tls: tuple[dict[str, Path], ssl.SSLContext], timer: Timer
) -> None:
    paths, context = tls
    with serving(refuse, **paths) as server, RawClient(server.port, context) as client:
        assert client.ask(head + body[:MIB]).status == 423
        client.send(body[MIB:-3])
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(30)
        client.send(body[-3:])
        assert client.socket.recv(1) == b""
