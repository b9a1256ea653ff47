"""Clients that guess passwords, over a real server, while a test says when one is verified."""

import base64
import http.client
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HAS_ADDRESSES = sys.platform != "darwin"
"""Whether loopback has more than one address."""

PATIENCE = 30.0
"""Seconds after which a test gives up."""

RIGHT = "right"
"""Every user's password."""


class Gate:
    """Verifies passwords: one each time that it is opened, the one that came first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = False
        self._at_gate: list[str] = []
        """Passwords that wait."""
        self._called: list[str] = []
        """Those that may go on."""
        self.verified: list[str] = []
        """In this order."""

    def __call__(self, _password_hash: str, password: str) -> bool:
        with self._changed:
            self._at_gate.append(password)
            self._changed.notify_all()
            is_called = self._changed.wait_for(
                lambda: self._is_open or password in self._called, PATIENCE
            )
            assert is_called, "the test never opened the gate"
            if not self._is_open:
                self._called.remove(password)
            self.verified.append(password)
        return password == RIGHT

    def has(self, password: str) -> bool:
        """Whether it waits here."""
        with self._changed:
            return password in self._at_gate

    def let_through_until(self, is_over: Callable[[], bool]) -> None:
        """Verifies one password after another."""
        with self._changed:
            while not is_over():
                if self._at_gate:
                    self._called.append(self._at_gate.pop(0))
                    self._changed.notify_all()
                self._changed.wait(0.005)  # nobody says when it is over

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()


class Client:
    """One keep-alive connection from an address of loopback, with a login."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, PATIENCE, source_address=(address, 0)
        )

    def ask(self, name: str, password: str, **headers: str) -> tuple[int, int]:
        """The status, and the seconds of Retry-After."""
        login = base64.b64encode(f"{name}:{password}".encode()).decode()
        self._connection.request("GET", "/", headers={"Authorization": f"Basic {login}", **headers})
        response = self._connection.getresponse()
        response.read()
        return response.status, int(response.headers.get("Retry-After", "0"))

    def close(self) -> None:
        self._connection.close()


class Watched:
    """A WSGI application; which clients' requests are in it, and which have waited to be verified.
    Clients tell who they are in a header."""

    def __init__(self) -> None:
        self.app: WSGIApplication
        self.inside: set[str] = set()
        self.have_waited: set[str] = set()
        self._local = threading.local()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        client = self._local.client = environ.get("HTTP_CLIENT", "")
        self.inside.add(client)
        try:
            return self.app(environ, start_response)
        finally:
            self.inside.discard(client)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What a thread is within while its login waits to be verified."""
        self.have_waited.add(self._local.client)
        yield


class Guessers:
    """Connections that guess without a pause, a new password each time."""

    def __init__(self, app: Watched, addresses: Sequence[str], name: str) -> None:
        self._app = app
        self._addresses = addresses
        self._name = name
        self._stop = threading.Event()
        self.answers: dict[str, list[int]] = {str(number): [] for number in range(len(addresses))}

    def are_all_at_work(self, answered: int = 0) -> bool:
        """Whether each waits for an answer now, or has had more answers than that."""
        return all(
            guesser in self._app.inside or len(answers) > answered
            for guesser, answers in self.answers.items()
        )

    def have_all(self, answers: int) -> bool:
        return all(len(each) >= answers for each in self.answers.values())

    @property
    def failed(self) -> int:
        """How many guesses were found to be wrong."""
        return sum(each.count(401) for each in self.answers.values())

    @contextmanager
    def at_work(self, port: int, gate: Gate) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._guess, args=(port, guesser, address))
            for guesser, address in zip(self.answers, self._addresses, strict=True)
        ]
        with ExitStack() as end:
            for thread in threads:
                thread.start()
                end.callback(thread.join, PATIENCE)
            end.callback(gate.open)
            end.callback(self._stop.set)
            yield

    def _guess(self, port: int, guesser: str, address: str) -> None:
        client = Client(port, address)
        for number in itertools.count():
            if self._stop.is_set():
                break
            status, _ = client.ask(self._name, f"{guesser}-{number}", Client=guesser)
            self.answers[guesser].append(status)
            if status != 401:
                self._stop.wait(0.001)
        client.close()
