"""argv → a command and its flags, under the names of settings (`davbridge.config`).

People's scripts rely on this grammar, so it may only grow.

Invariants: what can't be parsed raises ConfigError with one line. A flag that isn't given isn't in
the result, unless the command has a default for it.
"""

import argparse
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, get_args

from davbridge import __version__
from davbridge.config import FLAGS, PASSWORD_VARIABLE, ConfigError, LogLevel

_COMMAND = "command"

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse(arguments: Sequence[str] | None = None) -> tuple[str, dict[str, Any]]:
    """The command's name, and its flags."""
    namespace, unknown = _parser().parse_known_args(arguments)
    flags = vars(namespace)
    command = flags.pop(_COMMAND)
    if unknown:
        help_for = f"'davbridge {command} --help'"
        raise ConfigError(
            f"unknown arguments: {' '.join(unknown)} ({help_for} shows what there is)"
        )
    return command, flags


class _Parser(argparse.ArgumentParser):
    """Raises ConfigError with one line, instead of exiting."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} ('{self.prog} --help' shows what there is)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="davbridge",
        description="Your S3 buckets as a network drive.",
        # A script that abbreviates a flag would break when another flag is added.
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"davbridge {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest=_COMMAND
    )
    _add_serve(commands)
    _add_sweep(commands)
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
        # A flag that isn't given isn't in the result, so the file or the default counts.
        argument_default=argparse.SUPPRESS,
    )
    store = serve.add_argument_group("the store")
    _add_store_flags(store, "made if it doesn't exist")
    _add_flag(store, "drive.read_only", action="store_true")
    _add_server_flags(serve.add_argument_group("the server"))
    _add_access_flags(serve.add_argument_group("who may"))
    _add_log_flags(serve.add_argument_group("the log, on stderr"))


def _add_flag(group: "argparse._ArgumentGroup", setting: str, **details: Any) -> None:
    """Adds the flag of a setting."""
    group.add_argument(FLAGS[setting], dest=setting, **details)


def _add_store_flags(group: "argparse._ArgumentGroup", about_bucket: str | None = None) -> None:
    # Without this default, an optional positional that isn't given would be in the result.
    group.add_argument(
        "s3.bucket",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="BUCKET[/PREFIX]",
        help=about_bucket,
    )
    group.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    _add_flag(group, "s3.endpoint_url", metavar="URL", help="an S3 store other than AWS")
    _add_flag(group, "s3.region", metavar="R")
    _add_flag(group, "s3.profile", metavar="NAME", help="of the AWS configuration files")
    _add_flag(
        group,
        "embedded.directory",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="run a store of its own, and keep its data in DIR",
    )


def _add_server_flags(group: "argparse._ArgumentGroup") -> None:
    _add_flag(group, "server.host", metavar="H", help="address to listen on (127.0.0.1)")
    _add_flag(group, "server.port", type=int, metavar="N", help="(8080); 0 takes a free one")
    _add_flag(group, "server.tls_cert", type=Path, metavar="FILE", help="PEM, full chain")
    _add_flag(group, "server.tls_key", type=Path, metavar="FILE", help="PEM, its private key")


def _add_access_flags(group: "argparse._ArgumentGroup") -> None:
    _add_flag(
        group,
        "access.user",
        metavar="NAME",
        help=f"may log in with the password in the environment variable {PASSWORD_VARIABLE}",
    )
    _add_flag(
        group,
        "access.password_file",
        type=Path,
        metavar="FILE",
        help="or with the one in the first line of this file",
    )
    _add_flag(
        group,
        "access.anonymous",
        action="store_true",
        help="no login; on addresses of this machine alone",
    )
    _add_flag(
        group,
        "access.insecure",
        action="store_true",
        help="accept no login, or passwords in plain HTTP, from other machines",
    )


def _add_log_flags(group: "argparse._ArgumentGroup") -> None:
    _add_flag(group, "log.level", choices=get_args(LogLevel))
    _add_flag(group, "log.json", action="store_true", help="one object a line")


def _add_sweep(commands: "argparse._SubParsersAction[_Parser]") -> None:
    sweep = commands.add_parser(
        "sweep",
        help="remove what a crash has left in a bucket",
        description="Aborts davbridge's own uploads that a crash has left open in a bucket, or "
        "below a prefix in it, and removes what else it left of its own. It never touches other "
        "tools' uploads, nor any that is younger than --older-than. A start does this as well, "
        "unless it is read-only.",
        epilog="Prints a line for each, and nothing where there is nothing.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    _add_store_flags(sweep.add_argument_group("the store"))
    sweep.add_argument(
        "--older-than",
        type=_age,
        default=_age("24h"),
        metavar="AGE",
        help="since the last part came: 90s, 30m, 24h (the default), 7d",
    )
    sweep.add_argument("--dry-run", action="store_true", default=False, help="only print")
    _add_log_flags(sweep.add_argument_group("the log, on stderr"))


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"not an age, such as 30m, 24h or 7d: {text!r}")
    return int(found[1]) * _UNITS[found[2]]


def _add_password(commands: "argparse._SubParsersAction[_Parser]") -> None:
    commands.add_parser(
        "password",
        help="make the hash of a password",
        description="Prints the argon2id hash of a password, for password_hash in the "
        "configuration file. Asks for it on a terminal, and reads one line of stdin otherwise.",
        allow_abbrev=False,
    )
