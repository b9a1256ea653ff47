"""Requests that go straight to the store: what is sent, what is believed, what is tried again."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from davbridge.clock import utc_now
from davbridge.config import S3Settings
from davbridge.errors import (
    InvalidNameError,
    NotFoundError,
    StoreError,
    StoreSetupError,
    TruncatedError,
    UnavailableError,
)
from davbridge.store.base import Attributes, ObjectRow
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client
from davbridge.store.s3.transport import transport
from davbridge.store.s3.transport.address import address_of
from davbridge.store.s3.transport.signed_request import sign, signed_payload
from davbridge.store.s3.transport.store_clock import StoreClock
from tests.support.contract import drain
from tests.support.endpoints import Endpoint, s3_client
from tests.support.operations import credential_of
from tests.support.parrot import Server, serving
from tests.support.s3proxy import Answer, Cut, Fault, Lose, Request, S3Proxy, error, once, s3_proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = b"some content"
CRC32 = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
HEAD = {"ETag": '"e"', "Last-Modified": "Sun, 22 Nov 2026 16:42:57 GMT"}
COPIED = (
    b'<?xml version="1.0"?><CopyObjectResult><ETag>"f"</ETag>'
    b"<LastModified>2026-11-22T16:42:57Z</LastModified></CopyObjectResult>"
)
ROW = ObjectRow("source", 1, utc_now(), "e")

Opens = Callable[[S3Settings], S3Store]


@pytest.fixture
def canned() -> Iterator[S3Proxy]:
    with s3_proxy(None) as server:
        yield server


@pytest.fixture
def opens() -> Iterator[Opens]:
    """Stores, closed after the test."""
    opened: list[tuple[S3Client, S3Store]] = []

    def opens(settings: S3Settings) -> S3Store:
        client = build_client(settings, pool_size=4)
        opened.append((client, S3Store(client, settings.bucket)))
        return opened[-1][1]

    yield opens
    for client, store in opened:
        store.close()
        client.close()


@pytest.fixture
def settings(canned: S3Proxy) -> S3Settings:
    return S3Settings(
        "bucket", endpoint_url=canned.url, access_key="AK", secret_key="SK", attempts=3
    )


@pytest.fixture
def store(opens: Opens, settings: S3Settings) -> S3Store:
    return opens(settings)


@pytest.fixture
def like_aws(monkeypatch: pytest.MonkeyPatch, opens: Opens, settings: S3Settings) -> S3Store:
    """A store that is taken for AWS."""
    monkeypatch.setattr("davbridge.store.s3.setup.client.is_aws", lambda _: True)
    return opens(replace(settings, addressing="path", region="us-east-1"))


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("a b+c%20&=?#", "/bucket/a%20b%2Bc%2520%26%3D%3F%23"),
        ("é/日本", "/bucket/%C3%A9/%E6%97%A5%E6%9C%AC"),
        ("../a/./b/..", "/bucket/../a/./b/.."),
        ("/a//b/", "/bucket//a//b/"),
        ("\x01\x7f~-_.", "/bucket/%01%7F~-_."),
    ],
)
def test_a_key_is_sent_as_it_is(store: S3Store, canned: S3Proxy, key: str, target: str) -> None:
    canned.rule = lambda _: Answer(200, b"", HEAD)
    store.head_object(key)
    assert [request.target for request in canned.requests] == [target]


def test_a_header_that_would_end_early_is_never_sent(store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: Answer(200, b"", HEAD)
    for attributes in (
        Attributes("text/plain\r\nX-Amz-Acl: public-read"),
        Attributes("text/plain", {"mtime": "1\nx: y"}),
        Attributes("text/plain", {"name": "é"}),
        Attributes("text/日本"),
    ):
        with pytest.raises(InvalidNameError):
            store.put_object("a", b"", attributes)
    assert canned.requests == []


def test_aws_gets_a_checksum_and_other_stores_none(
    store: S3Store, like_aws: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda _: Answer(200, b"", HEAD)
    store.put_object("a", BODY, Attributes())
    like_aws.put_object("a", BODY, Attributes())
    plain, aws = canned.requests
    assert plain.headers["x-amz-checksum-crc32"] is None
    assert aws.headers["x-amz-checksum-crc32"] == CRC32
    assert plain.headers["Expect"] is aws.headers["Expect"] is None


def test_aws_gets_the_checksum_of_each_part_and_once_more_at_the_end(
    like_aws: S3Store, canned: S3Proxy
) -> None:
    """AWS takes a part with a checksum only if the upload was begun with one, and then completes
    it only if all are named."""

    def rule(request: Request) -> Fault:
        if request.target.endswith("?uploads="):
            return Answer(200, b"<R><UploadId>u</UploadId></R>")
        if request.method == "POST":
            return Answer(200, b"<R><ETag>whole</ETag></R>")
        return Answer(200, b"", {**HEAD, "Content-Length": "0"})

    canned.rule = rule
    body = BODY * 10**6
    writer = like_aws.open_writer("a", Attributes(), length=len(body))
    writer.write(body)
    writer.commit()
    begin, mark, *parts, end, _ = canned.requests
    assert begin.headers["x-amz-checksum-algorithm"] == "CRC32"
    assert mark.headers["x-amz-checksum-crc32"]
    sums = {
        part.target.partition("partNumber=")[2][0]: part.headers["x-amz-checksum-crc32"]
        for part in parts
    }
    assert len(sums) == 2
    for number, checksum in sums.items():
        named = f"<PartNumber>{number}</PartNumber><ETag>&quot;e&quot;</ETag>"
        told = f"<ChecksumCRC32>{checksum}</ChecksumCRC32></Part>"
        assert (named + told).replace("&quot;", '"').encode() in canned.bodies[-2]
    assert end.method == "POST"


def test_a_store_that_refuses_checksums_gets_none(
    like_aws: S3Store, canned: S3Proxy, moto_server: Endpoint
) -> None:
    canned.upstream = moto_server.url
    canned.rule = lambda request: (
        error("NotImplemented", 501)
        if any("checksum" in name.lower() for name in request.headers)
        else None
    )
    plain = s3_client(moto_server)
    plain.create_bucket(Bucket="bucket")
    like_aws.probe("")
    assert not like_aws.capabilities.checksums
    like_aws.put_object("a", BODY, Attributes())
    assert drain(like_aws.get_object("a")) == BODY
    assert like_aws.delete_objects(["a"]) == []
    plain.delete_bucket(Bucket="bucket")
    plain.close()


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_body_from_aws_is_compared_with_its_checksum(
    like_aws: S3Store, canned: S3Proxy, size: int
) -> None:
    canned.rule = lambda _: Answer(200, BODY, {**HEAD, "x-amz-checksum-crc32": CRC32})
    with like_aws.get_object("a") as reader:
        assert b"".join(iter(lambda: reader.read(size), b"")) == BODY
    assert canned.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"
    canned.rule = lambda _: Answer(200, BODY[::-1], {**HEAD, "x-amz-checksum-crc32": CRC32})
    with like_aws.get_object("a") as reader, pytest.raises(TruncatedError, match="damaged"):
        list(iter(lambda: reader.read(size), b""))


def test_a_checksum_of_checksums_and_that_of_a_range_are_left_alone(
    like_aws: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda _: Answer(200, BODY, {**HEAD, "x-amz-checksum-crc32": "AAAAAA==-2"})
    assert drain(like_aws.get_object("a")) == BODY
    part = {**HEAD, "Content-Range": "bytes 1-4/12", "x-amz-checksum-crc32": CRC32}
    canned.rule = lambda _: Answer(206, BODY[1:5], part)
    assert drain(like_aws.get_object("a", start=1, end=5)) == BODY[1:5]


def test_a_copy_that_failed_with_a_200_is_tried_again(store: S3Store, canned: S3Proxy) -> None:
    failed = b"\n \n<?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>"
    copies = once("PUT", "/b", Answer(200, failed), Answer(200, b"  \n"), Answer(200, COPIED))
    canned.rule = lambda request: Answer(200, b"") if request.method == "HEAD" else copies(request)
    assert store.copy_object(ROW, "b").etag == "f"
    assert canned.count("PUT") == 3


def test_a_copy_that_keeps_failing_with_a_200_has_failed(store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: Answer(200, b" <Error><Code>SlowDown</Code></Error>")
    with pytest.raises(UnavailableError):
        store.copy_object(ROW, "b")


def test_blanks_before_the_answer_to_a_copy_are_ignored(store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: Answer(200, b" \n" * 1000 + COPIED)
    assert store.copy_object(ROW, "b").etag == "f"


def test_a_listing_of_something_else_is_unavailable(store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: Answer(200, b"<html>Welcome</html>")
    with pytest.raises(UnavailableError):
        list(store.list_objects(""))


def test_a_batch_whose_answer_is_something_else_has_failed(store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: Answer(200, b"<html>Welcome</html>")
    assert [failure.key for failure in store.delete_objects(["a", "b"])] == ["a", "b"]


@pytest.mark.parametrize(
    "fault", [error("InternalError", 500), error("SlowDown", 503), Answer(429), Lose(), Answer(502)]
)
def test_a_request_whose_failure_may_pass_is_sent_again(
    proxied: S3Store, proxy: S3Proxy, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    proxied.put_object("a", BODY, Attributes())
    proxy.requests.clear()
    proxy.rule = once("PUT", "/a", fault)
    proxied.put_object("a", BODY * 20_000, Attributes())
    assert proxy.count("PUT") == 2
    assert drain(proxied.get_object("a")) == BODY * 20_000


def test_an_answer_cut_short_is_asked_for_again(proxied: S3Store, proxy: S3Proxy) -> None:
    source = proxied.put_object("a", BODY, Attributes())
    proxy.rule = once("PUT", "/b", Cut(20))
    proxied.copy_object(source, "b")
    assert drain(proxied.get_object("b")) == BODY


def test_a_store_is_given_up_after_the_attempts_that_are_set(
    opens: Opens, settings: S3Settings, canned: S3Proxy
) -> None:
    canned.rule = lambda _: Answer(500)
    with pytest.raises(UnavailableError):
        opens(replace(settings, attempts=2)).head_object("a")
    assert canned.count("HEAD") == 2


class Elsewhere:
    """A bucket in eu-west-3, asked for with signatures for another region."""

    def __init__(self, refusal: Answer) -> None:
        self._refusal = refusal

    def __call__(self, request: Request) -> Fault:
        if "/eu-west-3/s3/" in credential_of(request):
            return Answer(200, BODY, {**HEAD, "x-amz-bucket-region": "eu-west-3"})
        return self._refusal


@pytest.mark.parametrize(
    "refusal",
    [
        error("PermanentRedirect", 301, **{"x-amz-bucket-region": "eu-west-3"}),
        error("AuthorizationHeaderMalformed", 400, **{"x-amz-bucket-region": "eu-west-3"}),
    ],
)
def test_a_bucket_is_followed_into_its_region_once(
    like_aws: S3Store, canned: S3Proxy, refusal: Answer
) -> None:
    canned.rule = Elsewhere(refusal)
    assert drain(like_aws.get_object("a")) == BODY
    assert canned.count("GET") == 2
    canned.requests.clear()
    assert drain(like_aws.get_object("a")) == BODY
    assert len(canned.requests) == 1


def test_a_redirect_that_leads_nowhere_is_reported(like_aws: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: error("PermanentRedirect", 301)
    with pytest.raises(StoreError, match="PermanentRedirect"):
        like_aws.get_object("a")


def test_a_store_that_only_redirects_is_given_up(like_aws: S3Store, canned: S3Proxy) -> None:
    """botocore asks it without end where the bucket is."""
    told = error("PermanentRedirect", 301, **{"x-amz-bucket-region": "eu-west-3"})
    canned.rule = lambda request: told if request.method == "GET" else Answer(301)
    with pytest.raises(StoreError, match="PermanentRedirect"):
        like_aws.get_object("a")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_request_follows_a_redirect_to_another_host(
    like_aws: S3Store, canned: S3Proxy, status: int
) -> None:
    """Which would get what was signed for this one."""
    with s3_proxy(None) as other:
        there = {"Location": f"{other.url}/bucket/a", "x-amz-bucket-region": "eu-west-3"}
        canned.rule = lambda _: Answer(status, b"", there)
        for call in (
            lambda: like_aws.get_object("a"),
            lambda: like_aws.head_object("a"),
            lambda: like_aws.put_object("a", BODY, Attributes()),
        ):
            with pytest.raises(StoreError):
                call()
        assert other.requests == []


def test_nothing_is_sent_without_credentials(
    opens: Opens, settings: S3Settings, canned: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    anonymous = opens(replace(settings, access_key=None, secret_key=None))
    with pytest.raises(UnavailableError, match="credentials"):
        anonymous.head_object("a")
    assert canned.requests == []


def test_a_refusal_without_a_body_is_known_by_its_status(store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: Answer(404)
    with pytest.raises(NotFoundError, match="Not Found"):
        store.head_object("a")


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_from_the_environment_is_believed(
    opens: Opens,
    settings: S3Settings,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with s3_proxy(None, authority.issue_cert("127.0.0.1")) as server:
        server.rule = lambda _: Answer(200, BODY, HEAD)
        secure = replace(settings, endpoint_url=server.url, attempts=1)
        with pytest.raises(UnavailableError, match="SSL"):
            opens(secure).get_object("a")
        monkeypatch.setenv(variable, str(tmp_path / "authority.pem"))
        assert drain(opens(secure).get_object("a")) == BODY


@pytest.mark.parametrize(
    ("bucket", "changes", "url"),
    [
        ("bucket", {}, "https://bucket.s3.eu-west-1.amazonaws.com"),
        ("dotted.bucket", {}, "https://s3.eu-west-1.amazonaws.com/dotted.bucket"),
        ("bucket", {"addressing": "path"}, "https://s3.eu-west-1.amazonaws.com/bucket"),
        ("bucket", {"endpoint_url": "https://h:9000/below/"}, "https://h:9000/below/bucket"),
    ],
)
def test_the_address_of_a_bucket_follows_from_the_settings(
    bucket: str, changes: dict[str, Any], url: str
) -> None:
    aws = S3Settings(bucket, region="eu-west-1", access_key="AK", secret_key="SK")
    client = build_client(replace(aws, **changes), pool_size=1)
    found = address_of(client, bucket)
    client.close()
    assert found.url.geturl() == url
    assert found.scope == ("eu-west-1", "s3")
    assert found.path_of("a") == f"{found.url.path}/a"


@pytest.mark.parametrize(
    ("endpoint_url", "headers", "is_hashed"),
    [
        ("http://store.example:9000", {}, True),
        ("http://store.example:9000", {"x-amz-checksum-crc32": CRC32}, True),
        ("https://store.example", {}, True),
        ("https://store.example", {"x-amz-checksum-crc32": CRC32}, False),
        ("http://127.0.0.1:9000", {}, False),
        ("http://[::1]:9000", {}, False),
        ("http://localhost:9000", {}, False),
        ("http://localhost.example:9000", {}, True),
    ],
)
def test_a_body_is_signed_where_nothing_else_protects_it_on_its_way(
    endpoint_url: str, headers: dict[str, str], is_hashed: bool
) -> None:
    settings = S3Settings("bucket", endpoint_url=endpoint_url, access_key="AK", secret_key="SK")
    client = build_client(settings, pool_size=1)
    address = address_of(client, "bucket")
    client.close()
    told = signed_payload(address, transport.S3Request("PutObject", "PUT", "a", headers, body=BODY))
    assert told == (hashlib.sha256(BODY).hexdigest() if is_hashed else "UNSIGNED-PAYLOAD")


@pytest.mark.parametrize(
    ("endpoint_url", "is_digested"),
    [
        ("http://store.example:9000", True),
        ("https://store.example", False),
        ("http://127.0.0.1:9000", False),
    ],
)
def test_a_body_whose_hash_no_signature_holds_has_a_signed_digest_where_nothing_else_protects_it(
    endpoint_url: str, is_digested: bool
) -> None:
    settings = S3Settings("bucket", endpoint_url=endpoint_url, access_key="AK", secret_key="SK")
    client = build_client(settings, pool_size=1)
    address = address_of(client, "bucket")
    client.close()
    for operation, method in (("PutObject", "PUT"), ("CompleteMultipartUpload", "POST")):
        request = transport.S3Request(operation, method, "a", body=BODY)
        sent = sign(address, request, StoreClock(), expires=True)
        digest = base64.b64encode(hashlib.md5(BODY).digest()).decode()
        assert sent.headers.get("content-md5") == (digest if is_digested else None)
        assert ("SignedHeaders=content-md5%3Bhost" in sent.target) == is_digested
        plain = sign(address, request._replace(body=b""), StoreClock(), expires=True)
        assert "content-md5" not in plain.headers


def test_a_directory_bucket_is_refused_in_one_sentence(opens: Opens) -> None:
    aws = S3Settings("b--use1-az4--x-s3", region="us-east-1", access_key="AK", secret_key="SK")
    store = opens(aws)
    with pytest.raises(StoreSetupError, match="general purpose"):
        store.head_object("a")
    with pytest.raises(StoreSetupError, match="general purpose"):
        store.probe("")


def test_a_refusal_in_many_chunks_is_read_to_its_end(opens: Opens, settings: S3Settings) -> None:
    text = b"<Error><Code>NoSuchKey</Code></Error>"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in text)
    head = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(Server(says=head + chunks + b"0\r\n\r\n")) as server:
        store = opens(replace(settings, endpoint_url=server.url))
        for _ in range(2):
            with pytest.raises(NotFoundError):
                store.get_object("a")
        assert server.connections == 1


def test_keys_that_expire_while_the_store_is_in_trouble_are_renewed(
    opens: Opens, settings: S3Settings, canned: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.store.s3.setup.credentials.PAUSE", 0.0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    store = opens(replace(settings, access_key=None, secret_key=None))

    def rule(request: Request) -> Fault:
        if credential_of(request).startswith("NEW/"):
            return Answer(200, b"", HEAD)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NEW")
        return error("ExpiredToken", 400) if len(canned.requests) > 1 else Answer(503)

    canned.rule = rule
    store.put_object("a", b"", Attributes())
    assert canned.count("PUT") == 3
