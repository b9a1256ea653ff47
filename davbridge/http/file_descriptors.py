"""How many file descriptors this process may have: one for each connection, and for each to S3.

Owns the process's limit. Must not know what they are for. Invariant: the limit is never lowered.

Many systems give 1,024 at first, for the sake of programs that use select(2), and more to those
that ask. (Python's selectors and urllib3 don't use it on Unix.)
"""

import contextlib
import sys

ASSUMED_LIMIT = 1024
"""Where the system doesn't say: Windows' selector takes 512 sockets."""

WANTED_LIMIT = 8192


def raise_limit() -> int:
    """Asks for as many as may be had, up to WANTED_LIMIT; how many there are."""
    if sys.platform == "win32":
        return ASSUMED_LIMIT
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_LIMIT if hard == resource.RLIM_INFINITY else min(WANTED_LIMIT, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return WANTED_LIMIT if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):  # macOS has a limit of its own below ``hard``
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
