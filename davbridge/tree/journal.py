"""What says that the MOVE of a tree has copied everything, and is deleting.

A MOVE that was interrupted is sent again by its client. What has been deleted of the source by
then is missing there, and stands in the target: by the rules of an overwriting MOVE it would go
from there as well. The journal, an object of ours inside the source, names the target of a MOVE
whose copies are verified; as long as it is there, another MOVE to the same target takes nothing
away from it.

Invariant: it is written before the first of the source is deleted, and goes after the last.
"""

import json

from davbridge.errors import NotFoundError
from davbridge.paths import DELIMITER, RESERVED_PREFIX
from davbridge.store.base import Attributes, ObjectStore
from davbridge.tree.sidecar import is_sidecar

JOURNAL_NAME = f"{RESERVED_PREFIX}.move.json"

_JSON = Attributes("application/json")
_MAX_BYTES = 64 * 1024


def is_journal(key: str) -> bool:
    """Whether a key is a journal's."""
    return key.rpartition(DELIMITER)[2] == JOURNAL_NAME


def is_own(key: str) -> bool:
    """Whether a key is davbridge's own, inside a collection: a journal's or a sidecar's."""
    return is_journal(key) or is_sidecar(key)


def begin(store: ObjectStore, source: str, target: str) -> None:
    """Notes that the tree at the prefix ``source`` is, whole, at the prefix ``target``."""
    body = json.dumps({"target": target}, ensure_ascii=False).encode()
    store.put_object(source + JOURNAL_NAME, body, _JSON)


def was_begun(store: ObjectStore, source: str, target: str) -> bool:
    """Whether an earlier MOVE from ``source`` to ``target`` had begun to delete."""
    try:
        with store.get_object(source + JOURNAL_NAME) as reader:
            return bool(json.loads(reader.read(_MAX_BYTES)) == {"target": target})
    except (NotFoundError, ValueError):
        return False
