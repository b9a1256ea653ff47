"""argv → settings → a running davbridge → an exit code; the only module that prints.

Owns what people's scripts rely on: the one line on stdout that says where davbridge answers, a
sweep's lines, and the exit codes. 0: ended as it was told to. 1: ended by itself, or a sweep was
interrupted. 2: it could not do as it was asked; stderr has one line that says why. Must not know
what settings mean, nor how flags are spelled (arguments).
"""

import gc
import getpass
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from davbridge import logs
from davbridge.access.passwords import hash_password
from davbridge.arguments import parse
from davbridge.config import ConfigError, Settings, load

_FAILED = 1
_UNUSABLE = 2

SHUTDOWN_SECONDS = 20.0
"""For what is under way in the background to end, and the embedded store, once nobody is served."""

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code."""
    try:
        command, options = parse(arguments)
        return _COMMANDS[command](options)
    except ConfigError as error:
        return _print_error(error)


def _print_error(error: Exception) -> int:
    print(f"davbridge: {error}", file=sys.stderr)
    return _UNUSABLE


def _serve(flags: dict[str, Any]) -> int:
    settings = load(flags, flags.pop("config", None), hash_password=hash_password)
    logs.configure(settings.log)
    shutdown = _Shutdown()
    try:
        return _listen(settings, shutdown)
    except _InterruptedError:
        return 0


def _listen(settings: Settings, shutdown: "_Shutdown") -> int:
    # boto3 takes most of a second to import: whoever makes a mistake in the flags, or wants the
    # hash of a password, is answered without it.
    from davbridge import app

    try:
        with app.listening(settings, on_failure=shutdown.fail) as bridge:
            shutdown.set_stop(bridge.stop)
            print(f"davbridge is ready: {bridge.url}", flush=True)
            # What is there by now stays to the end; to look through it again and again for what
            # could go would hold up all requests for a seventh of a second.
            gc.freeze()
            bridge.serve()
            _exit_after(SHUTDOWN_SECONDS, shutdown)
    except app.SetupError as error:
        return _print_error(error)
    return _FAILED if shutdown.has_failed else 0


def _sweep(flags: dict[str, Any]) -> int:
    older_than, dry_run = flags.pop("older_than"), flags.pop("dry_run")
    # Nobody is let in: what is said of logins and addresses doesn't matter here.
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
    """Ends the process then, whatever it waits for: a store that hangs may keep a request for
    minutes. What such a request was for is in its journal, and another bridge ends it."""

    def exit_now() -> None:
        _log.warning("left behind: requests that the store has not answered")
        os._exit(_FAILED if shutdown.has_failed else 0)

    timer = threading.Timer(seconds, exit_now)
    timer.daemon = True
    timer.start()


class _InterruptedError(BaseException):
    """A signal came while davbridge was starting: what is up already goes down on the way out."""


class _Shutdown:
    """The end of the process: asked for by a signal, or come by itself."""

    def __init__(self) -> None:
        self.has_failed = False
        self._stop: Callable[[], None] | None = None
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._receive)

    def set_stop(self, stop: Callable[[], None]) -> None:
        """From now on ``stop`` is called at the end, from any thread or from a signal handler."""
        self._stop = stop
        if self.has_failed:
            stop()

    def fail(self) -> None:
        """davbridge can't go on. May be called from any thread."""
        self.has_failed = True
        if self._stop is not None:
            self._stop()

    def _receive(self, signum: int, _frame: object) -> None:
        # The second one means: at once, whatever is under way.
        signal.signal(signum, signal.SIG_DFL)
        if self._stop is None:
            raise _InterruptedError
        self._stop()


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
