"""What S3 holds is looked at object by object."""

import threading
from collections.abc import Iterator

import pytest

from tests.bench.answers import WrongAnswerError
from tests.bench.bench import BUCKET, Bench, Stored
from tests.bench.scenarios.base import as_stored, files
from tests.bench.sizes import QUICK
from tests.support.buckets import Bucket
from tests.support.endpoints import Endpoint

FILES = files(3)
RIGHT = as_stored(FILES)


@pytest.fixture(scope="module")
def bench(seaweedfs: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(seaweedfs, tmp_path_factory.mktemp("bench"), QUICK, patience=0.5)
    bench.client.create_bucket(Bucket=BUCKET)
    bench.fill("d", FILES)
    yield bench
    Bucket(seaweedfs, bench.client, BUCKET).remove()
    bench.client.close()


def put(bench: Bench, key: str, body: bytes = b"") -> None:
    bench.client.put_object(Bucket=BUCKET, Key=key, Body=body)


def test_a_filled_folder_passes_its_check(bench: Bench) -> None:
    assert bench.stored("d") == RIGHT
    # A server's own objects, and the markers of directories, are nobody's files.
    put(bench, "d/.hidden.json", b"{}")
    put(bench, "d/sub/")
    assert bench.lateness("d", RIGHT) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        RIGHT | {"one more": Stored(0, "")},
        RIGHT | {"file 00001.bin": Stored(1024, RIGHT["file 00002.bin"].etag)},
        {name: RIGHT[name] for name in list(RIGHT)[1:]},
    ],
)
def test_another_state_is_a_wrong_answer(bench: Bench, wrong: dict[str, Stored]) -> None:
    with pytest.raises(WrongAnswerError):
        bench.lateness("d", wrong)


def test_objects_that_arrive_late_in_s3_are_waited_for_and_timed(bench: Bench) -> None:
    late = threading.Timer(0.2, put, (bench, "late/file 00000.bin", b""))
    late.start()
    empty = Stored(0, "d41d8cd98f00b204e9800998ecf8427e")
    assert bench.lateness("late", {"file 00000.bin": empty}) > 0.1
    late.join()
