"""One multipart upload with parts in flight: Create, the parts, and exactly one of Complete and
Abort.

Invariants: no part is sent before the upload is marked as davbridge's own, if the store allows
marks; no part is in flight when Complete or Abort is sent, so that an abort leaves nothing behind;
one process sends no more parts at a time, of all uploads together, than its PartPool has threads.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context

from davbridge import deadline
from davbridge.store.base import Condition, ObjectRow
from davbridge.store.buffers.budget import UNIT, MemoryBudget
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.messages.errors import ERRORS, one_line, translated
from davbridge.store.s3.messages.headers import META, TRANSACTION
from davbridge.store.s3.object_requests import multipart_requests
from davbridge.store.s3.object_requests.conditional_writes import complete, new_transaction
from davbridge.store.s3.object_requests.full_store import FullStoreDetector
from davbridge.store.s3.object_requests.multipart_requests import (
    MARK,
    MARK_NUMBER,
    MOST_PARTS,
    Part,
)
from davbridge.waiting import store_wait

PART_SIZE = UNIT
"""So that the buffer of a part can be reused for the next one."""

PARTS_PER_SIZE = 1000
"""After how many parts the size doubles where the length is unknown."""

PARTS_IN_FLIGHT = 3
"""Parts of one body: enough to hide a round trip of 20 ms."""

ABORT_DELAYS = (0.2, 1.0)
"""Seconds before an abort that failed is sent again. What it doesn't delete is swept at a later
start."""

SendPart = Callable[[str, int], Part]
"""Sends the part of this upload id and part number."""

_log = logging.getLogger(__name__)


def part_size(number: int, length: int | None, smallest: int, largest: int) -> int:
    """The size of the part of this number, from 0.

    Where the length is known all parts are equal, which some stores require (R2).
    """
    if length is not None:
        return min(largest, max(smallest, -(-length // MOST_PARTS)))
    return min(largest, smallest << (number // PARTS_PER_SIZE))


class PartPool:
    """What all uploads of a store share: the threads, the memory, and what detects a full store."""

    def __init__(self, threads: int, budget: MemoryBudget, full_store: FullStoreDetector) -> None:
        self.budget = budget
        self.full_store = full_store
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="davbridge-part")

    def submit(self, send: Callable[[], Part]) -> "Future[Part]":
        """Runs ``send`` as soon as a thread is free."""
        # The part has the deadline of the operation that it belongs to.
        return self._executor.submit(copy_context().run, send)

    def close(self) -> None:
        self._executor.shutdown()


class MultipartUpload:
    """An upload that has been created. Ends with `complete` or `abort`."""

    def __init__(self, bucket: Bucket, pool: PartPool, key: str, upload_id: str, transaction: str):
        self._bucket = bucket
        self._pool = pool
        self._key = key
        self._upload_id = upload_id
        self._transaction = transaction
        self._in_flight: deque[Future[Part]] = deque()
        self._parts: list[Part] = []
        self._mark = pool.submit(self._send_mark) if bucket.can.marks else None

    @classmethod
    def create(
        cls, bucket: Bucket, pool: PartPool, key: str, headers: Mapping[str, str]
    ) -> "MultipartUpload":
        transaction = new_transaction()
        with translated(key):
            upload_id = multipart_requests.create(
                bucket, key, {**headers, META + TRANSACTION: transaction}
            )
        return cls(bucket, pool, key, upload_id, transaction)

    def add(self, send: SendPart, *, in_flight: int) -> "Future[Part]":
        """Sends the next part in the background, as soon as fewer than ``in_flight`` others are
        being sent. Raises the error of an earlier part.
        """
        while len(self._in_flight) >= in_flight:
            self._settle_oldest()
        number = len(self._parts) + len(self._in_flight) + 1
        part = self._pool.submit(lambda: self._send(send, number))
        self._in_flight.append(part)
        return part

    def _send_mark(self) -> Part:
        with self._pool.full_store, translated(self._key):
            return multipart_requests.send_part(
                self._bucket, self._key, self._upload_id, MARK_NUMBER, MARK
            )

    def _send(self, send: SendPart, number: int) -> Part:
        if self._mark:
            # So that a crash leaves no part without a mark. The pool was given the mark first.
            self._mark.result()
        with self._pool.full_store, translated(self._key):
            return send(self._upload_id, number)

    def _settle_oldest(self) -> None:
        with store_wait():
            self._parts.append(self._in_flight[0].result())
        self._in_flight.popleft()

    def complete(self, size: int, condition: Condition) -> ObjectRow:
        """Makes the object visible. If this raises, the caller must abort."""
        while self._in_flight:
            self._settle_oldest()
        return complete(
            self._bucket,
            self._key,
            self._upload_id,
            self._parts,
            size,
            condition,
            self._transaction,
        )

    def abort(self) -> None:
        """Deletes all parts, if the store can be reached. Raises no StoreError."""
        with deadline.unlimited():  # An abort is useful however late it is done, and does no harm.
            self._abort()

    def _abort(self) -> None:
        sent = [*self._in_flight, *([self._mark] if self._mark else [])]
        for part in sent:
            part.cancel()
        with store_wait():
            wait(sent)
        self._in_flight.clear()
        for delay in (*ABORT_DELAYS, None):
            try:
                multipart_requests.abort(self._bucket, self._key, self._upload_id)
                return
            except ERRORS as error:
                if delay is None:
                    _log.warning("upload of %r not aborted: %s", self._key, one_line(error))
                else:
                    with store_wait():
                        time.sleep(delay)
