"""Properties that another bridge sets in a folder while it is moved. They are moved as well.

A sidecar may change, or be written first, after the MOVE has copied its folder. Its delete is then
refused, or was never planned. What has changed since is merged into the target's sidecar, and that
version of the source's sidecar is deleted. This costs nothing if no sidecar has changed. A sidecar
that is gone is ignored: its properties may have been removed, or its members moved by another MOVE.

Invariants: a version of a sidecar is deleted only when its changes are at the target. Members that
stay at the source keep their properties there. If the target's sidecar was changed as well, and it
isn't known what the source's had when it was copied, the source's stays and is reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.plan import Plan, is_marker, parent_keys
from davbridge.tree.properties.client_metadata import NO_PROPERTIES, Properties, rebind
from davbridge.tree.properties.entries import NO_MEMBERS, Members, apply_changes
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME, is_head, is_sidecar
from davbridge.tree.properties.sidecars import Find, Sidecars
from davbridge.tree.reads import rows_below
from davbridge.tree.steps.checked_deletes import CheckedDeletes, Deleted
from davbridge.tree.steps.copies import NO_ETAG
from davbridge.tree.steps.progress import RunningOperation

_ROUNDS = 3
"""How often it is checked whether others have set something."""


class Source(NamedTuple):
    """A folder that is moved."""

    tree: str
    """Its prefix."""
    plan: Plan
    """With all copies of the MOVE, whichever bridge has made them."""
    new_etags: Mapping[str, str]
    """By key, the ETags of copies that differ from their sources'."""

    def target_of(self, key: str) -> str:
        return self.plan.target_prefix + key[len(self.tree) :]


class LateProperties:
    """Of folders below one prefix of a store."""

    def __init__(self, store: ObjectStore, sidecars: Sidecars, deletes: CheckedDeletes) -> None:
        self._store = store
        self._sidecars = sidecars
        self._deletes = deletes

    def delete_source(
        self, source: Source, running: RunningOperation, deleted_before: Sequence[ObjectRow]
    ) -> Deleted:
        """Deletes a tree, as `CheckedDeletes.tree`. First moves the properties that were set in it
        since it was copied. Raises StoreError if the tree can't be listed."""
        deleted = self._deletes.tree(
            source.tree, source.plan.deletions, running, deleted_before=deleted_before
        )
        bases: dict[str, Members] = {}
        for _ in range(_ROUNDS):
            late = _late_sidecars(source, deleted)
            if not late:
                break
            now = rows_below(self._store, source.tree)
            staying = _staying_members(source.plan, now)
            ready: list[ObjectRow] = []
            failed: list[DeleteFailure] = []
            for row in [now[key] for key in sorted(late) if key in now]:
                try:
                    with running.under_lease():
                        bases[row.key] = self._merge(source, row, bases.get(row.key), staying)
                    ready.append(row)
                except StoreError as error:
                    failed.append(DeleteFailure(row.key, error))
            failed += [one for one in deleted.failed if one.key not in late]
            if not ready and not late.isdisjoint(now):
                return deleted._replace(failed=failed)
            markers = [
                row for row in source.plan.deletions if is_marker(row.key) and row.key in now
            ]
            again = self._deletes.tree(source.tree, [*ready, *markers], running)
            deleted = Deleted(failed + again.failed, again.remaining)
        return deleted

    def _merge(
        self, source: Source, row: ObjectRow, base: Members | None, staying: Iterable[str]
    ) -> Members:
        """Merges into the target's sidecar what this version of the source's has, and ``base``
        didn't have; None: what it had when it was copied. Returns what the source's sidecar has."""
        prefix = row.key.removesuffix(SIDECAR_NAME)
        target = source.target_of(row.key)
        found = self._sidecars.version(row.key, row.etag)
        if found is None:
            raise PreconditionFailedError("properties are being changed, and are left")
        names = _moved(source, prefix) - _names(prefix, staying)
        if base is None:
            base = self._copied(source, row.key, target)
        late = [name for name in names if base.encoded.get(name) != found.encoded.get(name)]
        etags = _etags_by_name(source, target.removesuffix(SIDECAR_NAME))

        def bound(members: Members, name: str) -> Properties:
            properties = members.get(name, NO_PROPERTIES)
            return rebind(properties, *etags[name]) if name in etags else properties

        def merge(find: Find) -> dict[str, Properties]:
            changes = ((name, bound(base, name), bound(found, name)) for name in late)
            return {name: apply_changes(old, new, find(name)) for name, old, new in changes}

        self._sidecars.update_members(target.removesuffix(SIDECAR_NAME), merge)
        return found

    def _copied(self, source: Source, key: str, target: str) -> Members:
        """What the target's sidecar had when it was copied."""
        copied = next((copy for copy in source.plan.copies if copy.target == target), None)
        if copied is None:
            return NO_MEMBERS
        etag = source.new_etags.get(target, copied.source.etag)
        if etag == NO_ETAG:
            return NO_MEMBERS
        base = self._sidecars.version(target, etag)
        if base is None:
            raise PreconditionFailedError(f"{key!r} and {target!r} have both been changed")
        return base


def _late_sidecars(source: Source, deleted: Deleted) -> set[str]:
    """The sidecars that stayed, because they were changed or first written after the copies, of
    collections that were copied."""
    changed = [one.key for one in deleted.failed if isinstance(one.error, PreconditionFailedError)]
    sidecars = {key for key in (*changed, *deleted.remaining) if is_head(key)}
    if not sidecars:
        return sidecars
    copied = parent_keys(copy.target for copy in source.plan.copies)
    return {key for key in sidecars if source.target_of(key).rpartition(DELIMITER)[0] in copied}


def _etags_by_name(source: Source, prefix: str) -> dict[str, tuple[str, str]]:
    """The ETags of members of a target collection, and of their sources, where they differ."""
    return {
        copy.target[len(prefix) :]: (copy.source.etag, source.new_etags[copy.target])
        for copy in source.plan.copies
        if copy.target in source.new_etags and copy.target.startswith(prefix)
    }


def _staying_members(plan: Plan, now: Iterable[str]) -> list[str]:
    """Those of the present members that stay."""
    planned = {row.key for row in plan.deletions}
    markers = planned | {name + DELIMITER for name in parent_keys(planned)}
    return [key for key in now if not (is_sidecar(key) or (is_marker(key) and key in markers))]


def _moved(source: Source, prefix: str) -> set[str]:
    """The names of the members of a collection that were copied."""
    return _names(source.target_of(prefix), (copy.target for copy in source.plan.copies))


def _names(prefix: str, keys: Iterable[str]) -> set[str]:
    """The names of the members of a collection that these keys are of, or lie inside."""
    inside = (key[len(prefix) :] for key in keys if key.startswith(prefix))
    return {rest.partition(DELIMITER)[0] for rest in inside}
