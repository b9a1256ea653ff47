"""File, flags and environment → Settings.

Flags override the file, and the file overrides the defaults. A flag that chooses a store, or who
may log in, replaces all of the file's settings for that. Flags arrive here as values under the
dotted names of settings.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from davbridge.config import file
from davbridge.config.checks import ConfigError, SettingError, with_delimiter
from davbridge.config.file import SECTIONS, HashPassword, Values, read_password
from davbridge.config.settings import PASSWORD_VARIABLE, S3Settings, Settings, User

FLAGS: Mapping[str, str] = {
    "s3.bucket": "BUCKET",
    "s3.prefix": "PREFIX",
    "s3.endpoint_url": "--endpoint-url",
    "s3.region": "--region",
    "s3.profile": "--profile",
    "embedded.directory": "--embedded",
    "drive.read_only": "--read-only",
    "server.host": "--host",
    "server.port": "--port",
    "server.tls_cert": "--tls-cert",
    "server.tls_key": "--tls-key",
    "access.user": "--user",
    "access.password_file": "--password-file",
    "access.anonymous": "--anonymous",
    "access.insecure": "--insecure",
    "log.level": "--log-level",
    "log.json": "--log-json",
}
"""The settings that have a flag, and how it is spelled. ``s3.bucket`` may carry a prefix, which has
no flag of its own; ``access.user`` is a name, whose password is in ``access.password_file`` or in
the environment."""

_STORES = ("s3", "embedded")


def load(
    flags: Mapping[str, Any],
    path: Path | None = None,
    *,
    hash_password: HashPassword,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings that ``flags`` and the file at ``path`` make; raises ConfigError.

    ``flags`` holds what was given, under the names of FLAGS. ``hash_password`` turns the password
    of ``--user`` into what User holds.
    """
    sections = file.read_file(path, hash_password) if path else {}
    origins = _origins(sections, path, flags)
    try:
        return _merge(sections, dict(flags), path, hash_password, environ)
    except SettingError as error:
        # What is wrong with a user is reported of the flag that names one, if there is a flag.
        origin = origins.get(error.setting, f"{path}: {error.setting}" if path else error.setting)
        raise ConfigError(f"{origin} {error.problem}") from error


def _origins(
    sections: Mapping[str, Values], path: Path | None, flags: Mapping[str, Any]
) -> dict[str, str]:
    """Where each setting that isn't a default came from, as an error message names it."""
    of_file = (f"{section}.{name}" for section, values in sections.items() for name in values)
    origins = {setting: f"{path}: {setting}" for setting in of_file} | {
        setting: FLAGS[setting] for setting in flags
    }
    if "s3.bucket" in flags:
        origins["s3.prefix"] = FLAGS["s3.prefix"]
    if "access.user" in flags:
        origins["access.users.name"] = FLAGS["access.user"]
    return origins


def _merge(
    sections: dict[str, Values],
    flags: dict[str, Any],
    path: Path | None,
    hash_password: HashPassword,
    environ: Mapping[str, str],
) -> Settings:
    store = _chosen_store(sections, flags, path)
    user, password_file = flags.pop("access.user", None), flags.pop("access.password_file", None)
    if user is not None and "access.anonymous" in flags:
        raise ConfigError("choose one of --user and --anonymous")
    if user is None and password_file is not None:
        raise ConfigError("--password-file needs --user")
    if "s3.bucket" in flags:
        flags["s3.bucket"], flags["s3.prefix"] = parse_place(flags["s3.bucket"])
    if user is not None or "access.anonymous" in flags:
        sections.get("access", {}).pop("users", None)
        sections.get("access", {}).pop("anonymous", None)
    for setting, value in flags.items():
        section, name = setting.split(".")
        sections.setdefault(section, {})[name] = value
    if user is not None:
        password = _password(password_file, environ)
        users = (User(user, hash_password(password)),)
        sections.setdefault("access", {})["users"] = users
    return _settings(store, sections, environ)


def _chosen_store(
    sections: Mapping[str, Values], flags: Mapping[str, Any], path: Path | None
) -> str:
    """``s3`` or ``embedded``."""
    if "embedded.directory" in flags:
        for setting, flag in FLAGS.items():
            if setting.startswith("s3.") and setting in flags:
                raise ConfigError(f"{flag} and --embedded exclude each other")
        return "embedded"
    if "s3.bucket" in flags:
        return "s3"
    named = [store for store in _STORES if store in sections]
    if len(named) == 2:
        raise ConfigError(f"{path}: has both [s3] and [embedded]: choose one store")
    if not named and path:
        raise ConfigError(f"{path}: names no store: give [s3] a bucket, or add [embedded]")
    store = named[0] if named else "embedded"
    if store == "embedded":
        _reject_stray_s3(flags)
    return store


def _reject_stray_s3(flags: Mapping[str, Any]) -> None:
    stray = [FLAGS[setting] for setting in flags if setting.startswith("s3.")]
    if stray:
        raise ConfigError(f"{stray[0]} needs a bucket: davbridge serve BUCKET {stray[0]} …")


def parse_place(text: str) -> tuple[str, str]:
    """Bucket and prefix of ``BUCKET[/PREFIX]``, which may be written ``s3://BUCKET/PREFIX``."""
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    return bucket, with_delimiter(prefix)


def _password(path: Path | None, environ: Mapping[str, str]) -> str:
    if path is not None:
        return read_password("access.password_file", path)
    password = environ.get(PASSWORD_VARIABLE)
    if not password:
        raise ConfigError(
            f"--user needs its password: in the environment as {PASSWORD_VARIABLE}, or in a file, "
            "--password-file FILE"
        )
    return password


def _settings(store: str, sections: dict[str, Values], environ: Mapping[str, str]) -> Settings:
    s3 = sections.pop("s3", {})
    directory = sections.pop("embedded", {}).get("directory")
    parts = {name: SECTIONS[name](**values) for name, values in sections.items()}
    if store == "embedded":
        return Settings(s3=None, embedded=directory or default_directory(environ), **parts)
    if "bucket" not in s3:
        raise SettingError("s3.bucket", "is missing: name it there, or as davbridge serve BUCKET")
    s3["prefix"] = with_delimiter(s3.get("prefix", ""))
    return Settings(s3=S3Settings(**s3), **parts)


def default_directory(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Path:
    """Where the embedded store keeps its data by default: the user's data folder.

    It depends on who runs davbridge and not on the folder it is started in, so that a start from
    another folder shows the same files.
    """
    try:
        if platform == "win32":
            local = environ.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "davbridge"
        if platform == "darwin":
            return Path.home() / "Library" / "Application Support" / "davbridge"
        # The XDG base directory specification: a relative path is to be ignored.
        shared = Path(environ.get("XDG_DATA_HOME", ""))
        base = shared if shared.is_absolute() else Path.home() / ".local" / "share"
        return base / "davbridge"
    except RuntimeError as error:
        raise ConfigError("no home folder to keep data in: say where, --embedded DIR") from error
