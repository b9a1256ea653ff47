"""How many file descriptors this process may have. Each connection and each S3 request needs one.

Many systems allow 1,024 at first, because of programs that use select(2), and more to a process
that asks. (On Unix, neither Python's selectors nor urllib3 use select.)

Invariant: the limit is never lowered.
"""

import contextlib
import sys

ASSUMED_LIMIT = 1024
"""On Windows, which doesn't say. Its selector takes 512 sockets."""

WANTED_LIMIT = 8192


def raise_limit() -> int:
    """Raises the limit as far as the system allows, up to WANTED_LIMIT. Returns the limit."""
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
