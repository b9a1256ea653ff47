"""How clients are built: addressing, checksums, times, and credentials that are renewed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from davbridge.config import S3Settings
from davbridge.errors import StoreSetupError, UnavailableError
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client, is_aws
from tests.support.operations import credential_of
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, error, s3_proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AWS = S3Settings("bucket", region="eu-west-1", access_key="AK", secret_key="SK")
OTHER = replace(AWS, endpoint_url="http://127.0.0.1:9000", region=None)


@pytest.fixture
def canned() -> Iterator[S3Proxy]:
    with s3_proxy(None) as server:
        server.rule = lambda _: Answer(200, b"", {"ETag": '"e"'})
        yield server


def built(settings: S3Settings) -> "S3Client":
    client = build_client(settings, pool_size=7)
    client.close()
    return client


def config_of(settings: S3Settings) -> Any:
    return built(settings).meta.config


class NotSentError(Exception):
    """Raised instead of sending."""


def sent_to(settings: S3Settings) -> str:
    """Where a GET of ``key`` would have gone."""
    urls: list[str] = []

    def keep(request: Any, **_: Any) -> None:
        urls.append(request.url)
        raise NotSentError

    client = built(settings)
    client.meta.events.register("before-send.s3", keep)
    with pytest.raises(NotSentError):
        client.get_object(Bucket=settings.bucket, Key="key")
    return urls[0]


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        (None, True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.dualstack.us-east-1.amazonaws.com/", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("http://127.0.0.1:9000", False),
        ("https://amazonaws.com.example.org", False),
        ("https://notamazonaws.com", False),
    ],
)
def test_aws_is_recognised_by_its_endpoint(url: str | None, answer: bool) -> None:
    assert is_aws(url) is answer


def test_aws_is_addressed_by_host_name_and_others_by_path() -> None:
    assert sent_to(AWS) == "https://bucket.s3.eu-west-1.amazonaws.com/key"
    by_path = replace(AWS, addressing="path")
    assert sent_to(by_path) == "https://s3.eu-west-1.amazonaws.com/bucket/key"
    assert sent_to(OTHER) == "http://127.0.0.1:9000/bucket/key"
    named = replace(OTHER, endpoint_url="http://store.example:9000", addressing="virtual")
    assert sent_to(named) == "http://bucket.store.example:9000/key"


def test_checksums_beyond_what_is_required_are_for_aws_alone() -> None:
    assert config_of(AWS).request_checksum_calculation == "when_supported"
    assert config_of(OTHER).request_checksum_calculation == "when_required"
    assert config_of(OTHER).response_checksum_validation == "when_required"


def test_limits_come_from_the_settings() -> None:
    config = config_of(replace(OTHER, connect_timeout=1.5, read_timeout=2.5, attempts=6))
    assert config.connect_timeout == 1.5
    assert config.read_timeout == 2.5
    assert config.retries == {"mode": "standard", "total_max_attempts": 6}
    assert config.max_pool_connections == 7


def test_an_endpoint_from_the_environment_is_not_taken_for_aws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")
    assert sent_to(AWS) == "http://127.0.0.1:9000/bucket/key"
    assert config_of(AWS).request_checksum_calculation == "when_required"


def test_other_stores_have_a_region_by_default() -> None:
    assert built(OTHER).meta.region_name == "us-east-1"
    assert built(replace(OTHER, region="garage")).meta.region_name == "garage"


def test_a_region_that_can_be_none_is_refused() -> None:
    with pytest.raises(StoreSetupError, match="S3 client"):
        build_client(replace(AWS, region="no region!"), pool_size=1)


def test_davbridge_is_named_and_expects_no_continue(canned: S3Proxy) -> None:
    client = build_client(replace(OTHER, endpoint_url=canned.url), pool_size=1)
    with S3Store(client, "bucket") as store:
        store.put_object("a", b"body", Attributes())
    client.close()
    (request,) = canned.requests
    assert "davbridge/" in request.headers["User-Agent"]
    assert request.headers["Expect"] is None
    assert request.headers["x-amz-checksum-crc32"] is None
    assert request.headers["Content-Length"] == "4"


class Keys:
    """A credentials file, and a store that has let some of its keys expire."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.valid = "AKIAOLD"
        self.write("AKIAOLD")

    def write(self, access_key: str) -> None:
        self.path.write_text(
            f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = secret\n"
        )

    def rule(self, request: Request) -> Fault | None:
        if credential_of(request).startswith(f"{self.valid}/"):
            return Answer(200, b"", {"ETag": '"e"'})
        return error("ExpiredToken", 400)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canned: S3Proxy) -> Keys:
    keys = Keys(tmp_path / "credentials")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys.path))
    canned.rule = keys.rule
    return keys


@pytest.fixture
def store(canned: S3Proxy, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.setattr("davbridge.store.s3.setup.credentials.PAUSE", 0.0)
    settings = replace(OTHER, endpoint_url=canned.url, access_key=None, secret_key=None)
    client = build_client(settings, pool_size=1)
    with S3Store(client, "bucket") as store:
        yield store
    client.close()


def test_renewed_keys_in_the_credentials_file_are_picked_up(
    store: S3Store, keys: Keys, canned: S3Proxy
) -> None:
    store.put_object("a", b"", Attributes())
    keys.valid = "AKIANEW"
    keys.write("AKIANEW")
    store.put_object("a", b"", Attributes())
    assert canned.count("PUT") == 3
    store.put_object("a", b"", Attributes())
    assert canned.count("PUT") == 4


def test_keys_that_nobody_renews_are_refused_at_once(
    store: S3Store, keys: Keys, canned: S3Proxy
) -> None:
    keys.valid = "AKIANEW"
    with pytest.raises(UnavailableError, match="ExpiredToken"):
        store.put_object("a", b"", Attributes())
    assert canned.count("PUT") == 1


def test_a_credentials_file_that_breaks_is_survived(
    store: S3Store, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    keys.valid = "AKIANEW"
    keys.path.write_text("not a file of profiles")
    with pytest.raises(UnavailableError):
        store.put_object("a", b"", Attributes())
    assert "looked up again" in caplog.text
