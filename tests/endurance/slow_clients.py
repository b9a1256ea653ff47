"""Clients that say nothing, never come to the end of it, or send and take bodies over slow lines:
who asks properly doesn't notice.

Two bridges, one of which is besieged, are asked the same by turns, so that whatever else the
machine does is in the times of both. All goes over TLS, whose handshakes can be slow as well.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

from davbridge.http.connections.file_descriptors import raise_limit
from tests.endurance.base import Ground, Result, Scenario
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.pauses import wait_for
from tests.support.proc import Cost, cost_of
from tests.support.served import Served, served
from tests.support.slow import KERNEL_HOLDS, Crowd, Download, Upload, connected
from tests.support.waiting import PATIENCE
from tests.support.wire import RawClient

PROPFIND = b"PROPFIND / HTTP/1.1\r\nHost: localhost\r\nDepth: 0\r\n\r\n"

SETTINGS = "[server]\ntimeout = 300\n"
"""The idle ones stay to the end."""

PAUSE = 0.005
"""Seconds between two requests."""

ROUND = 1.0
"""Seconds, after which each of the slow ones sends another byte, or another piece of a body."""

SENT = 4 * 1024
TAKEN = 16 * 1024
"""Bytes of a body in a round: lines of 32 and 128 kbit/s."""

UPLOADED = 64 * 1024
DOWNLOADED = KERNEL_HOLDS + 1024 * 1024
"""Bytes of a body. An upload is begun anew where it has ended, at 16 rounds; others come after."""

STOP_SECONDS = 5.0
"""That a bridge may take to end with all of them connected."""


class Size(NamedTuple):
    idle: int
    slow: int
    silent: int
    uploads: int
    downloads: int
    seconds: int
    judges_speed: bool
    """Whether the seconds that answers and the stop take are judged: not where other tests run."""


class Certificate(NamedTuple):
    """What a bridge shows, and a client trusts."""

    chain: Path
    key: Path
    trust: ssl.SSLContext


Opener = Callable[[], socket.socket]


def run(ground: Ground, size: Size) -> Result:
    raise_limit()
    certificate = issued_in(ground.folder)
    with fresh_bucket(ground.store) as bucket, contextlib.ExitStack() as stack:
        calm = stack.enter_context(bridge(bucket, ground.folder / "calm", certificate))
        besieged = stack.enter_context(bridge(bucket, ground.folder / "besieged", certificate))
        siege = stack.enter_context(Siege(besieged.port, certificate.trust, size))
        before = cost_of(besieged.pid)
        with slow_bodies(besieged.port, certificate.trust, size) as crowd:
            time.sleep(ROUND)
            times = asked_by_turns(ground, size, [calm, besieged], certificate.trust)
            amid = cost_of(besieged.pid)
        # The threads of those that are gone end.
        wait_for(lambda: cost_of(besieged.pid).threads <= before.threads, PATIENCE)
        after = cost_of(besieged.pid)
        began_at = time.monotonic()
        besieged.end()
        stopped_in = time.monotonic() - began_at
    if not all(times):  # no time for a round
        return Result({"requests": "0 each"}, tuple(crowd.failures))
    base, p99 = (percentile(each, 99) for each in times)
    figures = {
        "p99 in peace": f"{1000 * base:.1f} ms",
        "besieged": f"{1000 * p99:.1f} ms, {p99 / base:.2f} times",
        "median": f"{percentile(times[1], 50) / percentile(times[0], 50):.2f} times",
        "requests": f"{len(times[1]):,} each",
        "connected again": f"{siege.reconnections:,} times",
        "slow uploads": f"{crowd.rounds:,} came to their end",
        "besieged bridge": f"{amid}; {after} without slow bodies",
        "its stop": f"{stopped_in:.1f} s",
    }
    faults = [*broken(size, base, p99, before, after, stopped_in), *crowd.failures]
    return Result(figures, tuple(faults))


def broken(
    size: Size, base: float, p99: float, before: Cost, after: Cost, stopped_in: float
) -> Iterator[str]:
    if size.judges_speed and p99 > 2 * base:
        yield f"a p99 of {1000 * p99:.1f} ms, {1000 * base:.1f} ms in peace"
    if after.threads > before.threads:
        yield f"{after.threads - before.threads} threads more"
    if size.judges_speed and stopped_in > STOP_SECONDS:
        yield f"it took {stopped_in:.1f} s to stop"


def issued_in(folder: Path) -> Certificate:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    found = Certificate(folder / "chain.pem", folder / "key.pem", ssl.create_default_context())
    for blob in issued.cert_chain_pems:
        blob.write_to_path(found.chain, append=True)
    issued.private_key_pem.write_to_path(found.key)
    authority.configure_trust(found.trust)
    return found


@contextlib.contextmanager
def bridge(bucket: Bucket, folder: Path, certificate: Certificate) -> Iterator[Served]:
    folder.mkdir()
    tls = ["--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key)]
    with served(bucket, folder, flags=["--anonymous", *tls], settings=SETTINGS) as server:
        yield server


def slow_bodies(port: int, trust: ssl.SSLContext, size: Size) -> Crowd:
    body = bytes(DOWNLOADED)
    with RawClient(port, trust) as client:
        head = f"PUT /down HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        assert client.ask(head.encode() + body).status in (201, 204)
    up = [
        Upload(connected(port, trust), f"/up{number}", bytes(UPLOADED), SENT, is_endless=True)
        for number in range(size.uploads)
    ]
    down = [
        Download(connected(port, trust), "/down", body, TAKEN, is_endless=True)
        for _ in range(size.downloads)
    ]
    return Crowd([*up, *down], ROUND)


def asked_by_turns(
    ground: Ground, size: Size, servers: list[Served], trust: ssl.SSLContext
) -> list[list[float]]:
    """The seconds that each answer took, of each server."""
    times: list[list[float]] = [[] for _ in servers]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(each.port, trust)) for each in servers]
        for client in clients:
            assert client.ask(PROPFIND).status == 207
        for _ in ground.rounds(size.seconds):
            ends_at = time.monotonic() + 1
            while time.monotonic() < ends_at:
                for client, taken in zip(clients, times, strict=True):
                    taken.append(seconds_of_an_answer(client))
                    time.sleep(PAUSE)
    return times


def seconds_of_an_answer(client: RawClient) -> float:
    began_at = time.perf_counter()
    answer = client.ask(PROPFIND)
    taken = time.perf_counter() - began_at
    assert (answer.status, answer.closes) == (207, False)
    return taken


def percentile(values: list[float], of_hundred: int) -> float:
    return sorted(values)[len(values) * of_hundred // 100]


class Siege:
    """Connections to one port. Those that the server closes are opened again, in a thread."""

    def __init__(self, port: int, trust: ssl.SSLContext, size: Size) -> None:
        self._port = port
        self._trust = trust
        openers = [self._idle] * size.idle + [self._slow] * size.slow
        self._openers: list[Opener] = openers + [self._silent, self._stalled] * (size.silent // 2)
        self._sockets: list[socket.socket] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep_up)
        self.reconnections = 0

    def __enter__(self) -> "Siege":
        self._sockets = [opener() for opener in self._openers]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    def _keep_up(self) -> None:
        while not self._is_over.wait(ROUND):
            for place, opener in enumerate(self._openers):
                if self._is_over.is_set():
                    return
                if not self._goes_on(self._sockets[place], opener):
                    self._sockets[place].close()
                    with contextlib.suppress(OSError):  # at the end, nobody listens
                        self._sockets[place] = opener()
                        self.reconnections += 1

    def _goes_on(self, sock: socket.socket, opener: Opener) -> bool:
        """Whether the server bears it still. A slow head goes on by a byte."""
        try:
            if opener == self._slow:
                sock.send(b"y")
            return not sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False

    def _idle(self) -> socket.socket:
        """Has asked once, and stays."""
        sock = self._encrypted()
        sock.sendall(PROPFIND)
        received = b""
        while not received.endswith(b"</D:multistatus>\n"):
            received += sock.recv(65536)
        sock.setblocking(False)
        return sock

    def _slow(self) -> socket.socket:
        """Begins a head."""
        sock = self._encrypted()
        sock.sendall(b"PROPFIND / HTTP/1.1\r\nHost: localhost\r\nX: ")
        sock.setblocking(False)
        return sock

    def _silent(self) -> socket.socket:
        """Doesn't even begin the handshake."""
        sock = socket.create_connection(("127.0.0.1", self._port), 10)
        sock.setblocking(False)
        return sock

    def _stalled(self) -> socket.socket:
        """Begins the handshake."""
        sock = self._silent()
        sock.send(b"\x16\x03\x01\x02\x00")
        return sock

    def _encrypted(self) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", self._port), 10)
        return self._trust.wrap_socket(sock, server_hostname="localhost")


SLOW_CLIENTS = Scenario(
    name="slow-clients",
    promise="500 idle, 200 slow and 50 silent connections, and 200 slow bodies, don't double a "
    "client's p99",
    short=Size(100, slow=80, silent=40, uploads=40, downloads=40, seconds=3, judges_speed=False),
    long=Size(500, slow=200, silent=50, uploads=100, downloads=100, seconds=60, judges_speed=True),
    run=run,
)
