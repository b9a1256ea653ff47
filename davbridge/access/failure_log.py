"""The log of failed logins, for operators and for programs that block addresses.

Invariants: each verified wrong password is one line. Logins that were refused, or repeated a wrong
password, are one line per network every SAMPLE_SECONDS, with their number. The address comes before
the name, and the name is escaped, so that no name can look like an address. No line has a password.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache

from davbridge.addresses import network_of

SAMPLE_SECONDS = 60.0
MAX_NETWORKS = 4096
MAX_NAME = 64
"""Characters of a name that are logged."""

_log = logging.getLogger(__name__)


class FailureLog:
    """Writes the lines. Thread-safe."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._lock = Lock()
        self._sampled: TTLCache[str, None] = TTLCache(MAX_NETWORKS, SAMPLE_SECONDS, timer=timer)
        self._unlogged: TTLCache[str, int] = TTLCache(MAX_NETWORKS, 3600.0, timer=timer)

    def failed(self, address: str, name: str) -> None:
        """A password was verified, and was wrong."""
        _log.warning("failed login from %s for user %s", address or "-", _shown(name))

    def refused(self, address: str, name: str) -> None:
        """A login was refused without verifying its password."""
        network = network_of(address)
        with self._lock:
            unlogged = self._unlogged.get(network, 0)
            if network in self._sampled:
                self._unlogged[network] = unlogged + 1
                return
            self._sampled[network] = None
            self._unlogged.pop(network, None)
        _log.warning(
            "refused login from %s for user %s (and %d before, not logged)",
            address or "-",
            _shown(name),
            unlogged,
        )


def _shown(name: str) -> str:
    return ascii(name[:MAX_NAME])
