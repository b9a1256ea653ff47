"""Signatures, held against botocore's own."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from davbridge.store.s3.transport.signing import UNSIGNED, Scope, payload_hash, presigned, signed

NOW = datetime(2026, 11, 22, 16, 42, 57, tzinfo=UTC)
SCOPE = Scope("eu-west-1", "s3")
KEYS = ReadOnlyCredentials("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
SESSION = KEYS._replace(token="FwoGZXIvYXdzE//////////wEaD+token==")


def by_botocore(
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    keys: ReadOnlyCredentials,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """What botocore puts into Authorization."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)
    rest = {name: value for name, value in headers.items() if name != "host"}
    url = f"http://{headers['host']}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, rest, body)
    S3SigV4Auth(keys, SCOPE.service, SCOPE.region).add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body"),
    [
        ("GET", "/bucket/key", "", {}, b""),
        ("HEAD", "/a%20b/%C3%A9%2B%25/../x//y", "", {"if-match": '"e"'}, b""),
        ("GET", "/bucket", "delimiter=%2F&list-type=2&max-keys=50&prefix=a%20%2B", {}, b""),
        ("POST", "/bucket", "delete=", {"content-md5": "x=="}, b"<Delete/>"),
        (
            "PUT",
            "/bucket/key",
            "",
            {"content-type": "text/plain;  charset=utf-8 ", "x-amz-meta-name": "  a   b\t c"},
            b"body" * 1000,
        ),
        ("GET", "/bucket/key", "", {"range": "bytes=0-1"}, b""),
    ],
)
def test_a_signature_is_botocores(
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    keys: ReadOnlyCredentials,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = {"host": "127.0.0.1:9000", **headers}
    expected = by_botocore(method, path, query, headers, body, keys, monkeypatch)
    ours = signed(method, path, query, headers, payload_hash(body), SCOPE, keys, NOW)
    assert ours["authorization"] == expected


def test_a_signature_is_good_for_one_day_and_one_secret() -> None:
    def signature(keys: ReadOnlyCredentials, now: datetime) -> str:
        return signed("GET", "/", "", {"host": "h"}, UNSIGNED, SCOPE, keys, now)["authorization"]

    others = [
        signature(KEYS, NOW),
        signature(KEYS._replace(secret_key="other"), NOW),
        signature(KEYS, NOW.replace(day=23)),
    ]
    assert len(set(others)) == 3


def test_a_body_may_be_a_view() -> None:
    assert payload_hash(memoryview(b"body")) == payload_hash(b"body")


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
@pytest.mark.parametrize(
    ("method", "path", "query", "headers"),
    [
        ("DELETE", "/bucket/key", "", {}),
        ("DELETE", "/a%20b/%C3%A9%2B%25/../x//y", "", {"if-match": '"e"'}),
        ("POST", "/bucket", "delete=", {"content-md5": "x==", "content-type": "application/xml"}),
        ("POST", "/bucket/key", "uploadId=a%2Bb%20c", {"if-none-match": "*"}),
        (
            "PUT",
            "/bucket/key",
            "",
            {
                "content-type": "text/plain;  charset=utf-8 ",
                "x-amz-copy-source": "bucket/a%20b",
                "x-amz-meta-name": "  a   b c",
            },
        ),
    ],
)
def test_a_signature_in_the_query_is_botocores(
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    keys: ReadOnlyCredentials,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)
    url = f"http://127.0.0.1:9000{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers)
    S3SigV4QueryAuth(keys, SCOPE.service, SCOPE.region, expires=4).add_auth(request)
    expected = dict(parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True))
    headers = {"host": "127.0.0.1:9000", **headers}
    ours = presigned(method, path, query, headers, SCOPE, keys, NOW, 4)
    assert dict(parse_qsl(ours, keep_blank_values=True)) == expected
    assert ours.count("&") == len(expected) - 1
