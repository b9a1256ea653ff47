"""The soak tells what it found, and what it finds is a broken promise."""

import http.client
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event
from time import sleep
from urllib.parse import urlsplit

import pytest

from tests.endurance import main as soak
from tests.endurance import model
from tests.endurance.base import Ground, Result, Scenario
from tests.endurance.possible import Body, Bookkeeper
from tests.endurance.works import PAINTED, Worker
from tests.support import s3proxy
from tests.support.bridge import Answer, Client
from tests.support.endpoints import Endpoint
from tests.tree.model import Model

NOWHERE = Endpoint("", "", "", "")


def scenario(name: str, *broken: str) -> Scenario[int]:
    def run(ground: Ground, size: int) -> Result:
        done = sum(1 for _ in ground.rounds(size))
        return Result({"rounds": f"{done}"}, broken)

    return Scenario(name, "a promise", short=2, long=5, run=run)


def outcome(each: Scenario[int], folder: Path, *arguments: str) -> soak.Outcome:
    options = soak._options(arguments, [each.name])
    return soak._run(each, NOWHERE, folder / each.name, options)


def test_a_kept_promise_passes_with_its_figures(tmp_path: Path) -> None:
    assert "| rounds: 5; 0 s | pass |" in soak.line(outcome(scenario("kept"), tmp_path))


def test_the_short_form_is_the_smaller_one(tmp_path: Path) -> None:
    assert "rounds: 2" in soak.line(outcome(scenario("kept"), tmp_path, "--short"))


def test_a_scenario_without_time_begins_no_round(tmp_path: Path) -> None:
    assert "rounds: 0" in soak.line(outcome(scenario("kept"), tmp_path, "--minutes", "0"))


def test_a_broken_promise_fails_and_is_reported(tmp_path: Path) -> None:
    told = outcome(scenario("broken", "a|b is lost"), tmp_path)
    assert soak.line(told).endswith("| FAIL: a\\|b is lost |")


def test_an_exception_is_a_broken_promise(tmp_path: Path) -> None:
    def run(_: Ground, size: int) -> Result:
        raise ConnectionError(f"no {size}")

    told = outcome(Scenario("raises", "a promise", 1, 2, run), tmp_path)
    assert told.result.broken == ("ConnectionError: no 2",)


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(SystemExit):
        soak._options(["--only", "nothing"], ["model"])


class Liar(Client):
    """Answers what it is told to."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)

    def __call__(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **named: str,
    ) -> Answer:
        status, content = self.answers.pop(0)
        fields = http.client.HTTPMessage()
        fields["ETag"] = '"e"'
        return Answer(status, fields, content)


def book(may_be: set[Body], *answers: tuple[int, bytes]) -> Bookkeeper:
    return Bookkeeper(Liar(*answers), "/home/", {"a": may_be})


@pytest.mark.parametrize(
    ("may_be", "answer"),
    [
        ({b"whole"}, (200, b"who")),
        ({b"whole"}, (404, b"")),
        ({b"new"}, (200, b"old")),
        ({b"old", b"new"}, (404, b"")),
        ({None}, (200, b"back")),
        ({b"whole"}, (500, b"")),
        ({b"whole"}, (412, b"")),
    ],
)
def test_a_look_at_what_cannot_be_is_a_broken_promise(
    may_be: set[Body], answer: tuple[int, bytes]
) -> None:
    keeper = book(may_be, answer)
    keeper.look("a")
    assert len(keeper.broken) == 1


@pytest.mark.parametrize("status", [404, 412, 423, 500])
def test_a_refusal_that_is_made_up_is_a_broken_promise(status: int) -> None:
    keeper = book({b"old"}, (status, b""))
    keeper.change("PUT", "a", (204,), {"a": b"new"}, b"new", if_match='"e"')
    assert len(keeper.broken) == 1


@pytest.mark.parametrize(("status", "broken"), [(503, 0), (404, 1), (412, 1), (500, 1)])
def test_a_member_that_is_refused_is_a_broken_promise(status: int, broken: int) -> None:
    keeper = book({None}, (207, b"<D:status>HTTP/1.1 %d X</D:status>" % status), (204, b""))
    keeper.insist("DELETE", "tree/", (204,), (404,))
    assert len(keeper.broken) == broken


def test_after_a_failure_either_state_passes_until_a_look_decides() -> None:
    keeper = book({b"old"}, (503, b""), (200, b"new"), (200, b"old"))
    keeper.change("PUT", "a", (204,), {"a": b"new"}, b"new")
    keeper.look("a")
    assert keeper.broken == []
    assert keeper.may_be == {"a": {b"new"}}
    keeper.look("a")
    assert len(keeper.broken) == 1


def test_files_that_get_properties_are_there_before_any_other_step() -> None:
    answers = [(201, b""), (503, b""), (503, b""), (201, b"")]
    worker = Worker(Bookkeeper(Liar(*answers), "/home/"), Random(1), large_one_in=10**9)
    worker.begin()
    assert worker.book.broken == []
    assert len(worker.book.may_be[PAINTED]) == 1


def test_requests_given_up_have_ended_before_anything_is_concluded() -> None:
    """A store that is slower than davbridge waits does it after the client was told 503."""
    begun, done = Event(), Event()

    def slowly(_: s3proxy.Request) -> s3proxy.Answer:
        begun.set()
        sleep(0.3)
        done.set()
        return s3proxy.Answer(200)

    with s3proxy.s3_proxy(None) as store, s3proxy.s3_proxy(store.url) as proxy:
        store.rule = slowly
        impatient = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=0.1)
        impatient.request("PUT", "/bucket/home/a", b"body")
        with closing(impatient), pytest.raises(TimeoutError):
            impatient.getresponse()
        assert begun.wait(60)
        proxy.wait_for_writes("elsewhere/")
        assert not done.is_set()
        proxy.wait_for_writes("home/")
        assert done.is_set()


def test_a_model_that_differs_is_reported_in_the_steps_that_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forgetful(self: Model, path: tuple[str, ...], value: str) -> None:
        self.existing_parent(path)

    monkeypatch.setattr(Model, "set_property", forgetful)
    random = Random(1)
    told = next(filter(None, (model.diverge(random, 30) for _ in range(100))))
    assert told.count("set_property") == 1
    assert told.count("(") < 20
