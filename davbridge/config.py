"""What can be set, as frozen settings.

Owns the names, defaults and bounds of every setting; the rooms below and beside it take their
part of it and read nothing else. Must not know how any room works.

Invariants: a Settings that exists is valid, whatever it was made from; secrets never show in a
repr.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MIB = 1024 * 1024

Addressing = Literal["auto", "path", "virtual"]


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the objects are. Credentials that are None come from the usual AWS chain."""

    bucket: str
    prefix: str = ""
    """Empty, or ending in ``/``: nothing outside of it is reachable."""
    endpoint_url: str | None = None
    region: str | None = None
    addressing: Addressing = "auto"
    profile: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    connect_timeout: float = 5.0
    """Seconds."""
    read_timeout: float = 30.0
    """Seconds."""
    attempts: int = 4
    """Tries of one request in all, the first included (botocore's ``standard`` mode)."""
    max_object_size: int = 5 * 1024**4
    """Bytes: the largest object that the store takes."""


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How long, and how much of, the bulk metadata is kept."""

    ttl: float = 60.0
    """Seconds until what another program changed in the bucket is seen at the latest; 0: none."""
    negative_ttl: float = 10.0
    """Seconds that an absent name is believed absent."""
    max_entries: int = 500_000
    max_bytes: int = 256 * MIB


@dataclass(frozen=True, slots=True)
class DriveSettings:
    """What the drive is like."""

    read_only: bool = False
    quota: int | None = None
    """Bytes that the drive may hold; None: as much as the store takes."""
    publish_quota: bool = True
    """Whether RFC 4331's properties are there at all (macOS 15.4 may stall on them)."""
    max_file_size: int | None = None
    """Bytes; None: the store's limit."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The wire."""

    host: str = "127.0.0.1"
    port: int = 8080
    tls_cert: Path | None = None
    """PEM, the full chain."""
    tls_key: Path | None = None
    threads: int = 32
    timeout: float = 60.0
    """Seconds that a connection may be silent."""
    shutdown_timeout: float = 30.0
    """Seconds that requests under way have to finish after SIGTERM."""


@dataclass(frozen=True, slots=True)
class User:
    """Who may log in."""

    name: str
    password_hash: str = field(repr=False)
    """argon2id (``$argon2id$…``) or bcrypt (``$2b$…``)."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who may."""

    users: tuple[User, ...] = ()
    """Empty only where ``anonymous``."""
    anonymous: bool = False
    realm: str = "davbridge"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is told."""

    level: str = "info"
    json: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. ``s3`` is None where the embedded store is to be run, in ``embedded``."""

    s3: S3Settings | None
    embedded: Path | None = None
    cache: CacheSettings = field(default_factory=CacheSettings)
    drive: DriveSettings = field(default_factory=DriveSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    log: LogSettings = field(default_factory=LogSettings)
