"""The request server: from WSGI to a method, and from what was raised to an answer.

Invariants: every request gets exactly one response, or its connection is broken. An internal error
is logged in full, and the client gets one line.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus

from davbridge.dav import mount_ancestors
from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError, refusal_of, status_line
from davbridge.dav.idempotency import REPEATABLE_METHODS, RepeatedRequests
from davbridge.dav.locking.locks import LockStore
from davbridge.dav.methods.copy_move import copy, move
from davbridge.dav.methods.delete import delete
from davbridge.dav.methods.get import get
from davbridge.dav.methods.lock import lock, unlock
from davbridge.dav.methods.mkcol import mkcol
from davbridge.dav.methods.options import READING, allow_header, options
from davbridge.dav.methods.propfind import propfind
from davbridge.dav.methods.proppatch import proppatch
from davbridge.dav.methods.put import put
from davbridge.dav.provider import BucketProvider
from davbridge.dav.request import DavRequest, Environ
from davbridge.dav.response import Response, complete, document
from davbridge.errors import StoreError

logger = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Method = Callable[[Context], Response]

METHODS: Mapping[str, Method] = {
    "OPTIONS": options,
    "GET": get,
    "HEAD": get,
    "PROPFIND": propfind,
    "PUT": put,
    "DELETE": delete,
    "MKCOL": mkcol,
    "COPY": copy,
    "MOVE": move,
    "PROPPATCH": proppatch,
    "LOCK": lock,
    "UNLOCK": unlock,
}


class RequestServer:
    """A WSGI application for one mount."""

    def __init__(self, provider: BucketProvider, locks: LockStore) -> None:
        self._provider = provider
        self._locks = locks
        self._repeated_requests = RepeatedRequests()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = DavRequest(environ, self._provider.site)
        response = self._respond(request)
        try:
            start_response(status_line(response.status), response.headers)
        except BaseException:
            response.close()
            raise
        if request.method == "HEAD":
            response.close()
            return [b""]
        return response.body

    def _respond(self, request: DavRequest) -> Response:
        try:
            if request.site.resolve(request.url_path) is None:
                read_only = self._provider.is_readonly()
                return mount_ancestors.answer(request, request.url_path, read_only=read_only)
            return self._answer(request)
        except RefusalError as refusal:
            return self._refuse(request, refusal)
        except StoreError as error:
            return self._refuse(request, self._logged(request, error))
        except Exception:  # A bug, here or in a library: the client gets an answer nevertheless.
            logger.exception("%s %s failed", request.method, request.environ["REQUEST_URI"])
            return self._refuse(request, RefusalError(500, "something went wrong; see the log"))

    def _answer(self, request: DavRequest) -> Response:
        method = self._method(request)
        context = Context(request, self._provider, self._locks)
        if request.method in REPEATABLE_METHODS:
            return self._repeated_requests.answer(request, partial(method, context))
        return method(context)

    def _logged(self, request: DavRequest, error: StoreError) -> RefusalError:
        """The answer to ``error``, which is logged in full; the store's faults as warnings."""
        refusal = refusal_of(error)
        level = logging.WARNING if refusal.status >= 500 else logging.INFO
        logger.log(level, "%s %s: %s", request.method, request.environ["REQUEST_URI"], error)
        return refusal

    def _method(self, request: DavRequest) -> Method:
        method = METHODS.get(request.method)
        if method is None:
            raise RefusalError(501, f"{request.method} is not a method of WebDAV")
        if self._provider.is_readonly() and request.method not in READING:
            raise RefusalError(403, "the drive is read-only")
        return method

    def _refuse(self, request: DavRequest, refusal: RefusalError) -> Response:
        headers = list(refusal.headers)
        if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED and not headers:
            headers.append(allow_header(read_only=self._provider.is_readonly()))
        if element := refusal.error_element():
            return document(refusal.status, element, headers)
        text = f"{refusal.message}\n".encode()
        return complete(refusal.status, "text/plain; charset=utf-8", text, headers)
