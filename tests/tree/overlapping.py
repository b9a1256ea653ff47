"""Operations that overlap: one is held at a request to the store while others run.

A case is made of steps that follow from a seed, and can be left out one by one. Each bridge has a
gate between itself and the bucket; a step that is held stands at its request of some number, before
it reaches the store or before its answer comes back. Meanwhile other steps run, over the same
bridge or another, and may be held in turn. A step that waits for one that is held (for its turn,
for a lock) goes on when that one is released.

Owns the threads, the gates and the clock. What may come of a case is `possible_states`' matter.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Thread
from typing import Any, NamedTuple

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.paths import ROOT, ResourcePath
from davbridge.store.base import Attributes, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.composition import Clocks, DriveLimits
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from tests.tree.conftest import Clock
from tests.tree.drives import shown_by
from tests.tree.gates import OPERATION, PATIENCE, Gate, GatedRequests, Hold, wait

AGE = 100.0
"""Seconds by which what is there at first is older than what happens then."""


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
    refused: str = ""
    """A key to which the store copies nothing over the first bridge; empty: none."""


class Done(NamedTuple):
    """What came of an operation."""

    step: Step
    outcome: bool | BaseException
    """True: done; False: members have failed; or what was raised."""
    began: int
    ended: int
    """When, in the order of such events."""


class World:
    """Bridges over one bucket in memory."""

    def __init__(self, case: Case) -> None:
        """Raises ValueError where what is to be there at first can't be made."""
        self.clock = Clock()
        self.bucket = MemoryStore(clock=self.clock)
        self.stores = [GatedRequests(self.bucket, self.clock) for _ in range(case.bridges)]
        self._is_cached = case.is_cached
        self.trees = [self._bridge(store) for store in self.stores]
        self.done: list[Done] = []
        self._changed = Condition()
        self._events = 0
        self._open: list[Thread] = []
        self._prepare(case.before)
        self.stores[0].refused = case.refused

    def _bridge(self, store: ObjectStore) -> Namespace:
        over = CachedStore(store, CacheSettings(), timer=self.clock.seconds)
        return Namespace(
            over if self._is_cached else store,
            uncached=store,
            limits=DriveLimits(parallel_requests=1),
            clocks=Clocks(timer=self.clock.seconds, now=self.clock, pause=self.clock.advance),
        )

    def close(self) -> None:
        for tree in self.trees:
            tree.close()

    def _prepare(self, steps: Sequence[Step]) -> None:
        """Takes steps one after the other, and lets them be past."""
        for step in steps:
            self.take(step)
        if any(done.outcome is not True for done in self.done):
            self.close()
            raise ValueError(f"can't be made: {self.done}")
        self.done.clear()
        self.clock.advance(AGE)
        for tree in self.trees:
            shown_by(tree, ROOT)

    def take(self, step: Step) -> None:
        """Returns when it has ended, or waits for one that is held around it."""
        store = self.stores[step.bridge]
        gate = Gate(step.hold, self._changed) if step.hold else None
        store.arm(gate)
        began = self._event()
        thread = Thread(target=self._carry_out, args=[step, began], name=OPERATION)
        self._open.append(thread)
        thread.start()
        wait(self._changed, lambda: self._has_ended(began) or bool(gate and gate.is_reached))
        is_held = gate is not None and gate.is_reached
        if not is_held:
            store.disarm()
        for each in step.meanwhile:
            self.take(each)
        if gate and is_held:
            gate.open()
            wait(self._changed, lambda: self._has_ended(began))

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
            outcome = VERBS[step.verb](self, self.trees[step.bridge], *step.arguments)
        except BaseException as error:
            outcome = error
        self.done.append(Done(step, outcome, began, self._event()))
        with self._changed:
            self._changed.notify_all()

    def recover(self, tree: Namespace) -> bool:
        """A bridge sees what there is, and sees it rest until it is a dead bridge's."""
        tree.journal_scanner.scan()
        self.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()
        return True


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


VERBS: dict[str, Callable[..., bool]] = {
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
    world = World(case)
    try:
        world.take(case.step)
        world.end()
        yield world
    finally:
        world.close()


def requests_of(case: Case) -> list[tuple[str, str]]:
    """Those of the step where nothing else happens."""
    world = World(case)
    try:
        world.take(Step(case.step.verb, case.step.arguments, case.step.bridge, Hold(-1)))
        return world.stores[case.step.bridge].requests
    finally:
        world.close()
