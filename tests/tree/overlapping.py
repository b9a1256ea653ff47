"""Operations that overlap: one is held at a request to the store while others run.

A case is made of steps that follow from a seed, and can be left out one by one. Each bridge has a
gate between itself and the bucket; a step that is held stands at its request of some number, before
it reaches the store or before its answer comes back. Meanwhile other steps run, over the same
bridge or another, and may be held in turn. A step that waits for one that is held (for its turn,
for a lock) goes on when that one is released.

Owns the threads, the gates and the clock. What may come of a case is `possible_states`' matter.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from threading import Condition, Thread, enumerate as all_threads
from types import FrameType
from typing import Any, NamedTuple, TypeVar

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import UnavailableError
from davbridge.paths import ROOT, ResourcePath
from davbridge.store.base import Attributes, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.leases import LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from tests.support.intercepted import InterceptedStore
from tests.tree.conftest import Clock
from tests.tree.drives import shown_by

T = TypeVar("T")

REQUEST_SECONDS = 0.01
"""What each request takes, on the clock of the case."""

AGE = 100.0
"""Seconds by which what is there at first is older than what happens then."""

MOMENT = 0.004
"""Seconds between two looks at threads that may stand still."""

LOOKS = 4
"""In which a thread that stands still is where it was."""

PATIENCE = 20.0
"""Seconds in which operations end that nothing holds any more."""


class How(Enum):
    """How a request is held."""

    BEFORE = "before it reaches the store"
    AFTER = "when the store has done it"
    LOST = "when the store has done it, and its answer is lost"


class Hold(NamedTuple):
    """The request at which an operation is held."""

    at: int
    """Its number, from 0, among those of the operation."""
    how: How = How.BEFORE


class Step(NamedTuple):
    """An operation, or a bridge's look for what others have left (``recover``)."""

    verb: str
    arguments: tuple[Any, ...] = ()
    bridge: int = 0
    hold: Hold | None = None
    meanwhile: "tuple[Step, ...]" = ()
    """What happens while it is held; where it never is, what happens afterwards."""

    def __repr__(self) -> str:
        told = ", ".join("/".join(a) if isinstance(a, tuple) else repr(a) for a in self.arguments)
        held = f" held at {self.hold.at} {self.hold.how.name}" if self.hold else ""
        meanwhile = f" {list(self.meanwhile)}" if self.meanwhile else ""
        return f"{self.verb}({told})@{self.bridge}{held}{meanwhile}"

    def flat(self) -> "Iterator[Step]":
        """It, and all that happens meanwhile."""
        yield self
        for each in self.meanwhile:
            yield from each.flat()


class Case(NamedTuple):
    """What is done."""

    bridges: int
    before: tuple[Step, ...]
    """One after the other, over the first bridge."""
    step: Step
    is_cached: bool = True
    """Whether each bridge has a cache, filled before the step begins."""


class Done(NamedTuple):
    """What came of an operation."""

    step: Step
    outcome: bool | BaseException
    """True: done; False: members have failed; or what was raised."""
    began: int
    ended: int
    """When, in the order of such events."""


class _Gate:
    """Where one request of one operation is held."""

    def __init__(self, hold: Hold, changed: Condition) -> None:
        self.hold = hold
        self.is_reached = False
        self._is_open = False
        self._changed = changed

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def stand(self) -> None:
        """The side of the request."""
        with self._changed:
            self.is_reached = True
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._is_open, PATIENCE), "held for ever"


class GatedRequests(InterceptedStore):
    """Counts the requests of a bridge, and holds one of them."""

    def __init__(self, inner: ObjectStore, clock: Clock) -> None:
        super().__init__(inner)
        self._clock = clock
        self._gate: _Gate | None = None
        self.requests: list[tuple[str, str]] = []
        """Since the last step began."""

    def arm(self, gate: _Gate | None) -> None:
        """Counts anew."""
        self._gate = gate
        self.requests = []

    def disarm(self) -> None:
        """The operation that the gate was for has ended, or waits."""
        self._gate = None

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        number = len(self.requests)
        self.requests.append((name, key))
        self._clock.advance(REQUEST_SECONDS)
        gate = self._gate
        if gate is None or gate.hold.at != number:
            return call()
        self._gate = None
        if gate.hold.how is How.BEFORE:
            gate.stand()
            return call()
        try:
            return call()
        finally:
            gate.stand()
            if gate.hold.how is How.LOST:
                raise UnavailableError("the answer is lost")


class World:
    """Bridges over one bucket in memory."""

    def __init__(self, bridges: int, *, is_cached: bool) -> None:
        self.clock = Clock()
        self.bucket = MemoryStore(clock=self.clock)
        self.stores = [GatedRequests(self.bucket, self.clock) for _ in range(bridges)]
        self._is_cached = is_cached
        self.trees = [self._bridge(store) for store in self.stores]
        self.done: list[Done] = []
        self._changed = Condition()
        self._events = 0
        self._open: list[Thread] = []

    def _bridge(self, store: ObjectStore) -> Namespace:
        over = CachedStore(store, CacheSettings(), timer=self.clock.seconds)
        return Namespace(
            over if self._is_cached else store,
            uncached=store,
            lanes=1,  # so that requests come in one order
            timer=self.clock.seconds,
            now=self.clock,
            pause=self.clock.advance,
        )

    def close(self) -> None:
        for tree in self.trees:
            tree.close()

    def prepare(self, steps: Sequence[Step]) -> None:
        """Takes steps one after the other, and lets them be past. Raises ValueError where one
        can't be taken."""
        for step in steps:
            self.take(step)
        if any(done.outcome is not True for done in self.done):
            raise ValueError(f"can't be made: {self.done}")
        self.done.clear()
        self.clock.advance(AGE)
        for tree in self.trees:
            shown_by(tree, ROOT)

    def take(self, step: Step) -> None:
        """Returns when it has ended, or waits for one that is held around it."""
        store = self.stores[step.bridge]
        gate = _Gate(step.hold, self._changed) if step.hold else None
        store.arm(gate)
        began = self._event()
        thread = Thread(target=self._carry_out, args=[step, began], name="operation")
        self._open.append(thread)
        thread.start()
        self._wait(lambda: self._has_ended(began) or bool(gate and gate.is_reached))
        is_held = gate is not None and gate.is_reached
        if not is_held:
            store.disarm()
        for each in step.meanwhile:
            self.take(each)
        if gate and is_held:
            gate.open()
            self._wait(lambda: self._has_ended(began))

    def end(self) -> None:
        """Waits until all have ended. Raises AssertionError where one doesn't."""
        for thread in self._open:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "an operation hangs"
        self._open.clear()

    def _has_ended(self, began: int) -> bool:
        return any(done.began == began for done in self.done)

    def _event(self) -> int:
        with self._changed:
            self._events += 1
            return self._events

    def _carry_out(self, step: Step, began: int) -> None:
        outcome: bool | BaseException
        try:
            outcome = _VERBS[step.verb](self, self.trees[step.bridge], *step.arguments)
        except BaseException as error:
            outcome = error
        self.done.append(Done(step, outcome, began, self._event()))
        with self._changed:
            self._changed.notify_all()

    def _wait(self, is_so: Callable[[], bool]) -> None:
        """Until it is so, or nothing moves any more."""
        looks, last = 0, None
        while looks < LOOKS:
            with self._changed:
                if self._changed.wait_for(is_so, MOMENT):
                    return
            now = _standing()
            looks = looks + 1 if now == last else 0
            last = now

    def recover(self, tree: Namespace) -> bool:
        """A bridge sees what there is, and sees it rest until it is a dead bridge's."""
        tree.recovery.look()
        self.clock.advance(LEASE_SECONDS)
        tree.recovery.look()
        return True


def _standing() -> dict[int, list[tuple[object, int]]]:
    """Where each thread is that may be at work on an operation."""
    frames = sys._current_frames()
    at_work = {
        thread.ident: frames[thread.ident]
        for thread in all_threads()
        if thread.ident in frames and thread.name.startswith(("operation", "davbridge-transfer"))
    }
    return {ident: list(_places(frame)) for ident, frame in at_work.items() if ident is not None}


def _places(frame: FrameType | None) -> Iterator[tuple[object, int]]:
    while frame is not None:
        yield frame.f_code, frame.f_lasti
        frame = frame.f_back


def _put(_: World, tree: Namespace, path: ResourcePath, body: bytes) -> bool:
    writer = tree.open_writer(path, Attributes(), length=len(body))
    writer.write(body)
    writer.commit()
    return True


def _make_collection(_: World, tree: Namespace, path: ResourcePath) -> bool:
    tree.make_collection(path)
    return True


def _set_property(_: World, tree: Namespace, path: ResourcePath, value: str) -> bool:
    tree.update_properties(path, {"{n}p": value})
    return True


_VERBS: dict[str, Callable[..., bool]] = {
    "put": _put,
    "make_collection": _make_collection,
    "set_property": _set_property,
    "delete": lambda _, tree, path: not tree.delete(path),
    "copy": lambda _, tree, source, target: not tree.copy(source, target),
    "move": lambda _, tree, source, target: not tree.move(source, target),
    "recover": World.recover,
}


@contextmanager
def world_of(case: Case) -> Iterator[World]:
    """Where the case has run, to its end."""
    world = World(case.bridges, is_cached=case.is_cached)
    try:
        world.prepare(case.before)
        world.take(case.step)
        world.end()
        yield world
    finally:
        world.close()


def requests_of(case: Case) -> list[tuple[str, str]]:
    """Those of the step where nothing else happens."""
    world = World(case.bridges, is_cached=case.is_cached)
    try:
        world.prepare(case.before)
        world.take(Step(case.step.verb, case.step.arguments, case.step.bridge, Hold(-1)))
        return world.stores[case.step.bridge].requests
    finally:
        world.close()
