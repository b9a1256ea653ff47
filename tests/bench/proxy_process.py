"""A proxy before the store that holds each request back for a round trip.

Run as a process of its own, so that its work is nobody's time. It reads request heads, waits, and
passes them on; bodies and answers stream through untouched. It prints its port; for each line on
stdin it prints what it has seen since the last, and it ends with stdin.

Invariants: a request is delayed once, however long its body and however used its connection, and
once more where its client waits for ``100 Continue`` before the body: on a network that is a round
trip of its own. Requests on different connections never wait for one another.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from urllib.parse import urlsplit

from tests.bench.proxy import CONTINUE

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class _Front(asyncio.Protocol):
    """A connection from a client; it has one to the store of its own."""

    def __init__(self, proxy: "_Proxy") -> None:
        self._proxy = proxy
        self._buffer = bytearray()
        self._body_left = 0
        self._expects = False
        self._holding: asyncio.Task[None] | None = None
        self._back: _Back | None = None
        self._current: list[object] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def _advance(self) -> None:
        """Passes on what is body, and holds back what is a head."""
        if self._holding is not None or not self._buffer:
            return
        if self._body_left:
            part = self._taken(self._body_left)
            self._body_left -= len(part)
            if self._expects:
                self._expects = False
                self._hold(CONTINUE, part)
                return
            self._send(part)
        end = self._buffer.find(_HEAD_END)
        if end >= 0 and not self._body_left:
            self._take_head(self._taken(end + len(_HEAD_END)))

    def _taken(self, length: int) -> bytes:
        part = bytes(self._buffer[:length])
        del self._buffer[:length]
        return part

    def _take_head(self, head: bytes) -> None:
        if _CHUNKED.search(head):
            # No S3 client measured here sends one: they all sign a length.
            self.answered(b"HTTP/1.1 411 Length Required\r\nConnection: close\r\n\r\n")
            self.close()
            return
        length = _LENGTH.search(head)
        self._body_left = int(length[1]) if length else 0
        self._expects = bool(self._body_left and _EXPECTS.search(head))
        self._hold(head.split(b" ", 1)[0].decode("ascii", "replace"), head)

    def _hold(self, method: str, data: bytes) -> None:
        assert self.transport is not None
        self._current = self._proxy.note(method)
        self.transport.pause_reading()
        self._holding = asyncio.ensure_future(self._release(data, time.monotonic()))

    async def _release(self, data: bytes, since: float) -> None:
        """Opens the store's connection while it waits, as one that is kept open would be."""
        try:
            if self._back is None:
                self._back = await self._proxy.connect(self)
            await asyncio.sleep(since + self._proxy.delay - time.monotonic())
        except OSError:
            self.close()
            return
        self._holding = None
        self._send(data)
        self._advance()
        if self.transport is not None and self._holding is None:
            self.transport.resume_reading()

    def _send(self, data: bytes) -> None:
        if self._back is not None and self._back.transport is not None:
            self._back.transport.write(data)

    def answered(self, data: bytes) -> None:
        """The store has sent something."""
        if self._current is not None:
            self._current[2] = time.monotonic()
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        if self._back is not None and self._back.transport is not None:
            self._back.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._back is not None and self._back.transport is not None:
            self._back.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self.transport = None
        if self._holding is not None:
            self._holding.cancel()
        if self._back is not None and self._back.transport is not None:
            self._back.transport.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Back(asyncio.Protocol):
    """The connection to the store that belongs to a client's."""

    def __init__(self, front: _Front) -> None:
        self._front = front
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._front.answered(data)

    def pause_writing(self) -> None:
        if self._front.transport is not None:
            self._front.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._front.transport is not None:
            self._front.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self.transport = None
        self._front.close()


class _Proxy:
    """What the connections share."""

    def __init__(self, store_url: str, delay: float) -> None:
        store = urlsplit(store_url)
        self._store = store.hostname or "", store.port or 80
        self.delay = delay
        self._seen: list[list[object]] = []

    def note(self, method: str) -> list[object]:
        now = time.monotonic()
        seen: list[object] = [method, now, now]
        self._seen.append(seen)
        return seen

    def take(self) -> list[list[object]]:
        seen, self._seen = self._seen, []
        return seen

    async def connect(self, front: _Front) -> _Back:
        loop = asyncio.get_running_loop()
        host, port = self._store
        _, back = await loop.create_connection(lambda: _Back(front), host, port)
        return back

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Front(self), "127.0.0.1", 0, backlog=512)
        _tell(str(server.sockets[0].getsockname()[1]))
        # Its end is the end of whoever started this.
        while await loop.run_in_executor(None, sys.stdin.readline):
            _tell(json.dumps(self.take()))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store_url")
    parser.add_argument("delay", type=float)
    options = parser.parse_args()
    asyncio.run(_Proxy(options.store_url, options.delay).serve())
