"""Lingering close: closes a connection without losing the answer (RFC 9112 §9.6).

If a server closes a connection while the client is still sending, the client gets a reset, and
loses the answer that it hasn't read yet. Finder and Windows send the whole body of a PUT before
they read a 401. So the server first closes its sending side only, and then receives and discards
bytes until the client closes.

One thread does this for all connections: a rejected upload takes no worker, and no memory.

Invariant: every socket that is handed over is closed after LINGER_SECONDS at the latest.
"""

import contextlib
import selectors
import socket
import threading
import time
from collections import deque

LINGER_SECONDS = 30.0
MAX_SOCKETS = 256
"""If there are more, the oldest is closed at once."""
SCRATCH_BYTES = 256 * 1024


class LingeringCloser:
    """The thread that discards bytes and closes sockets. `close_later` is thread-safe."""

    def __init__(self, seconds: float = LINGER_SECONDS) -> None:
        self._seconds = seconds
        self._new: deque[socket.socket] = deque()
        self._deadlines: dict[socket.socket, float] = {}
        """In the order of the deadlines, because all sockets get the same time."""
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

    def close_later(self, sock: socket.socket) -> None:
        """Closes the sending side of ``sock`` now, and the rest later."""
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            sock.close()
            return
        with self._lock:
            if self._is_open:
                self._new.append(sock)
                self._wake()
                return
        sock.close()

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
            for key, _ in self._selector.select(0.5 if self._deadlines else None):
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is self._wake_reader:
                    self._wake_reader.recv(4096)
                elif not _discard(key.fileobj, scratch):
                    self._close(key.fileobj)
            self._register_new()
            self._expire()
        self._close_all()

    def _must_run(self) -> bool:
        if self._stop_at is None:
            return True
        return bool(self._deadlines or self._new) and time.monotonic() < self._stop_at

    def _register_new(self) -> None:
        while self._new:
            sock = self._new.popleft()
            self._deadlines[sock] = time.monotonic() + self._seconds
            self._selector.register(sock, selectors.EVENT_READ)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines:
            oldest = next(iter(self._deadlines))
            if self._deadlines[oldest] > now and len(self._deadlines) <= MAX_SOCKETS:
                return
            self._close(oldest)

    def _close(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)
        del self._deadlines[sock]
        sock.close()

    def _close_all(self) -> None:
        with self._lock:
            self._is_open = False
        self._register_new()
        for sock in list(self._deadlines):
            self._close(sock)
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()


def _discard(sock: socket.socket, scratch: memoryview) -> bool:
    """Receives and discards what has arrived. Returns whether the client may send more."""
    try:
        return sock.recv_into(scratch) > 0
    except BlockingIOError:
        return True
    except OSError:  # not only ConnectionError: ETIMEDOUT is none
        return False
