"""COPY and MOVE of junk that is in memory."""

from davbridge.paths import ResourcePath
from davbridge.store.base import IF_ABSENT, Condition
from davbridge.tree.junk.files import JunkFile
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import Preconditions


def copy_file(
    namespace: Namespace, file: JunkFile, target: ResourcePath, preconditions: Preconditions
) -> None:
    """Writes a copy to where an upload of that name is written, with its properties. Raises as
    `Namespace.copy`, and IsACollectionError if a collection is at the target."""
    preconditions.require_version(file.resource)
    there = namespace.find(target)
    rows = [there.row] if there and there.row else []
    preconditions.require_replaceable(rows, is_new=there is None)
    wanted = Condition(if_match=preconditions.target_if_match)
    writer = namespace.open_writer(
        target,
        file.attributes,
        wanted if preconditions.overwrite else IF_ABSENT,
        length=len(file.body),
        existing=there,
        is_new=there is None,
        recheck=preconditions.recheck,
    )
    try:
        writer.write(file.body)
        copied = writer.commit(file.resource.client_metadata).path
    except BaseException:
        writer.abort()
        raise
    changes = {**dict.fromkeys(namespace.properties(copied)), **file.properties}
    if changes:
        namespace.update_properties(copied, changes)
