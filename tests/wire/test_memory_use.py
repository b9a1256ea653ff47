"""Bodies stream both ways: the size of a file is not the size of the process."""

import hashlib
import http.client
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served

MIB = 1024 * 1024
LIMIT = 200 * MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def peak(pid: int) -> int:
    """The most memory that a process has had resident so far, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def blocks(size: int) -> Iterator[bytes]:
    """Each another one, so that a block that is lost, doubled or misplaced is seen."""
    return (number.to_bytes(8, "big") * (MIB // 8) for number in range(size // MIB))


def digest_of(response: http.client.HTTPResponse) -> str:
    seen = hashlib.sha256()
    while block := response.read(MIB):
        seen.update(block)
    return seen.hexdigest()


@pytest.mark.parametrize(
    ("size", "is_chunked"),
    [(512 * MIB, False), (256 * MIB, True)],
    ids=["known length", "chunked"],
)
def test_large_files_stream_through_a_small_process(
    size: int, is_chunked: bool, server: Served
) -> None:
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {} if is_chunked else {"Content-Length": str(size)}
    try:
        connection.request("PUT", "/big.bin", blocks(size), headers, encode_chunked=is_chunked)
        with connection.getresponse() as response:
            assert response.status in (201, 204)
            response.read()
        assert peak(server.pid) < LIMIT
        connection.request("GET", "/big.bin")
        with connection.getresponse() as response:
            assert response.headers["Content-Length"] == str(size)
            assert digest_of(response) == digest.hexdigest()
    finally:
        connection.close()
    assert peak(server.pid) < LIMIT
