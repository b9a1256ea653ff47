"""A load generator: the same request over and over, on some connections, for some seconds.

It has processes of its own and does nothing for an answer but count its bytes and look at both its
ends, so that it isn't what is measured. `ceiling` tells how much that is.
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


def _drive(load: Load) -> float:
    """One thread, one poll: an interpreter does no more a second any other way."""
    sockets = {}
    poll = select.epoll()
    for _ in range(load.connections):
        opened = socket.create_connection(("127.0.0.1", load.port), 10)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[opened.fileno()] = opened
        poll.register(opened.fileno(), select.EPOLLIN)
        opened.sendall(load.request)
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


def _main() -> None:
    port, connections, seconds, request, start, length, tail = json.load(sys.stdin)
    load = Load(
        port,
        connections,
        seconds,
        bytes.fromhex(request),
        bytes.fromhex(start),
        length,
        bytes.fromhex(tail),
    )
    sys.stdout.write(f"{_drive(load)}\n")


if __name__ == "__main__":
    _main()
