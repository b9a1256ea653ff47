"""Bodies stream both ways: neither the size of files nor their number is that of the process."""

import contextlib
import hashlib
import http.client
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.buckets import Bucket
from tests.support.drive import Home
from tests.support.proc import MIB, most_resident, resident
from tests.support.served import Served
from tests.support.waiting import until

LIMIT = 160 * MIB
"""For one file at a time, up or down; 80 MiB of it are there before."""

CROWD = 8
CROWD_SIZE = 64 * MIB
CROWD_LIMIT = 330 * MIB
"""Well under what the crowd sends: 512 MiB. Its test comes last: the peak is the process's."""

REST = 120 * MIB
"""When it is all over."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def blocks(size: int) -> Iterator[bytes]:
    """Each another one, so that a block that is lost, doubled or misplaced is seen."""
    return (number.to_bytes(8, "big") * (MIB // 8) for number in range(size // MIB))


def digest_of(blocks: Iterable[bytes]) -> str:
    seen = hashlib.sha256()
    for block in blocks:
        seen.update(block)
    return seen.hexdigest()


def blocks_of(response: http.client.HTTPResponse) -> Iterator[bytes]:
    return iter(lambda: response.read(MIB), b"")


@pytest.mark.parametrize(
    ("size", "is_chunked"),
    [(512 * MIB, False), (256 * MIB, True)],
    ids=["known length", "chunked"],
)
def test_large_files_stream_through_a_small_process(
    size: int, is_chunked: bool, server: Served
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {} if is_chunked else {"Content-Length": str(size)}
    try:
        connection.request("PUT", "/big.bin", blocks(size), headers, encode_chunked=is_chunked)
        with connection.getresponse() as response:
            assert response.status in (201, 204)
            response.read()
        assert most_resident(server.pid) < LIMIT
        connection.request("GET", "/big.bin")
        with connection.getresponse() as response:
            assert response.headers["Content-Length"] == str(size)
            assert digest_of(blocks_of(response)) == digest_of(blocks(size))
    finally:
        connection.close()
    assert most_resident(server.pid) < LIMIT


def part_of_a_crowd(number: int) -> Iterator[bytes]:
    """64 MiB that no other file has, nor any other place in it."""
    return (number.to_bytes(4, "big") + bytes([at]) * (MIB - 4) for at in range(CROWD_SIZE // MIB))


def test_uploads_side_by_side_share_one_budget(home: Home) -> None:
    def upload(number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", home.server.port, timeout=300)
        headers = {"Content-Length": str(CROWD_SIZE)} if number % 2 else {}
        body = part_of_a_crowd(number)
        try:
            connection.request(
                "PUT", f"{home.path}{number}", body, headers, encode_chunked=not headers
            )
            with connection.getresponse() as response:
                return response.status
        finally:
            connection.close()

    with ThreadPoolExecutor(CROWD) as pool:
        assert set(pool.map(upload, range(CROWD))) == {201}
    assert most_resident(home.server.pid) < CROWD_LIMIT
    wait_until_at_rest(home.server.pid)
    for number in range(CROWD):
        assert stored(home.bucket, str(number)) == digest_of(part_of_a_crowd(number))


def wait_until_at_rest(pid: int) -> None:
    """The last buffer may come back a moment after the last answer."""
    until(lambda: resident(pid) < REST)


def stored(bucket: Bucket, key: str) -> str:
    body = bucket.client.get_object(Bucket=bucket.name, Key=bucket.prefix + key)["Body"]
    with contextlib.closing(body):
        return digest_of(body.iter_chunks(MIB))
