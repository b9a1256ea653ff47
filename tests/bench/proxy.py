"""The latency between a server and the store, and the count of what went through.

Owns the proxy's process (`proxy_process`) as the benchmark sees it, and how requests that it has
seen make up round trips.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent

CONTINUE = "100-continue"


class Seen(NamedTuple):
    """A request that passed, or a body that its client had to wait for leave to send.

    Times are of time.monotonic, which all processes share.
    """

    method: str
    """CONTINUE for such a body."""
    start: float
    """When its first bytes were there."""
    end: float
    """When the last byte of its answer passed."""


def rounds(seen: Iterable[Seen]) -> int:
    """How many of the requests had to wait for one another, as far as one can see from outside.

    That is the longest chain in which each began after the one before it was answered: the number
    of round trips that latency can't be hidden from.
    """
    length, free_from = 0, float("-inf")
    for request in sorted(seen, key=lambda request: request.end):
        if request.start >= free_from:
            length, free_from = length + 1, request.end
    return length


class LatencyProxy:
    """A running proxy. Made by `latency_proxy`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._ask()}"

    def take(self) -> list[Seen]:
        """The requests since the last time."""
        assert self._process.stdin is not None  # Popen was given PIPE
        self._process.stdin.write("take\n")
        self._process.stdin.flush()
        return [Seen(*each) for each in json.loads(self._ask())]

    def _ask(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError("the latency proxy has ended")
        return line


@contextmanager
def latency_proxy(store_url: str, delay: float) -> Iterator[LatencyProxy]:
    """A proxy to ``store_url``, on loopback, that takes ``delay`` seconds for each request."""
    command = [sys.executable, "-m", "tests.bench.proxy_process", store_url, str(delay)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield LatencyProxy(process)
        finally:
            process.kill()
