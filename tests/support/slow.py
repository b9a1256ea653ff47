"""Clients on slow lines: they send a body, or take one, a piece at a time, and never stop.

Many of them are one thread's work. Bytes are checked where there are any: an upload's are the
caller's to look for in the store.
"""

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Protocol, Self

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

RECEIVE_BUFFER = 128 * 1024

KERNEL_HOLDS = 4 * 1024 * 1024
"""Bytes of a download that Linux may take off a server's hands, without a wait."""


class SlowClient(Protocol):
    """One connection."""

    is_done: bool
    rounds: int
    """How often it has come to its end."""

    @property
    def has_begun(self) -> bool:
        """Whether a piece has moved since then."""
        ...

    def step(self) -> None:
        """Moves a piece, if that can be done without waiting. Raises OSError, AssertionError."""
        ...

    def close(self) -> None: ...


class Upload:
    """A PUT; again and again where it is ``endless``."""

    def __init__(
        self, sock: socket.socket, path: str, body: bytes, piece: int, *, is_endless: bool = False
    ) -> None:
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket = sock
        sock.setblocking(False)
        self._head = head.encode()
        self._request = self._head + body
        self._piece = piece
        self._is_endless = is_endless
        self.is_done = False
        self.rounds = 0
        self._begin()

    @property
    def has_begun(self) -> bool:
        return self.sent > 0

    def _begin(self) -> None:
        self.sent = 0
        self._answer = b""

    def step(self) -> None:
        with contextlib.suppress(*_NOT_YET):
            if self.sent < len(self._request):
                # The head goes with the first piece, as it does in life.
                more = self._piece if self.sent else len(self._head) + self._piece
                self.sent += self._socket.send(self._request[self.sent : self.sent + more])
                return
            received = self._socket.recv(4096)
            assert received, "closed without an answer"
            self._answer += received
        if self._answer.endswith(b"\r\n\r\n"):
            assert self._answer[9:12] in (b"201", b"204"), self._answer
            self.rounds += 1
            self.is_done = not self._is_endless
            self._begin()

    def close(self) -> None:
        self._socket.close()


class Download:
    """A GET of a file of these bytes."""

    def __init__(
        self, sock: socket.socket, path: str, body: bytes, piece: int, *, is_endless: bool = False
    ) -> None:
        self._socket = sock
        sock.setblocking(False)
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._body = body
        self._piece = piece
        self._is_endless = is_endless
        self.is_done = False
        self.rounds = 0
        self._begin()

    @property
    def has_begun(self) -> bool:
        return self._taken > 0

    def _begin(self) -> None:
        self._is_asked = False
        self._head = b""
        self._taken = 0
        self._digest = hashlib.sha256()

    def step(self) -> None:
        with contextlib.suppress(*_NOT_YET):
            if not self._is_asked:
                self._socket.send(self._request)
                self._is_asked = True
                return
            received = self._socket.recv(self._piece)
            assert received, f"cut short after {self._taken} of {len(self._body)} bytes"
            self._take(received)
        if self._taken == len(self._body):
            assert self._digest.digest() == hashlib.sha256(self._body).digest()
            self.rounds += 1
            self.is_done = not self._is_endless
            self._begin()

    def _take(self, received: bytes) -> None:
        if b"\r\n\r\n" not in self._head:
            head, _, received = (self._head + received).partition(b"\r\n\r\n")
            self._head = head + b"\r\n\r\n"
            assert self._head.startswith(b"HTTP/1.1 200"), self._head
        self._digest.update(received)
        self._taken += len(received)

    def close(self) -> None:
        self._socket.close()


class Crowd:
    """Some of them, each of which takes a step every ``pause`` seconds, in a thread. Where
    ``is_held``, each stops once it has begun, until `go_on`."""

    def __init__(
        self, clients: Sequence[SlowClient], pause: float, *, is_held: bool = False
    ) -> None:
        self._clients = clients
        self._pause = pause
        self._is_held = is_held
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failures: list[str] = []

    @property
    def rounds(self) -> int:
        """How often they have come to their ends, all together."""
        return sum(client.rounds for client in self._clients)

    @property
    def is_done(self) -> bool:
        return all(client.is_done for client in self._clients)

    def go_on(self) -> None:
        self._is_held = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    def _run(self) -> None:
        """Evenly, not all at one moment."""
        left = list(self._clients)
        while left:
            began_at, pause = time.monotonic(), self._pause / len(left)
            for number, client in enumerate(left):
                if self._is_over.wait(max(0.0, began_at + number * pause - time.monotonic())):
                    return
                if self._is_held and client.has_begun:
                    continue
                try:
                    client.step()
                except (OSError, AssertionError) as error:
                    self.failures.append(f"{type(client).__name__}: {error!r}")
                    client.is_done = True
            left = [client for client in left if not client.is_done]


def connected(port: int, context: ssl.SSLContext | None = None) -> socket.socket:
    """A connection whose kernel takes little ahead."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.settimeout(30.0)
    sock.connect(("127.0.0.1", port))
    return context.wrap_socket(sock, server_hostname="localhost") if context else sock
