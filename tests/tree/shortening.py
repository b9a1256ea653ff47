"""A case of overlapping operations that fails, without the steps that it fails without."""

from collections.abc import Iterator

from tests.tree.gates import How
from tests.tree.overlapping import Case, Step
from tests.tree.overlaps import Failure, failure_of


def shortened(failure: Failure) -> Failure:
    """Leaves out whatever isn't needed for it to fail."""
    while shorter := next(filter(None, map(_failing, _shorter(failure.case))), None):
        failure = shorter
    return failure


def _failing(case: Case) -> Failure | None:
    try:
        return failure_of(case)
    except ValueError:  # what is there at first can't be made without what was left out
        return None


def _shorter(case: Case) -> Iterator[Case]:
    """The same without one thing."""
    for before in _without_one(case.before):
        yield case._replace(before=before)
    if case.is_cached:
        yield case._replace(is_cached=False)
    if case.refused:
        yield case._replace(refused="")
    for step in _simpler(case.step):
        yield case._replace(step=step)


def _simpler(step: Step) -> Iterator[Step]:
    for meanwhile in _without_one(step.meanwhile):
        yield step._replace(meanwhile=meanwhile)
    if step.hold:
        yield step._replace(hold=None)
        if step.hold.how is How.LOST:
            yield step._replace(hold=step.hold._replace(how=How.AFTER))
    for at, each in enumerate(step.meanwhile):
        for simpler in _simpler(each):
            yield step._replace(
                meanwhile=(*step.meanwhile[:at], simpler, *step.meanwhile[at + 1 :])
            )


def _without_one(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    for at in range(len(steps)):
        yield steps[:at] + steps[at + 1 :]
