"""A file that is larger than all that buffers on its way hold, and a GET of it."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.drive import Home

MIB = 1024 * 1024

BIG = b"".join(number.to_bytes(8, "big") * (MIB // 8) for number in range(32))
"""No MiB is like another, so that one that is lost, doubled or misplaced is seen."""


@contextmanager
def reading(home: Home) -> Iterator[http.client.HTTPResponse]:
    """A GET of BIG, whose first MiB has been read, and the rest can't have left the store."""
    home.bucket.put("big.bin", BIG)
    connection = http.client.HTTPConnection("127.0.0.1", home.server.port, timeout=60)
    try:
        connection.request("GET", f"{home.path}big.bin")
        with connection.getresponse() as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == str(len(BIG))
            assert response.read(MIB) == BIG[:MIB]
            yield response
    finally:
        connection.close()
