"""Logins: verified once, remembered for a while, never kept as a password."""

import gc
import threading
import time
from collections.abc import Callable

import bcrypt
import pytest

from davbridge.access import logins as module
from davbridge.access.logins import Logins, TooManyLoginsError
from davbridge.config import User
from tests.support.timer import Timer


def made(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


ANNA = User("anna", made("secret"))
BOB = User("bob", made("hidden"))
USERS = (ANNA, BOB)


class Verifier:
    """Counts what is verified, and how much of it at once; as slow as it is told."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[tuple[str, str]] = []
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, password_hash: str, password: str) -> bool:
        with self._lock:
            self.calls.append((password_hash, password))
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(self.seconds)
        with self._lock:
            self.running -= 1
        return bcrypt.checkpw(password.encode(), password_hash.encode())


def at_once(*calls: Callable[[], str | None]) -> list[str | None]:
    answers: list[str | None] = []
    threads = [threading.Thread(target=lambda call=call: answers.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_only_the_user_s_own_password_is_right() -> None:
    logins = Logins(USERS)
    assert logins.identify("anna", "secret") == "anna"
    assert logins.identify("bob", "hidden") == "bob"
    assert not logins.identify("anna", "hidden")
    assert not logins.identify("anna", "")
    assert not logins.identify("Anna", "secret")
    assert not logins.identify("", "")


def test_the_slow_hash_is_paid_once() -> None:
    verify = Verifier()
    logins = Logins(USERS, verify=verify)
    assert all(logins.identify("anna", "secret") for _ in range(10))
    assert len(verify.calls) == 1


def test_a_remembered_login_is_forgotten_when_it_is_no_longer_used() -> None:
    """Not sooner: it would have to wait with all who guess, and most of them are turned away."""
    verify, timer = Verifier(), Timer()
    logins = Logins(USERS, verify=verify, timer=timer)
    for _ in range(10):
        assert logins.identify("anna", "secret")
        timer.advance(module.REMEMBERED_SECONDS - 1)
    assert len(verify.calls) == 1
    timer.advance(2)
    assert logins.identify("anna", "secret")
    assert len(verify.calls) == 2


def test_a_wrong_password_is_never_remembered_as_right_nor_as_wrong() -> None:
    verify = Verifier()
    logins = Logins(USERS, verify=verify)
    logins.identify("anna", "secret")
    assert not any(logins.identify("anna", "wrong") for _ in range(3))
    assert len(verify.calls) == 4
    assert logins.identify("anna", "secret")


def test_another_split_of_name_and_password_is_another_login() -> None:
    logins = Logins([User("a", made("b:c")), User("ab", made("x"))])
    assert logins.identify("a", "b:c")
    assert not logins.identify("a:b", "c")
    assert not logins.identify("a:b:c", "")


def test_an_unknown_name_costs_what_a_wrong_password_costs() -> None:
    verify = Verifier()
    logins = Logins(USERS, verify=verify)
    assert not logins.identify("nobody", "secret")
    assert verify.calls == [(ANNA.password_hash, "secret")]
    assert not logins.identify("nobody", "secret")  # although it is anna's


def test_without_users_nobody_gets_in() -> None:
    assert not Logins(()).identify("anna", "secret")


def test_a_name_typed_on_another_system_is_the_same_name() -> None:
    logins = Logins([User("Jürgen", made("secret"))])
    for _ in range(2):  # verified, then remembered
        assert logins.identify("Ju\u0308rgen", "secret") == "Jürgen"


def test_requests_that_come_at_once_with_one_new_login_verify_it_once() -> None:
    verify = Verifier(seconds=0.1)
    logins = Logins(USERS, verify=verify)
    assert at_once(*[lambda: logins.identify("anna", "secret")] * 10) == ["anna"] * 10
    assert len(verify.calls) == 1


def test_a_bounded_number_of_logins_is_verified_at_a_time() -> None:
    verify = Verifier(seconds=0.05)
    logins = Logins(USERS, verify=verify)
    guesses = [lambda number=number: logins.identify("anna", str(number)) for number in range(12)]
    assert at_once(*guesses) == [None] * 12
    assert len(verify.calls) == 12
    assert verify.most == module.PARALLEL


def test_a_bounded_number_of_requests_waits_while_others_guess() -> None:
    verify = Verifier()
    logins = Logins(USERS, verify=verify)
    assert logins.identify("anna", "secret") == "anna"
    verify.seconds = 0.2
    refused: list[str] = []

    def guess(password: str) -> None:
        try:
            logins.identify("anna", password)
        except TooManyLoginsError:
            refused.append(password)

    for password in (str, lambda _: "the same"):
        guesses = [threading.Thread(target=guess, args=(password(n),)) for n in range(40)]
        for each in guesses:
            each.start()
        assert logins.identify("anna", "secret") == "anna"
        for each in guesses:
            each.join()
        assert len(refused) >= 40 - module.MAX_ASKING
        refused.clear()
    verify.seconds = 0
    assert logins.identify("bob", "hidden") == "bob"


def test_the_memory_of_logins_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_LOGINS", 2)
    verify = Verifier()
    logins = Logins([User(name, made("x")) for name in "abc"], verify=verify)
    for name in "abc":
        assert logins.identify(name, "x")
    assert len(verify.calls) == 3
    logins.identify("a", "x")
    assert len(verify.calls) == 4


def test_a_failing_verification_reaches_all_who_wait_and_is_not_remembered() -> None:
    answers = [MemoryError("no 64 MiB"), None]

    def fail_once(password_hash: str, password: str) -> bool:
        if error := answers.pop(0):
            raise error
        return True

    logins = Logins(USERS, verify=fail_once)
    with pytest.raises(MemoryError):
        logins.identify("anna", "secret")
    assert logins.identify("anna", "secret")


def test_no_password_is_kept() -> None:
    logins = Logins(USERS)
    password = "".join(["se", "cret"])  # an object of its own
    assert logins.identify("anna", password)
    seen: list[object] = [logins]
    found: list[object] = []
    while seen and len(found) < 5000:
        for each in gc.get_referents(seen.pop()):
            if isinstance(each, str | bytes | dict | list | tuple) or type(
                each
            ).__module__.startswith(("cachetools", "davbridge")):
                found.append(each)
                if not isinstance(each, str | bytes):
                    seen.append(each)
    texts = [each for each in found if isinstance(each, str | bytes)]
    assert ANNA.password_hash in texts  # the search does find what is there
    assert password not in texts
    assert password.encode() not in texts
