"""argv → settings → a running davbridge → an exit code. The only module that prints.

People's scripts rely on the line on stdout that says where davbridge answers, on the lines of a
sweep, and on the exit codes. 0: done, or ended by a signal. 1: ended by itself, or a sweep was
interrupted. 2: could not start or finish; stderr has one line that says why.
"""

import gc
import getpass
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from davbridge import logs
from davbridge.access.passwords import hash_password
from davbridge.arguments import parse
from davbridge.config import ConfigError, Settings, load

if TYPE_CHECKING:
    from davbridge.app import Bridge

_FAILED = 1
_UNUSABLE = 2

SHUTDOWN_SECONDS = 20.0
"""For background work and the embedded store to end, after the last request."""

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        command, options = parse(arguments)
        return _COMMANDS[command](options)
    except ConfigError as error:
        return _print_error(error)


def _print_error(error: Exception) -> int:
    print(f"davbridge: {error}", file=sys.stderr)
    return _UNUSABLE


def _serve(flags: dict[str, Any]) -> int:
    config = flags.pop("config", None)
    read_settings = partial(load, flags, config, hash_password=hash_password)
    settings = read_settings()
    logs.configure(settings.log)
    shutdown = _Shutdown()
    try:
        return _listen(settings, shutdown, read_settings)
    except _InterruptedError:
        return 0


def _listen(
    settings: Settings, shutdown: "_Shutdown", read_settings: Callable[[], Settings]
) -> int:
    # boto3 takes most of a second to import. A mistake in the flags, or the command that makes a
    # password hash, doesn't need it.
    from davbridge import app

    try:
        with app.listening(settings, on_failure=shutdown.fail) as bridge:
            shutdown.set_stop(bridge.stop)
            shutdown.set_reload(partial(_reload, bridge, read_settings))
            print(f"davbridge is ready: {bridge.url}", flush=True)
            # What has been allocated by now lives until the end. Without the freeze, each full
            # garbage collection would examine it, and hold up all requests for a seventh of a
            # second.
            gc.freeze()
            bridge.serve()
            _exit_after(SHUTDOWN_SECONDS, shutdown)
    except app.SetupError as error:
        return _print_error(error)
    return _FAILED if shutdown.has_failed else 0


def _reload(bridge: "Bridge", read_settings: Callable[[], Settings]) -> None:
    """What SIGHUP asks for. Whatever is wrong is logged, and leaves all as it was."""
    from davbridge import app

    try:
        bridge.reload(read_settings())
    except (ConfigError, app.SetupError) as error:
        _log.error("SIGHUP: the earlier users and certificate stay: %s", error)
    else:
        _log.info("SIGHUP: users and certificate were read again; all else needs a restart")


def _sweep(flags: dict[str, Any]) -> int:
    older_than, dry_run = flags.pop("older_than"), flags.pop("dry_run")
    if flags.keys().isdisjoint(("s3.bucket", "embedded.directory", "config")):
        raise ConfigError("sweep what? davbridge sweep BUCKET, --config FILE or --embedded [DIR]")
    # Nothing listens here, so the settings of logins and addresses don't matter.
    flags |= {"access.anonymous": True, "access.insecure": True}
    settings = load(flags, flags.pop("config", None), hash_password=hash_password)
    logs.configure(settings.log)
    from davbridge import app

    done = "would remove" if dry_run else "removed"
    try:
        for left in app.sweep(settings, older_than, dry_run=dry_run):
            last = f"{left.last:%Y-%m-%d %H:%M:%S} UTC"
            print(f"{done} {left.key!r}: {left.size} bytes, the last of {last}", flush=True)
    except app.SetupError as error:
        return _print_error(error)
    except KeyboardInterrupt:
        return _FAILED
    return 0


def _exit_after(seconds: float, shutdown: "_Shutdown") -> None:
    """Ends the process after ``seconds``, whatever it waits for. A store that hangs may hold a
    request for minutes. If the request was a COPY, MOVE or DELETE, its journal stays, and another
    bridge finishes it."""

    def exit_now() -> None:
        _log.warning("left behind: requests that the store has not answered")
        os._exit(_FAILED if shutdown.has_failed else 0)

    timer = threading.Timer(seconds, exit_now)
    timer.daemon = True
    timer.start()


class _InterruptedError(BaseException):
    """A signal came during the start. Everything that has started is stopped on the way out."""


class _Shutdown:
    """What signals ask for, and the end of the process after a failure.

    SIGHUP means two things: the terminal has gone, and then it is a reason to end, or an operator
    asks for what is in files to be read again.
    """

    def __init__(self) -> None:
        self.has_failed = False
        self._stop: Callable[[], None] | None = None
        self._reloads: SimpleQueue[None] = SimpleQueue()
        self._had_terminal = _has_terminal()
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._receive)
        # Under nohup it is ignored, and stays so.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._receive_hangup)

    def set_stop(self, stop: Callable[[], None]) -> None:
        """From now on, a signal or a failure calls ``stop``, from any thread or from a signal
        handler."""
        self._stop = stop
        if self.has_failed:
            stop()

    def set_reload(self, reload: Callable[[], None]) -> None:
        """From now on, SIGHUP has ``reload`` called, in a thread of its own."""

        def reload_when_asked() -> None:
            while True:
                self._reloads.get()
                reload()

        Thread(target=reload_when_asked, name="davbridge-reload", daemon=True).start()

    def fail(self) -> None:
        """Ends the process because davbridge can't continue. May be called from any thread."""
        self.has_failed = True
        if self._stop is not None:
            self._stop()

    def _receive(self, signum: int, _frame: object) -> None:
        # A second signal ends the process at once.
        signal.signal(signum, signal.SIG_DFL)
        if self._stop is None:
            raise _InterruptedError
        self._stop()

    def _receive_hangup(self, signum: int, frame: object) -> None:
        if self._had_terminal and not _has_terminal():
            self._receive(signum, frame)
        else:
            self._reloads.put(None)  # As safe in a signal handler as SimpleQueue says.


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except (OSError, AttributeError):
        return False
    return True


def _password(_options: dict[str, Any]) -> int:
    print(hash_password(_ask_password() if sys.stdin.isatty() else _read_password()))
    return 0


def _ask_password() -> str:
    try:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise ConfigError("the two passwords differ")
    except (EOFError, KeyboardInterrupt) as error:
        raise ConfigError("no password was given") from error
    return _checked(password)


def _read_password() -> str:
    try:
        return _checked(sys.stdin.readline().rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise ConfigError("the password is not UTF-8") from error


def _checked(password: str) -> str:
    if not password:
        raise ConfigError("the password is empty")
    return password


_COMMANDS: Mapping[str, Callable[[dict[str, Any]], int]] = {
    "serve": _serve,
    "sweep": _sweep,
    "password": _password,
}
