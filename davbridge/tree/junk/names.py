"""Which names are those of junk. Pure."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from davbridge.paths import canonical_name


def junk_names(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a name matches any of the patterns, in which ``*``, ``?`` and ``[…]`` have the
    meaning that they have in a shell. Case and Unicode form are ignored: Windows writes both
    ``desktop.ini`` and ``Desktop.ini``, and neither it nor macOS distinguishes them."""
    joined = "|".join(translate(canonical_name(pattern)) for pattern in patterns)
    expression = re.compile(joined or r"(?!)", re.IGNORECASE)
    return lambda name: expression.match(canonical_name(name)) is not None
