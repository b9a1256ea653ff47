"""Cases of overlapping operations, made up from a seed, and what is wrong after each of them."""

from random import Random
from typing import Any, NamedTuple

from davbridge.errors import StoreError, UnavailableError
from davbridge.paths import ROOT, ResourcePath
from davbridge.tree.namespace import Namespace
from tests.tree.drives import shown_by
from tests.tree.gates import Hold, How
from tests.tree.model import Model, Shown
from tests.tree.overlapping import Case, Done, Step, World, requests_of, world_of
from tests.tree.possible_states import Told, fault, taken

PATHS: tuple[ResourcePath, ...] = (
    ("a",),
    ("b",),
    ("c",),
    ("a", "x"),
    ("a", "y"),
    ("b", "x"),
    ("c", "x"),
)

EQUAL = b"same"
"""The content of every other file: to a store that goes by hashes they are one version."""

SHARE = 3
"""How often the paths of an operation count among those that others concern meanwhile."""

VALUES = ("<p xmlns='n'>x</p>", "<p xmlns='n'>y</p>")

VERBS = {"move": 5, "put": 4, "make_collection": 3, "delete": 2, "copy": 2, "set_property": 3}
"""With their weights."""


MAKING = ("put", "make_collection")

WRITES = ("put_object", "commit", "copy_object", "delete_object", "delete_objects")


class Failure(NamedTuple):
    """A case with which something is wrong."""

    case: Case
    fault: str
    outcomes: tuple[object, ...]

    def __str__(self) -> str:
        case = self.case
        kind = f"{case.bridges} bridges, {'cached' if case.is_cached else 'uncached'}"
        kind += f", no copy to {case.refused}" if case.refused else ""
        return f"{kind}: {list(case.before)}, then {case.step} -> {self.outcomes}: {self.fault}"


def failure_of(case: Case) -> Failure | None:
    """Runs a case; what is wrong with what came of it. Raises ValueError where what is to be there
    at first can't be made."""
    try:
        with world_of(case) as world:
            tree = Namespace(world.bucket)
            try:
                shown = shown_by(tree, ROOT)
            finally:
                tree.close()
            if case.bridges > 1:
                shown |= hidden_files(case, world)
    except AssertionError as hanging:
        return Failure(case, str(hanging), ())
    outcomes = tuple((done.step.verb, done.outcome) for done in world.done)
    done = [each for each in world.done if each.step.verb != "recover"]
    if strange := [each for each in done if not isinstance(each.outcome, bool | StoreError)]:
        return Failure(case, f"raised what nothing may raise: {strange}", outcomes)
    found = fault(_model_of(case.before), list(map(_told, done)), shown, bridges=case.bridges)
    return Failure(case, found, outcomes) if found else None


def hidden_files(case: Case, world: World) -> Shown:
    """Files that a folder of their name hides, which another bridge was asked for meanwhile.

    A store that lets both be (AWS; SeaweedFS refuses one) tells neither bridge of the other's. The
    file stays in the bucket, and that is all that is promised of it.
    """
    steps = list(case.step.flat())
    asked = {verb: {step.arguments[0] for step in steps if step.verb == verb} for verb in MAKING}
    hidden: Shown = {}
    for path in set.intersection(*asked.values()):
        row, is_folder = world.bucket.lookup("/".join(path))
        if row and is_folder:
            with world.bucket.get_object(row.key) as reader:
                hidden[*path, "hidden"] = (reader.read(row.size), None)
    return hidden


def _model_of(steps: tuple[Step, ...]) -> Model:
    model: Model | None = Model()
    for step in steps:
        assert model is not None
        model = taken(model, step.verb, step.arguments)
    assert model is not None, "the model can't do what the drive has done"
    return model


def _told(done: Done) -> Told:
    is_refused = isinstance(done.outcome, StoreError) and not isinstance(
        done.outcome, UnavailableError
    )
    return Told(done.step, done.outcome is True, is_refused, done.began, done.ended)


class Maker:
    """Makes up cases."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._bodies = 0

    def case(self) -> Case:
        """One in four is of a folder and two bridges, of which one sees the other rest."""
        return self._paused() if self._random.random() < 0.25 else self._mixed()

    def _paused(self) -> Case:
        random = self._random
        names = [("a", "x"), ("a", "y"), ("a", "z")][: random.randint(1, 3)]
        before = (Step("make_collection", (("a",),)), *(self._written(name) for name in names))
        verb = random.choice(("move", "move", "move", "copy", "delete"))
        step = Step(verb, (("a",),) if verb == "delete" else (("a",), ("b",)))
        refused = random.choice(("", "", f"b/{names[-1][-1]}"))
        case = Case(2, before, step, random.random() < 0.5, refused)
        hold = self._hold(case)
        new = self._written(random.choice(names))._replace(bridge=1)
        back = Step("move", (("b",), ("a",)), bridge=1) if verb == "move" else new
        again = step._replace(bridge=1)
        meanwhile = [each for each in (again, back, new) if random.random() < 0.5]
        meanwhile.insert(0, Step("recover", bridge=1))
        return case._replace(step=step._replace(hold=hold, meanwhile=tuple(meanwhile)))

    def _written(self, path: ResourcePath) -> Step:
        return Step("put", (path, self._body()))

    def _mixed(self) -> Case:
        random = self._random
        bridges = random.choice((1, 2))
        before, there = self._before()
        step = self._step(there, bridges)
        case = Case(bridges, before, step, is_cached=random.random() < 0.5)
        hold = self._hold(case)
        there += _paths_of(step) * SHARE
        meanwhile = tuple(
            self._meanwhile(step, there, bridges) for _ in range(random.choice((1, 1, 2)))
        )
        return case._replace(step=step._replace(hold=hold, meanwhile=meanwhile))

    def _hold(self, case: Case) -> Hold:
        """At one of the step's requests; before a write, most of the time."""
        requests = requests_of(case)
        writes = [at for at, (name, _) in enumerate(requests) if name in WRITES]
        if writes and self._random.random() < 0.7:
            return Hold(self._random.choice(writes))
        return Hold(self._random.randrange(len(requests) or 1), self._random.choice(list(How)))

    def _before(self) -> tuple[tuple[Step, ...], list[ResourcePath]]:
        """What is there at first."""
        model, steps = Model(), list[Step]()
        for _ in range(self._random.randint(1, 5)):
            verb = self._random.choice(("put", "put", "put", "make_collection", "set_property"))
            step = Step(verb, self._arguments(verb, model.paths() or list(PATHS)))
            try:
                getattr(model, verb)(*step.arguments)
            except StoreError:
                continue
            steps.append(step)
        return tuple(steps), model.paths() or list(PATHS)

    def _meanwhile(self, around: Step, there: list[ResourcePath], bridges: int) -> Step:
        if bridges > 1 and self._random.random() < 0.15:
            return Step("recover", bridge=1 - around.bridge)
        step = self._step(there, bridges)
        if around.verb == "move" and self._random.random() < 0.3:
            # Back, or the same once more.
            step = step._replace(verb="move", arguments=self._random.choice(_both_ways(around)))
        if self._random.random() < 0.25:
            hold = Hold(self._random.randrange(8), self._random.choice(list(How)))
            step = step._replace(hold=hold, meanwhile=(self._step(there, bridges),))
        return step

    def _step(self, there: list[ResourcePath], bridges: int) -> Step:
        [verb] = self._random.choices(list(VERBS), list(VERBS.values()))
        return Step(verb, self._arguments(verb, there), self._random.randrange(bridges))

    def _arguments(self, verb: str, there: list[ResourcePath]) -> tuple[Any, ...]:
        random = self._random
        if verb in ("move", "copy"):
            return random.choice(there), self._any_path(there)
        if verb == "delete":
            return (random.choice(there),)
        if verb == "set_property":
            return random.choice(there), random.choice(VALUES)
        path = self._any_path(there)
        return (path, self._body()) if verb == "put" else (path,)

    def _any_path(self, there: list[ResourcePath]) -> ResourcePath:
        return self._random.choice((self._random.choice(there), self._random.choice(PATHS)))

    def _body(self) -> bytes:
        self._bodies += 1
        return EQUAL if self._random.random() < 0.5 else b"%d" % self._bodies


def _paths_of(step: Step) -> list[ResourcePath]:
    return [each for each in step.arguments if isinstance(each, tuple)]


def _both_ways(step: Step) -> list[tuple[Any, ...]]:
    return [step.arguments, step.arguments[::-1], step.arguments[::-1]]
