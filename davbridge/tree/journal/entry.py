"""The content of a journal: the plan of an operation, written before it begins.

A journal is the plan itself: each key that is to be copied or deleted, with the version that was
listed. No progress is recorded: a bridge that resumes the operation checks each key (see
`operations.remaining_work`). A journal lies below ``.davbridge/`` in the mount. Its name is a hash
of verb, source and target: the same request, sent again, finds it, and one listing finds all
journals.

Three objects may have a journal's name, with different suffixes:

- ``.plan``: the journal. It is written before the first change. It is changed at most once: if a
  MOVE fails, it is marked as undone, with the keys that have to be deleted, before the first of
  them is deleted. From then on a bridge that resumes it undoes it, and doesn't finish it.
- ``.lease``: for an operation that takes longer. Its bridge rewrites it every few seconds (see
  `lease_monitor`).
- ``.left``: the record of an incomplete MOVE, whose response said that a part of the source could
  not be deleted. As long as the record exists, the same MOVE, sent again, deletes nothing from the
  target that it has moved there before.

Invariants: an entry that can't be parsed is damaged, or from a later davbridge; nothing in it is
guessed. Each later format is compressed JSON with its number as ``format``: so an earlier davbridge
recognises it, and never deletes it.
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
"""The folder of the journals, below the mount's prefix."""

PLAN, LEASE, INCOMPLETE = ".plan", ".lease", ".left"

Verb = Literal["COPY", "MOVE", "DELETE"]

_FORMAT = 1

_UNDO_FORMAT = 2
"""Of a MOVE that is being undone. A davbridge that doesn't know this format leaves the journal
alone."""

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
"""Of a plan, uncompressed: some four million members."""


class LaterFormatError(ValueError):
    """A journal that a later davbridge has written. That one can resume it."""


class DamagedJournalError(ValueError):
    """A journal that no davbridge can read."""

    def __init__(self, message: str, row: ObjectRow) -> None:
        super().__init__(message)
        self.row = row
        """The version that was read."""


class OperationRequest(NamedTuple):
    """The client's request."""

    verb: Verb
    source: ResourcePath
    target: ResourcePath = ()
    """Empty for a DELETE."""
    user: str = ""

    @property
    def paths(self) -> tuple[ResourcePath, ...]:
        """The source, and the target if there is one."""
        return (self.source, self.target) if self.target else (self.source,)

    @property
    def changed(self) -> tuple[ResourcePath, ...]:
        """The paths whose resources it changes. A COPY only reads its source."""
        return (self.target,) if self.verb == "COPY" else self.paths

    @property
    def name(self) -> str:
        """The journal's name. It doesn't depend on the user."""
        what = json.dumps([self.verb, self.source, self.target])
        return sha256(what.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        source, target = (DELIMITER + DELIMITER.join(path) for path in (self.source, self.target))
        return f"{self.verb} {source!r}" + (f" to {target!r}" if self.target else "")


class JournalEntry(NamedTuple):
    """The content of a journal."""

    request: OperationRequest
    source: ResourcePath
    """In the bucket's spelling; so is the target."""
    target: ResourcePath
    is_new: bool
    """Whether nothing was at the target."""
    plan: Plan
    undo: tuple[ObjectRow, ...] | None = None
    """The objects that a failed MOVE has created at its target, which have to be deleted again.
    None: the operation is to be finished."""


def encoded(entry: JournalEntry, nonce: str = "") -> bytes:
    """The body that `decoded` reads; about 50 bytes a member. ``nonce`` makes its ETag differ from
    that of any other journal of the same plan."""
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
        "classes": [(rows[row], row.storage_class) for row in rows if row.storage_class],
        "clashes": numbers(plan.clashes),
        "marker": plan.marker,
        "copies": [
            (rows[one.source], one.target, one.attributes is not None) for one in plan.copies
        ],
        "extras": numbers(plan.extras),
        "leaving": numbers(plan.deletions),
        "replaced": numbers(plan.replaced),
        "target_prefix": plan.target_prefix,
        "kept": sorted(plan.wanted.difference(copy.target for copy in plan.copies)),
        "undo": None if entry.undo is None else numbers(entry.undo),
    }
    return zlib.compress(json.dumps(content).encode(), 1)


def decoded(body: bytes) -> JournalEntry:
    """Raises ValueError for a damaged entry, and LaterFormatError for one of a later format."""
    try:
        unpacker = zlib.decompressobj()
        content = json.loads(unpacker.decompress(body, _MAX_BYTES))
        if not unpacker.eof or content["format"] < _FORMAT:
            raise ValueError("a journal of another format")
        if content["format"] > _UNDO_FORMAT:
            raise LaterFormatError("a journal of a later davbridge's")
        classes: dict[int, str] = dict(content.get("classes", ()))  # Earlier ones have none.
        rows = [
            ObjectRow(
                key, size, datetime.fromtimestamp(modified, UTC), etag, classes.get(number, "")
            )
            for number, (key, size, modified, etag) in enumerate(content["rows"])
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
    created = entry.undo or ()
    return (*plan.clashes, *sources, *plan.extras, *plan.deletions, *plan.replaced, *created)


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
        deletions=tuple(rows[number] for number in content["leaving"]),
        replaced=tuple(rows[number] for number in content["replaced"]),
        target_prefix=content["target_prefix"],
        wanted=frozenset((*content["kept"], *(copy.target for copy in copies))),
    )


def _attributes(is_marker: bool) -> Attributes | None:
    """Only a copy that becomes a marker has attributes of its own."""
    return MARKER if is_marker else None
