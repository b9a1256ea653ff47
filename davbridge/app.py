"""The composition root: settings → a server that listens, over a store that answers.

The only module that names concrete layers. It starts them in order, and stops them in reverse.

Invariants: a bridge is bound to its port, and its bucket was reached, and probed unless the drive
is read-only. Whatever was started is stopped, whatever happens. What can't be started raises
SetupError with one line.
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
from davbridge.access.logins import Logins
from davbridge.cache import LISTINGS_AHEAD, CachedStore
from davbridge.config import LARGEST_OBJECT, S3Settings, Settings
from davbridge.dav import application
from davbridge.errors import AccessDeniedError, StoreError, StoreSetupError
from davbridge.http.errors import ServerSetupError
from davbridge.http.middleware.access_log import AccessLog
from davbridge.http.middleware.readiness import Readiness
from davbridge.http.server import HttpServer
from davbridge.store.embedded import EmbeddedStore
from davbridge.store.limits import MAX_OBJECT_SIZE
from davbridge.store.s3 import PART_THREADS, S3Store
from davbridge.store.s3.bucket.new_objects import NewObjects
from davbridge.store.s3.object_requests.sweep import Swept
from davbridge.store.s3.setup.bucket_check import ensure_bucket
from davbridge.store.s3.setup.client import build_client, is_aws
from davbridge.tree.drive import open_namespace
from davbridge.tree.listing.markers import PARALLEL_HEADS
from davbridge.tree.namespace import Namespace
from davbridge.tree.steps.parallel_requests import MAX_PARALLEL_REQUESTS

EMBEDDED_BUCKET = "davbridge"

BACKGROUND_THREADS = PART_THREADS + MAX_PARALLEL_REQUESTS + PARALLEL_HEADS + LISTINGS_AHEAD
"""Threads, in addition to the server's, that may need a connection to S3 at the same time: for
parts of uploads, copies, HEADs of possible directory markers, and listings that are read ahead."""

SWEEP_RIGHTS = (
    "s3:ListBucketMultipartUploads, s3:ListMultipartUploadParts and s3:AbortMultipartUpload"
)

_SEAWEEDFS_CLEANS = (
    "SeaweedFS removes a file that takes the name of a deleted folder, two minutes later, unless "
    "it keeps empty folders: in weed shell say  s3.bucket.allowEmptyFolders -name %s -enable"
)

_log = logging.getLogger(__name__)


class SetupError(Exception):
    """The settings are valid, but can't be met. ``str(error)`` is one line that says what to do."""


class Bridge(NamedTuple):
    """A running bridge."""

    url: str
    """The URL of the drive's root."""
    serve: Callable[[], None]
    """Serves until ``stop`` is called, and the requests in progress have ended or timed out."""
    stop: Callable[[], None]
    """May be called from any thread, or from a signal handler."""
    reload: Callable[[Settings], None]
    """Takes the users of these settings, and reads the certificate again. Raises SetupError: then
    nothing has changed."""


@contextmanager
def listening(settings: Settings, *, on_failure: Callable[[], None]) -> Iterator[Bridge]:
    """Starts a bridge, whose ``serve`` is to be called. Everything else is stopped with the
    context.

    ``on_failure`` is called, from another thread, if the embedded store dies. Raises SetupError.
    """
    with ExitStack() as layers:
        try:
            drive = _drive(settings, layers, on_failure)
            logins = Logins(settings.access.users)
            server = HttpServer(_application(settings, drive, logins), settings.server)
            layers.callback(server.close)
            server.prepare()
            drive.probe()
        except (StoreSetupError, ServerSetupError) as error:
            raise SetupError(str(error)) from error
        drive.start()
        url = _drive_url(server.url, settings.drive.mount_path)
        _log.info("davbridge %s shows %s at %s", __version__, _location(settings), url)
        yield Bridge(url, server.serve, server.stop, partial(_reload, server, logins))


def _reload(server: HttpServer, logins: Logins, settings: Settings) -> None:
    try:
        server.reload_certificate()
    except ServerSetupError as error:
        raise SetupError(str(error)) from error
    logins.replace_users(settings.access.users)


@contextmanager
def opened(settings: Settings) -> Iterator[Namespace]:
    """The namespace of a bridge, without a server. Everything below it is stopped with the
    context. Raises SetupError."""
    with ExitStack() as layers:
        try:
            drive = _drive(settings, layers, lambda: None)
            drive.probe()
        except StoreSetupError as error:
            raise SetupError(str(error)) from error
        drive.start()
        yield drive.namespace


class _Drive(NamedTuple):
    """A namespace, and its store, which was reached."""

    namespace: Namespace
    store: S3Store
    prefix: str
    is_writable: bool
    bucket: str | None
    """The name of the bucket; None for the embedded store."""

    def probe(self) -> None:
        """Finds out what the store can do. Raises StoreSetupError."""
        if self.is_writable:
            self.store.probe(self.prefix)
            if self.store.is_seaweedfs and self.bucket:
                _log.warning(_SEAWEEDFS_CLEANS, self.bucket)
        else:
            self.store.compare_etags(self.prefix)
            _log.info("read-only: the store is not probed, and nothing is swept")

    def start(self) -> None:
        """Starts the background work that finishes or removes what crashed bridges have left."""
        if self.is_writable:
            _sweep_in_background(self.store, self.prefix)
            self.namespace.journal_scanner.start()


def sweep(settings: Settings, older_than: timedelta, *, dry_run: bool) -> Iterator[Swept]:
    """Removes what crashed bridges have left, one item for each step of the iterator. Raises
    SetupError."""
    with ExitStack() as layers:
        try:
            store, s3 = _store(settings, layers, lambda: None, may_create=False)
            yield from store.sweep(s3.prefix, older_than, dry_run=dry_run)
        except AccessDeniedError as error:
            raise SetupError(f"{error}: grant these credentials {SWEEP_RIGHTS}") from error
        except StoreError as error:
            raise SetupError(str(error)) from error


def _sweep_in_background(store: S3Store, prefix: str) -> None:
    """The sweep handles its own failures."""
    sweep_uploads = partial(store.abort_stale_uploads, prefix)
    Thread(target=sweep_uploads, name="davbridge-sweep", daemon=True).start()


def _drive(settings: Settings, layers: ExitStack, on_failure: Callable[[], None]) -> _Drive:
    """Reaches the store, and creates its bucket if needed. Raises StoreSetupError."""
    is_writable = not settings.drive.read_only
    store, s3 = _store(settings, layers, on_failure, may_create=is_writable)
    namespace = _namespace(settings, store, s3.prefix, layers)
    bucket = s3.bucket if settings.s3 else None
    return _Drive(namespace, store, s3.prefix, is_writable, bucket)


def _namespace(settings: Settings, store: S3Store, prefix: str, layers: ExitStack) -> Namespace:
    cached = CachedStore(store, settings.cache)
    layers.callback(cached.close)
    namespace = open_namespace(settings.drive, cached, uncached=store, prefix=prefix)
    layers.callback(namespace.close)
    return namespace


def _store(
    settings: Settings, layers: ExitStack, on_failure: Callable[[], None], *, may_create: bool
) -> tuple[S3Store, S3Settings]:
    """The store, which was reached, and its settings."""
    s3 = settings.s3
    if s3 is None:
        assert settings.embedded is not None  # Settings makes sure that there is one store
        s3 = _embedded(settings.embedded, layers, on_failure)
    if ensure_bucket(s3, may_create=may_create or settings.s3 is None).created and settings.s3:
        _log.info("the bucket %s did not exist, and was made", s3.bucket)
    client = build_client(s3, pool_size=settings.server.threads + BACKGROUND_THREADS)
    layers.callback(client.close)
    largest = LARGEST_OBJECT if is_aws(client.meta.endpoint_url) else MAX_OBJECT_SIZE
    store = S3Store(
        client,
        s3.bucket,
        max_object_size=s3.max_object_size or largest,
        new_objects=NewObjects.of(s3),
        copy_without=s3.copy_without,
    )
    layers.callback(store.close)
    return store, s3


def _embedded(directory: Path, layers: ExitStack, on_failure: Callable[[], None]) -> S3Settings:
    """Starts the embedded store. Returns the settings that reach it."""
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


def _application(settings: Settings, drive: _Drive, logins: Logins) -> WSGIApplication:
    """The WSGI application, from the outside in: readiness, access log, login, WebDAV."""
    methods = application.build(drive.namespace, settings.drive)
    with_login = protected(methods, settings.access, settings.drive.public_origins, logins)
    return Readiness(AccessLog(with_login), drive.store.look)


def _drive_url(server_url: str, mount_path: str) -> str:
    path = mount_path.strip("/")
    return f"{server_url}{quote(path)}/" if path else server_url


def _location(settings: Settings) -> str:
    if settings.s3 is None:
        return f"the embedded store in {settings.embedded}"
    location = f"s3://{settings.s3.bucket}/{settings.s3.prefix}"
    return f"{location} of {settings.s3.endpoint_url}" if settings.s3.endpoint_url else location
