"""A load generator: the same request over and over, on some connections, for some seconds.

It has processes of its own and does nothing for an answer but count its bytes and look at both its
ends, so that it isn't what is measured. `ceiling` tells what it reaches itself.
"""

import json
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent

_TAIL = 12
"""Bytes at an answer's end that have to be those of the first."""

_REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Load(NamedTuple):
    """What to ask, and what a right answer is like."""

    port: int
    connections: int
    seconds: float
    request: bytes
    start: bytes
    """How an answer begins."""
    length: int
    """Its bytes, the head's included."""
    tail: bytes


class LoadError(Exception):
    """An answer was wrong, or a connection broke."""


def learn(port: int, request: bytes) -> bytes:
    """A whole answer, as bytes on the wire: what comes until the server is silent."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        got = connection.recv(1 << 16)
        connection.settimeout(0.3)
        try:
            while more := connection.recv(1 << 16):
                got += more
        except TimeoutError:
            pass
        return got


def rate(port: int, request: bytes, answer: bytes, *, connections: int, seconds: float) -> float:
    """Answers a second. Raises LoadError where one isn't like ``answer``."""
    start = answer[: answer.index(b"\r\n")]
    load = Load(port, connections, seconds, request, start, len(answer), answer[-_TAIL:])
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        cwd=ROOT,
        input=json.dumps([each.hex() if isinstance(each, bytes) else each for each in load]),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if told.returncode:
        raise LoadError(told.stderr.strip().splitlines()[-1])
    return float(told.stdout)


def ceiling(*, connections: int, seconds: float) -> float:
    """What it reaches with a server that does nothing, on the same machine, at the same time."""
    command = [sys.executable, "-m", "tests.bench.load", "answer"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # Popen was given PIPE
            port = int(process.stdout.readline())
            return rate(port, _REQUEST, _ANSWER, connections=connections, seconds=seconds)
        finally:
            process.kill()


def _drive(load: Load) -> float:
    """One thread, one poll: an interpreter does no more a second any other way."""
    sockets = _connect(load)
    poll = select.epoll()
    for number in sockets:
        poll.register(number, select.EPOLLIN)
        sockets[number].send(load.request)
    got = dict.fromkeys(sockets, b"")
    done, began_at = 0, time.monotonic()
    ends_at = began_at + load.seconds
    while (now := time.monotonic()) < ends_at:
        for number, _ in poll.poll(1.0):
            data = sockets[number].recv(1 << 18)
            if not data:
                raise LoadError("the server closed a connection")
            if got[number]:
                data = got[number] + data
            if len(data) < load.length:
                got[number] = data
                continue
            if not (data.startswith(load.start) and data.endswith(load.tail)):
                raise LoadError(f"another answer: {data[:200]!r}")
            got[number] = b""
            done += 1
            sockets[number].send(load.request)
    for opened in sockets.values():
        opened.close()
    return done / (now - began_at)


def _connect(load: Load) -> dict[int, socket.socket]:
    sockets = {}
    for _ in range(load.connections):
        opened = socket.create_connection(("127.0.0.1", load.port), 10)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[opened.fileno()] = opened
    return sockets


def _answer() -> None:
    """The server that does nothing."""
    poll = select.epoll()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        poll.register(listener.fileno(), select.EPOLLIN)
        sockets: dict[int, socket.socket] = {}
        while True:
            for number, _ in poll.poll():
                if number == listener.fileno():
                    opened, _ = listener.accept()
                    sockets[opened.fileno()] = opened
                    poll.register(opened.fileno(), select.EPOLLIN)
                elif _is_asked(sockets[number]):
                    sockets[number].send(_ANSWER)
                else:
                    sockets.pop(number).close()


def _is_asked(connection: socket.socket) -> bool:
    """Whether there is a request, and not the end: a reset one, as answers are left unread."""
    try:
        return bool(connection.recv(1 << 16))
    except ConnectionResetError:
        return False


def _load() -> Load:
    port, connections, seconds, request, start, length, tail = json.load(sys.stdin)
    sent, first, last = (bytes.fromhex(each) for each in (request, start, tail))
    return Load(port, connections, seconds, sent, first, length, last)


if __name__ == "__main__":
    if sys.argv[1:] == ["answer"]:
        _answer()
    sys.stdout.write(f"{_drive(_load())}\n")
