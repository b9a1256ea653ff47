"""Finds out at the start what this store can do, on objects of davbridge's own.

The checks work on canaries, whose names are reserved, and random, so that two bridges that start at
once don't use the same. They are 34 requests, which in parallel take as long as ten. The requests
that expire in normal operation do so in the checks as well; if a store refuses that, the checks run
once more with signatures in headers.

Invariants: no canary remains, except after a crash; the sweep knows canaries by their names. A
capability that can't be tested is as in UNPROBED.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import NamedTuple

from botocore.exceptions import ClientError

from davbridge.errors import AccessDeniedError, StoreError, UnavailableError
from davbridge.store.base import DeleteFailure, ObjectRow
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.bucket.capabilities import (
    ALL,
    CANARY,
    UNPROBED,
    Capabilities,
    lost,
)
from davbridge.store.s3.bucket.features import Features
from davbridge.store.s3.messages.errors import ERRORS, status_of, translated
from davbridge.store.s3.object_requests.deletes import delete_many
from davbridge.store.s3.setup.bucket_features import find_features
from davbridge.store.s3.setup.capability_checks import (
    CHECKS,
    CHECKS_OF_EXPIRING,
    WRITTEN_AT_FIRST,
    Canaries,
    put_canary,
)
from davbridge.store.s3.setup.etag_checks import EtagForms, compare_canaries
from davbridge.store.s3.setup.side_by_side import side_by_side
from davbridge.store.s3.transport.health import is_trouble

PROBE_SECONDS = 10.0
"""Seconds for the canaries to be written, and then for all checks."""

_log = logging.getLogger(__name__)

_UNABLE = frozenset({400, 404, 405, 411, 412, 501})
"""The statuses with which stores answer an unknown request. Any other error says nothing about the
capability."""


class CheckOutcome(Enum):
    """The outcome of a check."""

    YES = "it is so"
    NO = "it isn't so"
    UNABLE = "the store doesn't know what it was asked for"
    UNKNOWN = "it could not be found out"


class Probed(NamedTuple):
    """The result of all checks."""

    can: Capabilities
    unknown: tuple[str, ...]
    """The names of the checks that had no outcome."""
    features: Features

    def log(self) -> None:
        """In one line, and one for the checks without an outcome."""
        if self.unknown:
            names = ", ".join(sorted(self.unknown)).replace("_", " ")
            _log.warning("the store gave no answer when it was asked for: %s", names)
        if missing := "; ".join(lost(self.can)):
            _log.warning("the store was probed, and lacks %s", missing)
        elif not self.unknown:
            _log.info("the store was probed, and can all that davbridge makes use of")


_REFUSED = (CheckOutcome.UNABLE, CheckOutcome.UNKNOWN)


def probe(bucket: Bucket, prefix: str, seconds: float) -> Probed:
    """Raises StoreError if nothing can be tested, for example because these credentials may not
    write."""
    stem = f"{prefix}{CANARY}{uuid.uuid4().hex}"
    canaries = Canaries(*(f"{stem}.{name}" for name in Canaries._fields))
    bucket = bucket._replace(can=ALL)
    bucket.transport.expires = True
    try:
        bucket, present = _begun(bucket, canaries, seconds)
        checks = _Checks(bucket, canaries, present, seconds)
        outcomes = checks.run(CHECKS)
        outcomes |= checks.compare_etags()
        features = find_features(bucket, present.key, seconds)
        refused = [name for name in CHECKS_OF_EXPIRING if outcomes.get(name) in _REFUSED]
        if bucket.transport.expires and refused:
            outcomes |= checks.run_without_expiry(refused)
        bucket.transport.expires = outcomes.get("expiring") not in (
            CheckOutcome.NO,
            CheckOutcome.UNABLE,
        )
    finally:
        left = delete_many(bucket, canaries)
        for failure in left:
            _log.info("left to the sweep: %s", failure.error)
    outcomes["deletes"] = _deleting(left)
    known = {
        name: outcome is CheckOutcome.YES
        for name, outcome in outcomes.items()
        if outcome is not CheckOutcome.UNKNOWN
    }
    can = UNPROBED._replace(**known)
    unknown = {*CHECKS, *EtagForms._fields, "deletes"} - known.keys()
    return Probed(can, tuple(unknown), features)


def _begun(bucket: Bucket, canaries: Canaries, seconds: float) -> tuple[Bucket, ObjectRow]:
    """Writes the first canaries. Raises StoreError."""
    writes = {key: partial(_written, bucket, key) for key in canaries[:WRITTEN_AT_FIRST]}
    try:
        return _present(side_by_side(writes, seconds), canaries)
    except StoreError as refused:
        if not isinstance(refused.__cause__, ClientError) or status_of(refused.__cause__) >= 500:
            raise
        # It may be the signature that is refused. One attempt decides.
        bucket.transport.expires = False
        if isinstance(_written(bucket, canaries.present), StoreError):
            raise
        return _present(side_by_side(writes, seconds), canaries)


class _Checks(NamedTuple):
    """The checks, with what they need."""

    bucket: Bucket
    canaries: Canaries
    present: ObjectRow
    seconds: float

    def run(self, names: Iterable[str]) -> dict[str, CheckOutcome]:
        """Runs these checks in parallel. A check that takes too long has no outcome."""
        given = self.bucket, self.canaries, self.present
        calls = {name: partial(_outcome_of, partial(CHECKS[name], *given)) for name in names}
        return side_by_side(calls, self.seconds)

    def compare_etags(self) -> dict[str, CheckOutcome]:
        """After the checks: one of them has left an object that was uploaded in parts."""
        compare = partial(compare_canaries, self.bucket, self.present, self.canaries.marked)
        call = {"forms": partial(_forms_found, compare)}
        forms = side_by_side(call, self.seconds).get("forms")
        if forms is None:
            return dict.fromkeys(EtagForms._fields, CheckOutcome.UNKNOWN)
        return {name: _outcome(is_so) for name, is_so in forms._asdict().items()}

    def run_without_expiry(self, names: Iterable[str]) -> dict[str, CheckOutcome]:
        """Runs them once more, with signatures in headers: the store may have refused signatures in
        the query. If that was the reason, no request is signed in the query from now on."""
        self.bucket.transport.expires = False
        outcomes = self.run(names)
        if {CheckOutcome.YES, CheckOutcome.NO}.isdisjoint(outcomes.values()):
            self.bucket.transport.expires = True
            return outcomes
        return {**outcomes, "expiring": CheckOutcome.NO}


def _present(
    written: Mapping[str, tuple[Bucket, ObjectRow] | StoreError], canaries: Canaries
) -> tuple[Bucket, ObjectRow]:
    """The first canary, and the bucket that took it, if all were written. Raises StoreError."""
    there = []
    for key in canaries[:WRITTEN_AT_FIRST]:
        one = written.get(key, UnavailableError("the store takes too long"))
        if isinstance(one, StoreError):
            raise one
        there.append(one)
    return there[0]


def _written(bucket: Bucket, key: str) -> tuple[Bucket, ObjectRow] | StoreError:
    """Writes a canary. Returns it, and the bucket with the checksums that the store takes, or
    demands."""
    try:
        with translated(key):
            return _put_somehow(bucket, key)
    except StoreError as error:
        return error


def _put_somehow(bucket: Bucket, key: str) -> tuple[Bucket, ObjectRow]:
    """Raises the first refusal if each is refused."""
    refused: list[ClientError] = []
    for can in _with_other_checksums(bucket):
        other = bucket._replace(can=can)
        try:
            return other, put_canary(other, key)
        except ClientError as error:
            if not _is_unable(error):
                raise
            refused.append(error)
    raise refused[0]


def _with_other_checksums(bucket: Bucket) -> Iterator[Capabilities]:
    """As the settings have it, without a checksum, with Content-MD5, and with CRC32."""
    yield bucket.can
    without = bucket.can._replace(checksums=False)
    if bucket.sends_checksums:
        yield without
    yield without._replace(plain_writes=False)
    if not bucket.sends_checksums:
        yield bucket.can._replace(plain_writes=False, content_md5=False)


def _outcome_of(check: Callable[[], bool]) -> CheckOutcome:
    try:
        return _outcome(check())
    except ClientError as error:
        return CheckOutcome.UNABLE if _is_unable(error) else CheckOutcome.UNKNOWN
    except (*ERRORS, StoreError):
        return CheckOutcome.UNKNOWN


def _outcome(is_so: bool) -> CheckOutcome:
    return CheckOutcome.YES if is_so else CheckOutcome.NO


def _deleting(left: Sequence[DeleteFailure]) -> CheckOutcome:
    """By the end of the canaries."""
    if any(isinstance(failure.error, AccessDeniedError) for failure in left):
        return CheckOutcome.NO
    return CheckOutcome.UNKNOWN if left else CheckOutcome.YES


def _forms_found(compare: Callable[[], EtagForms | None]) -> EtagForms | None:
    try:
        return compare()
    except (*ERRORS, StoreError):
        return None


def _is_unable(error: ClientError) -> bool:
    """Whether the store doesn't know the request. The same statuses are used for expired
    credentials, and for a request that took too long."""
    return status_of(error) in _UNABLE and not is_trouble(error)
