"""A request as it is sent: its target and its headers, signed.

Invariants: a request that must not take effect late is signed in the query, with the time from
which the store refuses it: EXPIRY_SECONDS after it is sent, and before the deadline of its
operation. Any other write is signed in the query if there is a deadline. Nothing is signed after
the deadline.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from davbridge import __version__, deadline
from davbridge.errors import DeadlinePassedError
from davbridge.store.s3.messages.checksums import CRC32, content_md5
from davbridge.store.s3.transport.address import Address
from davbridge.store.s3.transport.request import S3Request
from davbridge.store.s3.transport.signing import UNSIGNED, payload_hash, presigned, signed
from davbridge.store.s3.transport.store_clock import Reading, StoreClock

USER_AGENT = f"davbridge/{__version__}"

EXPIRY_SECONDS = 4
"""The store accepts a request that must not take effect late for so many seconds. S3 counts whole
ones. The estimate of its time may be behind by one, and is rounded down: so the request has two or
three to arrive."""

MAX_EXPIRY_SECONDS = 3600
"""The same for any other write of an operation with a later deadline: a long body takes longer."""

CLOCK_MARGIN = 1.0
"""Seconds that a store may take to carry out a small request, or by which the estimate of its time
may be wrong."""


class SignedRequest(NamedTuple):
    """What to send."""

    target: str
    headers: Mapping[str, str]
    signed: Reading
    """When it was signed."""
    expires_at: float
    """By the clock's timer: the time from which the store certainly refuses it, if it refuses
    expired requests at all."""


def sign(
    address: Address, request: S3Request, clock: StoreClock, *, expires: bool
) -> SignedRequest:
    """``expires``: whether the store refuses expired requests. Raises DeadlinePassedError after the
    deadline.
    """
    # The clock comes first: a pause after it makes the request expire sooner, not later.
    reading = clock.read()
    left = deadline.remaining()
    must_expire = request.must_expire
    is_bounded = must_expire or (request.is_write and left < math.inf)
    left = min(left, EXPIRY_SECONDS if must_expire else MAX_EXPIRY_SECONDS)
    if request.age:
        reading = reading._replace(store=reading.store - request.age)
    if expires and is_bounded:
        target, headers = _signed_in_query(address, request, reading, left)
    else:
        deadline.require()
        target, headers = _signed_in_headers(address, request, reading)
    headers["user-agent"] = USER_AGENT
    headers["accept-encoding"] = "identity"
    if request.method in ("PUT", "POST"):
        headers["content-length"] = str(len(request.body))
    return SignedRequest(target, headers, reading, reading.local + left + CLOCK_MARGIN)


def _signed_in_query(
    address: Address, request: S3Request, reading: Reading, left: float
) -> tuple[str, dict[str, str]]:
    if left < 1:  # S3 knows no fractions
        raise DeadlinePassedError("too little time is left for a request, and it was not sent")
    begin = math.floor(reading.store)
    headers = {"host": address.host, **request.headers}
    if request.body and not (address.is_secure or address.is_loopback):
        headers.setdefault("content-md5", content_md5(request.body))
    path = address.path_of(request.key)
    query = presigned(
        request.method,
        path,
        _encoded(request.query),
        headers,
        address.scope,
        address.credentials(),
        datetime.fromtimestamp(begin, UTC),
        math.floor(reading.store + left) - begin,
    )
    return f"{path}?{query}", headers


def _signed_in_headers(
    address: Address, request: S3Request, reading: Reading
) -> tuple[str, dict[str, str]]:
    path, query = address.path_of(request.key), _encoded(request.query)
    headers = signed(
        request.method,
        path,
        query,
        {"host": address.host, **request.headers},
        signed_payload(address, request),
        address.scope,
        address.credentials(),
        datetime.fromtimestamp(math.floor(reading.store), UTC),
    )
    return f"{path}?{query}" if query else path, headers


def signed_payload(address: Address, request: S3Request) -> str:
    """The body's part of the signature: its hash. That takes half of the processor time of an
    upload, so it is omitted if TLS protects the body in transit and a checksum in the store, or if
    the store is on this machine."""
    is_covered = CRC32 in request.headers if address.is_secure else address.is_loopback
    return UNSIGNED if is_covered else payload_hash(request.body)


def _encoded(query: Mapping[str, str]) -> str:
    return "&".join([f"{name}={quote(value, safe='')}" for name, value in sorted(query.items())])
