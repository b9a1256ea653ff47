"""Logins: verified once, remembered for a while, never kept as a password."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import bcrypt
import pytest

from davbridge.access import logins as module
from davbridge.access.logins import Logins
from davbridge.access.throttle import ThrottledError
from davbridge.access.verification import TooManyLoginsError
from davbridge.config import User
from tests.support.timer import Timer
from tests.support.waiting import PATIENCE, until


def made(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


ANNA = User("anna", made("secret"))
BOB = User("bob", made("hidden"))
USERS = (ANNA, BOB)


class Verifier:
    """Counts what is verified, and how much of it at once; as slow as it is told, and not before
    ``may_go_on``."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.may_go_on = threading.Event()
        self.may_go_on.set()
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
        assert self.may_go_on.wait(PATIENCE)
        with self._lock:
            self.running -= 1
        return bcrypt.checkpw(password.encode(), password_hash.encode())


class Waits:
    """Counts the threads that wait at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self.now += 1
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1


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
        timer.advance(module.CACHED_SECONDS - 1)
    assert len(verify.calls) == 1
    timer.advance(2)
    assert logins.identify("anna", "secret")
    assert len(verify.calls) == 2


def test_one_wrong_password_sent_again_and_again_is_verified_once_and_throttles_nobody() -> None:
    """A device that still has the old password, beside its owner's other devices."""
    verify, timer = Verifier(), Timer()
    logins = Logins(USERS, verify=verify, timer=timer)
    for _ in range(1000):
        assert logins.identify("anna", "wrong", "192.0.2.1") is None
        timer.advance(0.01)
    assert len(verify.calls) == 1
    assert logins.identify("anna", "secret", "192.0.2.1") == "anna"
    timer.advance(module.WRONG_SECONDS)
    assert logins.identify("anna", "wrong", "192.0.2.1") is None
    assert len(verify.calls) == 3


def test_a_password_that_another_network_sent_wrong_is_verified_all_the_same() -> None:
    """Or the time of the answer would tell what a user has mistyped."""
    verify = Verifier()
    logins = Logins(USERS, verify=verify)
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"):
        assert logins.identify("anna", "wrong", address) is None
    assert len(verify.calls) == 4


def test_a_login_that_was_right_within_a_day_is_verified_without_a_delay_where_others_guess() -> (
    None
):
    verify, timer = Verifier(), Timer()
    logins = Logins(USERS, verify=verify, timer=timer)

    def guess() -> None:
        for number in range(100):
            with suppress(ThrottledError):
                logins.identify("anna", f"{number}", "192.0.2.1")
        with pytest.raises(ThrottledError):
            logins.identify("anna", "another", "192.0.2.1")

    assert logins.identify("anna", "secret", "192.0.2.1") == "anna"
    timer.advance(module.KNOWN_SECONDS - 1)
    guess()
    verified = len(verify.calls)
    assert logins.identify("anna", "secret", "192.0.2.1") == "anna"
    assert len(verify.calls) == verified + 1
    timer.advance(module.KNOWN_SECONDS + 1)
    guess()
    with pytest.raises(ThrottledError):
        logins.identify("anna", "secret", "192.0.2.1")


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


def test_a_drive_without_users_lets_nobody_in() -> None:
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
    verify = Verifier()
    verify.may_go_on.clear()
    logins = Logins(USERS, verify=verify)

    def guess(number: int) -> str | None:
        return logins.identify("anna", str(number), f"192.0.2.{number}")

    with ThreadPoolExecutor(12) as pool:
        guesses = [pool.submit(guess, number) for number in range(12)]
        until(lambda: verify.running == module.PARALLEL)
        verify.may_go_on.set()
        assert [each.result() for each in guesses] == [None] * 12
    assert len(verify.calls) == 12
    assert verify.most == module.PARALLEL


@pytest.mark.parametrize(
    ("password", "running"), [(str, module.PARALLEL), (lambda _: "the same", 1)]
)
def test_a_bounded_number_of_requests_waits_while_others_guess(
    password: Callable[[int], str], running: int
) -> None:
    count = module.MAX_WAITING + 10
    gate, waits, refused = threading.Event(), Waits(), threading.Semaphore(0)
    logins = Logins(USERS, verify=lambda *_: gate.wait(30), waiting=waits)

    def guess(number: int) -> None:
        try:
            logins.identify("anna", password(number), f"192.0.2.{number}")
        except TooManyLoginsError:
            refused.release()

    guesses = [threading.Thread(target=guess, args=(number,)) for number in range(count)]
    for each in guesses:
        each.start()
    too_many = count - module.MAX_WAITING - running
    assert all(refused.acquire(timeout=30) for _ in range(too_many))
    assert waits.now <= module.MAX_WAITING
    gate.set()
    for each in guesses:
        each.join()
    assert not refused.acquire(timeout=0)


def test_the_memory_of_logins_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_LOGINS", 2)
    verify = Verifier()
    logins = Logins([User(name, made("x")) for name in "abc"], verify=verify)
    for name in "abc":
        assert logins.identify(name, "x")
    assert len(verify.calls) == 3
    logins.identify("a", "x")
    assert len(verify.calls) == 4


def test_an_error_of_a_verification_reaches_all_who_wait_and_is_not_remembered() -> None:
    answers = [MemoryError("no 64 MiB"), None]

    def fail_once(password_hash: str, password: str) -> bool:
        if error := answers.pop(0):
            raise error
        return True

    logins = Logins(USERS, verify=fail_once)
    with pytest.raises(MemoryError):
        logins.identify("anna", "secret")
    assert logins.identify("anna", "secret")


def test_users_that_are_replaced_may_log_in_no_more_and_the_new_ones_may() -> None:
    logins = Logins(USERS)
    assert logins.identify("anna", "secret") == "anna"
    assert logins.identify("carl", "his") is None
    logins.replace_users([BOB, User("anna", made("another")), User("carl", made("his"))])
    assert logins.identify("anna", "secret") is None
    assert logins.identify("anna", "another") == "anna"
    assert logins.identify("bob", "hidden") == "bob"
    assert logins.identify("carl", "his") == "carl"


def test_a_login_that_is_verified_while_the_users_are_replaced_is_not_let_in() -> None:
    def verify(_password_hash: str, _password: str) -> bool:
        logins.replace_users([BOB])
        return True

    logins = Logins(USERS, verify=verify)
    with pytest.raises(TooManyLoginsError):
        logins.identify("anna", "secret")
    logins = Logins([BOB])
    assert logins.identify("anna", "secret") is None


def test_no_password_stays_in_memory() -> None:
    logins = Logins(USERS)
    password = "".join(["se", "cret"])  # an object of its own
    assert logins.identify("anna", password)
    seen: list[object] = [logins]
    found: list[object] = []
    while seen and len(found) < 5000:
        for each in gc.get_referents(seen.pop(0)):
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
