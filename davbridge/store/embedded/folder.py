"""The folder of an embedded store: its lock, credentials, ports and logs.

Its layout::

    davbridge.lock    held by the davbridge that runs the store
    weed.lock         held by that davbridge and by its SeaweedFS: by whoever lives longest
    credentials.json  made once, mode 0600
    ports.json        the ports of the last time; used again while they are free
    security/         as security.py makes it at every start, mode 0700
    data/             SeaweedFS's own
    log/              SeaweedFS's logs

Invariants: at most one davbridge, and one SeaweedFS, uses the folder; secrets are never readable by
others, not even while they are written.
"""

import json
import os
import random
import secrets
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from davbridge.errors import StoreSetupError

GRPC_OFFSET = 10_000
"""SeaweedFS's gRPC twin of a port is this much above it."""

PORTS = range(10_000, 10_000 + GRPC_OFFSET)
"""No port is another's twin, and all lie below every system's ephemeral range, where any open
connection could take one away."""

PORT_NAMES = ("s3", "master", "filer", "volume", "admin")

LEFTOVER_LIMIT = 15.0
"""Seconds that the SeaweedFS of a davbridge that was killed may take to end."""


class Credentials(NamedTuple):
    """The one key pair of an embedded store."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, …)"


class DataFolder:
    """A data folder that is this process's own until `release`."""

    def __init__(self, directory: Path) -> None:
        """Makes and locks the folder. Raises StoreSetupError where another davbridge has it."""
        self.path = directory.absolute()
        self.data = self.path / "data"
        self.log = self.path / "log"
        self.security = self.path / "security"
        for folder in (self.path, self.data, self.log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as locks:
            mine = _lock(self.path / "davbridge.lock", 0, "another davbridge")
            locks.callback(os.close, mine)
            leftover = "a SeaweedFS whose davbridge is gone"
            self.seaweedfs_lock = _lock(self.path / "weed.lock", LEFTOVER_LIMIT, leftover)
            locks.callback(os.close, self.seaweedfs_lock)
            self._locks = locks.pop_all()

    def release(self) -> None:
        """Lets others use the folder, once no SeaweedFS holds `seaweedfs_lock` any more."""
        self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def credentials(self) -> Credentials:
        """The key pair of this folder, made at the first call."""
        path = self.path / "credentials.json"
        try:
            return Credentials(**_read_json(path))
        except FileNotFoundError:
            made = Credentials(secrets.token_hex(10), secrets.token_urlsafe(30))
            _write_json(path, made._asdict())
            return made
        except (ValueError, TypeError) as error:
            raise StoreSetupError(f"{path} is damaged: restore it, or delete it") from error

    def choose_ports(self, *, anew: bool = False) -> dict[str, int]:
        """A free port for each of PORT_NAMES: those of the last time if possible, unless ``anew``.

        The same ports keep the store's address as people noted it, and SeaweedFS names a folder
        of its own after one of them.
        """
        path = self.path / "ports.json"
        known = {} if anew else _known_ports(path)
        if known and all(map(_is_free, known.values())):
            return known
        free = filter(_is_free, random.sample(PORTS, 1000))
        ports = dict(zip(PORT_NAMES, free, strict=False))
        if len(ports) < len(PORT_NAMES):
            raise StoreSetupError("no free ports on 127.0.0.1 for the embedded store")
        _write_json(path, ports)
        return ports


def _is_free(port: int) -> bool:
    """Whether ``port`` and its gRPC twin can be listened on."""
    return all(map(_can_bind, (port, port + GRPC_OFFSET)))


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        if sys.platform != "win32":
            # As Go does: connections in TIME_WAIT from the last run don't count, listeners do.
            # On Windows the option would mean to share the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _lock(path: Path, timeout: float, holder: str) -> int:
    """The open descriptor that holds the lock file; closing it, or dying, releases the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + timeout
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            raise StoreSetupError(
                f"the folder {path.parent} is in use by {holder}:"
                " stop that one, or name another folder"
            )
        time.sleep(0.05)
    return descriptor


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        with suppress(PermissionError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        return False

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        # flock, not fcntl.lockf: it belongs to the open file, so SeaweedFS inherits it.
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


def _known_ports(path: Path) -> dict[str, int]:
    """The ports of the last time; empty where they aren't known."""
    with suppress(FileNotFoundError, ValueError):
        known: dict[str, int] = _read_json(path)
        if isinstance(known, dict) and known.keys() == set(PORT_NAMES):
            return known
    return {}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _write_json(path: Path, content: dict[str, str] | dict[str, int]) -> None:
    write_private(path, json.dumps(content))


def write_private(path: Path, content: str) -> None:
    """Appears whole or not at all, with mode 0600 from the start (mkstemp's)."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
