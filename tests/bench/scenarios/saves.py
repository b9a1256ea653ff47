"""Saving new files as Explorer and as Finder do, and whether what they set is kept."""

import re
import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from urllib.parse import quote

from tests.bench import seed
from tests.bench.answers import WrongAnswerError, expect_status
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import Row, Sample, TimesBetter, Unit
from tests.bench.peers import DAVBRIDGE, RCLONES, Peer
from tests.bench.scenarios.base import KIB, Measured, as_stored, files, late
from tests.bench.wire import Answer, Connection, Headers
from tests.replay.agents import (
    EXPLORER,
    EXPLORER_LOCK,
    FINDER,
    FINDER_LOCK,
    FINDER_STAT,
    XML_TEXT,
    http_date,
    win32_times,
)

_TOKEN = re.compile(rb"<(?:\w+:)?locktoken[^>]*>\s*<(?:\w+:)?href[^>]*>\s*([^<\s]+)")

_MODIFIED = datetime(2019, 8, 17, 9, 30, 12, tzinfo=UTC)
_ATTRIBUTES = b">00000020<"
_NEW = "before.bin"

Save = Callable[["_Client", str, bytes], None]


class Saves:
    """Into a folder that a server knows nothing of."""

    name = "saves"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, count: int) -> None:
        self._files = files(count, 4 * KIB)
        goals, seconds = (TimesBetter(2),), Unit.SECONDS
        self.rows = tuple(
            Row(f"save-{who.lower()}", f"saving {count} files as {who} does, 20 ms", seconds, goals)
            for who in ("Explorer", "Finder")
        )

    def prepare(self, bench: Bench) -> None:
        """Each save gets a folder of its own."""

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        explorer = self._save_all(bench, peer, EXPLORER, _save_as_explorer)
        yield "save-explorer", explorer
        yield "save-finder", self._save_all(bench, peer, FINDER, _save_as_finder)

    def _save_all(self, bench: Bench, peer: Peer, agent: dict[str, str], save: Save) -> Sample:
        folder = f"saves-{uuid.uuid4().hex[:6]}"
        bench.fill(folder, {_NEW: KIB})
        bodies = {name: seed.content(name, size) for name, size in self._files.items()}
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            client = _Client(connection, agent)
            watch = run.watch()
            for name, body in bodies.items():
                save(client, f"/{folder}/{quote(name)}", body)
            sample = watch.stop()
            lateness = bench.lateness(folder, as_stored({_NEW: KIB, **self._files}))
        sample = late(sample, lateness)
        kept = agent is not EXPLORER or self._are_kept(bench, peer, folder)
        return sample if kept else sample._replace(note=_joined("properties lost", sample.note))

    def _are_kept(self, bench: Bench, peer: Peer, folder: str) -> bool:
        """Whether a new server knows each file's attributes and time: the bucket has them."""
        with bench.serving(peer, latency=False) as run, run.connect() as connection:
            client = _Client(connection, EXPLORER)
            return all(_is_kept(client, f"/{folder}/{quote(name)}") for name in self._files)

    def measure_limit(self, bench: Bench) -> Measured:
        """An empty object and the whole one for each file, and nothing more."""
        with bench.straight(latency=True) as straight:
            for row in self.rows:
                prefix = f"raw-{uuid.uuid4().hex[:6]}"
                watch = straight.watch()
                for name, size in self._files.items():
                    for body in (b"", seed.content(name, size)):
                        straight.client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=body)
                yield row.key, watch.stop(note="boto3, two PUTs each")


class _Client:
    """Asks, and holds the answer against what the real client could go on with."""

    def __init__(self, connection: Connection, agent: Headers) -> None:
        self._connection = connection
        self._agent = agent

    def __call__(
        self,
        method: str,
        target: str,
        statuses: Collection[int],
        headers: Headers | None = None,
        body: bytes = b"",
    ) -> Answer:
        answer = self._connection.ask(method, target, body, {**self._agent, **(headers or {})})
        expect_status(answer, statuses, f"{method} in a save")
        return answer


_CREATED = (201,)
_SAVED = (200, 201, 204)
_AT_ONCE = {"Depth": "0"}


def _save_as_explorer(client: _Client, target: str, body: bytes) -> None:
    client("PROPFIND", target, (404,), _AT_ONCE)
    client("PUT", target, _CREATED)
    asked = {**XML_TEXT, "Timeout": "Second-3600"}
    token = _token_of(client("LOCK", target, (200,), asked, EXPLORER_LOCK.encode()))
    held = {"If": f"(<{token}>)"}
    first = win32_times(datetime(2024, 2, 29, tzinfo=UTC)).encode()
    client("PROPPATCH", target, (207,), {**XML_TEXT, **held}, first)
    client("HEAD", target, (200,))
    client("PUT", target, _SAVED, held, body)
    client("PROPPATCH", target, (207,), {**XML_TEXT, **held}, win32_times(_MODIFIED).encode())
    client("UNLOCK", target, (204,), {"Lock-Token": f"<{token}>"})


def _is_kept(client: _Client, target: str) -> bool:
    told = client("PROPFIND", target, (207,), _AT_ONCE).body
    return _ATTRIBUTES in told and http_date(_MODIFIED).encode() in told


def _save_as_finder(client: _Client, target: str, body: bytes) -> None:
    folder, _, name = target.rpartition("/")
    stat, asked = FINDER_STAT.encode(), {**XML_TEXT, **_AT_ONCE}
    client("PROPFIND", target, (404,), asked, stat)
    client("PUT", target, _CREATED)
    client("PROPFIND", f"{folder}/._{name}", (404,), asked, stat)
    lock = {**asked, "Timeout": "Second-600"}
    token = _token_of(client("LOCK", target, (200,), lock, FINDER_LOCK.encode()))
    client("GET", target, (200,))
    client("PUT", target, _SAVED, {"If": f"(<{token}>)"}, body)
    client("UNLOCK", target, (204,), {"Lock-Token": f"<{token}>"})


def _token_of(answer: Answer) -> str:
    found = _TOKEN.search(answer.body)
    if not found:
        raise WrongAnswerError("LOCK told no token")
    return found[1].decode()


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))
