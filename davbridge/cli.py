"""argv → settings → a running davbridge → an exit code; the only module that prints.

Owns the command line, which people's scripts rely on: its flags, the one line on stdout that says
where davbridge answers, and the exit codes. 0: ended as it was told to. 1: ended by itself. 2: it
could not start as it was asked to; stderr has one line that says why. Must not know what settings
mean: flags are handed on under the names that `davbridge.config` gives them.
"""

import argparse
import gc
import getpass
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from davbridge import __version__, logs
from davbridge.access.passwords import hash_password
from davbridge.config import ConfigError, Settings, load

_FAILED = 1
_UNUSABLE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code."""
    try:
        options = vars(_parser().parse_args(arguments))
        return int(options.pop("run")(options))
    except ConfigError as error:
        return _refuse(error)


def _refuse(error: Exception) -> int:
    print(f"davbridge: {error}", file=sys.stderr)
    return _UNUSABLE


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} ('{self.prog} --help' shows what there is)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="davbridge",
        description="Your S3 buckets as a network drive.",
        # Abbreviations that work today would break scripts when a flag is added.
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"davbridge {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_password(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[_Parser]") -> None:
    serve = commands.add_parser(
        "serve",
        help="show a bucket as a drive",
        description="Shows a bucket, or a prefix in it, as a WebDAV drive. S3 credentials come "
        "from where the AWS tools find them. With neither BUCKET nor --config, davbridge runs a "
        "store of its own and keeps its data in your data folder (~/.local/share/davbridge on "
        "Linux).",
        epilog="Flags count more than the configuration file.",
        allow_abbrev=False,
        # What isn't given isn't there: then the file's value counts, or the default.
        argument_default=argparse.SUPPRESS,
    )
    serve.set_defaults(run=_serve)
    _add_store_flags(serve.add_argument_group("the store"))
    _add_server_flags(serve.add_argument_group("the server"))
    _add_access_flags(serve.add_argument_group("who may"))
    _add_log_flags(serve.add_argument_group("the log, on stderr"))


def _add_store_flags(group: "argparse._ArgumentGroup") -> None:
    # argparse would hand on the absence of an optional positional without this default.
    group.add_argument(
        "s3.bucket",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="BUCKET[/PREFIX]",
        help="made if it doesn't exist",
    )
    group.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    group.add_argument(
        "--endpoint-url", dest="s3.endpoint_url", metavar="URL", help="an S3 store other than AWS"
    )
    group.add_argument("--region", dest="s3.region", metavar="R")
    group.add_argument(
        "--profile", dest="s3.profile", metavar="NAME", help="of the AWS configuration files"
    )
    group.add_argument(
        "--embedded",
        dest="embedded.directory",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="run a store of its own, and keep its data in DIR",
    )
    group.add_argument("--read-only", dest="drive.read_only", action="store_true")


def _add_server_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--host", dest="server.host", metavar="H", help="address to listen on (127.0.0.1)"
    )
    group.add_argument(
        "--port", dest="server.port", type=int, metavar="N", help="(8080); 0 takes a free one"
    )
    group.add_argument(
        "--tls-cert", dest="server.tls_cert", type=Path, metavar="FILE", help="PEM, full chain"
    )
    group.add_argument(
        "--tls-key", dest="server.tls_key", type=Path, metavar="FILE", help="PEM, its private key"
    )


def _add_access_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--user",
        dest="access.user",
        metavar="NAME",
        help="may log in with the password in the environment variable DAVBRIDGE_PASSWORD",
    )
    group.add_argument(
        "--anonymous",
        dest="access.anonymous",
        action="store_true",
        help="no login; on addresses of this machine alone",
    )
    group.add_argument(
        "--insecure",
        dest="access.insecure",
        action="store_true",
        help="accept no login, or passwords in plain HTTP, from other machines",
    )


def _add_log_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--log-level", dest="log.level", choices=["debug", "info", "warning", "error"]
    )
    group.add_argument("--log-json", dest="log.json", action="store_true", help="one object a line")


def _add_password(commands: "argparse._SubParsersAction[_Parser]") -> None:
    password = commands.add_parser(
        "password",
        help="make the hash of a password",
        description="Prints the argon2id hash of a password, for password_hash in the "
        "configuration file. Asks for it on a terminal, and reads one line of stdin otherwise.",
        allow_abbrev=False,
    )
    password.set_defaults(run=_password)


def _serve(flags: dict[str, Any]) -> int:
    settings = load(flags, flags.pop("config", None), hash_password=hash_password)
    logs.configure(settings.log)
    end = _End()
    try:
        return _listen(settings, end)
    except _InterruptedError:
        return 0


def _listen(settings: Settings, end: "_End") -> int:
    # boto3 takes most of a second to import: whoever makes a mistake in the flags, or wants the
    # hash of a password, is answered without it.
    from davbridge import app

    try:
        with app.listening(settings, on_failure=end.fail) as bridge:
            end.means(bridge.stop)
            print(f"davbridge is ready: {bridge.url}", flush=True)
            # What is there by now stays to the end; to look through it again and again for what
            # could go would hold up all requests for a seventh of a second.
            gc.freeze()
            bridge.serve()
    except app.SetupError as error:
        return _refuse(error)
    return _FAILED if end.has_failed else 0


class _InterruptedError(BaseException):
    """A signal came while davbridge was starting: what is up already goes down on the way out."""


class _End:
    """The end of the process: asked for by a signal, or come by itself."""

    def __init__(self) -> None:
        self.has_failed = False
        self._stop: Callable[[], None] | None = None
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._receive)

    def means(self, stop: Callable[[], None]) -> None:
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
