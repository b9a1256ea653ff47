"""A client that asks again: it joins what is under way, or gets what came of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager

import pytest

from davbridge.dav import idempotency as repeats_module
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.urls import Site
from davbridge.dav.idempotency import JOIN_AFTER_SECONDS, MOVE_RESULT_SECONDS, RepeatedRequests
from davbridge.dav.request import DavRequest
from davbridge.dav.response import Response, complete, empty
from davbridge.errors import UnavailableError
from tests.support.timer import Timer

MOMENT = 0.2
"""Seconds in which what doesn't wait would have come through."""


def asked(method: str = "MOVE", url: str = "/a/", user: str = "me", **headers: str) -> DavRequest:
    environ = {"REQUEST_METHOD": method, "REQUEST_URI": url, "REMOTE_USER": user}
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return DavRequest(environ, Site.of("/", ()))


def gone() -> Response:
    raise RefusalError(404, "there is nothing here")


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def requests(timer: Timer) -> RepeatedRequests:
    return RepeatedRequests(timer=timer)


def during(requests: RepeatedRequests, request: DavRequest, then: Callable[[], None]) -> Response:
    """Asks, and does something while the answer is being worked on."""

    def work() -> Response:
        then()
        return empty(201)

    return requests.answer(request, work)


@contextmanager
def asked_again(
    requests: RepeatedRequests, timer: Timer
) -> Iterator[Callable[[], "Future[Response]"]]:
    """What asks again, after a while, from another thread; it is waiting then."""
    with ThreadPoolExecutor(1) as thread:

        def again() -> "Future[Response]":
            timer.advance(JOIN_AFTER_SECONDS)
            second = thread.submit(requests.answer, asked(), gone)
            assert not wait_for([second], MOMENT).done
            return second

        yield again


def test_who_asks_again_after_a_while_waits_for_the_same_answer(
    requests: RepeatedRequests, timer: Timer
) -> None:
    seconds: list[Future[Response]] = []
    with asked_again(requests, timer) as again:
        first = during(requests, asked(), lambda: seconds.append(again()))
        assert seconds[0].result(60) is first


def test_no_more_wait_for_the_same_answer_than_may(
    requests: RepeatedRequests, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats_module, "MAX_WAITING_FOR_ONE", 1)
    seconds: list[Future[Response]] = []

    def ask_twice() -> None:
        seconds.append(again())
        with pytest.raises(UnavailableError):
            requests.answer(asked(), gone)

    with asked_again(requests, timer) as again:
        first = during(requests, asked(), ask_twice)
        assert seconds[0].result(60) is first
        during(requests, asked(), lambda: seconds.append(again()))
        assert seconds[1].result(60).status == 201


def test_who_asks_again_after_a_while_waits_for_the_same_refusal(
    requests: RepeatedRequests, timer: Timer
) -> None:
    seconds: list[Future[Response]] = []
    with asked_again(requests, timer) as again:

        def refuse() -> Response:
            seconds.append(again())
            raise RefusalError(423, "locked")

        with pytest.raises(RefusalError) as refusal:
            requests.answer(asked(), refuse)
        assert seconds[0].exception(10) is refusal.value


def test_of_two_who_ask_at_once_each_has_an_answer_of_its_own(requests: RepeatedRequests) -> None:
    """Who moves a file to claim it must not be told that he has, where another one did."""

    def ask_too() -> None:
        with pytest.raises(RefusalError):
            requests.answer(asked(), gone)

    assert during(requests, asked(), ask_too).status == 201


@pytest.mark.parametrize(
    "other",
    [
        asked("COPY"),
        asked(url="/b/"),
        asked(user="you"),
        asked(destination="/c/"),
        asked(depth="0"),
        asked(overwrite="F"),
        asked(if_match='"1"'),
        asked(**{"if": "(<urn:uuid:1>)"}),
    ],
    ids=["method", "url", "user", "destination", "depth", "overwrite", "If-Match", "If"],
)
def test_a_request_that_differs_is_not_joined(
    requests: RepeatedRequests, timer: Timer, other: DavRequest
) -> None:
    def ask_other() -> None:
        timer.advance(JOIN_AFTER_SECONDS)
        assert requests.answer(other, lambda: empty(204)).status == 204

    assert during(requests, asked(), ask_other).status == 201


def test_a_long_move_is_known_for_a_while_once_its_source_is_gone(
    requests: RepeatedRequests, timer: Timer
) -> None:
    during(requests, asked(), lambda: timer.advance(JOIN_AFTER_SECONDS))
    assert requests.answer(asked(), gone).status == 201
    assert requests.answer(asked(), lambda: empty(204)).status == 204
    with pytest.raises(RefusalError):
        requests.answer(asked(user="you"), gone)
    timer.advance(MOVE_RESULT_SECONDS)
    with pytest.raises(RefusalError):
        requests.answer(asked(), gone)


@pytest.mark.parametrize(
    ("method", "seconds"), [("MOVE", JOIN_AFTER_SECONDS - 1), ("DELETE", JOIN_AFTER_SECONDS)]
)
def test_neither_a_short_move_nor_a_deletion_is_known_once_its_source_is_gone(
    requests: RepeatedRequests, timer: Timer, method: str, seconds: float
) -> None:
    during(requests, asked(method), lambda: timer.advance(seconds))
    with pytest.raises(RefusalError):
        requests.answer(asked(method), gone)


def test_an_answer_that_is_given_again_is_whole_each_time(
    requests: RepeatedRequests, timer: Timer
) -> None:
    def work() -> Response:
        timer.advance(JOIN_AFTER_SECONDS)
        return complete(201, "text/plain", b"moved")

    requests.answer(asked(), work)
    for _ in range(2):
        again = requests.answer(asked(), gone)
        assert b"".join(again.body) == b"moved"
        again.close()
