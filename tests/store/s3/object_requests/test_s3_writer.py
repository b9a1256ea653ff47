"""Writers on little memory: what they borrow, that it comes back, and that all get on."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from davbridge.errors import OutOfSpaceError, StoreError, TruncatedError, UnavailableError
from davbridge.store.base import Attributes, ObjectWriter
from davbridge.store.buffers.budget import PIECE, UNIT, MemoryBudget
from davbridge.store.s3 import S3Store
from tests.support.contract import LONG, drain, write
from tests.support.memory import peak_of
from tests.support.s3proxy import S3Proxy, error, once
from tests.support.stores import LIMIT, MIB, SMALL_PART, fresh_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GIB = 1024 * MIB

PATIENCE = 30.0


@contextmanager
def store_on(client: "S3Client", name: str, budget: MemoryBudget) -> Iterator[S3Store]:
    with (
        fresh_bucket(client, name),
        S3Store(client, name, part_size=SMALL_PART, budget=budget) as store,
    ):
        yield store


def wait_until_returned(budget: MemoryBudget) -> None:
    """The thread that sent a part gives its buffer back a moment after the upload has heard."""
    deadline = time.monotonic() + PATIENCE
    while budget.allocated:
        assert time.monotonic() < deadline, f"{budget.allocated} bytes are not given back"
        time.sleep(0.001)


@pytest.fixture
def budget() -> MemoryBudget:
    return MemoryBudget(max_wait=PATIENCE)


@pytest.fixture
def frugal(
    proxy: S3Proxy,
    proxied_client: "S3Client",
    moto_client: "S3Client",
    bucket_name: str,
    budget: MemoryBudget,
) -> Iterator[S3Store]:
    """A store on ``budget``, through ``proxy``."""
    with (
        fresh_bucket(moto_client, bucket_name),
        S3Store(proxied_client, bucket_name, part_size=SMALL_PART, budget=budget) as store,
    ):
        yield store


@pytest.mark.parametrize(
    ("length", "written", "pieces"),
    [
        (0, 0, 0),
        (1000, 0, 0),
        (1000, 1, 1),
        (MIB, MIB - 1, 4),
        (MIB, MIB, 0),
        (SMALL_PART, 1, 1),
        (SMALL_PART, PIECE, 1),
        (SMALL_PART, PIECE + 1, 2),
        (SMALL_PART, SMALL_PART, SMALL_PART // PIECE),
        (LIMIT, PIECE, 1),
        (None, 1, 1),
        (None, PIECE, 1),
        (None, PIECE + 1, 2),
        (None, SMALL_PART, SMALL_PART // PIECE),
    ],
)
def test_a_body_takes_memory_for_what_has_come_and_not_for_what_was_announced(
    frugal: S3Store, budget: MemoryBudget, length: int | None, written: int, pieces: int
) -> None:
    writer = frugal.open_writer("a", Attributes(), length=length)
    writer.write(bytes(written))
    assert budget.allocated == pieces * PIECE
    writer.abort()
    assert budget.allocated == 0


@pytest.mark.parametrize(
    "slow", [2 * [800 * GIB], 22 * [90 * MIB], 2 * [800 * GIB] + 500 * [MIB * 90]]
)
def test_clients_that_have_sent_little_leave_memory_to_others(
    moto_client: "S3Client", bucket_name: str, slow: list[int]
) -> None:
    """None of them is refused, and nobody waits."""
    budget = MemoryBudget(max_wait=0.0)
    with (
        fresh_bucket(moto_client, bucket_name),
        S3Store(moto_client, bucket_name, budget=budget) as store,
    ):
        writers = [store.open_writer("slow", Attributes(), length=length) for length in slow]
        for writer in writers:
            writer.write(bytes(PIECE))
        quick = store.open_writer("quick", Attributes(), length=20 * MIB)
        for _ in range(20):
            quick.write(bytes(MIB))
        assert quick.commit().size == 20 * MIB
        for writer in writers:
            writer.write(b"more")
            writer.abort()
    assert budget.allocated == 0


def test_bytes_over_the_announced_length_borrow_nothing(
    frugal: S3Store, budget: MemoryBudget
) -> None:
    writer = frugal.open_writer("a", Attributes(), length=10)
    writer.write(LONG)
    assert budget.allocated == PIECE
    with pytest.raises(TruncatedError):
        writer.commit()
    assert budget.allocated == 0


@pytest.mark.parametrize("length", [None, len(LONG)])
def test_a_commit_gives_all_memory_back(
    frugal: S3Store, budget: MemoryBudget, length: int | None
) -> None:
    write(frugal, "a", LONG, length=length)
    write(frugal, "b", b"short", length=None)
    wait_until_returned(budget)


@pytest.mark.parametrize(
    ("method", "part"),
    [("POST", "uploads"), ("PUT", "partNumber=1"), ("PUT", "partNumber=3"), ("POST", "uploadId")],
)
def test_a_failure_gives_all_memory_back(
    frugal: S3Store, budget: MemoryBudget, proxy: S3Proxy, method: str, part: str
) -> None:
    proxy.rule = once(method, part, error("QuotaExceeded", 403))
    with pytest.raises(OutOfSpaceError):
        write(frugal, "a", LONG)
    wait_until_returned(budget)


def test_an_abort_gives_all_memory_back(frugal: S3Store, budget: MemoryBudget) -> None:
    writer = frugal.open_writer("a", Attributes(), length=2 * len(LONG))
    writer.write(LONG)
    writer.abort()
    wait_until_returned(budget)


def test_more_uploads_than_buffers_all_succeed(moto_client: "S3Client", bucket_name: str) -> None:
    """Half of them don't tell their length, so that each holds a small buffer while it waits."""
    budget = MemoryBudget(small=4 * PIECE, large=2 * UNIT, max_wait=PATIENCE)
    bodies = {str(number): bytes([number]) * len(LONG) for number in range(10)}

    def upload(key: str) -> None:
        length = len(LONG) if int(key) % 2 else None
        write(store, key, bodies[key], length=length)

    with store_on(moto_client, bucket_name, budget) as store, ThreadPoolExecutor(10) as pool:
        assert len(list(pool.map(upload, bodies))) == len(bodies)
        for key, body in bodies.items():
            assert drain(store.get_object(key)) == body
    assert budget.allocated == 0


def test_a_small_body_that_comes_in_one_piece_waits_for_no_other(
    moto_client: "S3Client", bucket_name: str
) -> None:
    budget = MemoryBudget(small=PIECE, max_wait=0.05)
    with store_on(moto_client, bucket_name, budget) as store:
        slow = store.open_writer("slow", Attributes(), length=1000)
        slow.write(b"begun")
        write(store, "quick", b"body", length=4)
        assert drain(store.get_object("quick")) == b"body"
        longer = store.open_writer("longer", Attributes(), length=4)
        longer.write(b"body")
        longer.write(b"!")
        with pytest.raises(TruncatedError):
            longer.commit()
        slow.abort()


def test_an_upload_that_finds_no_memory_fails_and_leaves_nothing(
    moto_client: "S3Client", bucket_name: str
) -> None:
    budget = MemoryBudget(large=2 * SMALL_PART, max_wait=0.05)
    with store_on(moto_client, bucket_name, budget) as store:
        hoarders = [store.open_writer(name, Attributes()) for name in ("a", "b")]
        for hoarder in hoarders:
            hoarder.write(LONG[:SMALL_PART])
        with pytest.raises(UnavailableError):
            write(store, "c", LONG)
        write(store, "small", b"body", length=4)  # which large ones leave alone
        for hoarder in hoarders:
            hoarder.commit()
        write(store, "c", LONG[:SMALL_PART])
        assert sorted(row.key for page in store.list_objects("") for row in page.rows) == [
            "a",
            "b",
            "c",
            "small",
        ]
        assert store.abort_stale_uploads("", timedelta(minutes=-1)) == 0


def fill(writer: ObjectWriter, block: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(block)
    writer.commit()


@pytest.mark.parametrize("size", [SMALL_PART, 4 * SMALL_PART], ids=["whole", "in parts"])
def test_a_body_is_never_copied_in_addition_to_its_buffer(
    seaweedfs_client: "S3Client", bucket_name: str, budget: MemoryBudget, size: int
) -> None:
    """Buffers are pages of the system, which are not counted here; a copy of a part would be."""
    block = bytes(MIB)
    with store_on(seaweedfs_client, bucket_name, budget) as store:
        store.put_object("before", b"", Attributes())
        writer = store.open_writer("a", Attributes(), length=size)
        assert peak_of(lambda: fill(writer, block, size // MIB)) < MIB


def test_a_body_is_read_block_by_block(seaweedfs_client: "S3Client", bucket_name: str) -> None:
    block = 256 * 1024

    def read() -> None:
        with store.get_object("a") as reader:
            while reader.read(block):
                pass

    with store_on(seaweedfs_client, bucket_name, MemoryBudget()) as store:
        write(store, "a", LONG, length=len(LONG))
        assert peak_of(read) < 3 * block


def test_no_upload_is_begun_for_what_is_refused(frugal: S3Store, proxy: S3Proxy) -> None:
    writer = frugal.open_writer("a", Attributes(), length=len(LONG))
    writer.write(LONG[:SMALL_PART])
    with pytest.raises(StoreError):
        writer.commit()
    assert proxy.requests == []
