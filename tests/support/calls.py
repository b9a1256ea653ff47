"""How often functions are called: exact, where time would only be likely."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any


@contextmanager
def calls_of(*functions: Callable[..., Any]) -> Iterator[Counter[str]]:
    """Counts, by qualified name, the calls of ``functions`` that this thread makes inside."""
    names = {_code_of(function): function.__qualname__ for function in functions}
    counts: Counter[str] = Counter()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names:
            counts[names[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield counts
    finally:
        sys.setprofile(before)


def _code_of(function: Callable[..., Any]) -> CodeType:
    code: CodeType = getattr(function, "__wrapped__", function).__code__
    return code
