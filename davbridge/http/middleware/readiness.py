"""Whether the bridge can serve: the URL that load balancers and orchestrators ask.

The URL is the same whatever the mount path, needs no login, and isn't logged. It answers 200 while
the store can be used, and 503 while it can't.

No request waits for the store here, because a hanging store would then take thread after thread.
The answer is the result of the last check. If that is old, the request also starts the next check,
in a thread of its own. A check that doesn't end counts as failed.
"""

import threading
import time
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/.davbridge/ready"

CHECK_INTERVAL_SECONDS = 5.0
"""Between two checks. Each is a request to the store."""

CHECK_TIMEOUT_SECONDS = 10.0
"""After which a check that hasn't ended counts as failed."""


class Readiness:
    """WSGI middleware. ``check`` asks the store, and may take long. It returns why the store
    can't be used, or an empty string if it can."""

    def __init__(
        self,
        app: WSGIApplication,
        check: Callable[[], str],
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._check_store = check
        self._timer = timer
        self._lock = threading.Lock()
        self._problem = ""
        self._is_checking = False
        self._began_at = -CHECK_INTERVAL_SECONDS

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._app(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer(start_response, "405 Method Not Allowed", [("Allow", "GET, HEAD")])
        if self.is_ready():
            return _answer(start_response, "200 OK")
        return _answer(start_response, "503 Service Unavailable", [("Retry-After", "5")])

    def is_ready(self) -> bool:
        """The result of the last check. Never waits."""
        with self._lock:
            age = self._timer() - self._began_at
            if self._is_checking:
                return age < CHECK_TIMEOUT_SECONDS and not self._problem
            if age >= CHECK_INTERVAL_SECONDS:
                self._start_check()
            return not self._problem

    def _start_check(self) -> None:
        self._began_at = self._timer()
        try:
            threading.Thread(target=self._check, name="davbridge-ready", daemon=True).start()
        except (RuntimeError, MemoryError):
            return  # no thread can be started: the next check is due as usual
        self._is_checking = True

    def _check(self) -> None:
        problem = "the check failed"
        try:
            problem = self._check_store()
        finally:
            with self._lock:
                self._problem, self._is_checking = problem, False


def _answer(
    start_response: StartResponse, status: str, headers: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = f"{status.partition(' ')[2]}\n".encode()
    fields = [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]
    start_response(status, [*fields, ("Content-Length", str(len(body))), *headers])
    return [body]
