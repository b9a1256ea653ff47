"""What the scenarios hold and pause is held and paused, and what is lost then is told."""

import http.client
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import count
from random import Random
from urllib.parse import urlsplit

import pytest

from tests.endurance import starvation
from tests.endurance.crossings import shown_in
from tests.endurance.interrupted import FILES, PHASES, Job, Phase
from tests.endurance.plots import Step, model_of, plot_of
from tests.endurance.starvation import Healthy, Siege
from tests.support.bridge import Answer, Client
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.pauses import HeldRequests, Moment, stopped, wait_for
from tests.support.proc import state_of
from tests.support.s3proxy import Answer as StoreAnswer
from tests.support.s3proxy import S3Proxy, s3_proxy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


NUMBERS = count()


@pytest.fixture(scope="module")
def bucket(seaweedfs: Endpoint) -> Iterator[Bucket]:
    with fresh_bucket(seaweedfs) as bucket:
        yield bucket


@pytest.fixture
def job(bucket: Bucket, request: pytest.FixtureRequest) -> Job:
    phase: Phase = getattr(request, "param", PHASES[0])
    job = Job(f"job-{next(NUMBERS)}", phase, is_equal=False, is_asked_again=True, comes_back=True)
    job.fill(bucket, Random(1))
    return job


def test_a_folder_that_is_as_it_was_is_whole(job: Job, bucket: Bucket) -> None:
    job.check(bucket)
    assert job.broken == []


def test_a_file_that_moves_may_be_at_either_end(job: Job, bucket: Bucket) -> None:
    bucket.put(f"{job.target}003", bucket.get(f"{job.source}003").body)
    bucket.delete(f"{job.source}003")
    job.check(bucket)
    assert job.broken == []


@pytest.mark.parametrize("has_left", [True, False])
def test_a_file_at_both_ends_is_reported_unless_the_client_knows_of_it(
    job: Job, bucket: Bucket, *, has_left: bool
) -> None:
    bucket.put(f"{job.target}003", bucket.get(f"{job.source}003").body)
    job.has_left = has_left
    job.check(bucket)
    assert [text.partition(": ")[2][:25] for text in job.broken] == (
        [] if has_left else ["1 files are at both ends:"]
    )


@pytest.mark.parametrize("job", [PHASES[0], Phase("DELETE", "delete of the source")], indirect=True)
def test_a_file_that_is_lost_is_reported(job: Job, bucket: Bucket) -> None:
    bucket.delete(f"{job.source}003")
    job.check(bucket)
    assert "1 files are lost" in job.broken[0]


def test_a_file_with_another_body_is_reported(job: Job, bucket: Bucket) -> None:
    bucket.put(f"{job.source}003", b"another")
    job.check(bucket)
    assert "1 files are others" in job.broken[0]


def test_each_phase_names_a_request() -> None:
    for phase in PHASES:
        moment = Job("job", phase, is_equal=True, is_asked_again=True, comes_back=True).moment
        assert moment.skip < FILES


@pytest.fixture
def proxy() -> Iterator[S3Proxy]:
    with s3_proxy(None) as store, s3_proxy(store.url) as proxy:
        store.rule = lambda _: StoreAnswer(200)
        yield proxy


def put(proxy: S3Proxy, key: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=30)
    with closing(connection):
        connection.request("PUT", f"/bucket/{key}", b"", {"x-amz-copy-source": "bucket/s"})
        return connection.getresponse().status


def test_the_request_at_a_moment_is_held_and_comes_late(proxy: S3Proxy) -> None:
    moment = Moment(("CopyObject",), "to/", skip=1)
    proxy.rule = held = HeldRequests([moment], ["refused"])
    assert [put(proxy, "from/a"), put(proxy, "to/a"), put(proxy, "to/refused")] == [200, 200, 403]
    with ThreadPoolExecutor(1) as pool:
        late: Future[int] = pool.submit(put, proxy, "to/b")
        while moment not in held.held:
            assert not late.done()
        assert put(proxy, "to/c") == 200
        assert not late.done()
        held.deliver()
        assert late.result(30) == 200


def test_a_process_is_paused_and_continues() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with stopped(process.pid):
            assert state_of(process.pid) == "T"
        assert wait_for(lambda: state_of(process.pid) != "T", 10)
        process.kill()


def test_a_file_is_shown_where_no_folder_has_its_name(bucket: Bucket) -> None:
    there = bucket.below("shown/")
    there.put("file", b"1")
    there.put("folder/file", b"2")
    assert shown_in(there) == {
        ("file",): (b"1", None),
        ("folder",): (None, None),
        ("folder", "file"): (b"2", None),
    }


def test_a_round_can_be_made_of_each_seed() -> None:
    for seed in range(100):
        plot = plot_of(Random(seed))
        assert len(plot.clients) == 3
        assert model_of(plot.before).find(("stays",)) == b""
        assert all(isinstance(step, Step) for steps in plot.clients for step in steps)


class Liar(Client):
    """Answers all the same."""

    def __init__(self, answer: Answer | None) -> None:
        self.port = 0
        self._answer = answer

    def __call__(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **named: str,
    ) -> Answer:
        if self._answer is None:
            raise TimeoutError
        return self._answer

    def close(self) -> None:
        """There is nothing."""


def test_the_healthy_client_counts_what_isnt_right() -> None:
    siege: Siege = starvation.sieges_of(starvation.STARVATION.short)[0]
    for answer in (None, *(Answer(s, http.client.HTTPMessage(), b"") for s in (503, 507, 404))):
        healthy = Healthy(Liar(answer), Random(1), siege)
        healthy.round()
        assert healthy.right == 0
        assert len(healthy.wrong) > 3


def test_the_healthy_client_looks_at_the_bytes() -> None:
    siege: Siege = starvation.sieges_of(starvation.STARVATION.short)[0]
    healthy = Healthy(Liar(Answer(200, http.client.HTTPMessage(), b"other")), Random(1), siege)
    assert healthy.require("GET", "/", 200, content=b"own") == 0
    assert healthy.require("GET", "/", 200, content=b"other") == 200
