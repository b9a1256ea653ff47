"""Frozen settings, and where they are read from.

::

    settings.py  every setting: name, type, default, bounds
    checks.py    the checks of values
    file.py      the TOML file
    load.py      file, flags and environment together

No other package reads os.environ for a setting.

Invariants: a Settings that exists is valid, whatever it was made from; what is wrong raises
ConfigError with one line that names the flag, or the file and the key; secrets never show in a
repr.
"""

from davbridge.config.checks import MIB, ConfigError
from davbridge.config.load import FLAGS, load, parse_place
from davbridge.config.settings import (
    LARGEST_OBJECT,
    PASSWORD_VARIABLE,
    AccessSettings,
    Addressing,
    CacheSettings,
    CannedAcl,
    CopiedAttribute,
    DriveSettings,
    Encryption,
    Junk,
    LogLevel,
    LogSettings,
    S3Settings,
    ServerSettings,
    Settings,
    User,
)

__all__ = [
    "FLAGS",
    "LARGEST_OBJECT",
    "MIB",
    "PASSWORD_VARIABLE",
    "AccessSettings",
    "Addressing",
    "CacheSettings",
    "CannedAcl",
    "ConfigError",
    "CopiedAttribute",
    "DriveSettings",
    "Encryption",
    "Junk",
    "LogLevel",
    "LogSettings",
    "S3Settings",
    "ServerSettings",
    "Settings",
    "User",
    "load",
    "parse_place",
]
