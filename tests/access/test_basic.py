"""HTTP Basic: every request is somebody's, and no header can break it."""

import base64
import unicodedata
from collections.abc import Iterable
from typing import Any

import bcrypt
import pytest

from davbridge.access import passwords
from davbridge.access.basic import MAX_AUTHORIZATION, BasicAuth
from davbridge.access.logins import Logins
from davbridge.access.throttle import PAIR, ThrottledError
from davbridge.access.verification import TooManyLoginsError
from davbridge.config import AccessSettings, User
from tests.support.wire import RawClient, serving

USERS = (
    User("anna", bcrypt.hashpw(b"se:cret", bcrypt.gensalt(4)).decode()),
    User("Jürgen", bcrypt.hashpw("Grüße".encode(), bcrypt.gensalt(4)).decode()),
    User("paul", bcrypt.hashpw("5 €".encode(), bcrypt.gensalt(4)).decode()),
)


def basic(text: str | bytes, scheme: str = "Basic") -> str:
    data = text.encode() if isinstance(text, str) else text
    return f"{scheme} {base64.b64encode(data).decode()}"


class Asked:
    """BasicAuth asked once: what it answered, and what reached the application behind it."""

    def __init__(
        self, settings: AccessSettings, authorization: str | None = None, method: str = "GET"
    ) -> None:
        self.environ: dict[str, Any] | None = None
        environ = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
        if authorization is not None:
            environ["HTTP_AUTHORIZATION"] = authorization
        self.body = b"".join(
            BasicAuth(self._app, settings, Logins(settings.users))(environ, self._start)
        )

    def _app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.environ = environ
        start_response("200 OK", [])
        return [b"in"]

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status = status
        self.headers = dict(headers)

    @property
    def user(self) -> object:
        """Who the application was told is asking; an error where it was not asked."""
        assert self.environ is not None, self.status
        return self.environ["REMOTE_USER"]


LOGIN = AccessSettings(users=USERS)


@pytest.mark.parametrize(
    ("authorization", "user"),
    [
        (basic("anna:se:cret"), "anna"),
        (basic("anna:se:cret", "bAsIc"), "anna"),
        ("  " + basic("anna:se:cret", "Basic  ") + " ", "anna"),
        (basic("Jürgen:Grüße"), "Jürgen"),
        (basic(unicodedata.normalize("NFD", "Jürgen:Grüße")), "Jürgen"),
        (basic("Jürgen:Grüße".encode("latin-1")), "Jürgen"),
        (basic("paul:5 €".encode("cp1252")), "paul"),
    ],
)
def test_a_right_login_reaches_the_application_with_the_user_s_name(
    authorization: str, user: str
) -> None:
    asked = Asked(LOGIN, authorization)
    assert asked.user == user
    assert asked.body == b"in"


REFUSED = {
    "none": None,
    "empty": "",
    "scheme alone": "Basic",
    "scheme and blank": "Basic ",
    "wrong password": basic("anna:secret"),
    "no password": basic("anna:"),
    "unknown user": basic("nobody:se:cret"),
    "no name": basic(":se:cret"),
    "no colon": basic("anna"),
    "no base64": "Basic !!!",
    "bad padding": "Basic YW5uYQ=",
    "base64 with noise": "Basic YW5u#YTpzZTpjcmV0",
    "no text": basic(b"anna:se:cret\x81"),
    "another code page": basic("Jürgen:Grüße".encode("cp437")),
    "not ASCII": "Basic J\xfcrgen",
    "NUL": basic("anna\0:se:cret"),
    "another scheme": "Bearer YW5uYTpzZTpjcmV0",
    "Digest": 'Digest username="anna", nonce="", response=""',
    "no scheme": "YW5uYTpzZTpjcmV0",
    "two headers in one": basic("anna:se:cret") + ", " + basic("anna:se:cret"),
    "huge": basic("anna:" + "x" * 40_000),
}


@pytest.mark.parametrize("authorization", REFUSED.values(), ids=REFUSED.keys())
def test_a_request_without_a_right_login_is_a_401_with_a_challenge(
    authorization: str | None,
) -> None:
    """RFC 9110 §11.6.1; RFC 7617 §2."""
    asked = Asked(LOGIN, authorization)
    assert asked.environ is None
    assert asked.status == "401 Unauthorized"
    assert asked.headers["WWW-Authenticate"] == 'Basic realm="davbridge", charset="UTF-8"'
    assert asked.headers["Content-Length"] == str(len(asked.body))


@pytest.mark.parametrize("count", [10, 1000, 12_000])
@pytest.mark.parametrize("form", ["%s:x", "anna:%s"])
def test_a_login_of_combining_marks_is_brought_into_order_only_where_it_is_short(
    form: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their canonical order takes time in the square of their number."""
    ordered: list[int] = []

    def counted(text: str) -> str:
        ordered.append(len(text))
        return unicodedata.normalize("NFC", text)

    login = form % ("\u0301" * (count // 2) + "\u0316" * (count // 2))
    monkeypatch.setattr(passwords, "prepared", counted)
    assert Asked(LOGIN, basic(login)).status == "401 Unauthorized"
    assert (count in ordered) == (len(basic(login)) <= MAX_AUTHORIZATION)
    assert max(ordered) < MAX_AUTHORIZATION


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PROPFIND", "PUT", "NONSENSE"])
def test_every_method_needs_a_login(method: str) -> None:
    assert Asked(LOGIN, method=method).status == "401 Unauthorized"


@pytest.mark.parametrize(
    ("error", "status", "seconds"),
    [
        (TooManyLoginsError(), "503 Service Unavailable", "1"),
        (ThrottledError(16.2), "429 Too Many Requests", "17"),
    ],
)
def test_a_login_that_is_not_verified_now_is_asked_to_come_again(
    error: Exception, status: str, seconds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Logins, "identify", refuse)
    asked = Asked(LOGIN, basic("anna:se:cret"))
    assert asked.environ is None
    assert asked.status == status
    assert asked.headers["Retry-After"] == seconds
    assert Asked(LOGIN).status == "401 Unauthorized"


def test_the_address_decides_who_is_throttled_and_one_that_is_missing_is_one_address() -> None:
    auth = BasicAuth(lambda _environ, _start: [], LOGIN, Logins(USERS))

    def status(password: str, **environ: str) -> str:
        statuses: list[str] = []
        login = {"HTTP_AUTHORIZATION": basic(f"anna:{password}"), "REQUEST_METHOD": "GET"}

        def start(line: str, _headers: object, _info: object = None) -> Any:
            statuses.append(line[:3])

        list(auth({**login, **environ}, start))
        return "".join(statuses)

    assert {status(f"wrong {number}") for number in range(PAIR.free)} == {"401"}
    assert status("se:cret") == "429"
    assert status("wrong", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="") == "401"
    assert status("se:cret", HTTP_X_FORWARDED_FOR="192.0.2.1") == "429"


def test_the_realm_is_quoted() -> None:
    """RFC 7617 §2."""
    asked = Asked(AccessSettings(users=USERS, realm='My "new" \\ drive'))
    assert asked.headers["WWW-Authenticate"].startswith('Basic realm="My \\"new\\" \\\\ drive", ')


@pytest.mark.parametrize("authorization", [None, basic("anna:se:cret"), "Basic !!!"])
def test_every_client_of_an_anonymous_drive_is_the_user_without_a_name(
    authorization: str | None,
) -> None:
    assert Asked(AccessSettings(anonymous=True), authorization).user == ""


def test_a_header_can_t_name_the_user() -> None:
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["REMOTE_USER"])
        start_response("204 No Content", [])
        return []

    forged = b"Remote-User: root\r\nREMOTE_USER: root\r\nX-Remote-User: root\r\n"
    login = f"Authorization: {basic('anna:se:cret')}\r\n".encode()
    with serving(BasicAuth(app, LOGIN, Logins(USERS))) as server, RawClient(server.port) as client:
        assert client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + forged + b"\r\n").status == 401
        request = b"GET / HTTP/1.1\r\nHost: a\r\n" + forged + login + b"\r\n"
        assert client.ask(request).status == 204  # on the connection of the 401, as Windows does
    assert seen == ["anna"]
