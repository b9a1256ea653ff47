"""What the seed had: each row of its table that the store answers for."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

import davbridge.store.s3.setup.bucket_check
from davbridge.clock import utc_now
from davbridge.config import ConfigError, S3Settings
from davbridge.errors import StoreError, UnavailableError
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.bucket_check import ensure_bucket
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import S3Proxy, error


@pytest.fixture
def settings(moto_server: Endpoint, bucket_name: str) -> S3Settings:
    return S3Settings(
        bucket=bucket_name,
        endpoint_url=moto_server.url,
        region=moto_server.region,
        access_key=moto_server.access_key,
        secret_key=moto_server.secret_key,
    )


def test_seed_config_id_secret_and_bucket_name(settings: S3Settings) -> None:
    ensure_bucket(settings)
    assert settings.secret_key is not None
    assert settings.secret_key not in repr(settings)
    for bucket in ("", "a", "a/b", "..", "a..b"):
        with pytest.raises(ConfigError):
            replace(settings, bucket=bucket)


def test_seed_the_bucket_is_created_if_it_does_not_exist(settings: S3Settings) -> None:
    assert ensure_bucket(settings).created
    assert not ensure_bucket(settings).created


def test_seed_retries_with_remaining_tries(proxied: S3Store, proxy: S3Proxy) -> None:
    answers = [error("SlowDown", 503), error("InternalError", 500)]
    proxy.rule = lambda _: answers.pop() if answers else None
    assert next(proxied.list_objects("")).is_last
    assert proxy.count("GET") == 3


def test_seed_handle_error_raises_one_tree_with_the_cause_chained(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = lambda _: error("SlowDown", 503)
    with pytest.raises(UnavailableError) as raised:
        next(proxied.list_objects(""))
    assert isinstance(raised.value, StoreError)
    assert "SlowDown" in str(raised.value.__cause__)


def test_seed_get_time_difference_is_measured(settings: S3Settings) -> None:
    state = ensure_bucket(settings, clock=lambda: utc_now() + timedelta(minutes=5))
    assert state.clock_skew == pytest.approx(300, abs=5)


def test_seed_get_logging_handler_is_a_named_logger(
    settings: S3Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert davbridge.store.s3.setup.bucket_check.__name__.startswith("davbridge.store.")
    with caplog.at_level(logging.WARNING):
        ensure_bucket(settings, clock=lambda: utc_now() + timedelta(minutes=5))
    assert {record.name for record in caplog.records} == {
        davbridge.store.s3.setup.bucket_check.__name__
    }
