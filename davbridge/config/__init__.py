"""What can be set: frozen settings, and where they are read from.

Owns the names, defaults and bounds of every setting (`settings`, `checks`), the TOML file (`file`)
and how file, flags and environment come together (`load`). No other room reads os.environ for a
setting. Must not know how any other room works.

Invariants: a Settings that exists is valid, whatever it was made from; what is wrong raises
ConfigError with one line that names the flag, or the file and the key; secrets never show in a
repr.
"""

from davbridge.config.checks import MIB, ConfigError
from davbridge.config.load import FLAGS, load, parse_place
from davbridge.config.settings import (
    PASSWORD_VARIABLE,
    AccessSettings,
    Addressing,
    CacheSettings,
    DriveSettings,
    LogLevel,
    LogSettings,
    S3Settings,
    ServerSettings,
    Settings,
    User,
)

__all__ = [
    "FLAGS",
    "MIB",
    "PASSWORD_VARIABLE",
    "AccessSettings",
    "Addressing",
    "CacheSettings",
    "ConfigError",
    "DriveSettings",
    "LogLevel",
    "LogSettings",
    "S3Settings",
    "ServerSettings",
    "Settings",
    "User",
    "load",
    "parse_place",
]
