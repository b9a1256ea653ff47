"""davbridge: your S3 buckets as a network drive.

Requests pass the packages from top to bottom, and imports go downwards only::

    __main__.py      ``python -m davbridge`` and the console script
    cli.py           argv → config → app; exit codes; the only module that prints
    arguments.py     the command line's options
    app.py           composition root: the only module that names concrete layers
    library.py       open_provider and open_store, for other programs
    filestore.py     what open_store returns: files and folders by path, without WebDAV
    http/            HTTP/1.1: connections (cheroot's accept loop), TLS, strict parsing, threads
    access/          users and their logins
    dav/             RFC 4918 on WsgiDAV: provider, methods, locks; StoreError → status
    tree/            a namespace of collections and members over flat keys
    cache/           CachedStore: an ObjectStore that wraps an ObjectStore
    store/           the ObjectStore protocol; S3, memory (the reference), embedded SeaweedFS
    logs.py          log records → lines on stderr
    config/          frozen settings from TOML, environment and flags
    paths.py         resource path ↔ key
    deadline.py      until when the requests of an operation may have an effect
    single_flight.py a call that several threads want is made once
    waiting.py       how a thread reports that it only waits
    clock.py         the time of day, and a monotonic clock
    addresses.py     which client addresses count as one client
    xmltext.py       text in XML: valid characters, escaping
    errors.py        the StoreError tree; knows neither HTTP nor botocore

In a program of one's own::

    with davbridge.open_provider("bucket/prefix", region="eu-central-1") as provider:
        app = WsgiDAVApp({"provider_mapping": {"/s3": provider}, ...})

    with davbridge.open_store("bucket/prefix", region="eu-central-1") as store:
        store.get_bulk_metadata("/photos")

Each of these names is imported when it is first used, because the command line needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from davbridge.app import SetupError
    from davbridge.config import ConfigError
    from davbridge.dav.provider import BucketProvider
    from davbridge.errors import StoreError
    from davbridge.filestore import FileStore
    from davbridge.library import open_provider, open_store

__all__ = [
    "BucketProvider",
    "ConfigError",
    "FileStore",
    "SetupError",
    "StoreError",
    "__version__",
    "open_provider",
    "open_store",
]

__version__ = "0.1.0"

_HOMES = {
    "BucketProvider": "davbridge.dav.provider",
    "ConfigError": "davbridge.config",
    "FileStore": "davbridge.filestore",
    "SetupError": "davbridge.app",
    "StoreError": "davbridge.errors",
    "open_provider": "davbridge.library",
    "open_store": "davbridge.library",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
