"""Every setting: its name, type, default and bounds.

Invariants: an instance that exists is valid; secrets never show in a repr.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args
from unicodedata import normalize

from davbridge.config import checks
from davbridge.config.checks import MIB, reject

Addressing = Literal["auto", "path", "virtual"]
Encryption = Literal["AES256", "aws:kms"]
CopiedAttribute = Literal["storage_class", "encryption", "acl", "tags", "object_lock", "redirect"]
CannedAcl = Literal[
    "private",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "authenticated-read",
    "public-read",
    "public-read-write",
    "aws-exec-read",
]
Junk = Literal["keep", "hide", "drop"]
LogLevel = Literal["debug", "info", "warning", "error"]

JUNK_NAMES = ("._*", ".DS_Store", "Thumbs.db", "desktop.ini", "~$*", ".~lock.*#")
"""Of macOS, Windows, Microsoft Office and LibreOffice."""

PASSWORD_VARIABLE = "DAVBRIDGE_PASSWORD"
"""Of the environment: the password of ``--user``."""

LARGEST_OBJECT = 10_000 * 5 * 1024**3
"""Bytes: AWS's limit since December 2025, 10,000 parts of 5 GiB: 48.8 TiB."""

SIZE = "size"
Bytes = Annotated[int, SIZE]
"""In a file it may be a text such as "10 GiB"."""


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
    max_object_size: Bytes | None = None
    """Bytes: the largest object that the store takes. None: 48.8 TiB on AWS, 5 TiB elsewhere."""
    storage_class: str | None = None
    """Of files that are written; None: STANDARD."""
    encryption: Encryption | None = None
    """Of what is written; None: the bucket's default."""
    kms_key_id: str | None = None
    """None: the account's key for S3."""
    bucket_key: bool = False
    """Whether KMS is asked for a key of the bucket's, and not for one of each object."""
    acl: CannedAcl | None = None
    """Of what is written; None: the owner's alone, or none where the bucket has no ACLs."""

    copy_without: tuple[CopiedAttribute, ...] = ()
    """What COPY and MOVE need not keep of an object."""

    def __post_init__(self) -> None:
        checks.require_bucket("s3.bucket", self.bucket)
        checks.require_prefix("s3.prefix", self.prefix)
        if self.endpoint_url is not None:
            checks.require_endpoint("s3.endpoint_url", self.endpoint_url)
        for name in ("region", "profile", "access_key", "secret_key"):
            value = getattr(self, name)
            if value is not None:
                checks.require_text(f"s3.{name}", value)
        if (self.access_key is None) != (self.secret_key is None):
            missing = "access_key" if self.access_key is None else "secret_key"
            reject(f"s3.{missing}", "is missing: access_key and secret_key go together")
        checks.require_positive("s3.connect_timeout", self.connect_timeout)
        checks.require_positive("s3.read_timeout", self.read_timeout)
        checks.require_range("s3.attempts", self.attempts, 1, 100)
        if self.max_object_size is not None:
            checks.require_range("s3.max_object_size", self.max_object_size, 1, LARGEST_OBJECT)
        self._require_storable()

    def _require_storable(self) -> None:
        """What is said of objects that are written."""
        if self.storage_class is not None:
            checks.require_storage_class("s3.storage_class", self.storage_class)
        if self.encryption == "aws:kms":
            if self.kms_key_id is not None:
                checks.require_token("s3.kms_key_id", self.kms_key_id)
            return
        for name in ("kms_key_id", "bucket_key"):
            if getattr(self, name):
                reject(f"s3.{name}", 'needs encryption = "aws:kms"')


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The cache of listings and metadata: how long, and how much."""

    ttl: float = 60.0
    """Seconds until other programs' changes to the bucket are seen, at the latest; 0: no cache."""
    negative_ttl: float = 10.0
    """Seconds for which it is cached that nothing is at a name."""
    max_entries: int = 500_000
    max_bytes: Bytes = 256 * MIB

    def __post_init__(self) -> None:
        checks.require_range("cache.ttl", self.ttl, 0)
        checks.require_range("cache.negative_ttl", self.negative_ttl, 0)
        checks.require_range("cache.max_entries", self.max_entries, 1)
        checks.require_range("cache.max_bytes", self.max_bytes, 1)


@dataclass(frozen=True, slots=True)
class DriveSettings:
    """The drive: its limits, and its URLs."""

    read_only: bool = False
    quota: Bytes | None = None
    """Bytes that the drive may hold; None: as much as the store takes."""
    infinity_limit: int = 100_000
    """Resources in the answer to a PROPFIND with Depth: infinity; 0 refuses all of them."""
    publish_quota: bool = True
    """Whether there are RFC 4331's properties at all (macOS 15.4 may stall on them)."""
    max_file_size: Bytes | None = None
    """Bytes; None: the store's limit."""
    junk: Junk = "keep"
    """What becomes of the files that desktops write beside people's own. ``hide``: they aren't
    listed. ``drop``: as well, and new ones aren't stored."""
    junk_names: tuple[str, ...] = JUNK_NAMES
    """Their names, with wildcards, in any case."""
    mount_path: str = "/"
    """The URL path of the drive's root."""
    public_origins: tuple[str, ...] = ()
    """Origins (``https://drive.example.com``) by which clients name the drive if a proxy before it
    doesn't pass on their Host header."""

    def __post_init__(self) -> None:
        checks.require_mount_path("drive.mount_path", self.mount_path)
        for origin in self.public_origins:
            checks.require_origin("drive.public_origins", origin)
        checks.require_range("drive.infinity_limit", self.infinity_limit, 0)
        checks.require_choice("drive.junk", self.junk, get_args(Junk))
        for pattern in self.junk_names:
            checks.require_name_pattern("drive.junk_names", pattern)
        if self.quota is not None:
            checks.require_range("drive.quota", self.quota, 1)
        if self.max_file_size is not None:
            checks.require_range("drive.max_file_size", self.max_file_size, 1)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The HTTP server."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: any free one."""
    tls_cert: Path | None = None
    """PEM, the full chain."""
    tls_key: Path | None = None
    threads: int = 32
    timeout: float = 60.0
    """Seconds that a connection may be silent."""
    shutdown_timeout: float = 30.0
    """Seconds that requests in progress have to finish after SIGTERM."""

    def __post_init__(self) -> None:
        checks.require_host("server.host", self.host)
        checks.require_range("server.port", self.port, 0, 65535)
        if self.tls_cert and not self.tls_key:
            reject("server.tls_cert", "needs its private key: give --tls-key as well")
        if self.tls_key and not self.tls_cert:
            reject("server.tls_key", "needs its certificate: give --tls-cert as well")
        checks.require_range("server.threads", self.threads, 1, 10_000)
        checks.require_positive("server.timeout", self.timeout)
        checks.require_range("server.shutdown_timeout", self.shutdown_timeout, 0, 86_400)


@dataclass(frozen=True, slots=True)
class User:
    """Who may log in."""

    name: str
    password_hash: str = field(repr=False)
    """argon2id (``$argon2id$…``) or bcrypt (``$2b$…``)."""

    def __post_init__(self) -> None:
        checks.require_user_name("access.users.name", self.name)
        checks.require_password_hash("access.users.password_hash", self.password_hash)


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The users and their login."""

    users: tuple[User, ...] = ()
    """Empty only where ``anonymous``."""
    anonymous: bool = False
    realm: str = "davbridge"
    insecure: bool = False
    """Whether no login, or passwords in plain HTTP, are accepted from other machines."""

    def __post_init__(self) -> None:
        if not self.realm.isascii() or not self.realm.isprintable():
            reject("access.realm", "must be ASCII without control characters")
        # macOS may send a name decomposed that was typed composed here.
        names = [normalize("NFC", user.name) for user in self.users]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            reject("access.users", f"has {twice!r} twice")
        if self.users and self.anonymous:
            reject("access.anonymous", "and users exclude each other")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log."""

    level: LogLevel = "info"
    json: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. ``s3`` is None if the embedded store is to be run, in ``embedded``."""

    s3: S3Settings | None
    embedded: Path | None = None
    cache: CacheSettings = field(default_factory=CacheSettings)
    drive: DriveSettings = field(default_factory=DriveSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    log: LogSettings = field(default_factory=LogSettings)

    def __post_init__(self) -> None:
        if (self.s3 is None) == (self.embedded is None):
            raise checks.ConfigError("choose one store: a bucket (s3), or the embedded one")
        self._require_logins()
        if not self.access.insecure and not checks.is_loopback(self.server.host):
            self._require_protection()

    def _require_logins(self) -> None:
        if not self.access.anonymous and not self.access.users:
            raise checks.ConfigError(
                "nobody could log in: choose --anonymous (no login), --user NAME with its"
                f" password in {PASSWORD_VARIABLE}, or users in a configuration file"
            )

    def _require_protection(self) -> None:
        host = self.server.host
        if self.access.anonymous:
            raise checks.ConfigError(
                f"--anonymous would let everybody who reaches {host} in: add users, listen on"
                " 127.0.0.1, or insist with --insecure"
            )
        if self.server.tls_cert is None:
            raise checks.ConfigError(
                f"passwords would cross the network in the clear on {host}: give --tls-cert and"
                " --tls-key, listen on 127.0.0.1, or insist with --insecure"
            )
