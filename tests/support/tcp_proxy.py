"""A TCP proxy between davbridge and its store, which can fail as networks and stores do.

It passes bytes on until it is told to reset connections, to hold the bytes back, to cut answers
short, or to refuse requests. All of its state is changed in its own event loop.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.support.sockets import reset_at_close

_BLOCK = 64 * 1024

_SLOW_DOWN_BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_SLOW_DOWN_BODY), _SLOW_DOWN_BODY)
)


class TcpProxy:
    """Made by `proxied`. Its methods are for other threads than its own."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = parts.hostname, parts.port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._going = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_down = False
        self.cuts_left = 0
        """Answers still to be cut."""
        self._cut_after = 0
        self._passed = 0
        self._stall_in: int | None = None
        """After how many more bytes of answers it stalls."""
        self.refusals_left = 0
        """Requests still to be refused."""
        self.held = 0
        """Connections whose requests are held back since the last `stall`."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def break_off(self) -> None:
        """Resets what is open, and whatever is opened from now on."""

        def apply() -> None:
            self._is_down = True
            self._reset_all()

        self._do(apply)

    def stall(self) -> None:
        """Holds back every byte from now on, in both directions."""

        def apply() -> None:
            self.held = 0
            self._going.clear()

        self._do(apply)

    def stall_after(self, size: int) -> None:
        """The same after so many more bytes of answers: what buffers elsewhere hold is as it is."""

        def apply() -> None:
            self._stall_in = size

        self._do(apply)

    def drop(self) -> None:
        """Resets what is open, and passes on what is opened from now on."""

        def apply() -> None:
            self._reset_all()
            self._going.set()

        self._do(apply)

    def recover(self) -> None:
        """Passes everything on again."""

        def apply() -> None:
            self._is_down = False
            self.cuts_left = self.refusals_left = 0
            self._going.set()

        self._do(apply)

    def cut_answers(self, count: int, *, after: int) -> None:
        """Resets the connection after ``after`` more bytes of answers, ``count`` times over."""

        def apply() -> None:
            self.cuts_left, self._cut_after, self._passed = count, after, 0

        self._do(apply)

    def slow_down(self, count: int) -> None:
        """Answers the next ``count`` requests with 503 SlowDown, as S3 does."""

        def apply() -> None:
            self.refusals_left = count

        self._do(apply)

    def close(self) -> None:
        self._do(self._stopping.set)
        self._thread.join()

    def _do(self, change: Callable[[], None]) -> None:
        """Makes the change in the loop, and returns when it is made."""

        async def apply() -> None:
            change()

        asyncio.run_coroutine_threadsafe(apply(), self._loop).result()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._going.set()
        async with await asyncio.start_server(self._connect, sock=self._listener):
            await self._stopping.wait()
            self._reset_all()

    async def _connect(self, requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._is_down:
            _reset(client)
            return
        answers, store = await asyncio.open_connection(*self._target)
        pair = {client, store}
        self._writers |= pair
        with contextlib.suppress(ConnectionError):
            await _first_of(
                self._pass_requests(requests, store, client), self._pass_answers(answers, client)
            )
        self._writers -= pair
        for writer in pair:
            _reset(writer)

    async def _pass_requests(
        self,
        requests: asyncio.StreamReader,
        store: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
    ) -> None:
        while data := await requests.read(_BLOCK):
            self.held += not self._going.is_set()
            await self._going.wait()
            if self.refusals_left:
                self.refusals_left -= 1
                client.write(SLOW_DOWN)
                client.close()
                await client.wait_closed()
                return
            store.write(data)
            await store.drain()

    async def _pass_answers(
        self, answers: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        while data := await answers.read(_BLOCK):
            self._stall_if_due(len(data))
            await self._going.wait()
            allowed = self._allowed(len(data))
            client.write(data[:allowed])
            await client.drain()
            if allowed < len(data):
                return

    def _stall_if_due(self, size: int) -> None:
        if self._stall_in is not None:
            self._stall_in -= size
            if self._stall_in < 0:
                self._stall_in = None
                self._going.clear()

    def _allowed(self, size: int) -> int:
        """How many of the next ``size`` bytes of answers may pass."""
        if not self.cuts_left:
            return size
        left = self._cut_after - self._passed
        self._passed += size
        if size <= left:
            return size
        self.cuts_left -= 1
        self._passed = 0
        return left

    def _reset_all(self) -> None:
        for writer in self._writers:
            _reset(writer)


async def _first_of(*ways: Coroutine[None, None, None]) -> None:
    """Runs them until one has ended, and ends the others."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN."""
    if not writer.is_closing():
        reset_at_close(writer.get_extra_info("socket"))
        writer.transport.abort()


@contextmanager
def proxied(target: str) -> Iterator[TcpProxy]:
    """A proxy in front of the URL ``target``."""
    proxy = TcpProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
