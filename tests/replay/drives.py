"""The servers that the replay cases are run against, alike for a case.

A case opens a drive, sends what a client sends, and looks at the answers and at what is stored.
`BridgeDrive` is davbridge, whole; stock WsgiDAV's is in `stock`.
"""

import base64
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import bcrypt

from davbridge.config import AccessSettings, DriveSettings, User
from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.paths import RESERVED_PREFIX
from davbridge.store.base import DIRECTORY_TYPE, Attributes
from davbridge.store.memory import MemoryStore
from tests.support.bridge import Bridge, Client, running_bridge

NOW = datetime(2024, 3, 1, 12, 0, 0, tzinfo=UTC)
"""When files are filled in. Long ago: a date that old is a strong validator (RFC 9110 §8.8.2.2)."""

PASSWORD = "correct horse: battery"

_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Options:
    """What a case needs of the server beside its defaults."""

    users: tuple[str, ...] = ()
    """Who may log in; nobody has to where there are none."""
    drive: Mapping[str, Any] = field(default_factory=dict)
    """Settings of davbridge's drive, by name."""


class Drive(Protocol):
    """A server with an empty drive."""

    @property
    def port(self) -> int: ...

    def client(self, agent: Headers, user: str | None = None) -> Client:
        """A connection of a client that sends these headers with every request."""
        ...

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Puts files there, beside the server's back and dated NOW, before it is asked of them;
        a name that ends in a slash makes an empty folder."""
        ...

    def stored(self) -> dict[str, bytes]:
        """All files by path, without a leading slash, as they lie there."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Locks see the clock jump."""
        ...

    def restart(self) -> None:
        """Ends the server, and starts it anew on what is stored. Clients have to be made anew."""
        ...

    def close(self) -> None: ...


OpenDrive = Callable[..., Drive]
"""Opens a drive: ``users``, and settings of the drive by name."""


def login(user: str) -> Headers:
    """Basic, as clients send it from the second request on."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()}


class BridgeDrive:
    """davbridge over a bucket in memory."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._jumped = timedelta()
        self._begun = time.monotonic()
        self.store = MemoryStore(clock=self._now)
        self._stack = ExitStack()
        self._bridge = self._start()

    @property
    def port(self) -> int:
        return self._bridge.port

    def client(self, agent: Headers, user: str | None = None) -> Client:
        client = Client(self.port, {**agent, **(login(user) if user else {})})
        self._stack.callback(client.close)
        return client

    def fill(self, files: Mapping[str, bytes]) -> None:
        for name, body in files.items():
            kind = DIRECTORY_TYPE if name.endswith("/") else "application/octet-stream"
            self.store.put_object(name, body, Attributes(kind))

    def stored(self) -> dict[str, bytes]:
        rows = [row for page in self.store.list_objects("") for row in page.rows]
        names = [row.key for row in rows if not row.key.endswith("/")]
        return {name: self._content(name) for name in names if RESERVED_PREFIX not in name}

    def pass_time(self, seconds: float) -> None:
        self._jumped += timedelta(seconds=seconds)

    def restart(self) -> None:
        self._stack.close()
        self._bridge = self._start()

    def close(self) -> None:
        self._stack.close()

    def _now(self) -> datetime:
        """Goes on: who writes later has a later time."""
        return NOW + self._jumped + timedelta(seconds=time.monotonic() - self._begun)

    def _start(self) -> Bridge:
        users = tuple(User(name, _HASH) for name in self._options.users)
        access = AccessSettings(users=users, anonymous=not users)
        drive = DriveSettings(**self._options.drive)
        locks = MemoryLockStore(lambda: self._now().timestamp())
        return self._stack.enter_context(
            running_bridge(self.store, drive=drive, access=access, locks=locks)
        )

    def _content(self, key: str) -> bytes:
        with self.store.get_object(key) as reader:
            return reader.read(reader.info.row.size + 1)
