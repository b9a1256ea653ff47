"""HTTP Basic (RFC 7617) as WSGI middleware. Puts the user's name into REMOTE_USER.

Invariants:
- Every method needs a login, OPTIONS as well: Windows first asks without one, and then with one.
- A header that isn't well-formed is a 401, never a 500.
- A login that isn't verified now is a 429 if its address must wait because logins failed, and a 503
  if all must wait. Both have a Retry-After (RFC 6585 §4).
- The application runs only with REMOTE_USER set. It is empty for an anonymous user.
"""

import base64
import binascii
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from davbridge.access.logins import Logins
from davbridge.access.throttle import ThrottledError
from davbridge.access.verification import TooManyLoginsError
from davbridge.config import AccessSettings

ANONYMOUS = ""

MAX_AUTHORIZATION = 4096
"""Characters of the header. No password is longer. Normalising text to NFC may take quadratic
time, which nobody may cause before the login."""

_BODY = b"Log in with a user name and a password.\n"
_BUSY = b"Too many logins at once: try again.\n"
_RETRY = ("Retry-After", "1")
_THROTTLED = b"Too many logins failed: try again later, with the same name and password.\n"


class BasicAuth:
    """Passes requests with a valid login to ``app``, or all if the drive is anonymous."""

    def __init__(self, app: WSGIApplication, settings: AccessSettings, logins: Logins) -> None:
        self._app = app
        self._is_anonymous = settings.anonymous
        self._logins = logins
        self._challenge = f'Basic realm={_quoted(settings.realm)}, charset="UTF-8"'

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            user = self._user(environ)
        except TooManyLoginsError:
            return _answer(start_response, "503 Service Unavailable", _RETRY, _BUSY)
        except ThrottledError as error:
            retry = ("Retry-After", str(error.seconds))
            return _answer(start_response, "429 Too Many Requests", retry, _THROTTLED)
        if user is None:
            challenge = ("WWW-Authenticate", self._challenge)
            return _answer(start_response, "401 Unauthorized", challenge, _BODY)
        environ["REMOTE_USER"] = user
        return self._app(environ, start_response)

    def _user(self, environ: WSGIEnvironment) -> str | None:
        """The user's name; None if there is no valid login."""
        if self._is_anonymous:
            return ANONYMOUS
        login = parse_authorization(environ.get("HTTP_AUTHORIZATION", ""))
        address = environ.get("REMOTE_ADDR", "")
        return self._logins.identify(*login, address) if login else None


def _answer(
    start_response: StartResponse, status: str, header: tuple[str, str], body: bytes
) -> Iterable[bytes]:
    headers = [
        header,
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
    ]
    start_response(status, headers)
    return [body]


def parse_authorization(value: str) -> tuple[str, str] | None:
    """Name and password of an Authorization header; None if it isn't well-formed Basic."""
    scheme, _, encoded = value.strip().partition(" ")
    if scheme.lower() != "basic" or len(value) > MAX_AUTHORIZATION:
        return None
    try:
        text = _decoded(base64.b64decode(encoded.strip(), validate=True))
    except (binascii.Error, ValueError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None


def _decoded(login: bytes) -> str:
    """RFC 7617 §2.1 lets a server ask for UTF-8, and clients ignore it. Windows, GNOME, okhttp and
    npm's webdav send ISO-8859-1 or Windows-1252, which differ in control characters only. Raises
    ValueError."""
    try:
        return login.decode()
    except UnicodeDecodeError:
        return login.decode("cp1252")


def _quoted(realm: str) -> str:
    return '"' + realm.replace("\\", "\\\\").replace('"', '\\"') + '"'
