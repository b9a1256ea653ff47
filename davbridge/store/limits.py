"""What AWS allows of a key and of a size, for every implementation of ObjectStore."""

from davbridge.errors import InvalidNameError, TooLargeError
from davbridge.paths import require_key_length

MAX_OBJECT_SIZE = 5 * 1024**4
"""The largest object of most stores; AWS has gone higher since."""


def require_key(key: str) -> None:
    """Raises InvalidNameError where AWS would refuse ``key``: empty, too long, or not UTF-8."""
    if not key:
        raise InvalidNameError("an object needs a name")
    try:
        require_key_length(key)
    except UnicodeEncodeError as error:
        raise InvalidNameError(f"not a name that UTF-8 can hold: {key!r}") from error


def require_size(size: int, limit: int) -> None:
    """Raises TooLargeError where an object of ``size`` bytes is over the limit."""
    if size > limit:
        raise TooLargeError(f"over the limit of {limit} bytes for one object")
