"""What a drive should show, and do: an executable reference, trees as nested dicts."""

from copy import deepcopy
from dataclasses import dataclass, field

from davbridge.errors import (
    AlreadyExistsError,
    IsACollectionError,
    NotFoundError,
    OverlappingPathsError,
    ParentMissingError,
)
from davbridge.paths import ROOT, ResourcePath
from davbridge.tree.listing.markers import FOLDER_SUFFIX
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME


@dataclass
class Folder:
    """A collection. ``hidden``: the object of the same name that it hides."""

    members: "dict[str, bytes | Folder]" = field(default_factory=dict)
    is_marked: bool = False
    hidden: bytes | None = None
    properties: dict[str, str] = field(default_factory=dict)
    """Of the members, by name; they can outlive members that go behind the drive's back."""
    has_suffixed: bool = False
    """Whether an ``x_$folder$`` beside it marks it, too."""
    is_bare: bool = False
    """Whether an object of its own name and a directory's type marks it, and nothing else."""

    @property
    def exists(self) -> bool:
        return bool(
            self.members or self.is_marked or self.properties or self.has_suffixed or self.is_bare
        )

    def settle(self) -> None:
        """Before something is written inside it."""
        self.is_marked = self.is_marked or self.is_bare
        self.is_bare = False


class Model:
    """What the drive should show, and do."""

    def __init__(self, root: Folder | None = None) -> None:
        self.root = root or Folder(is_marked=True)

    def find(self, path: ResourcePath) -> "bytes | Folder | None":
        node: bytes | Folder | None = self.root
        for name in path:
            if not isinstance(node, Folder):
                return None
            node = node.members.get(name)
        return node

    def paths(self) -> list[ResourcePath]:
        return sorted(expected(self.root, ROOT))

    def parent(self, path: ResourcePath) -> Folder:
        parent = self.find(path[:-1])
        if not isinstance(parent, Folder):
            raise ParentMissingError
        return parent

    def existing_parent(self, path: ResourcePath) -> Folder:
        if self.find(path) is None:
            raise NotFoundError
        return self.parent(path)

    def put(self, path: ResourcePath, body: bytes) -> None:
        if isinstance(self.find(path), Folder):
            raise IsACollectionError
        parent = self.parent(path)
        parent.settle()
        if path[-1] not in parent.members:
            parent.properties.pop(path[-1], None)
        parent.members[path[-1]] = body

    def make_collection(self, path: ResourcePath) -> None:
        if self.find(path) is not None:
            raise AlreadyExistsError
        parent = self.parent(path)
        parent.settle()
        parent.properties.pop(path[-1], None)
        parent.members[path[-1]] = Folder(is_marked=True)

    def set_property(self, path: ResourcePath, value: str) -> None:
        self.existing_parent(path).properties[path[-1]] = value

    def delete(self, path: ResourcePath) -> bool:
        """Whether nothing is left of it."""
        parent = self.existing_parent(path)
        self._keep(parent, path[-1])
        left = _left_of(parent.members.pop(path[-1]))
        if left is not None:
            parent.members[path[-1]] = left
            return False
        parent.properties.pop(path[-1], None)
        return True

    def copy(self, source: ResourcePath, target: ResourcePath) -> bool:
        origin = self.find(source)
        if origin is None:
            raise NotFoundError
        if source == target or source[: len(target)] == target:
            raise OverlappingPathsError
        if isinstance(origin, Folder) and target[: len(source)] == source:
            raise OverlappingPathsError
        parent = self.parent(target)
        old = parent.members.get(target[-1])
        if _is_obstructed(origin, old, is_top=True):
            return False
        parent.settle()
        parent.members[target[-1]] = _merged(origin, old, is_top=True)
        parent.properties.pop(target[-1], None)
        value = self.parent(source).properties.get(source[-1])
        if value is not None:
            parent.properties[target[-1]] = value
        return True

    def move(self, source: ResourcePath, target: ResourcePath) -> bool:
        if not self.copy(source, target):
            return False
        parent = self.parent(source)
        self._keep(parent, source[-1])
        origin = parent.members.pop(source[-1])
        parent.properties.pop(source[-1], None)
        if isinstance(origin, Folder) and origin.hidden is not None:
            parent.members[source[-1]] = origin.hidden
            return False
        return True

    def allows(self, path: ResourcePath, *, file: bool = False, suffixed: bool = False) -> bool:
        """Whether an outside write keeps the marks apart: none of two kinds on one object, and
        nothing inside of what an object alone marks. The decision table's own tests have those."""
        nodes = [self.find(path[:end]) for end in range(1, len(path) + 1)]
        if any(isinstance(node, Folder) and node.is_bare for node in nodes):
            return False
        node = nodes[-1]
        if isinstance(node, Folder):
            return not (file and node.has_suffixed) and not (suffixed and node.hidden is not None)
        return not (suffixed and node is not None)

    def outside_suffixed(self, path: ResourcePath) -> None:
        folder = self._outside_folder(path)
        folder.has_suffixed = True

    def outside_bare(self, path: ResourcePath) -> None:
        self._outside_folder(path[:-1]).members[path[-1]] = Folder(is_bare=True)

    def outside_put(self, path: ResourcePath, body: bytes) -> None:
        parent = self._outside_folder(path[:-1])
        old = parent.members.get(path[-1])
        if isinstance(old, Folder):
            old.hidden = body
        else:
            parent.members[path[-1]] = body

    def outside_marker(self, path: ResourcePath) -> None:
        self._outside_folder(path).is_marked = True

    def outside_delete(self, path: ResourcePath) -> None:
        """Of the object, not of a marker."""
        parent = self.find(path[:-1])
        if not isinstance(parent, Folder):
            return
        node = parent.members.get(path[-1])
        if isinstance(node, Folder) and not node.is_bare:
            node.hidden = None
        elif node is not None:
            del parent.members[path[-1]]
            self._prune(path[:-1])

    def _outside_folder(self, path: ResourcePath) -> Folder:
        folder = self.root
        for name in path:
            node = folder.members.get(name)
            if not isinstance(node, Folder):
                node = folder.members[name] = Folder(hidden=node)
            folder = node
        return folder

    def _prune(self, path: ResourcePath) -> None:
        while path:
            parent, node = self.find(path[:-1]), self.find(path)
            assert isinstance(parent, Folder)
            assert isinstance(node, Folder)
            if node.exists:
                return
            if node.hidden is not None:
                parent.members[path[-1]] = node.hidden
                return
            del parent.members[path[-1]]
            path = path[:-1]

    def _keep(self, parent: Folder, leaving: str) -> None:
        if not parent.members.keys() - {leaving}:
            parent.is_marked = True


def _left_of(node: "bytes | Folder", *, is_bare: bool = False) -> "bytes | Folder | None":
    """What a DELETE leaves: what was hidden, in collections as they were, or bare ones."""
    if isinstance(node, bytes):
        return None
    left = {
        name: rest
        for name, old in node.members.items()
        if (rest := _left_of(old, is_bare=is_bare)) is not None
    }
    if left and is_bare:
        return Folder(left, hidden=node.hidden)
    if left:
        return Folder(left, node.is_marked, node.hidden, node.properties)
    return node.hidden


def _merged(
    source: "bytes | Folder", target: "bytes | Folder | None", *, is_top: bool = False
) -> "bytes | Folder":
    """A copy of the source over the target, with what the target keeps since it was hidden."""
    if isinstance(source, bytes):
        return source
    if source.is_bare and not is_top:
        return Folder(is_bare=True)
    old = target if isinstance(target, Folder) else Folder()
    members = {name: _merged(one, old.members.get(name)) for name, one in source.members.items()}
    for name, one in old.members.items():
        if name not in source.members and (rest := _left_of(one, is_bare=True)) is not None:
            members[name] = rest
    return Folder(
        members,
        source.is_marked
        or old.is_marked
        or source.has_suffixed
        or (is_top and (source.is_bare or not source.members)),
        old.hidden if is_top or source.hidden is None else source.hidden,
        deepcopy(source.properties),
        has_suffixed=is_top and old.has_suffixed,
    )


def _is_obstructed(
    source: "bytes | Folder", target: "bytes | Folder | None", *, is_top: bool = False
) -> bool:
    """Whether a file would fall on, or come above, what was hidden."""
    if not isinstance(target, Folder):
        return False
    if isinstance(source, bytes) or (source.is_bare and not is_top):
        return _left_of(target) is not None
    if not is_top and source.hidden is not None and target.hidden is not None:
        return True
    return any(_is_obstructed(one, target.members.get(n)) for n, one in source.members.items())


Shown = dict[ResourcePath, tuple[bytes | None, str | None]]
"""Each resource's content, None for collections, and its property."""


def expected(folder: Folder, path: ResourcePath) -> Shown:
    shown: Shown = {}
    for name, node in folder.members.items():
        value = folder.properties.get(name)
        if isinstance(node, bytes):
            shown[*path, name] = (node, value)
        else:
            shown |= {(*path, name): (None, value)} | expected(node, (*path, name))
    return shown


def keys_of(folder: Folder, prefix: str) -> set[str]:
    keys = {prefix + SIDECAR_NAME} if folder.properties else set()
    for name, node in folder.members.items():
        if isinstance(node, bytes):
            keys.add(prefix + name)
            continue
        keys |= keys_of(node, f"{prefix}{name}/")
        if node.is_marked:
            keys.add(f"{prefix}{name}/")
        if node.hidden is not None or node.is_bare:
            keys.add(prefix + name)
        if node.has_suffixed:
            keys.add(prefix + name + FOLDER_SUFFIX)
    return keys
