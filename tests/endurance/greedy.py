"""Clients that take what others need: memory, threads, logins, locks and space.

Owns what they do, each from another address of loopback than the healthy client. Must not know
what is judged.
"""

import http.client
import socket
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from random import Random
from typing import NamedTuple

from tests.support.bodies import lock_info
from tests.support.slow import Crowd

ADDRESS = "127.0.0.2"

MIB = 1024 * 1024
GIB = 1024 * MIB

AT_ONCE = 300_000
"""Bytes that a slow upload sends at first, and how many in each second from then on."""
SENT = 1500

PATIENCE = 120.0
"""Seconds; who is greedy isn't patient."""


class Login(NamedTuple):
    name: str
    password: str

    @property
    def header(self) -> dict[str, str]:
        words = f"{self.name}:{self.password}".encode()
        return {"Authorization": f"Basic {b64encode(words).decode()}"}


class Target(NamedTuple):
    """Whom they ask, and as whom."""

    port: int
    login: Login


class Greedy(NamedTuple):
    """What it has come to so far."""

    statuses: Counter[int]
    """Of answers; 0 for a connection that broke."""


class SlowUpload:
    """A PUT that announces much, and sends little. Begun anew where the server has ended it."""

    is_done = False

    def __init__(self, target: Target, path: str, announced: int, statuses: Counter[int]) -> None:
        self._target = target
        self._path = path
        self._announced = announced
        self._statuses = statuses
        self._socket: socket.socket | None = None
        self.rounds = 0

    @property
    def has_begun(self) -> bool:
        return self._socket is not None

    def step(self) -> None:
        try:
            if self._socket is None:
                self._begin()
            else:
                self._look_and_send(self._socket)
        except BlockingIOError:
            pass
        except OSError:
            self._end(0)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _begin(self) -> None:
        self._socket = connected(self._target.port)
        fields = {"Host": "localhost", "Content-Length": str(self._announced)}
        fields |= self._target.login.header
        lines = [f"PUT {self._path} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
        self._socket.settimeout(PATIENCE)
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            self._socket.send(bytes(AT_ONCE))

    def _look_and_send(self, sock: socket.socket) -> None:
        try:
            answer = sock.recv(4096)
        except BlockingIOError:
            sock.send(bytes(SENT))
            return
        if not answer.startswith(b"HTTP/1.1 100"):
            self._end(int(answer[9:12] or 0))

    def _end(self, status: int) -> None:
        self._statuses[status] += 1
        self.rounds += 1
        self.close()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE, (ADDRESS, 0))


@contextmanager
def slow_uploads(target: Target, count: int) -> Iterator[Greedy]:
    """Two that announce 800 GiB, and so many of 90 MB."""
    statuses: Counter[int] = Counter()
    sizes = [800 * GIB] * 2 + [90_000_000] * count
    uploads = [
        SlowUpload(target, f"/greedy/{number}", size, statuses) for number, size in enumerate(sizes)
    ]
    with Crowd(uploads, 1.0):
        time.sleep(2.0)  # all of them have begun
        yield Greedy(statuses)


Act = Callable[[int, http.client.HTTPConnection], int]
"""A request of the client of this number; its status."""


@contextmanager
def repeated(clients: int, act: Act, port: int) -> Iterator[Greedy]:
    """Clients that each do the same again and again, by their number, on connections that stay."""
    is_over, statuses = threading.Event(), Counter[int]()
    lock = threading.Lock()

    def go_on(number: int) -> None:
        while not is_over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, PATIENCE, (ADDRESS, 0))
            try:
                while not is_over.is_set():
                    status = act(number, connection)
                    with lock:
                        statuses[status] += 1
            except (OSError, http.client.HTTPException):
                with lock:
                    statuses[0] += 1
                is_over.wait(0.1)
            finally:
                connection.close()

    with ThreadPoolExecutor(clients) as pool:
        done = [pool.submit(go_on, number) for number in range(clients)]
        try:
            yield Greedy(statuses)
        finally:
            is_over.set()
    for each in done:
        each.result()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    login: Login,
    body: bytes | str | None = None,
    **fields: str,
) -> int:
    connection.request(method, path, body, {**login.header, **fields})
    response = connection.getresponse()
    response.read()
    return response.status


def hanging_reads(target: Target, clients: int) -> AbstractContextManager[Greedy]:
    """GETs of files for which the store never answers."""

    def act(number: int, connection: http.client.HTTPConnection) -> int:
        return ask(connection, "GET", f"/hanging/{number}", target.login)

    return repeated(clients, act, target.port)


def guesses(target: Target, clients: int, names: list[str]) -> AbstractContextManager[Greedy]:
    """Passwords of these users, and of nobody."""
    random = Random(1)

    def act(_: int, connection: http.client.HTTPConnection) -> int:
        name = random.choice([*names, f"nobody-{random.random()}"])
        return ask(connection, "PROPFIND", "/", Login(name, f"{random.random()}"), Depth="0")

    return repeated(clients, act, target.port)


def locks(target: Target, clients: int) -> AbstractContextManager[Greedy]:
    """As many as there are, for as long as there may be."""
    numbers = count()
    fields = {"Timeout": "Infinite", "Content-Type": "application/xml"}

    def act(_: int, connection: http.client.HTTPConnection) -> int:
        path = f"/greedy/lock-{next(numbers)}"
        return ask(connection, "LOCK", path, target.login, lock_info(), **fields)

    return repeated(clients, act, target.port)


def large_files(target: Target, clients: int, size: int) -> AbstractContextManager[Greedy]:
    """Each writes files of so many bytes, under ever other names, and some of them once more."""

    def act(number: int, connection: http.client.HTTPConnection) -> int:
        path = f"/greedy/{number}-{time.monotonic_ns() % 3}"
        return ask(connection, "PUT", path, target.login, bytes(size))

    return repeated(clients, act, target.port)
