"""Fills a bucket fast: PUTs signed by hand, since botocore would take longer than the store.

Objects' bytes follow from their keys, so that any mix-up shows in an ETag.
"""

import hashlib
import hmac
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from tests.bench.wire import Connection
from tests.support.endpoints import Endpoint

CONNECTIONS = 16


def content(name: str, size: int) -> bytes:
    """The bytes that an object of this name has in all benchmarks."""
    digest = hashlib.sha256(name.encode()).digest()
    return (digest * (size // len(digest) + 1))[:size]


def etag(name: str, size: int) -> str:
    """What S3 calls them, as long as they came in one piece."""
    return hashlib.md5(content(name, size), usedforsecurity=False).hexdigest()


def fill(endpoint: Endpoint, bucket: str, prefix: str, sizes: Mapping[str, int]) -> None:
    """Puts an object for each name below ``prefix``."""
    own = threading.local()
    opened = []

    def put(name: str) -> None:
        if not hasattr(own, "connection"):
            own.connection = Connection(urlsplit(endpoint.url).port or 80)
            opened.append(own.connection)
        target = f"/{bucket}/{quote(prefix + name)}"
        body = content(name, sizes[name])
        answer = own.connection.ask("PUT", target, body, signed(endpoint, "PUT", target))
        if answer.status != 200:
            raise OSError(f"the store refuses {target}: {answer.status} {answer.body!r}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(put, sizes):
            pass
    for connection in opened:
        connection.__exit__()


def signed(endpoint: Endpoint, method: str, target: str) -> dict[str, str]:
    """The headers of AWS's signature version 4, for a target without a query."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    host = urlsplit(endpoint.url).netloc
    headers = {"host": host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": now}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{target}\n\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    scope = f"{now[:8]}/{endpoint.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{endpoint.secret_key}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{endpoint.access_key}/{scope}"
    del headers["host"]
    return headers | {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, "
        f"Signature={key.hex()}"
    }
