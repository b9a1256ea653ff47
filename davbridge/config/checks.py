"""Checks of values. Pure. They raise SettingError with the setting's name."""

import re
from fractions import Fraction
from ipaddress import ip_address
from typing import NoReturn
from urllib.parse import urlsplit

from davbridge.paths import DELIMITER, MAX_KEY_BYTES, is_visible

KIB = 1024
MIB = KIB * 1024

_UNITS = {"": 1, "B": 1}
_UNITS |= {f"{letter}B": 1000**power for power, letter in enumerate("KMGTP", start=1)}
_UNITS |= {f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", start=1)}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)

# What S3 stores have ever taken: AWS's rules since 2018 are narrower, but older buckets, and
# those of other stores, are still there to be shown.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")

_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=\d{1,7},t=\d{1,4},p=\d{1,3}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1\d|2[0-4])\$[./A-Za-z0-9]{53}")


class ConfigError(Exception):
    """The settings can't be used. ``str(error)`` is one line that says what to do."""


class SettingError(ConfigError):
    """One setting, by its dotted name, and what is wrong with its value."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting} {problem}")
        self.setting = setting
        self.problem = problem


def reject(setting: str, problem: str) -> NoReturn:
    raise SettingError(setting, problem)


def require_range(setting: str, value: float, low: float, high: float | None = None) -> None:
    """``low`` to ``high``, both included."""
    # NaN fails every comparison, so the good case is the one that is spelled out.
    if not (low <= value and (high is None or value <= high)):
        bounds = f"{low} or more" if high is None else f"between {low} and {high}"
        reject(setting, f"must be {bounds}, not {value}")


def require_positive(setting: str, value: float) -> None:
    if not 0 < value < float("inf"):
        reject(setting, f"must be more than 0, not {value}")


def require_bucket(setting: str, value: str) -> None:
    if not _BUCKET.fullmatch(value) or ".." in value:
        reject(
            setting,
            f"is no bucket name: {value!r} (3 letters or more: a-z, 0-9, '.' and '-', "
            "beginning and ending with a letter or digit)",
        )


def require_prefix(setting: str, value: str) -> None:
    """Empty, or segments that paths can show, each followed by ``/``."""
    if not value:
        return
    if not value.endswith(DELIMITER):
        reject(setting, f"must end in '/': {value!r}")
    if not all(is_visible(segment) for segment in value[:-1].split(DELIMITER)):
        reject(setting, f"can't hold empty, '.', '..' or reserved segments: {value!r}")
    if len(value.encode()) >= MAX_KEY_BYTES:
        reject(setting, f"is too long: S3's keys have {MAX_KEY_BYTES} bytes at most")


def with_delimiter(prefix: str) -> str:
    """The prefix for ``a/b`` or ``a/b/``, as a person writes it."""
    return prefix if not prefix or prefix.endswith(DELIMITER) else prefix + DELIMITER


def require_endpoint(setting: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        reject(setting, f"must look like https://HOST or http://HOST:PORT, not {value!r}")


def require_origin(setting: str, value: str) -> None:
    require_endpoint(setting, value)
    if urlsplit(value).path not in ("", "/"):
        reject(setting, f"must be an origin, without a path: {value!r}")


def require_mount_path(setting: str, value: str) -> None:
    segments = [segment for segment in value.split(DELIMITER) if segment]
    if not value.startswith(DELIMITER) or not all(map(is_visible, segments)):
        reject(setting, f"must look like /dav or /, not {value!r}")


def require_host(setting: str, value: str) -> None:
    if not _is_address(value) and not _HOST_NAME.fullmatch(value):
        reject(setting, f"must be an address or a host name, not {value!r}")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``; names other than localhost are not trusted."""
    return ip_address(host).is_loopback if _is_address(host) else host.lower() == "localhost"


def require_user_name(setting: str, value: str) -> None:
    # RFC 7617 §2: a user-id can hold neither a colon nor control characters.
    if not value.strip() or value != value.strip() or ":" in value or not value.isprintable():
        reject(setting, f"must be a name without ':', blanks around it, or controls: {value!r}")


def require_password_hash(setting: str, value: str) -> None:
    if not _ARGON2ID.fullmatch(value) and not _BCRYPT.fullmatch(value):
        reject(setting, "is no argon2id or bcrypt hash: make one with 'davbridge password'")


def require_choice(setting: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        reject(setting, f"must be one of {', '.join(map(repr, choices))}, not {value!r}")


def require_name_pattern(setting: str, value: str) -> None:
    """A pattern of names, such as ``._*``, that not every name matches."""
    if not value or DELIMITER in value or "\0" in value:
        reject(setting, f"must be names or patterns such as '._*', without '/': {value!r}")
    if not value.strip("*?"):
        reject(setting, f"can't be {value!r}: people's own files would match it as well")


def require_text(setting: str, value: str) -> None:
    """Not empty, and printable: it ends up in a header, or in a request to S3."""
    if not value or not value.isprintable():
        reject(setting, "must not be empty, nor hold control characters")


def require_token(setting: str, value: str) -> None:
    """A word that can be a header."""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        reject(setting, f"must be a word of ASCII letters: {value!r}")


def require_storage_class(setting: str, value: str) -> None:
    require_token(setting, value)
    if value.upper() != value:
        reject(setting, f"is written in capital letters: {value.upper()!r}, not {value!r}")
    if value in ("GLACIER", "DEEP_ARCHIVE"):
        reject(
            setting,
            f"can't be {value}: no file could be read, moved or copied once it is written. "
            "Let a lifecycle rule of the bucket archive files later",
        )


def parse_size(text: str) -> int | None:
    """Bytes of ``"10 GiB"``, ``"1.5 TB"`` or ``"4096"``; None where it is no size."""
    match = _SIZE.fullmatch(text.strip())
    factor = _UNITS.get(match[2]) if match else None
    return int(Fraction(match[1]) * factor) if match and factor else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
