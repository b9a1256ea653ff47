"""Lingering close: closes a connection without losing the answer (RFC 9112 §9.6).

If a server closes a connection while the client is still sending, the client gets a reset, and
loses the answer that it hasn't read yet. Finder and Windows send the whole body of a PUT before
they read a 401. So the server first closes its sending side only, and then receives and discards
bytes until the client closes.

Some clients, such as KIO, take even a closed sending side for a broken connection while they send.
For a client that was let in, that side stays open until the body has arrived, within limits.

One thread does this for all connections: a rejected upload takes no worker, and no memory.

Invariant: the sending side of every socket that is handed over is closed after DISCARD_SECONDS at
the latest, and the socket LINGER_SECONDS after that.
"""

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass

from davbridge.http.connections import tls

LINGER_SECONDS = 30.0
DISCARD_SECONDS = 300.0
"""For the rest of a body, while the sending side stays open."""

QUIET_SECONDS = 5.0
"""Without a byte of the body: the client has read the answer, and sends no more."""

MAX_DISCARDED_BYTES = 1024 * 1024 * 1024
"""Of one body, while the sending side stays open. With TLS, of what is inside."""

MAX_SOCKETS = 256
"""If there are more, the oldest is closed at once."""
SCRATCH_BYTES = 256 * 1024

_LOOK_SECONDS = 0.5
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class UnreadBody:
    """What the client still sends of a body."""

    length: int | None
    """None for a chunked one."""
    end: bytes = b""
    """The last bytes of it that have been received."""

    @property
    def may_be_awaited(self) -> bool:
        """Whether something is missing, and not too much."""
        if self.length is None:
            return not self.end.endswith(_LAST_CHUNK)
        return 0 < self.length <= MAX_DISCARDED_BYTES


class _Discarding:
    """A socket whose sending side is still open."""

    def __init__(self, body: UnreadBody) -> None:
        self._left = MAX_DISCARDED_BYTES if body.length is None else body.length
        self._is_chunked = body.length is None
        self._end = body.end
        self._stops_at = time.monotonic() + DISCARD_SECONDS
        self._is_quiet_at = time.monotonic() + QUIET_SECONDS

    def received(self, block: memoryview) -> bool:
        """Whether the body ends with ``block``, or is too long."""
        self._is_quiet_at = time.monotonic() + QUIET_SECONDS
        self._left -= len(block)
        if not self._is_chunked:
            return self._left <= 0
        # If these bytes are inside of a chunk, the sending side is closed too early, no more.
        self._end = (self._end + block[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        return self._left <= 0 or self._end == _LAST_CHUNK

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= min(self._stops_at, self._is_quiet_at)


class LingeringCloser:
    """The thread that discards bytes and closes sockets. `close_later` is thread-safe."""

    def __init__(self, seconds: float = LINGER_SECONDS) -> None:
        self._seconds = seconds
        self._new: deque[tuple[socket.socket, UnreadBody | None]] = deque()
        self._discarding: dict[socket.socket, _Discarding] = {}
        """In the order in which they were handed over."""
        self._deadlines: dict[socket.socket, float] = {}
        """Of those whose sending side is closed; in the order of the deadlines, because all get the
        same time."""
        self._next_look = 0.0
        self._stop_at: float | None = None
        self._lock = threading.Lock()
        self._is_open = False
        self._thread = threading.Thread(target=self._run, name="davbridge-linger", daemon=True)

    def start(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._is_open = True
        self._thread.start()

    def close_later(self, sock: socket.socket, unread: UnreadBody | None = None) -> None:
        """Closes the sending side of ``sock`` now, or once the ``unread`` body has arrived, and the
        rest later. ``sock`` can't be used any more."""
        if unread is not None and not unread.may_be_awaited:
            unread = None
        bare = sock if unread is not None else _end_sending(sock)
        if bare is None:
            return
        with self._lock:
            if self._is_open:
                self._new.append((bare, unread))
                self._wake()
                return
        bare.close()

    def stop(self, seconds: float) -> None:
        """Gives the clients ``seconds`` more, then closes all sockets."""
        with self._lock:  # the thread must not close _wake_writer before it is used here
            self._stop_at = time.monotonic() + seconds
            self._wake()
        self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: the thread is going to wake anyway
            self._wake_writer.send(b".")

    def _run(self) -> None:
        scratch = memoryview(bytearray(SCRATCH_BYTES))
        while self._must_run():
            is_watching = self._deadlines or self._discarding
            for key, _ in self._selector.select(_LOOK_SECONDS if is_watching else None):
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is self._wake_reader:
                    self._wake_reader.recv(4096)
                else:
                    self._discard(key.fileobj, scratch)
            self._register_new()
            self._expire()
        self._close_all()

    def _must_run(self) -> bool:
        if self._stop_at is None:
            return True
        is_needed = self._deadlines or self._discarding or self._new
        return bool(is_needed) and time.monotonic() < self._stop_at

    def _discard(self, sock: socket.socket, scratch: memoryview) -> None:
        """Receives and forgets what has arrived."""
        count = _receive(sock, scratch)
        if count == 0:
            self._close(sock)
        elif (
            count and sock in self._discarding and self._discarding[sock].received(scratch[:count])
        ):
            self._linger(sock)

    def _register_new(self) -> None:
        while self._new:
            sock, unread = self._new.popleft()
            if unread is not None:
                self._discarding[sock] = _Discarding(unread)
            else:
                self._deadlines[sock] = time.monotonic() + self._seconds
            self._selector.register(sock, selectors.EVENT_READ)

    def _linger(self, sock: socket.socket) -> None:
        """Closes the sending side of a socket that has been discarding."""
        self._selector.unregister(sock)
        del self._discarding[sock]
        bare = _end_sending(sock)
        if bare is not None:
            self._new.append((bare, None))

    def _expire(self) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            for sock in [sock for sock, each in self._discarding.items() if each.is_over]:
                self._linger(sock)
        for sock in list(self._deadlines):
            if self._deadlines[sock] > now:
                break
            self._close(sock)
        while len(self._deadlines) + len(self._discarding) > MAX_SOCKETS:
            self._close(next(iter(self._deadlines or self._discarding)))

    def _close(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)
        self._deadlines.pop(sock, None)
        self._discarding.pop(sock, None)
        sock.close()

    def _close_all(self) -> None:
        with self._lock:
            self._is_open = False
        self._register_new()
        for sock in [*self._deadlines, *self._discarding]:
            self._close(sock)
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()


def _end_sending(sock: socket.socket) -> socket.socket | None:
    """The bare socket with its sending side closed; None if it had to be closed altogether."""
    if isinstance(sock, ssl.SSLSocket):
        tls.send_close_notify(sock)
        sock = tls.detach(sock)
    try:
        sock.setblocking(False)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        sock.close()
        return None
    return sock


def _receive(sock: socket.socket, scratch: memoryview) -> int | None:
    """Bytes received; 0 if the client has gone or sends no more, None if there was nothing."""
    try:
        return sock.recv_into(scratch)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    except OSError:  # not only ConnectionError: ETIMEDOUT is none
        return 0
