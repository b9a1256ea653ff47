"""What is measured, as it runs: a server or boto3, and a watch that tells what its work costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.measures import Sample
from tests.bench.proxy import CONTINUE, LatencyProxy, Seen, rounds
from tests.bench.servers import Server
from tests.bench.wire import Connection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Watch:
    """What a contestant has cost since the watch was started."""

    def __init__(self, proxy: LatencyProxy | None, cpu: Callable[[], float]) -> None:
        self._proxy = proxy
        self._cpu = cpu
        self.seen: list[Seen] = []
        if proxy:
            proxy.take()
        self._cpu_before = cpu()
        self.started_at = time.monotonic()

    def stop(self, *, note: str = "") -> Sample:
        """The time until now is the sample's value, unless that is replaced."""
        seconds = time.monotonic() - self.started_at
        cpu = self._cpu() - self._cpu_before
        self.seen = self._proxy.take() if self._proxy else []
        requests = sum(each.method != CONTINUE for each in self.seen)
        return Sample(seconds, note, requests or None, rounds(self.seen) or None, cpu)


@dataclass(frozen=True)
class Run:
    """A server under test, and the proxy between it and the store, if there is one."""

    server: Server
    proxy: LatencyProxy | None

    def connect(self) -> Connection:
        return self.server.connect()

    def watch(self) -> Watch:
        return Watch(self.proxy, self.server.cpu_seconds)


@dataclass(frozen=True)
class Straight:
    """boto3 in the server's place: the raw limit."""

    client: "S3Client"
    proxy: LatencyProxy | None

    def watch(self) -> Watch:
        return Watch(self.proxy, time.process_time)
