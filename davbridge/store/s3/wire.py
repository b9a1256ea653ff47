"""The requests that davbridge makes, straight to the store.

Owns one request: signed, sent, and sent again where that helps. botocore's general machinery takes
4 to 5 ms of a core for a small one; this takes a twentieth of it. The questions that come up once
stay botocore's: where the bucket is, who may ask there, in which region it really is.

Invariants: what is raised is what botocore raises, so that errors translates it; a request is
sent as often as botocore's ``standard`` mode would send it; an answer that is given out is a 2xx,
and what isn't an object is at most MOST_CONTENT of it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from davbridge import __version__
from davbridge.store.s3.address import Address, address_of
from davbridge.store.s3.checksums import CRC32
from davbridge.store.s3.connect import Network
from davbridge.store.s3.connections import Answer, Connections
from davbridge.store.s3.errors import ERRORS, REDIRECTS, code_of, header_of
from davbridge.store.s3.health import Health
from davbridge.store.s3.kept import kept_by
from davbridge.store.s3.retries import Retries
from davbridge.store.s3.signing import UNSIGNED, payload_hash, signed
from davbridge.store.s3.xml import client_error, is_error
from davbridge.waiting import store_wait

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LONG_WORK_TIMEOUT = 300.0
"""Seconds for what a store works on in proportion to the size of an object. AWS sends blanks
meanwhile; SeaweedFS is silent for 5 GiB, about a minute on a disk."""

DEFAULT_ATTEMPTS = 3

MOST_CONTENT = 8 * 1024**2
"""Bytes of an answer that is no object: a listing of 1,000 names as long as can be has half."""

_NOTHING: Mapping[str, str] = MappingProxyType({})

T = TypeVar("T")


class Request(NamedTuple):
    """One of S3's operations. Names of headers are in lower case."""

    operation: str
    """As AWS calls it."""
    method: str
    key: str | None
    headers: Mapping[str, str] = _NOTHING
    query: Mapping[str, str] = _NOTHING
    body: bytes | memoryview = b""
    read_timeout: float | None = None
    """Seconds, where the client's own don't do."""
    is_told_in_xml: bool = False
    """So that a 200 is a failure too, if it is empty or has an error."""


class Received(NamedTuple):
    """A 2xx, with all of its body."""

    headers: Mapping[str, str]
    content: bytes


class Wire:
    """The way to one bucket. Safe for many threads."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        config: Any = client.meta.config
        self._client = client
        self._bucket = bucket
        self._kept = kept_by(client)
        self._network = Network.of(config, self._kept.ca_bundle)
        self._retries = Retries((config.retries or {}).get("total_max_attempts", DEFAULT_ATTEMPTS))
        self._lock = threading.Lock()
        self._way: tuple[Address, Connections] | None = None
        self.health = Health()
        self.sends_checksums = config.request_checksum_calculation == "when_supported"
        self.checks_checksums = config.response_checksum_validation == "when_supported"

    def send(self, request: Request) -> Received:
        """Raises one of ERRORS."""
        with store_wait():
            return self._until_done(request, _received)

    def open(self, request: Request) -> Answer:
        """The same, with the body still to be read: whoever calls this closes the answer."""
        with store_wait():
            return self._until_done(request, lambda _request, _attempt, answer: answer)

    def close(self) -> None:
        """Closes the connections: those in use when they fall idle."""
        if self._way:
            self._way[1].close()

    def _until_done(self, request: Request, receive: "Callable[[Request, int, Answer], T]") -> T:
        attempt, cost, has_learnt = 1, 0, False
        while True:
            try:
                received = receive(request, attempt, self._once(request, attempt))
            except ERRORS as error:
                if not has_learnt and self._learns_from(error):
                    has_learnt = True
                else:
                    retry = self._retries.delay(error, attempt)
                    if retry is None:
                        self.health.failed(error)
                        raise
                    delay, cost = retry
                    time.sleep(delay)
                attempt += 1
            else:
                self.health.answered()
                self._retries.succeeded(cost)
                return received

    def _once(self, request: Request, attempt: int) -> Answer:
        address, connections = self._way or self._find_the_way()
        path, query = address.path_of(request.key), _encoded(request.query)
        answer = connections.exchange(
            request.method,
            f"{path}?{query}" if query else path,
            _headers(address, request, path, query),
            request.body,
            request.read_timeout,
        )
        if answer.status >= 300:
            raise _refusal(request, attempt, answer)
        return answer

    def _find_the_way(self) -> tuple[Address, Connections]:
        with self._lock:
            if self._way is None:
                address = address_of(self._client, self._bucket)
                self._way = address, Connections(address.url, self._network)
            return self._way

    def _learns_from(self, error: Exception) -> bool:
        """Whether the same request is another one now: by other keys, or to another region."""
        if not isinstance(error, ClientError):
            return False
        if self._kept.renew(code_of(error)):
            return True
        return is_elsewhere(error) and self._follows()

    def _follows(self) -> bool:
        """Whether the bucket is elsewhere. botocore follows it, and knows from then on."""
        before = self._way
        try:
            self._client.head_bucket(Bucket=self._bucket)
            address = address_of(self._client, self._bucket)
        except (*ERRORS, RecursionError):  # see setup: botocore asks one that only redirects again
            return False
        with self._lock:
            if self._way is before and before and address[:3] != before[0][:3]:
                before[1].close()
                self._way = None
            return self._way is not before


def _encoded(query: Mapping[str, str]) -> str:
    return "&".join([f"{name}={quote(value, safe='')}" for name, value in sorted(query.items())])


def _headers(address: Address, request: Request, path: str, query: str) -> dict[str, str]:
    """All that is sent, signed but for what a proxy may well change."""
    headers = signed(
        request.method,
        path,
        query,
        {"host": address.host, **request.headers},
        payload_told(address, request),
        address.scope,
        address.credentials(),
        datetime.now(UTC),
    )
    headers["user-agent"] = f"davbridge/{__version__}"
    headers["accept-encoding"] = "identity"
    if request.method in ("PUT", "POST"):
        headers["content-length"] = str(len(request.body))
    return headers


def payload_told(address: Address, request: Request) -> str:
    """What is signed of the body: its hash, which takes half of all the processor time of an
    upload, unless TLS protects it on its way, and a checksum in the store, or nobody is on its way
    within this machine."""
    is_covered = CRC32 in request.headers if address.is_secure else address.is_loopback
    return UNSIGNED if is_covered else payload_hash(request.body)


def is_elsewhere(error: ClientError) -> bool:
    """Whether a store says in which other region the bucket is. HEAD has no body, so that a wrong
    region looks like any other bad request there, but for the header."""
    told = header_of(error, "x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return code_of(error) in (*REDIRECTS, "400") and bool(told)


def _received(request: Request, attempt: int, answer: Answer) -> Received:
    content = answer.read_all(MOST_CONTENT)
    if len(content) > MOST_CONTENT:
        answer.close()
        raise ResponseParserError(f"the answer to {request.operation} has no end")
    if request.is_told_in_xml and is_error(content):
        raise client_error(request.operation, 500, answer.headers, content, attempt - 1)
    return Received(answer.headers, content)


def _refusal(request: Request, attempt: int, answer: Answer) -> ClientError:
    content = answer.read_all(MOST_CONTENT)
    answer.close()
    return client_error(request.operation, answer.status, answer.headers, content, attempt - 1)
