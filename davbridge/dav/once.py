"""An attribute that is computed when it is first asked for, of objects that one thread has.

As functools.cached_property, whose lock (until Python 3.12 one for all instances) costs more than
most of what is kept here, and makes requests wait for one another.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  # a decorator, as property is
    """Keeps what ``compute`` returns in the instance. What it raises isn't kept."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
