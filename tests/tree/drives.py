"""A drive and its model, which take the same steps; hostile writes from outside among them.

Names come from ``[a-]{1,3}``, so that neighbours (``a``, ``a-``, ``aa``) and collisions abound.
"""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import StoreError
from davbridge.paths import ROOT, ResourcePath
from davbridge.store.base import DIRECTORY_TYPE, Attributes, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.composition import Clocks, DriveLimits
from davbridge.tree.listing.markers import FOLDER_SUFFIX
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.merging import LIMITS
from tests.tree.conftest import Clock, member_properties
from tests.tree.model import Folder, Model, Shown, expected, keys_of
from tests.tree.small_segments import SMALL, missing, orphans, small_segments, without_segments

NAMES = st.text("a-", min_size=1, max_size=3)
ANYWHERE = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
THERE = st.runner().flatmap(lambda drives: st.sampled_from(drives.model.paths() or [("a",)]))
INSIDE = st.builds(lambda path, name: (*path[:3], name), THERE, NAMES)
PATHS = THERE | THERE | INSIDE | ANYWHERE
BODIES = st.binary(min_size=1, max_size=2)


class Drives(RuleBasedStateMachine):
    """The same steps for the drive and the model."""

    segment_limits = LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.clock = Clock()
        self.bucket = MemoryStore(clock=self.clock)
        with small_segments(self.segment_limits):
            self.tree = Namespace(
                self.store_over(self.bucket),
                prefix="mount/",
                limits=DriveLimits(parallel_requests=2),
                clocks=Clocks(timer=self.clock.seconds, now=self.clock, pause=self.clock.advance),
            )

    def store_over(self, bucket: MemoryStore) -> ObjectStore:
        return bucket

    def see_outside_changes(self) -> None:
        """Lets the time pass until which caches may be wrong."""

    def teardown(self) -> None:
        self.tree.close()

    def both(self, drive: Callable[[], Any], model: Callable[[], Any]) -> None:
        assert _outcome(drive) == _outcome(model)

    @rule(path=PATHS, body=BODIES)
    def put(self, path: ResourcePath, body: bytes) -> None:
        def put() -> None:
            writer = self.tree.open_writer(path, Attributes())
            writer.write(body)
            writer.commit()

        self.both(put, lambda: self.model.put(path, body))

    @rule(path=PATHS)
    def make_collection(self, path: ResourcePath) -> None:
        self.both(lambda: self.tree.make_collection(path), lambda: self.model.make_collection(path))

    @rule(path=PATHS, value=st.sampled_from(["<p xmlns='n'>x</p>", "<p xmlns='n'>y</p>"]))
    def set_property(self, path: ResourcePath, value: str) -> None:
        self.both(
            lambda: self.tree.update_properties(path, {"{n}p": value}),
            lambda: self.model.set_property(path, value),
        )

    @rule(path=PATHS)
    def delete(self, path: ResourcePath) -> None:
        self.both(lambda: not self.tree.delete(path), lambda: self.model.delete(path))

    @rule(origin=PATHS, destination=PATHS)
    def copy(self, origin: ResourcePath, destination: ResourcePath) -> None:
        self.both(
            lambda: not self.tree.copy(origin, destination),
            lambda: self.model.copy(origin, destination),
        )

    @rule(origin=PATHS, destination=PATHS)
    def move(self, origin: ResourcePath, destination: ResourcePath) -> None:
        self.both(
            lambda: not self.tree.move(origin, destination),
            lambda: self.model.move(origin, destination),
        )

    @rule(path=PATHS, body=BODIES)
    def outside_put(self, path: ResourcePath, body: bytes) -> None:
        if self.model.allows(path, file=True):
            self.bucket.put_object("mount/" + "/".join(path), body, Attributes())
            self.model.outside_put(path, body)
            self.see_outside_changes()

    @rule(path=PATHS)
    def outside_marker(self, path: ResourcePath) -> None:
        if self.model.allows(path):
            self.bucket.put_object("mount/" + "/".join(path) + "/", b"", Attributes())
            self.model.outside_marker(path)
            self.see_outside_changes()

    @rule(path=PATHS)
    def outside_suffixed(self, path: ResourcePath) -> None:
        if self.model.allows(path, suffixed=True):
            key = "mount/" + "/".join(path) + FOLDER_SUFFIX
            self.bucket.put_object(key, b"", Attributes())
            self.model.outside_suffixed(path)
            self.see_outside_changes()

    @rule(path=PATHS)
    def outside_bare(self, path: ResourcePath) -> None:
        if self.model.allows(path) and not isinstance(self.model.find(path), Folder):
            self.bucket.put_object("mount/" + "/".join(path), b"", Attributes(DIRECTORY_TYPE))
            self.model.outside_bare(path)
            self.see_outside_changes()

    @rule(path=PATHS)
    def outside_delete(self, path: ResourcePath) -> None:
        self.bucket.delete_object("mount/" + "/".join(path))
        self.model.outside_delete(path)
        self.see_outside_changes()

    @invariant()
    def the_drive_shows_what_the_model_holds(self) -> None:
        shown = shown_by(self.tree, ROOT)
        assert shown == expected(self.model.root, ROOT)
        assert all(
            getattr(self.tree.find(path), "is_collection", None) == (value is None)
            for path, (value, _) in shown.items()
        )

    @invariant()
    def the_bucket_holds_the_right_keys(self) -> None:
        pages = self.bucket.list_objects("")
        keys = {row.key for page in pages for row in page.rows}
        assert without_segments(keys) - {"mount/"} == keys_of(self.model.root, "mount/")
        assert orphans(self.bucket) == missing(self.bucket) == set()


def _outcome(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except StoreError as error:
        return type(error)


def shown_by(tree: Namespace, path: ResourcePath) -> Shown:
    shown: Shown = {}
    properties = member_properties(tree, path)
    for member in tree.members(path):
        value = properties.get(member.name, {}).get("{n}p")
        if member.is_collection:
            shown |= {member.path: (None, value)} | shown_by(tree, member.path)
        else:
            with tree.open_reader(member) as reader:
                shown[member.path] = (reader.read(10), value)
    return shown


class SegmentedDrives(Drives):
    """The same with segments of a property or two."""

    segment_limits = SMALL


class CachedDrives(Drives):
    """The same over a cache: what others change is seen after its TTL."""

    def store_over(self, bucket: MemoryStore) -> ObjectStore:
        self.seconds = 0.0
        return CachedStore(bucket, CacheSettings(ttl=60.0), timer=lambda: self.seconds)

    def see_outside_changes(self) -> None:
        self.seconds += 61.0
