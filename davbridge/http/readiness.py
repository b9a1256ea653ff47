"""Whether the bridge is of use: what a load balancer or an orchestrator asks.

Owns one URL, whatever the mount, which is answered without a login and logs nothing: 200 while the
store can be used, 503 while it can't. Must not know what the store is.

Nobody waits for the store here, else a silent one would take thread after thread. The answer is
what the last look has found, and asking for it begins the next look, if the last one is old. A look
that doesn't come to its end is an answer as well.
"""

import threading
import time
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/.davbridge/ready"

LOOK_SECONDS = 5.0
"""Between two looks, which are a request to the store each."""

SILENT_SECONDS = 10.0
"""After which a look that hasn't ended means that the store is silent."""


class Readiness:
    """Wraps a whole application. ``look`` asks the store, and says why it can't be used; it returns
    an empty text where it can, and may take its time."""

    def __init__(
        self,
        app: WSGIApplication,
        look: Callable[[], str],
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._ask = look
        self._timer = timer
        self._lock = threading.Lock()
        self._trouble = ""
        self._is_looking = False
        self._began_at = -LOOK_SECONDS

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._app(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer(start_response, "405 Method Not Allowed", [("Allow", "GET, HEAD")])
        if self.is_ready():
            return _answer(start_response, "200 OK")
        return _answer(start_response, "503 Service Unavailable", [("Retry-After", "5")])

    def is_ready(self) -> bool:
        """As far as is known. Never waits."""
        with self._lock:
            age = self._timer() - self._began_at
            if self._is_looking:
                return age < SILENT_SECONDS and not self._trouble
            if age >= LOOK_SECONDS:
                self._begin()
            return not self._trouble

    def _begin(self) -> None:
        self._began_at = self._timer()
        try:
            threading.Thread(target=self._look, name="davbridge-ready", daemon=True).start()
        except (RuntimeError, MemoryError):
            return  # no thread is to be had: the next look is due as ever
        self._is_looking = True

    def _look(self) -> None:
        trouble = "the look failed"
        try:
            trouble = self._ask()
        finally:
            with self._lock:
                self._trouble, self._is_looking = trouble, False


def _answer(
    start_response: StartResponse, status: str, headers: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = f"{status.partition(' ')[2]}\n".encode()
    fields = [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]
    start_response(status, [*fields, ("Content-Length", str(len(body))), *headers])
    return [body]
