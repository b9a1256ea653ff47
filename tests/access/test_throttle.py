"""Growing delays for those who fail; none for anybody elsewhere, whatever the name."""

import random
from itertools import count

import pytest

from davbridge.access import throttle as module
from davbridge.access.throttle import (
    FIRST_DELAY,
    LATE_SECONDS,
    LONGEST_WAIT,
    MAX_EXCESS,
    NETWORK,
    PAIR,
    Throttle,
    ThrottledError,
)
from tests.support.memory import bytes_taken_by
from tests.support.timer import Timer

HERE = "192.0.2.1"
ELSEWHERE = "192.0.2.2"


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def throttle(timer: Timer) -> Throttle:
    return Throttle(timer)


def is_admitted(throttle: Throttle, network: str, name: str, login: str) -> bool:
    """Whether it is, at once; it fails then."""
    try:
        admission = throttle.admit(network, name, login.encode())
    except ThrottledError:
        return False
    throttle.fail(admission)
    return True


def delay_of(throttle: Throttle, network: str, name: str, login: str) -> int:
    with pytest.raises(ThrottledError) as error:
        throttle.admit(network, name, login.encode())
    return error.value.seconds


def delays_until_admitted(
    throttle: Throttle, timer: Timer, network: str, name: str, login: str
) -> list[int]:
    """What a client is told that waits as it is told, until its login is verified, and fails."""
    delays: list[int] = []
    while not is_admitted(throttle, network, name, login):
        delays.append(delay_of(throttle, network, name, login))
        timer.advance(delays[-1])
    return delays


def fail(throttle: Throttle, network: str, name: str, times: int) -> None:
    for number in range(times):
        assert is_admitted(throttle, network, name, f"failed {number}")


def test_some_failures_of_a_user_are_free(throttle: Throttle) -> None:
    fail(throttle, HERE, "anna", PAIR.free)
    assert delay_of(throttle, HERE, "anna", "x") == FIRST_DELAY


def test_the_failures_of_one_user_delay_nobody_elsewhere_and_no_other_user(
    throttle: Throttle,
) -> None:
    fail(throttle, HERE, "anna", PAIR.free)
    assert is_admitted(throttle, ELSEWHERE, "anna", "x")
    assert is_admitted(throttle, HERE, "bob", "x")


def test_failures_under_changing_names_count_for_their_address(throttle: Throttle) -> None:
    for number in range(NETWORK.free):
        fail(throttle, HERE, f"user {number}", 1)
    assert delay_of(throttle, HERE, "bob", "x") == FIRST_DELAY
    assert is_admitted(throttle, ELSEWHERE, "user 1", "x")


def test_delays_of_failed_logins_grow_to_a_bound(throttle: Throttle, timer: Timer) -> None:
    fail(throttle, HERE, "anna", PAIR.free)
    told = [
        sum(delays_until_admitted(throttle, timer, HERE, "anna", f"guess {number}"))
        for number in range(12)
    ]
    assert told[:5] == [1, 2, 4, 8, 16]
    assert max(told) == PAIR.seconds
    assert min(told[5:]) >= 16


def test_a_login_that_does_not_come_again_is_never_verified(
    throttle: Throttle, timer: Timer
) -> None:
    """However many do, as fast as they can: only as many as are forgiven."""
    fail(throttle, HERE, "anna", PAIR.free)
    admitted = 0
    for number in range(20_000):
        admitted += is_admitted(throttle, HERE, "anna", f"guess {number}")
        timer.advance(0.01)
    assert admitted <= 20_000 * 0.01 / PAIR.seconds


@pytest.mark.parametrize("guessers", [1, 24, 60])
def test_guessers_who_wait_as_asked_get_no_more_than_is_forgiven(
    guessers: int, throttle: Throttle, timer: Timer
) -> None:
    """Each repeats its login until it is verified, and goes on to the next."""
    numbers, choice = count(), random.Random(1)
    state = [(0.0, next(numbers)) for _ in range(guessers)]
    begin, end, verified = timer.now, 1800, 0
    while (at := min(state)[0]) < end:
        index = choice.choice([i for i, (when, _) in enumerate(state) if when == at])
        timer.now = begin + at
        try:
            admission = throttle.admit(HERE, "anna", str(state[index][1]).encode())
        except ThrottledError as error:
            state[index] = (at + error.seconds, state[index][1])
        else:
            throttle.fail(admission)
            verified += 1
            state[index] = (at, next(numbers))
    assert verified <= PAIR.free + MAX_EXCESS + end / PAIR.seconds
    assert verified >= end / PAIR.seconds / 2


@pytest.mark.parametrize("name", ["anna", "bob"])
@pytest.mark.parametrize("do_wait", [True, False], ids=["who wait", "who don't wait"])
def test_the_third_try_is_admitted_at_the_latest_among_24_guessers(
    do_wait: bool, name: str, throttle: Throttle, timer: Timer
) -> None:
    """The owner's, from the guessers' own address."""
    numbers = count()
    guesses = [(timer.now, next(numbers)) for _ in range(24)]

    def let_them_guess(until: float) -> None:
        while min(guesses)[0] < until:
            index = guesses.index(min(guesses))
            at, number = guesses[index]
            timer.now = max(timer.now, at)
            try:
                throttle.fail(throttle.admit(HERE, "anna", str(number).encode()))
                guesses[index] = (at, next(numbers))
            except ThrottledError as error:
                again = (at + error.seconds, number) if do_wait else (at + 0.1, next(numbers))
                guesses[index] = again
        timer.now = until

    let_them_guess(timer.now + 100)
    told: list[int] = []
    while len(told) < 3:
        try:
            throttle.admit(HERE, name, b"owner")
            break
        except ThrottledError as error:
            told.append(error.seconds)
            let_them_guess(timer.now + error.seconds)
    assert len(told) <= 2
    assert sum(told) <= 25 * PAIR.seconds


def test_logins_under_way_count_as_failed(throttle: Throttle) -> None:
    admissions = [throttle.admit(HERE, "anna", bytes([number])) for number in range(PAIR.free)]
    delay_of(throttle, HERE, "anna", "x")
    throttle.succeed(admissions[0])
    assert is_admitted(throttle, HERE, "anna", "x")


def test_a_success_forgives_the_pair_but_not_the_address(throttle: Throttle) -> None:
    fail(throttle, HERE, "anna", PAIR.free - 1)
    throttle.succeed(throttle.admit(HERE, "anna", b"right"))
    fail(throttle, HERE, "anna", PAIR.free)
    for number in range(NETWORK.free - 2 * PAIR.free + 1):
        throttle.succeed(throttle.admit(HERE, "mallory", b"own"))
        assert is_admitted(throttle, HERE, f"user {number}", "x")
    delay_of(throttle, HERE, "mallory", "own")


def test_a_withdrawn_login_keeps_its_place(throttle: Throttle, timer: Timer) -> None:
    fail(throttle, HERE, "anna", PAIR.free)
    timer.advance(delay_of(throttle, HERE, "anna", "x"))
    admission = throttle.admit(HERE, "anna", b"x")
    assert admission.is_repeated
    throttle.withdraw(admission)
    assert throttle.admit(HERE, "anna", b"x").is_repeated


def test_a_place_is_kept_for_a_while_and_then_expires(throttle: Throttle, timer: Timer) -> None:
    fail(throttle, HERE, "anna", PAIR.free)
    for login in "wxyz":
        delay_of(throttle, HERE, "anna", login)
    timer.advance(FIRST_DELAY)
    assert is_admitted(throttle, HERE, "anna", "w")
    told = [delay_of(throttle, HERE, "anna", login) for login in "xyz"]
    assert told == sorted(set(told)), "one after another"
    timer.advance(told[0] + LATE_SECONDS)
    for number in range(PAIR.free):
        is_admitted(throttle, HERE, "anna", f"again {number}")
    assert is_admitted(throttle, HERE, "anna", "x")
    timer.advance(told[1] - told[0] + 1)
    delay_of(throttle, HERE, "anna", "y")


def test_a_login_that_would_wait_too_long_is_given_no_place(
    throttle: Throttle, timer: Timer
) -> None:
    fail(throttle, HERE, "anna", PAIR.free - 1)
    throttle.admit(HERE, "anna", b"under way")
    logins = [f"guess {number}" for number in range(100)]
    for login in logins:
        delay_of(throttle, HERE, "anna", login)
    timer.advance(FIRST_DELAY)
    throttle.admit(HERE, "anna", logins[0].encode())
    told = [delay_of(throttle, HERE, "anna", login) for login in logins[1:]]
    assert len(throttle._scheduled) <= LONGEST_WAIT / PAIR.seconds + MAX_EXCESS
    assert max(told) <= LONGEST_WAIT


def test_every_failure_is_forgiven_in_time(throttle: Throttle, timer: Timer) -> None:
    for number in range(200):
        is_admitted(throttle, HERE, "anna", f"{number}")
        timer.advance(30)
    timer.advance(PAIR.seconds * (PAIR.free + MAX_EXCESS))
    fail(throttle, HERE, "anna", PAIR.free)


def test_the_throttles_memory_is_bounded_whatever_addresses_and_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for bound in ("MAX_RECORDS", "MAX_REFUSED", "MAX_SCHEDULED"):
        monkeypatch.setattr(module, bound, 50)
    throttle = Throttle(Timer())

    def attack() -> None:
        for number in range(500):
            for login in range(PAIR.free + 1):
                is_admitted(throttle, f"network {number}", "anna" * 1000, f"{login}")

    assert bytes_taken_by(attack) < 150 * 1024
