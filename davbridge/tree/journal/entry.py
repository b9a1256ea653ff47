"""What is written down of an operation on a tree before it begins, so that any bridge can go on.

Owns the name and the format of a journal. Pure. Must not know who writes it, nor when.

A journal is the plan itself: every key that is to be copied or deleted, with the version that was
listed. Whoever resumes it looks at what is there now, and does what is left; no phase has to be
recorded, since each key shows by itself how far it got (see `remaining_work`). It lies below
``.davbridge/`` in the mount, under a name that follows from verb, source and target: the same
request, sent again, finds it, and one listing finds all of them.

Three objects may have a journal's name, told apart by their ends:
- ``.plan``: the journal. It is there before the first write. It changes at most once: when a MOVE
  has failed, it says so, with what has to be removed, before the first of that is removed. From
  then on whoever resumes it undoes it, and nobody finishes it.
- ``.lease``: of an operation that lasts. Its bridge rewrites it every few seconds (see `leases`).
- ``.left``: of a MOVE whose client was told that not everything could go. As long as it is there,
  the same MOVE, asked for again, takes nothing away from the target that it has moved there before.

Invariants: what isn't understood is damaged, or a later davbridge's, and never guessed; every later
format is packed JSON with its number as ``format``, so that an earlier davbridge knows it for that,
and never deletes it.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from davbridge.paths import DELIMITER, ResourcePath
from davbridge.store.base import Attributes, ObjectRow
from davbridge.tree.listing.markers import MARKER
from davbridge.tree.plan import Copy, Plan
from davbridge.tree.reserved_names import HOUSEKEEPING, JOURNALS_FOLDER

JOURNALS = f"{HOUSEKEEPING}{JOURNALS_FOLDER}"
"""Below the mount's prefix."""

PLAN, LEASE, LEFT = ".plan", ".lease", ".left"

Verb = Literal["COPY", "MOVE", "DELETE"]

_FORMAT = 1

_UNDO_FORMAT = 2
"""Of a journal that says that its MOVE is undone: a davbridge that doesn't know how leaves it."""

_DAMAGE = (
    zlib.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)

_MAX_BYTES = 1024**3
"""Of a plan, unpacked: some four million members."""


class LaterFormatError(ValueError):
    """A journal that a later davbridge has written, and knows how to go on with."""


class DamagedJournalError(ValueError):
    """A journal that nobody can read."""

    def __init__(self, message: str, row: ObjectRow) -> None:
        super().__init__(message)
        self.row = row
        """The version that was read."""


class OperationRequest(NamedTuple):
    """What was asked for, and by whom."""

    verb: Verb
    source: ResourcePath
    target: ResourcePath = ()
    """Empty for a DELETE."""
    user: str = ""

    @property
    def name(self) -> str:
        """Of its journal, whoever asked."""
        what = json.dumps([self.verb, self.source, self.target])
        return sha256(what.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        source, target = (DELIMITER + DELIMITER.join(path) for path in (self.source, self.target))
        return f"{self.verb} {source!r}" + (f" to {target!r}" if self.target else "")


class JournalEntry(NamedTuple):
    """A journal."""

    request: OperationRequest
    source: ResourcePath
    """As the bucket spells it; so for the target."""
    target: ResourcePath
    is_new: bool
    """Whether nothing was at the target."""
    plan: Plan
    undo: tuple[ObjectRow, ...] | None = None
    """What a MOVE that has failed made at its target, and has to be removed again; None as long as
    it is to be finished."""


def encoded(entry: JournalEntry, nonce: str = "") -> bytes:
    """What `decoded` reads. It takes about 50 bytes a member. ``nonce``: makes it another object
    than any journal of the same plan."""
    plan, request = entry.plan, entry.request
    rows = {row: number for number, row in enumerate(dict.fromkeys(_rows_of(entry)))}

    def numbers(some: Iterable[ObjectRow]) -> list[int]:
        return [rows[row] for row in some]

    content = {
        "format": _FORMAT if entry.undo is None else _UNDO_FORMAT,
        "nonce": nonce,
        "request": request,
        "source": entry.source,
        "target": entry.target,
        "is_new": entry.is_new,
        "rows": [(row.key, row.size, row.modified.timestamp(), row.etag) for row in rows],
        "clashes": numbers(plan.clashes),
        "marker": plan.marker,
        "copies": [
            (rows[one.source], one.target, one.attributes is not None) for one in plan.copies
        ],
        "extras": numbers(plan.extras),
        "leaving": numbers(plan.leaving),
        "replaced": numbers(plan.replaced),
        "target_prefix": plan.target_prefix,
        "kept": sorted(plan.wanted.difference(copy.target for copy in plan.copies)),
        "undo": None if entry.undo is None else numbers(entry.undo),
    }
    return zlib.compress(json.dumps(content).encode(), 1)


def decoded(body: bytes) -> JournalEntry:
    """Raises ValueError; LaterFormatError where that is all that is wrong."""
    try:
        unpacker = zlib.decompressobj()
        content = json.loads(unpacker.decompress(body, _MAX_BYTES))
        if not unpacker.eof or content["format"] < _FORMAT:
            raise ValueError("a journal of another format")
        if content["format"] > _UNDO_FORMAT:
            raise LaterFormatError("a journal of a later davbridge's")
        rows = [
            ObjectRow(key, size, datetime.fromtimestamp(modified, UTC), etag)
            for key, size, modified, etag in content["rows"]
        ]
        is_undone = content["format"] == _UNDO_FORMAT
        return JournalEntry(
            _request(*content["request"]),
            tuple(content["source"]),
            tuple(content["target"]),
            bool(content["is_new"]),
            _plan(content, rows),
            tuple(rows[number] for number in content["undo"]) if is_undone else None,
        )
    except LaterFormatError:
        raise
    except _DAMAGE as error:
        raise ValueError(f"a damaged journal: {error!r}") from error


def _rows_of(entry: JournalEntry) -> Iterable[ObjectRow]:
    plan = entry.plan
    sources = (copy.source for copy in plan.copies)
    made = entry.undo or ()
    return (*plan.clashes, *sources, *plan.extras, *plan.leaving, *plan.replaced, *made)


def _request(verb: Verb, source: list[str], target: list[str], user: str) -> OperationRequest:
    return OperationRequest(verb, tuple(source), tuple(target), user)


def _plan(content: Mapping[str, Any], rows: Sequence[ObjectRow]) -> Plan:
    copies = tuple(
        Copy(rows[number], target, _attributes(is_marker))
        for number, target, is_marker in content["copies"]
    )
    return Plan(
        clashes=tuple(rows[number] for number in content["clashes"]),
        marker=content["marker"],
        copies=copies,
        extras=tuple(rows[number] for number in content["extras"]),
        leaving=tuple(rows[number] for number in content["leaving"]),
        replaced=tuple(rows[number] for number in content["replaced"]),
        target_prefix=content["target_prefix"],
        wanted=frozenset((*content["kept"], *(copy.target for copy in copies))),
    )


def _attributes(is_marker: bool) -> Attributes | None:
    """A plan replaces no others than those of what becomes a marker."""
    return MARKER if is_marker else None
