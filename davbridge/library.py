"""``davbridge.open_provider`` and ``davbridge.open_store``, for other programs.

Both work as ``davbridge serve`` does: with the same cache, and the same recovery of interrupted
operations.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from davbridge import app
from davbridge.config import (
    AccessSettings,
    Addressing,
    CacheSettings,
    CannedAcl,
    CopiedAttribute,
    DriveSettings,
    Encryption,
    Junk,
    S3Settings,
    ServerSettings,
    Settings,
    parse_place,
)
from davbridge.dav.provider import BucketProvider
from davbridge.filestore import FileStore


class Options(TypedDict, total=False):
    """How a bucket is reached and shown. All are optional; the defaults are those of the
    configuration file."""

    endpoint_url: str | None
    """The endpoint of a store that isn't AWS."""
    region: str | None
    addressing: Addressing
    profile: str | None
    """The profile of the AWS configuration."""
    access_key: str | None
    secret_key: str | None
    """Without keys, the credentials come from AWS's usual chain."""
    storage_class: str | None
    """Of files that are written."""
    encryption: Encryption | None
    kms_key_id: str | None
    bucket_key: bool
    acl: CannedAcl | None
    copy_without: tuple[CopiedAttribute, ...]
    """What copies need not keep."""
    cache_ttl: float
    """Seconds until another program's changes to the bucket are seen; 0: no cache."""
    negative_ttl: float
    """Seconds for which it is cached that nothing is at a name."""
    read_only: bool
    quota: int | None
    """Bytes that may be stored."""
    publish_quota: bool
    """Whether clients see the quota and the used bytes."""
    max_file_size: int | None
    """Bytes."""
    junk: Junk
    """What becomes of the files that desktops write beside people's own."""
    junk_names: tuple[str, ...]
    """Patterns of their names."""
    threads: int
    """How many requests are served at once. There are so many connections to the store, and some
    more for work in the background."""


@contextmanager
def open_provider(place: str, **options: Unpack[Options]) -> Iterator[BucketProvider]:
    """A DAVProvider over ``BUCKET`` or ``BUCKET/PREFIX``, for a WsgiDAVApp.

    Creates the bucket if it doesn't exist. Raises SetupError where the store can't be used, and
    ConfigError for an invalid option; each says in one line what to do.
    """
    settings = _settings(place, options)
    with app.opened(settings) as namespace:
        yield BucketProvider(namespace, settings.drive)


@contextmanager
def open_store(place: str, **options: Unpack[Options]) -> Iterator[FileStore]:
    """The files of ``BUCKET`` or ``BUCKET/PREFIX``. As `open_provider`."""
    with app.opened(_settings(place, options)) as namespace:
        yield FileStore(namespace)


def _settings(place: str, options: Options) -> Settings:
    bucket, prefix = parse_place(place)
    sections: dict[str, dict[str, Any]] = {"s3": {"bucket": bucket, "prefix": prefix}}
    for name, value in options.items():
        section, setting = _SETTINGS.get(name, ("s3", name))
        sections.setdefault(section, {})[setting] = value
    return Settings(
        s3=S3Settings(**sections["s3"]),
        cache=CacheSettings(**sections.get("cache", {})),
        drive=DriveSettings(**sections.get("drive", {})),
        server=ServerSettings(**sections.get("server", {})),
        access=AccessSettings(anonymous=True),  # Logins are up to the program.
    )


_SETTINGS = {
    "cache_ttl": ("cache", "ttl"),
    "negative_ttl": ("cache", "negative_ttl"),
    "read_only": ("drive", "read_only"),
    "quota": ("drive", "quota"),
    "publish_quota": ("drive", "publish_quota"),
    "max_file_size": ("drive", "max_file_size"),
    "junk": ("drive", "junk"),
    "junk_names": ("drive", "junk_names"),
    "threads": ("server", "threads"),
}
"""The section and name, among the settings, of the options that aren't in the section s3."""
