"""Which login is verified next: fair between networks and names, whoever asks most."""

import threading
from collections.abc import Callable

import pytest

from davbridge.access.verification import Claim, TooManyLoginsError, VerificationQueue
from tests.access.test_guessing import wait_for


class Asked:
    """A queue, one verification at a time, and requests that came one after another."""

    def __init__(self, most: int = 100) -> None:
        self.queue = VerificationQueue(1, most)
        self.verified: list[str] = []
        self.refused: list[str] = []
        self._gate = threading.Event()
        self._threads: list[threading.Thread] = []
        self.ask("first", "another network", "another name")
        wait_for(lambda: len(self.queue._running) == 1)

    def ask(self, login: str, network: str, name: str, failures: int = 0, **more: bool) -> None:
        """Returns once it waits, or was refused."""
        claim = Claim(login.encode(), network, name, failures, **more)
        before = self._settled()
        thread = threading.Thread(target=self._verify, args=(claim,))
        self._threads.append(thread)
        thread.start()
        wait_for(lambda: self._settled() > before)

    def order(self) -> list[str]:
        """Those that were verified, once all have been answered."""
        self._gate.set()
        for thread in self._threads:
            thread.join(30)
        return self.verified[1:]

    def _settled(self) -> int:
        return len(self.queue._running) + len(self.queue._waiting) + len(self.refused)

    def _verify(self, claim: Claim) -> None:
        def check() -> str | None:
            assert self._gate.wait(30)
            self.verified.append(claim.login.decode())
            return None

        try:
            self.queue.verify(claim, check)
        except TooManyLoginsError:
            self.refused.append(claim.login.decode())


def test_networks_are_verified_by_turns() -> None:
    asked = Asked()
    for number in range(10):
        asked.ask(f"guess {number}", "a", "anna")
    asked.ask("owner", "b", "anna")
    assert asked.order().index("owner") <= 1


def test_names_are_verified_by_turns() -> None:
    asked = Asked()
    for number in range(10):
        asked.ask(f"guess {number}", f"network {number}", "anna")
    asked.ask("owner", "b", "bob")
    assert asked.order().index("owner") <= 1


def test_names_of_one_network_are_verified_by_turns() -> None:
    asked = Asked()
    for number in range(10):
        asked.ask(f"guess {number}", "a", "anna")
    asked.ask("owner", "a", "bob")
    assert asked.order().index("owner") <= 1


def test_a_name_that_has_failed_comes_after_one_that_has_not() -> None:
    asked = Asked()
    for number in range(10):
        asked.ask(f"guess {number}", f"network {number}", "anna", failures=1)
    asked.ask("owner", "b", "anna")
    assert asked.order().index("owner") == 0


def test_a_known_login_comes_first() -> None:
    asked = Asked()
    for number in range(3):
        asked.ask(f"{number}", f"network {number}", f"name {number}")
    asked.ask("known", "network 0", "name 0", is_known=True)
    assert asked.order()[0] == "known"


def test_no_login_is_overtaken_for_ever() -> None:
    """One that has failed, while new networks come as fast as they are served."""
    queue, served = VerificationQueue(1, 4), []
    claims = iter(Claim(b"%d" % n, f"network {n}", f"name {n}") for n in range(10_000))
    failed = Claim(b"failed", "bad", "anna", failures=3)

    def serve(claim: Claim) -> Callable[[], None]:
        def check() -> None:
            served.append(claim)
            if claim is not failed and failed not in served:
                come()  # before it is over

        return check

    threads: list[threading.Thread] = []

    def come(claim: Claim | None = None) -> None:
        before = len(queue._waiting)
        claim = claim or next(claims)
        thread = threading.Thread(target=queue.verify, args=(claim, serve(claim)))
        threads.append(thread)
        thread.start()
        wait_for(lambda: len(queue._waiting) > before)

    def begin() -> None:
        come(failed)
        come()

    queue.verify(Claim(b"first", "x", "x"), begin)
    wait_for(lambda: failed in served)
    for thread in threads:
        thread.join(30)
    assert len(served) <= 4 * 4


@pytest.mark.parametrize(
    ("guess", "owner"),
    [
        ({"network": "a"}, {}),
        ({"failures": 1}, {}),
        ({}, {"is_repeated": True}),
        ({}, {"is_known": True}),
    ],
    ids=["many of one network", "one that has failed", "a new one", "an unknown one"],
)
def test_the_lowest_priority_is_refused_where_too_many_wait(
    guess: dict[str, object], owner: dict[str, bool]
) -> None:
    asked = Asked(most=5)
    for number in range(5):
        asked.ask(f"{number}", **{"network": f"network {number}", "name": "anna", **guess})  # type: ignore[arg-type]
    asked.ask("owner", "b", "anna", **owner)
    wait_for(lambda: bool(asked.refused))
    assert asked.refused == ["4"], "the one of them that came last"
    assert "owner" in asked.order()


def test_a_network_takes_no_place_of_anothers_where_all_are_taken() -> None:
    asked = Asked(most=5)
    for number in range(5):
        asked.ask(f"{number}", f"network {number}", "anna")
    for number in range(5):
        asked.ask(f"guess {number}", "network 0", "anna")
    assert asked.refused == [f"guess {number}" for number in range(5)]
    assert len(asked.order()) == 5
