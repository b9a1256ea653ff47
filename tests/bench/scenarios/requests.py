"""Many small requests at once, of what is known: what a request costs a server itself."""

from urllib.parse import quote, urlsplit

from tests.bench import load, seed
from tests.bench.answers import WrongAnswerError, expect_bytes, expect_status, members
from tests.bench.bench import BUCKET, Bench
from tests.bench.load import LoadError
from tests.bench.measures import Row, Sample, TimesBetter, Unit
from tests.bench.peers import (
    DAVBRIDGE,
    HELLO,
    HELLO_PINNED,
    RCLONE_OFF,
    RCLONE_TUNED,
    WSGIDAV,
    Peer,
)
from tests.bench.runs import Run
from tests.bench.scenarios.base import KIB, Measured, files
from tests.bench.wire import request
from tests.replay.agents import FINDER, FINDER_STAT, XML_TEXT

CONNECTIONS = 8
NAME = "file.bin"


class Stats:
    """PROPFIND Depth 0 of one file, as Finder asks it all the time."""

    name = "stats"
    peers = (DAVBRIDGE, RCLONE_OFF, RCLONE_TUNED, WSGIDAV)
    rows = (
        Row(
            "stats",
            f"warm PROPFIND Depth 0, {CONNECTIONS} connections",
            Unit.PER_SECOND,
            (TimesBetter(0.5, "raw"), TimesBetter(4, "WsgiDAV")),
        ),
    )

    def prepare(self, bench: Bench) -> None:
        bench.fill("many", {NAME: KIB, **files(20)})

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        target = f"/{NAME}" if peer is WSGIDAV else f"/many/{NAME}"
        body = FINDER_STAT.encode()
        headers = {**FINDER, **XML_TEXT, "Depth": "0"}
        with bench.serving(peer, latency=False) as run:
            with run.connect() as connection:
                answer = connection.ask("PROPFIND", target, body, headers)
                expect_status(answer, (207,), "PROPFIND")
                if members(answer.body) != {target: KIB}:
                    raise WrongAnswerError("PROPFIND: another file, or another size")
            asked = request(run.server.host, "PROPFIND", target, len(body), headers) + body
            yield "stats", _served(bench, run, asked)

    def measure_limit(self, bench: Bench) -> Measured:
        """cheroot with its threads anywhere, or on one core: whichever is better."""
        best = Sample(0)
        for peer in (HELLO, HELLO_PINNED):
            with bench.serving(peer, latency=False) as run:
                asked = request(run.server.host, "GET", "/", 0, {})
                best = max(best, _served(bench, run, asked, f"cheroot {peer}"))
        ceiling = load.ceiling(connections=CONNECTIONS, seconds=bench.sizes.load_seconds)
        note = f"{best.note}; the load generator alone: {ceiling:,.0f}/s"
        yield "stats", best._replace(note=note)


class SmallReads:
    """GET of one small object, over and over: the store is asked each time."""

    name = "reads"
    peers = (DAVBRIDGE, RCLONE_OFF, RCLONE_TUNED)
    rows = (
        Row(
            "reads",
            f"GET of 1 KiB, {CONNECTIONS} connections",
            Unit.PER_SECOND,
            (TimesBetter(1),),
        ),
    )

    def prepare(self, bench: Bench) -> None:
        bench.fill("many", {NAME: KIB})

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        target = f"/many/{NAME}"
        with bench.serving(peer, latency=False) as run:
            with run.connect() as connection:
                answer = connection.ask("GET", target)
                expect_status(answer, (200,), "GET")
                expect_bytes(answer.body, seed.content(NAME, KIB), "GET")
            yield "reads", _served(bench, run, request(run.server.host, "GET", target, 0, {}))

    def measure_limit(self, bench: Bench) -> Measured:
        """The load generator straight at the store, with a signature made once."""
        target = quote(f"/{BUCKET}/many/{NAME}")
        url = urlsplit(bench.endpoint.url)
        asked = request(url.netloc, "GET", target, 0, seed.signed(bench.endpoint, "GET", target))
        yield "reads", Sample(_rate(bench, url.port or 80, asked), "signed once, straight")


def _served(bench: Bench, run: Run, asked: bytes, note: str = "") -> Sample:
    """With what a request costs the server itself, which a busy machine changes little."""
    watch = run.watch()
    value = _rate(bench, run.server.port, asked)
    each = (watch.stop().cpu or 0) / (value * bench.sizes.load_seconds)
    cost = f"{each * 1e6:.0f} µs CPU each"
    return Sample(value, f"{note}, {cost}" if note else cost)


def _rate(bench: Bench, port: int, asked: bytes) -> float:
    """Of answers that are all like the first."""
    answer = load.learn(port, asked)
    seconds = bench.sizes.load_seconds
    try:
        return load.rate(port, asked, answer, connections=CONNECTIONS, seconds=seconds)
    except LoadError as error:
        raise WrongAnswerError(str(error)) from error
