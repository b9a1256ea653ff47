"""Properties that another bridge sets in a folder while it is moved: they go along.

A sidecar may change, or come, after the MOVE has copied its folder. Then its delete is refused, or
it was never planned. What has changed since is written to the target's sidecar, and that version of
the source's sidecar is deleted. Costs nothing where no sidecar has changed. A sidecar that is gone
tells nothing: whether its properties were removed, or its members by another MOVE.

Invariants: a sidecar is deleted only in a version whose changes are at the target; members that
stay at the source keep their properties there; where the target's sidecar has been changed as well,
and it isn't known what the source's was when it was copied, the source's stays and is reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.plan import Plan, is_marker, parent_keys
from davbridge.tree.properties.property_store import rebind_members
from davbridge.tree.properties.sidecar_format import (
    NO_PROPERTIES,
    SIDECAR_NAME,
    MemberProperties,
    is_sidecar,
    with_changes,
)
from davbridge.tree.properties.sidecars import Sidecars
from davbridge.tree.reads import rows_below
from davbridge.tree.steps.checked_deletes import CheckedDeletes, Deleted
from davbridge.tree.steps.progress import RunningOperation

_ROUNDS = 3
"""How often is looked for what others have set."""


class Source(NamedTuple):
    """A folder that is moved."""

    tree: str
    """Its prefix."""
    plan: Plan
    """With all copies that the MOVE consists of, whoever has made them."""
    renewed: Mapping[str, str]
    """Of copies that have other ETags than their sources: those, by key."""

    def target_of(self, key: str) -> str:
        return self.plan.target_prefix + key[len(self.tree) :]


class LateProperties:
    """Of folders below one prefix of a store."""

    def __init__(self, store: ObjectStore, sidecars: Sidecars, deletes: CheckedDeletes) -> None:
        self._store = store
        self._sidecars = sidecars
        self._deletes = deletes

    def leave(
        self, source: Source, running: RunningOperation, gone: Sequence[ObjectRow]
    ) -> Deleted:
        """Deletes what leaves a tree, as `CheckedDeletes.tree`, and what has been set in it since
        it was copied, once the target has that. Raises StoreError where it can't be listed."""
        deleted = self._deletes.tree(source.tree, source.plan.leaving, running, gone=gone)
        bases: dict[str, MemberProperties] = {}
        for _ in range(_ROUNDS):
            late = _late_sidecars(source, deleted)
            if not late:
                break
            now = rows_below(self._store, source.tree)
            left = _left(source.plan, now)
            ready: list[ObjectRow] = []
            failed: list[DeleteFailure] = []
            for row in [now[key] for key in sorted(late) if key in now]:
                try:
                    with running.step():
                        bases[row.key] = self._merge(source, row, bases.get(row.key), left)
                    ready.append(row)
                except StoreError as error:
                    failed.append(DeleteFailure(row.key, error))
            failed += [one for one in deleted.failed if one.key not in late]
            if not ready and not late.isdisjoint(now):
                return deleted._replace(failed=failed)
            markers = [row for row in source.plan.leaving if is_marker(row.key) and row.key in now]
            again = self._deletes.tree(source.tree, [*ready, *markers], running)
            deleted = Deleted(failed + again.failed, again.left)
        return deleted

    def _merge(
        self, source: Source, row: ObjectRow, base: MemberProperties | None, left: Iterable[str]
    ) -> MemberProperties:
        """Writes to the target's sidecar what is in this version of the source's, and wasn't in
        ``base``; None: when it was copied. Returns what the source's sidecar has."""
        prefix = row.key.removesuffix(SIDECAR_NAME)
        target = source.target_of(row.key)
        found = self._sidecars.version(row.key, row.etag)
        if found is None:
            raise PreconditionFailedError("properties are being changed, and are left")
        names = _moved(source, prefix) - _names(prefix, left)
        if base is None:
            base = self._copied(source, row.key, target)
        before, after = (self._rebound(source, target, members) for members in (base, found))
        self._sidecars.update_members(
            target.removesuffix(SIDECAR_NAME),
            lambda there: with_changes(there, before, after, names),
        )
        return found

    def _copied(self, source: Source, key: str, target: str) -> MemberProperties:
        """What the target's sidecar had when it was copied."""
        copied = next((copy for copy in source.plan.copies if copy.target == target), None)
        if copied is None:
            return NO_PROPERTIES
        etag = source.renewed.get(target, copied.source.etag)
        base = self._sidecars.version(target, etag)
        if base is None:
            raise PreconditionFailedError(f"{key!r} and {target!r} have both been changed")
        return base

    def _rebound(self, source: Source, target: str, members: MemberProperties) -> MemberProperties:
        copies = [copy for copy in source.plan.copies if copy.target in source.renewed]
        etags = {copy.target: (copy.source.etag, source.renewed[copy.target]) for copy in copies}
        return rebind_members(target.removesuffix(SIDECAR_NAME), etags, members)


def _late_sidecars(source: Source, deleted: Deleted) -> set[str]:
    """The sidecars that stayed because they have changed or come since the copies, of collections
    that have been copied."""
    changed = [one.key for one in deleted.failed if isinstance(one.error, PreconditionFailedError)]
    sidecars = {key for key in (*changed, *deleted.left) if _is_live_sidecar(key)}
    if not sidecars:
        return sidecars
    copied = parent_keys(copy.target for copy in source.plan.copies)
    return {key for key in sidecars if source.target_of(key).rpartition(DELIMITER)[0] in copied}


def _is_live_sidecar(key: str) -> bool:
    """Whether a key is a sidecar's, and not that of a damaged one that was set aside."""
    return key.rpartition(DELIMITER)[2] == SIDECAR_NAME


def _left(plan: Plan, now: Iterable[str]) -> list[str]:
    """Of what is there now: members that stay."""
    planned = {row.key for row in plan.leaving}
    markers = planned | {name + DELIMITER for name in parent_keys(planned)}
    return [key for key in now if not (is_sidecar(key) or (is_marker(key) and key in markers))]


def _moved(source: Source, prefix: str) -> set[str]:
    """The names of those members of a collection that have been copied."""
    return _names(source.target_of(prefix), (copy.target for copy in source.plan.copies))


def _names(prefix: str, keys: Iterable[str]) -> set[str]:
    """The names of the members of a collection that these keys are of, or are inside."""
    inside = (key[len(prefix) :] for key in keys if key.startswith(prefix))
    return {rest.partition(DELIMITER)[0] for rest in inside}
