"""What a start says when the bucket can't be used: one line each that says what to do."""

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from davbridge.clock import utc_now
from davbridge.config import S3Settings
from davbridge.errors import StoreSetupError
from davbridge.store.s3.setup import bucket_check
from davbridge.store.s3.setup.bucket_check import BucketState, ensure_bucket
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import Answer, S3Proxy, error, s3_proxy
from tests.support.stores import settings_for
from tests.support.waiting import FOREVER

LISTING = b"<ListBucketResult><Name>b</Name></ListBucketResult>"


@pytest.fixture
def canned() -> Iterator[S3Proxy]:
    """A server that only gives the answers that a test names."""
    with s3_proxy(None) as server:
        yield server


def settings(url: str, region: str | None = None) -> S3Settings:
    return S3Settings(
        "bucket", endpoint_url=url, region=region, access_key="AK", secret_key="the-secret"
    )


def refusal(settings: S3Settings) -> str:
    """The one line of the error, which holds no secret."""
    with pytest.raises(StoreSetupError) as raised:
        ensure_bucket(settings)
    line = str(raised.value)
    assert len(line.splitlines()) == 1
    assert "the-secret" not in line
    return line


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("name", ["moto_server", "seaweedfs"])
def test_a_bucket_is_made_once(name: str, bucket_name: str, request: pytest.FixtureRequest) -> None:
    endpoint: Endpoint = request.getfixturevalue(name)
    made = ensure_bucket(settings_for(endpoint, bucket_name))
    assert made.created
    found = ensure_bucket(settings_for(endpoint, bucket_name, "some/prefix/"))
    assert not found.created
    assert found.clock_skew is not None
    assert abs(found.clock_skew) < 5


def test_a_bucket_elsewhere_is_made_with_its_region(canned: S3Proxy) -> None:
    canned.rule = lambda request: (
        error("NoSuchBucket", 404) if request.method == "GET" else Answer(200)
    )
    assert ensure_bucket(settings(canned.url, region="eu-central-1")).created
    assert [request.method for request in canned.requests] == ["GET", "PUT"]
    assert b"<LocationConstraint>eu-central-1<" in canned.bodies[-1]


def test_us_east_1_is_no_location_constraint(canned: S3Proxy) -> None:
    canned.rule = lambda request: (
        error("NoSuchBucket", 404) if request.method == "GET" else Answer(200)
    )
    assert ensure_bucket(settings(canned.url, region="us-east-1")).created
    assert canned.bodies[-1] == b""


def test_a_bucket_that_another_bridge_just_made_is_fine(canned: S3Proxy) -> None:
    canned.rule = lambda request: (
        error("NoSuchBucket", 404)
        if request.method == "GET"
        else error("BucketAlreadyOwnedByYou", 409)
    )
    assert not ensure_bucket(settings(canned.url)).created


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error("InvalidAccessKeyId", 403), ["access key"]),
        (error("SignatureDoesNotMatch", 403), ["secret_key"]),
        (error("ExpiredToken", 400), ["expired", "renew"]),
        (error("AccessDenied", 403), ["denied", "s3:ListBucket", "'bucket'"]),
        (Answer(403), ["denied", "'bucket'"]),
        (error("InvalidBucketName", 400), ["valid bucket name: one has 3 to 63", "'bucket'"]),
        (error("AuthorizationHeaderMalformed", 400), ["region", "us-east-1"]),
        (
            error("PermanentRedirect", 301, **{"x-amz-bucket-region": "eu-west-3"}),
            ["set the region to eu-west-3"],
        ),
        (error("Strange", 400), ["Strange", "said so"]),
        (Answer(301), ["doesn't answer as an S3 store", "redirects"]),
        (Answer(404, b"<html>nothing here</html>"), ["doesn't answer as an S3 store", "HTTP 404"]),
        (Answer(404), ["doesn't answer as an S3 store"]),
        (Answer(200, b"<html><body>Welcome!<br></html>"), ["doesn't answer as an S3 store"]),
        (Answer(200, b"<html><body>Welcome!</body></html>"), ["doesn't answer as an S3 store"]),
        (Answer(200, b'{"it": "works"}'), ["doesn't answer as an S3 store"]),
        (Answer(502, b"<html>bad gateway</html>"), ["HTTP 502"]),
        (error("SlowDown", 503), ["SlowDown"]),
    ],
    ids=lambda value: None if isinstance(value, Answer) else value[0].split()[0],
)
def test_a_refused_listing_is_explained(canned: S3Proxy, answer: Answer, words: list[str]) -> None:
    canned.rule = lambda _: answer
    line = refusal(settings(canned.url, region="us-east-1"))
    assert all(word in line for word in words), line


def test_a_bucket_is_not_made_for_a_read_only_drive(canned: S3Proxy) -> None:
    canned.rule = lambda _: error("NoSuchBucket", 404)
    with pytest.raises(StoreSetupError, match="doesn't exist: create it"):
        ensure_bucket(settings(canned.url), may_create=False)
    assert [request.method for request in canned.requests] == ["GET"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error("BucketAlreadyExists", 409), ["belongs to somebody else"]),
        (error("AccessDenied", 403), ["doesn't exist", "s3:CreateBucket"]),
        (error("TooManyBuckets", 400), ["may have no more"]),
        (error("InvalidBucketName", 400), ["not a valid bucket name"]),
        (error("IllegalLocationConstraintException", 400), ["region"]),
    ],
    ids=lambda value: None if isinstance(value, Answer) else value[0],
)
def test_a_refused_creation_is_explained(canned: S3Proxy, answer: Answer, words: list[str]) -> None:
    canned.rule = lambda request: error("NoSuchBucket", 404) if request.method == "GET" else answer
    line = refusal(settings(canned.url, region="us-east-1"))
    assert all(word in line for word in words), line


def test_real_stores_say_what_is_wrong_with_the_keys(seaweedfs: Endpoint, bucket_name: str) -> None:
    good = settings_for(seaweedfs, bucket_name)
    assert "access key" in refusal(replace(good, access_key="AKIAUNKNOWN"))
    assert "secret_key" in refusal(replace(good, secret_key="the-secret"))


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
@pytest.mark.parametrize("source", ["environment", "file"])
def test_wrong_keys_are_named_after_where_they_come_from(
    canned: S3Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, source: str
) -> None:
    canned.rule = lambda _: error(code, 403)
    names = {"InvalidAccessKeyId": "aws_access_key_id"}
    name = names.get(code, "aws_secret_access_key")
    if source == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
        expected = f"check {name.upper()} in the environment"
    else:
        file = tmp_path / "credentials"
        file.write_text("[default]\naws_access_key_id=AK\naws_secret_access_key=the-secret\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        expected = f"check {name} in the AWS credentials file"
    assert expected in refusal(replace(settings(canned.url), access_key=None, secret_key=None))


@pytest.mark.parametrize("path", ["/bucket", "/bucket/", "/s3/bucket"])
def test_a_bucket_in_the_endpoint_s_path_is_pointed_out(canned: S3Proxy, path: str) -> None:
    canned.rule = lambda _: error("NoSuchBucket", 404)
    line = refusal(settings(canned.url + path))
    assert line.endswith("ends in the bucket's name: leave out /bucket")
    assert [request.method for request in canned.requests] == ["GET"]


def test_an_unreachable_endpoint_is_named() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    line = refusal(settings(url))
    assert f"{url} can't be reached" in line
    assert "refused" in line


def test_a_host_that_does_not_exist_is_named() -> None:
    line = refusal(settings("http://nowhere.invalid:9000"))
    assert "http://nowhere.invalid:9000 can't be reached" in line


def test_a_silent_endpoint_is_asked_twice_whatever_timeouts_are_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket_check, "START_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        patient = replace(settings(url), attempts=10, read_timeout=FOREVER)
        assert f"{url} can't be reached" in refusal(patient)
        silent.settimeout(0)
        for _ in range(2):
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_an_endpoint_that_is_overloaded_is_asked_twice(canned: S3Proxy) -> None:
    canned.rule = lambda _: error("SlowDown", 503)
    assert "SlowDown" in refusal(replace(settings(canned.url), attempts=10))
    assert canned.count("GET") == 2


def test_an_endpoint_without_tls_says_so(canned: S3Proxy) -> None:
    line = refusal(settings(canned.url.replace("http:", "https:")))
    assert "no TLS with https://127.0.0.1" in line


def test_an_unknown_certificate_says_so(tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with s3_proxy(None, certificate) as server:
        line = refusal(settings(server.url))
    assert "no TLS with https://127.0.0.1" in line
    assert "AWS_CA_BUNDLE" in line
    assert "CERTIFICATE_VERIFY_FAILED" in line


def test_missing_credentials_say_where_to_put_them(canned: S3Proxy) -> None:
    bare = replace(settings(canned.url), access_key=None, secret_key=None)
    line = refusal(bare)
    assert "AWS_ACCESS_KEY_ID" in line
    assert "access_key" in line


def test_an_unknown_profile_is_named(canned: S3Proxy) -> None:
    bare = replace(settings(canned.url), access_key=None, secret_key=None, profile="nobody")
    assert "nobody" in refusal(bare)


@pytest.mark.parametrize("minutes", [-20, 20])
@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "SignatureDoesNotMatch"])
def test_a_wrong_clock_is_named_where_it_is_refused(
    canned: S3Proxy, minutes: int, code: str
) -> None:
    date = format_datetime(utc_now() - timedelta(minutes=minutes), usegmt=True)
    canned.rule = lambda _: error(code, 403, Date=date)
    line = refusal(settings(canned.url))
    assert "20 minutes " + ("ahead" if minutes > 0 else "behind") in line
    assert "set the clock" in line


def test_a_clock_that_is_off_is_measured_and_logged(
    canned: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    now = utc_now().replace(microsecond=0)
    date = format_datetime(now, usegmt=True)
    canned.rule = lambda _: Answer(200, LISTING, {"Date": date})
    late = now + timedelta(seconds=90)
    with caplog.at_level(logging.WARNING, logger="davbridge.store"):
        assert ensure_bucket(settings(canned.url), clock=lambda: late) == BucketState(False, 90.0)
    assert "90 s" in caplog.text
    caplog.clear()
    ensure_bucket(settings(canned.url), clock=lambda: now + timedelta(seconds=5))
    assert caplog.text == ""
