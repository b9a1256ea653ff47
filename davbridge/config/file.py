"""The TOML file → typed values, strictly.

The file has one table a section, one key a setting, as the dataclasses name them. Only the embedded
store has a shape of its own, ``[embedded] directory``. The settings check the bounds of values
themselves.

Invariant: whatever can't be understood raises ConfigError and names the file, and the line or the
key; nothing is skipped.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from davbridge.config import settings
from davbridge.config.checks import (
    ConfigError,
    SettingError,
    parse_size,
    reject,
    require_choice,
)

Values = dict[str, Any]
"""Values of one section, by the names of its dataclass' fields."""

HashPassword = Callable[[str], str]
"""A password → what `User.password_hash` holds."""


class _Context(NamedTuple):
    """What values are converted with."""

    folder: Path
    """The file's, where relative paths start from."""
    hash_password: HashPassword


@dataclass(frozen=True, slots=True)
class UserEntry:
    """A user as the file has one: with a hash, or with a file that has the password."""

    name: str
    password_hash: str | None = field(default=None, repr=False)
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class EmbeddedSection:
    """The embedded store; without a directory, its usual one."""

    directory: Path | None = None


SECTIONS: Mapping[str, type] = {
    "s3": settings.S3Settings,
    "embedded": EmbeddedSection,
    "cache": settings.CacheSettings,
    "drive": settings.DriveSettings,
    "server": settings.ServerSettings,
    "access": settings.AccessSettings,
    "log": settings.LogSettings,
}

_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    Path: "a path in quotes",
    dict: "a table",
    list: "a list",
}

_MAX_INT = 2**63 - 1
"""TOML's own bound for a number; tomllib doesn't hold it."""


def read_file(path: Path, hash_password: HashPassword) -> dict[str, Values]:
    """The sections that the file has, and their values."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start + 1})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    try:
        return _sections(document, _Context(path.parent, hash_password))
    except SettingError as error:
        raise ConfigError(f"{path}: {error}") from error


def _sections(document: Mapping[str, Any], context: _Context) -> dict[str, Values]:
    _reject_unknown("", document, SECTIONS)
    return {
        name: _values(SECTIONS[name], name, content, context) for name, content in document.items()
    }


def _values(kind: type, where: str, content: object, context: _Context) -> Values:
    if not isinstance(content, dict):
        reject(where, f"must be a table, not {_kind(content)}")
    hints = _hints(kind)
    _reject_unknown(f"{where}.", content, hints)
    return {
        name: _convert(hints[name], f"{where}.{name}", value, context)
        for name, value in content.items()
    }


def _reject_unknown(before: str, given: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            advice = f"did you mean {before}{near[0]}?" if near else f"known are {', '.join(known)}"
            reject(f"{before}{name}", f"is unknown: {advice}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _convert(hint: Any, where: str, value: object, context: _Context) -> object:
    """``value`` as a field of the type ``hint`` takes it."""
    if get_origin(hint) in (Union, UnionType):
        # All unions here are "this or nothing", and TOML has no null.
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if settings.SIZE in getattr(hint, "__metadata__", ()):
        return _size(where, value)
    if get_origin(hint) is Literal:
        return _choice(where, value, get_args(hint))
    if get_origin(hint) is tuple:
        return _list(get_args(hint)[0], where, value, context)
    return _scalar(hint, where, value, context)


def _size(where: str, value: object) -> int:
    size = parse_size(value) if isinstance(value, str) else value
    if not isinstance(size, int) or isinstance(size, bool):
        reject(where, f'must be a number of bytes or a text such as "10 GiB", not {value!r}')
    return size


def _kind(value: object) -> str:
    """The kind of ``value``, without the value itself, which may be a secret."""
    return _KINDS.get(type(value), "a date or time")


def _choice(where: str, value: object, choices: tuple[object, ...]) -> object:
    require_choice(where, value, choices)
    return value


def _scalar(hint: type, where: str, value: object, context: _Context) -> object:
    if hint is Path and isinstance(value, str):
        return _path(where, value, context)
    if type(value) is int and abs(value) > _MAX_INT:
        reject(where, "is too large a number")
    if hint is float and type(value) is int:
        return float(value)
    # To isinstance, a bool is an int, too.
    if type(value) is not hint:
        reject(where, f"must be {_KINDS[hint]}, not {_kind(value)}")
    return value


def _path(where: str, value: str, context: _Context) -> Path:
    """A relative path is relative to the file's folder, wherever davbridge is started."""
    if not value or "\0" in value:
        reject(where, f"is no path: {value!r}")
    try:
        return context.folder / Path(value).expanduser()
    except RuntimeError as error:
        raise SettingError(where, f"names no home folder: {value!r}") from error


def _list(hint: type, where: str, value: object, context: _Context) -> tuple[object, ...]:
    if not isinstance(value, list):
        reject(where, f"must be a list, not {_kind(value)}")
    convert = _user if hint is settings.User else partial(_convert, hint)
    return tuple(convert(f"{where}[{number}]", item, context) for number, item in enumerate(value))


def _user(where: str, item: object, context: _Context) -> settings.User:
    values = _values(UserEntry, where, item, context)
    require_complete(UserEntry, where, values)
    entry = UserEntry(**values)
    if (entry.password_hash is None) == (entry.password_file is None):
        reject(where, "needs one of password_hash and password_file")
    hashed = entry.password_hash
    if entry.password_file is not None:
        password = read_password(f"{where}.password_file", entry.password_file)
        hashed = context.hash_password(password)
    assert hashed is not None
    try:
        return settings.User(entry.name, hashed)
    except SettingError as error:
        reject(error.setting.replace("access.users", where), error.problem)


def read_password(setting: str, path: Path) -> str:
    """The first line of a file. Raises SettingError, which doesn't quote it."""
    try:
        with path.open(encoding="utf-8") as lines:
            password = lines.readline().rstrip("\r\n")
    except OSError as error:
        raise SettingError(setting, f"can't be read: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(setting, f"is not UTF-8: {path}") from error
    if not password:
        reject(setting, f"has no password in its first line: {path}")
    return password


def require_complete(kind: Any, where: str, values: Values) -> None:
    """Raises SettingError where a field without a default has no value."""
    for item in fields(kind):
        if item.default is MISSING and item.default_factory is MISSING and item.name not in values:
            reject(f"{where}.{item.name}", "is missing")
