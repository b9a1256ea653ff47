"""davbridge in one's own program: a bucket as a WsgiDAV provider, or as a store of files.

Owns the arguments of ``davbridge.open_provider`` and ``davbridge.open_store``. What they open is
what ``davbridge serve`` would serve: the same cache, the same recovery of what was interrupted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from davbridge import app
from davbridge.config import (
    AccessSettings,
    Addressing,
    CacheSettings,
    DriveSettings,
    S3Settings,
    ServerSettings,
    Settings,
    parse_place,
)
from davbridge.dav.provider import BucketProvider
from davbridge.filestore import FileStore


class Options(TypedDict, total=False):
    """How a bucket is reached and shown. All are optional; what is left out is as in the
    configuration file's reference."""

    endpoint_url: str | None
    """Of a store that isn't AWS."""
    region: str | None
    addressing: Addressing
    profile: str | None
    """Of the AWS configuration."""
    access_key: str | None
    secret_key: str | None
    """Without keys, the usual AWS chain has the credentials."""
    cache_ttl: float
    """Seconds until what another program changed in the bucket is seen; 0: no cache."""
    negative_ttl: float
    """Seconds that an absent name is believed absent."""
    read_only: bool
    quota: int | None
    """Bytes that may be stored."""
    publish_quota: bool
    """Whether clients are told of the quota and the used bytes."""
    max_file_size: int | None
    """Bytes."""
    threads: int
    """How many requests are served at once: so many connections to the store are kept ready, and
    some more for what goes on beside them."""


@contextmanager
def open_provider(place: str, **options: Unpack[Options]) -> Iterator[BucketProvider]:
    """A DAVProvider over ``BUCKET`` or ``BUCKET/PREFIX``, to be mounted in a WsgiDAVApp.

    The bucket is made if it doesn't exist. Raises SetupError where the store can't be used, and
    ConfigError for an option that makes no sense; each says in one line what to do.
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
        access=AccessSettings(anonymous=True),  # Whoever mounts it asks for logins.
    )


_SETTINGS = {
    "cache_ttl": ("cache", "ttl"),
    "negative_ttl": ("cache", "negative_ttl"),
    "read_only": ("drive", "read_only"),
    "quota": ("drive", "quota"),
    "publish_quota": ("drive", "publish_quota"),
    "max_file_size": ("drive", "max_file_size"),
    "threads": ("server", "threads"),
}
"""The options that aren't S3's, with the section and name that they have among the settings."""
