"""Who guesses passwords keeps nobody else from logging in."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from davbridge.access.basic import BasicAuth
from davbridge.access.logins import Logins
from davbridge.config import AccessSettings, User
from davbridge.waiting import queue_wait
from tests.support.guessing import HAS_ADDRESSES, PATIENCE, RIGHT, Client, Gate, Guessers, Watched
from tests.support.timer import Timer
from tests.support.wire import serving

pytestmark = pytest.mark.skipif(not HAS_ADDRESSES, reason="loopback has one address")

HASH = "$2b$04$" + "a" * 53
USERS = (User("anna", HASH), User("bob", HASH))

HERE = "127.0.0.1"
ELSEWHERE = "127.0.1.1"
OWNER = "owner"
MANY = [f"127.0.2.{number}" for number in range(1, 25)]


class Place(NamedTuple):
    port: int
    app: Watched
    gate: Gate
    timer: Timer


@pytest.fixture
def place() -> Iterator[Place]:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    watched, gate, timer = Watched(), Gate(), Timer()
    logins = Logins(USERS, verify=gate, timer=timer, waiting=watched.waiting)
    watched.app = BasicAuth(app, AccessSettings(users=USERS), logins)
    with serving(watched, threads=40) as server:
        yield Place(server.port, watched, gate, timer)


FEW = 8
"""Logins of 24 guessers, who never stop, that are verified before a first login. It comes after
those that are being verified, and on a busy machine some more are before it comes in."""


class Owner:
    """Logs in with the right password, and comes again when it is told to."""

    def __init__(self, place: Place, address: str, name: str = "anna", tries: int = 3) -> None:
        self._place = place
        self._address = address
        self._name = name
        self._tries = tries
        self.statuses: list[int] = []
        self.after = 0
        """How many guesses were verified before the own password, from when it waited."""

    def logs_in(self) -> int:
        thread = threading.Thread(target=self._log_in)
        self._place.app.have_waited.discard(OWNER)
        thread.start()
        wait_for(self._is_under_way)
        before = len(self._place.gate.verified)
        self._place.gate.let_through_until(lambda: not thread.is_alive())
        if RIGHT in (since := self._place.gate.verified[before:]):
            self.after = since.index(RIGHT)
        return self.statuses[-1]

    def _is_under_way(self) -> bool:
        app, gate = self._place.app, self._place.gate
        return bool(self.statuses) or OWNER in app.have_waited or gate.has(RIGHT)

    def _log_in(self) -> None:
        client = Client(self._place.port, self._address)
        for _ in range(self._tries):
            status, seconds = client.ask(self._name, RIGHT, Client=OWNER)
            self.statuses.append(status)
            if status == 200:
                break
            self._place.timer.advance(seconds)
        client.close()


@contextmanager
def guessing(place: Place, addresses: list[str], name: str = "anna") -> Iterator[Guessers]:
    """24 guessers, each of which waits for an answer or has been refused one."""
    guessers = Guessers(place.app, addresses, name)
    with guessers.at_work(place.port, place.gate):
        wait_for(guessers.are_all_at_work)
        yield guessers


def wait_for(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if is_so():
            return
        pause.wait(0.005)
    raise AssertionError("it never was so")


def test_a_first_login_from_another_address_waits_for_few_guesses_and_is_never_refused(
    place: Place,
) -> None:
    owner = Owner(place, ELSEWHERE)
    with guessing(place, [HERE] * 24):
        assert owner.logs_in() == 200
    assert owner.statuses == [200]
    assert owner.after <= FEW


def test_a_first_login_from_the_guessers_address_under_another_name_takes_three_tries(
    place: Place,
) -> None:
    with guessing(place, [HERE] * 24):
        assert Owner(place, HERE, "bob").logs_in() == 200


def test_a_first_login_from_the_guessers_address_under_the_guessed_name_takes_three_tries(
    place: Place,
) -> None:
    with guessing(place, [HERE] * 24) as guessers:
        place.gate.let_through_until(lambda: guessers.have_all(3))
        assert Owner(place, HERE).logs_in() == 200


def test_a_first_login_is_not_refused_while_its_name_is_guessed_from_24_addresses(
    place: Place,
) -> None:
    with guessing(place, MANY) as guessers:
        owner = Owner(place, ELSEWHERE)
        assert owner.logs_in() == 200
        assert owner.statuses == [200]
        place.gate.let_through_until(lambda: guessers.have_all(1))
        other = Owner(place, ELSEWHERE, "bob")
        assert other.logs_in() == 200
        assert other.after <= FEW, "those whose address has guessed wrong come later"


def test_a_user_who_has_logged_in_is_not_asked_again_behind_the_guessers_address(
    place: Place,
) -> None:
    assert Owner(place, HERE).logs_in() == 200
    with guessing(place, [HERE] * 24):
        assert Owner(place, HERE, tries=1).logs_in() == 200


def test_logins_that_wait_take_no_thread_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four threads, and twelve logins that wait."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    @contextmanager
    def waiting() -> Iterator[None]:
        with watched.waiting(), queue_wait():
            yield

    watched, gate = Watched(), Gate()
    defaults = Logins.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "verify", gate)
    watched.app = BasicAuth(app, AccessSettings(users=USERS), Logins(USERS, waiting=waiting))
    guessers = Guessers(watched, MANY[:14], "anna")
    with serving(watched, threads=4) as server:
        known = Client(server.port)
        first = threading.Thread(target=known.ask, args=("bob", RIGHT))
        first.start()
        gate.let_through_until(lambda: not first.is_alive())
        with guessers.at_work(server.port, gate):
            wait_for(lambda: len(watched.have_waited) == 12)
            assert known.ask("bob", RIGHT) == (200, 0)
            assert guessers.failed == 0
        known.close()
