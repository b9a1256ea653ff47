"""The composition root: settings → a server that listens, over a store that answers.

The only module that names concrete layers. Owns the order in which they come up, and go down
again. Must not know the command line, nor when the end comes.

Invariants: a server that is handed out is bound, and its bucket was reached, and probed but for a
read-only drive; what came up goes
down in reverse, whatever happens in between; what can't come up raises SetupError with one line.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.parse import quote
from wsgiref.types import WSGIApplication

from davbridge import __version__
from davbridge.access.authentication import protected
from davbridge.cache import LISTINGS_AHEAD, CachedStore
from davbridge.config import S3Settings, Settings
from davbridge.dav import application
from davbridge.errors import AccessDeniedError, StoreError, StoreSetupError
from davbridge.http.access_log import AccessLog
from davbridge.http.errors import ServerSetupError
from davbridge.http.readiness import Readiness
from davbridge.http.server import HttpServer
from davbridge.store.embedded import EmbeddedStore
from davbridge.store.s3 import PART_THREADS, S3Store
from davbridge.store.s3.operations.sweep import Swept
from davbridge.store.s3.setup.bucket_check import ensure_bucket
from davbridge.store.s3.setup.client import build_client
from davbridge.tree.lanes import LANES
from davbridge.tree.markers import HEADS_AT_ONCE
from davbridge.tree.namespace import Namespace

EMBEDDED_BUCKET = "davbridge"

BACKGROUND_THREADS = PART_THREADS + LANES + HEADS_AT_ONCE + LISTINGS_AHEAD
"""Threads beside the server's that may need a connection to S3 at once: for the parts of uploads,
for copies, for HEADs of what may be directories, for listings that are read ahead."""

SWEEP_RIGHTS = (
    "s3:ListBucketMultipartUploads, s3:ListMultipartUploadParts and s3:AbortMultipartUpload"
)

_SEAWEEDFS_CLEANS = (
    "SeaweedFS removes a file that takes the name of a deleted folder, two minutes later, unless "
    "it keeps empty folders: in weed shell say  s3.bucket.allowEmptyFolders -name %s -enable"
)

_log = logging.getLogger(__name__)


class SetupError(Exception):
    """The settings are valid, but can't be had: ``str(error)`` is one line that says what to do."""


class Bridge(NamedTuple):
    """What has come up."""

    url: str
    """The drive's root."""
    serve: Callable[[], None]
    """Returns after ``stop``, once the requests under way have ended, or their time is over."""
    stop: Callable[[], None]
    """May be called from any thread, or from a signal handler."""


@contextmanager
def listening(settings: Settings, *, on_failure: Callable[[], None]) -> Iterator[Bridge]:
    """A bridge that only needs its ``serve`` called; everything below it ends with the context.

    ``on_failure`` is called, from another thread, when a layer dies without which nothing works.
    Raises SetupError.
    """

    with ExitStack() as layers:
        try:
            drive = _drive(settings, layers, on_failure)
            server = HttpServer(_application(settings, drive), settings.server)
            layers.callback(server.close)
            server.prepare()
            drive.probe()
        except (StoreSetupError, ServerSetupError) as error:
            raise SetupError(str(error)) from error
        drive.start()
        url = _drive_url(server.url, settings.drive.mount_path)
        _log.info("davbridge %s shows %s at %s", __version__, _location(settings), url)
        yield Bridge(url, server.serve, server.stop)


@contextmanager
def opened(settings: Settings) -> Iterator[Namespace]:
    """The namespace that a bridge would show, for who serves it otherwise; everything below it ends
    with the context. Raises SetupError."""
    with ExitStack() as layers:
        try:
            drive = _drive(settings, layers, lambda: None)
            drive.probe()
        except StoreSetupError as error:
            raise SetupError(str(error)) from error
        drive.start()
        yield drive.namespace


class _Drive(NamedTuple):
    """A namespace, and the store behind it, which was reached."""

    namespace: Namespace
    store: S3Store
    prefix: str
    is_writable: bool
    bucket: str | None
    """Its name, where the store is the user's own, and not the embedded one."""

    def probe(self) -> None:
        """What the store can do. Raises StoreSetupError."""
        if self.is_writable:
            self.store.probe(self.prefix)
            if self.store.is_seaweedfs and self.bucket:
                _log.warning(_SEAWEEDFS_CLEANS, self.bucket)
        else:
            _log.info("read-only: the store is not probed, and nothing is swept")

    def start(self) -> None:
        """What runs in the background, to finish or remove what bridges that died have left."""
        if self.is_writable:
            _sweep_in_background(self.store, self.prefix)
            self.namespace.recovery.start()


def sweep(settings: Settings, older_than: timedelta, *, dry_run: bool) -> Iterator[Swept]:
    """Removes what bridges that crashed have left, each as it is asked for. Raises SetupError."""
    with ExitStack() as layers:
        try:
            store, location = _store(settings, layers, lambda: None, may_create=False)
            yield from store.sweep(location.prefix, older_than, dry_run=dry_run)
        except AccessDeniedError as error:
            raise SetupError(f"{error}: grant these credentials {SWEEP_RIGHTS}") from error
        except StoreError as error:
            raise SetupError(str(error)) from error


def _sweep_in_background(store: S3Store, prefix: str) -> None:
    """The drive needn't wait for it, and it takes care of its own failures."""
    sweep_uploads = partial(store.abort_stale_uploads, prefix)
    Thread(target=sweep_uploads, name="davbridge-sweep", daemon=True).start()


def _drive(settings: Settings, layers: ExitStack, on_failure: Callable[[], None]) -> _Drive:
    """Reaches the store, and makes its bucket if need be. Raises StoreSetupError."""
    is_writable = not settings.drive.read_only
    store, location = _store(settings, layers, on_failure, may_create=is_writable)
    namespace = _namespace(settings, store, location.prefix, layers)
    bucket = location.bucket if settings.s3 else None
    return _Drive(namespace, store, location.prefix, is_writable, bucket)


def _namespace(settings: Settings, store: S3Store, prefix: str, layers: ExitStack) -> Namespace:
    cached = CachedStore(store, settings.cache)
    layers.callback(cached.close)
    namespace = Namespace(
        cached,
        uncached=store,
        prefix=prefix,
        max_file_size=settings.drive.max_file_size,
        quota=settings.drive.quota,
    )
    layers.callback(namespace.close)
    return namespace


def _store(
    settings: Settings, layers: ExitStack, on_failure: Callable[[], None], *, may_create: bool
) -> tuple[S3Store, S3Settings]:
    """The bucket, which was reached, and where it is."""
    s3 = settings.s3
    if s3 is None:
        assert settings.embedded is not None  # Settings sees to it that there is one store
        s3 = _embedded(settings.embedded, layers, on_failure)
    if ensure_bucket(s3, may_create=may_create or settings.s3 is None).created and settings.s3:
        _log.info("the bucket %s did not exist, and was made", s3.bucket)
    client = build_client(s3, pool_size=settings.server.threads + BACKGROUND_THREADS)
    layers.callback(client.close)
    store = S3Store(client, s3.bucket, max_object_size=s3.max_object_size)
    layers.callback(store.close)
    return store, s3


def _embedded(directory: Path, layers: ExitStack, on_failure: Callable[[], None]) -> S3Settings:
    """How the embedded store is reached, once it runs."""
    store = layers.enter_context(
        EmbeddedStore.start(directory, on_death=lambda _message: on_failure())
    )
    return S3Settings(
        bucket=EMBEDDED_BUCKET,
        endpoint_url=store.endpoint_url,
        region=store.region,
        addressing="path",
        access_key=store.access_key,
        secret_key=store.secret_key,
    )


def _application(settings: Settings, drive: _Drive) -> WSGIApplication:
    """From the wire inwards: what is ready, what is logged, who may, what is done."""
    methods = application.build(drive.namespace, settings.drive)
    guard = protected(methods, settings.access, settings.drive.public_origins)
    return Readiness(AccessLog(guard), drive.store.look)


def _drive_url(server_url: str, mount_path: str) -> str:
    path = mount_path.strip("/")
    return f"{server_url}{quote(path)}/" if path else server_url


def _location(settings: Settings) -> str:
    if settings.s3 is None:
        return f"the embedded store in {settings.embedded}"
    location = f"s3://{settings.s3.bucket}/{settings.s3.prefix}"
    return f"{location} of {settings.s3.endpoint_url}" if settings.s3.endpoint_url else location
