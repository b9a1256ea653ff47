"""Transport: sends a request to the store, and sends it again if that helps.

Invariants: it raises botocore's exceptions, which `messages.errors` translates, or
DeadlinePassedError. A request is sent as often as botocore's ``standard`` mode would send it,
unless it isn't repeatable. A response that is returned is a 2xx, and one that isn't an object has
at most MOST_CONTENT bytes.

No attempt outlives the answer: once `send` returns or raises, no earlier attempt of a request that
must not take effect late can take effect, as far as the store refuses requests that have expired. A
copy that the store has begun may end later.
"""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from davbridge.errors import DeadlinePassedError
from davbridge.store.s3.messages.errors import ERRORS, REDIRECTS, code_of, header_of
from davbridge.store.s3.messages.xml import client_error, is_error
from davbridge.store.s3.transport.address import Address, address_of, options_of
from davbridge.store.s3.transport.connections import Connections, StreamedResponse
from davbridge.store.s3.transport.failures import (
    is_out_of_time,
    mark_out_of_time,
    may_have_acted,
    may_still_act,
)
from davbridge.store.s3.transport.health import Health
from davbridge.store.s3.transport.opener import NetworkOptions
from davbridge.store.s3.transport.request import S3Request, S3Response
from davbridge.store.s3.transport.retries import Retries
from davbridge.store.s3.transport.signed_request import SignedRequest, sign
from davbridge.store.s3.transport.store_clock import TIMING, StoreClock, Timing
from davbridge.waiting import store_wait

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["TIMING", "S3Request", "S3Response", "Timing", "Transport", "is_elsewhere"]

LONG_WORK_TIMEOUT = 300.0
"""Seconds for requests whose work is proportional to the size of an object. AWS sends blanks
meanwhile; SeaweedFS sends nothing: for 5 GiB, about a minute on a disk."""

DEFAULT_ATTEMPTS = 3

MOST_CONTENT = 8 * 1024**2
"""Bytes of a response that isn't an object: a listing of 1,000 names of maximum length has half."""

MOST_LATE = 2
"""How often a request that was refused for its time is signed again."""

T = TypeVar("T")


@dataclass(slots=True)
class _Tries:
    """The attempts at one request, so far."""

    number: int = 1
    """The number of the next one that counts."""
    undecided: int = 0
    """How many failed in such a way that the store may have acted."""
    late: int = 0
    """How many were refused for the time of their signature."""
    error: Exception | None = None
    """Of the last undecided one."""
    pending_until: float = -math.inf
    """By the timer: until when one of them may still take effect."""
    last: SignedRequest | None = None
    """The signed request of the present attempt, if it was signed."""

    def begin(self) -> None:
        """The next one."""
        self.last = None


class Transport:
    """Sends the requests about one bucket. Safe for many threads."""

    def __init__(self, client: "S3Client", bucket: str, timing: Timing = TIMING) -> None:
        config: Any = client.meta.config
        self._client = client
        self._bucket = bucket
        self._options = options_of(client)
        self._network_options = NetworkOptions.of(config, self._options.ca_bundle)
        self._retries = Retries((config.retries or {}).get("total_max_attempts", DEFAULT_ATTEMPTS))
        self._lock = threading.Lock()
        self._way: tuple[Address, Connections] | None = None
        self._pause = timing.pause
        self.clock = StoreClock(timing)
        self.server = ""
        """The Server header of the latest response."""
        self.expires = True
        """Whether the store takes signatures that expire, and refuses expired ones."""
        self.health = Health()
        self.sends_checksums = config.request_checksum_calculation == "when_supported"
        self.checks_checksums = config.response_checksum_validation == "when_supported"

    @property
    def attempts(self) -> int:
        """How often a request is sent at the most."""
        return self._retries.attempts

    def send(self, request: S3Request) -> S3Response:
        """Raises one of ERRORS."""
        with store_wait():
            return self._until_done(request, _whole_response)

    def open(self, request: S3Request) -> StreamedResponse:
        """The same, with the body still to be read. The caller closes the response."""
        with store_wait():
            return self._until_done(request, lambda _request, _undecided, answer: answer)

    def close(self) -> None:
        """Closes the connections; those in use as soon as they become idle."""
        if self._way:
            self._way[1].close()

    def _until_done(
        self, request: S3Request, receive: "Callable[[S3Request, int, StreamedResponse], T]"
    ) -> T:
        tries, cost, has_learnt = _Tries(), 0, False
        while True:
            try:
                received = receive(request, tries.undecided, self._once(request, tries))
            except DeadlinePassedError as passed:
                self._outlast(tries)
                if tries.error:
                    raise tries.error from passed
                raise
            except ERRORS as error:
                self._note(request, tries, error)
                if self._may_be_signed_anew(request, tries, error):
                    continue
                if not has_learnt and self._learns_from(error):
                    has_learnt = True
                else:
                    retry = self._retry(request, tries, error)
                    if retry is None:
                        if request.is_repeatable or not may_have_acted(error):
                            # Otherwise the caller sends another request next.
                            self.health.failed(error)
                        self._outlast(tries)
                        raise
                    delay, cost = retry
                    self._pause(delay)
                tries.number += 1
            else:
                self.health.answered()
                self._retries.succeeded(cost)
                self._outlast(tries)
                return received

    def _note(self, request: S3Request, tries: _Tries, error: Exception) -> None:
        """Records the attempt that has ended with this error."""
        if may_have_acted(error):
            tries.undecided += 1
            tries.error = error
        if tries.last and request.must_expire and may_still_act(error):
            tries.pending_until = max(tries.pending_until, tries.last.expires_at)

    def _may_be_signed_anew(self, request: S3Request, tries: _Tries, error: Exception) -> bool:
        """Whether the store refused it only for its time. Then it has done nothing, and the
        response has the store's own time."""
        sent = tries.last
        if request.age or sent is None or not is_out_of_time(error, sent):
            return False
        if self.clock.timer() < sent.expires_at:
            self.clock.refused(sent.signed)
        tries.late += 1
        if tries.late <= MOST_LATE:
            return True
        mark_out_of_time(error)
        return False

    def _retry(
        self, request: S3Request, tries: _Tries, error: Exception
    ) -> tuple[float, int] | None:
        """As Retries decides. A retry of a request that isn't repeatable is left to the caller."""
        if may_have_acted(error) and not request.is_repeatable:
            return None
        return self._retries.delay(error, tries.number)

    def _outlast(self, tries: _Tries) -> None:
        """Waits until no attempt can take effect any more, so that the outcome is final."""
        if tries.pending_until == -math.inf:
            return
        left = tries.pending_until - self.clock.timer()
        if left > 0:
            self._pause(left)

    def _once(self, request: S3Request, tries: _Tries) -> StreamedResponse:
        address, connections = self._way or self._find_the_way()

        def prepare() -> tuple[str, Mapping[str, str]]:
            tries.last = sign(address, request, self.clock, expires=self.expires)
            return tries.last.target, tries.last.headers

        tries.begin()
        answer = connections.exchange(request.method, prepare, request.body, request.read_timeout)
        self.server = answer.headers.get("server", self.server)
        if tries.last:
            self.clock.learn(answer.headers, tries.last.signed.local)
        if answer.status >= 300:
            raise _refusal(request, tries.undecided, answer)
        return answer

    def _find_the_way(self) -> tuple[Address, Connections]:
        with self._lock:
            if self._way is None:
                address = address_of(self._client, self._bucket)
                self._way = address, Connections(address.url, self._network_options)
            return self._way

    def _learns_from(self, error: Exception) -> bool:
        """Whether the request can be sent again with other credentials, or to another region."""
        if not isinstance(error, ClientError):
            return False
        if self._options.renew(code_of(error)):
            return True
        return is_elsewhere(error) and self._follows()

    def _follows(self) -> bool:
        """Whether the bucket is in another region. botocore follows the redirect, and remembers the
        region."""
        before = self._way
        try:
            self._client.head_bucket(Bucket=self._bucket)
            address = address_of(self._client, self._bucket)
        except (*ERRORS, RecursionError):  # see setup: botocore asks one that only redirects again
            return False
        with self._lock:
            if self._way is before and before and not address.is_same_place(before[0]):
                before[1].close()
                self._way = None
            return self._way is not before


def is_elsewhere(error: ClientError) -> bool:
    """Whether the error names the bucket's region. The response to a HEAD has no body, so only this
    header distinguishes a wrong region from any other bad request."""
    region = header_of(error, "x-amz-bucket-region") or error.response.get("Error", {}).get(
        "Region"
    )
    return code_of(error) in (*REDIRECTS, "400") and bool(region)


def _whole_response(request: S3Request, undecided: int, answer: StreamedResponse) -> S3Response:
    content = answer.read_all(MOST_CONTENT)
    if len(content) > MOST_CONTENT:
        answer.close()
        raise ResponseParserError(f"the answer to {request.operation} has no end")
    if request.has_xml_response and is_error(content):
        raise client_error(request.operation, 500, answer.headers, content, undecided)
    return S3Response(answer.headers, content)


def _refusal(request: S3Request, undecided: int, answer: StreamedResponse) -> ClientError:
    content = answer.read_all(MOST_CONTENT)
    answer.close()
    return client_error(request.operation, answer.status, answer.headers, content, undecided)
