"""The store's trouble is known from its first failure to the next answer, and told once."""

import logging
from contextlib import suppress

import pytest

from davbridge.errors import InvalidNameError, StoreError
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from tests.support.s3proxy import Answer, S3Proxy, error


@pytest.mark.parametrize(
    "answer",
    [
        error("NoSuchBucket", 404),
        error("SlowDown", 503),
        error("ExpiredToken", 400),
        Answer(404, b"<html>no such site</html>"),
        Answer(200, b"<html>Welcome</html>", {"Content-Length": "x"}),
    ],
    ids=lambda answer: repr(answer.body[:30]),
)
def test_trouble_lasts_until_the_store_answers(
    canned_store: S3Store, canned: S3Proxy, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    assert canned_store.trouble == ""
    canned.rule = lambda _: answer
    for _ in range(2):
        with suppress(StoreError):
            canned_store.get_object("a")
    assert canned_store.trouble
    assert len(canned_store.trouble.splitlines()) == 1
    canned.rule = lambda _: error("AccessDenied", 403)  # which is an answer
    with suppress(StoreError):
        canned_store.get_object("a")
    assert canned_store.trouble == ""
    told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2
    assert "can't be used" in told[0]
    assert "answers again" in told[1]


@pytest.mark.parametrize(
    "answer",
    [error("AccessDenied", 403), error("NoSuchKey", 404), Answer(412), Answer(404), Answer(501)],
)
def test_a_refusal_is_no_trouble(canned_store: S3Store, canned: S3Proxy, answer: Answer) -> None:
    canned.rule = lambda _: answer
    with suppress(StoreError):
        canned_store.head_object("a")
    assert canned_store.trouble == ""


def test_a_request_that_is_never_sent_says_nothing_about_the_store(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    def send_what_can_not_be_said() -> str:
        with pytest.raises(InvalidNameError):
            canned_store.put_object("a", b"", Attributes("text/plain\r\nx: y"))
        return canned_store.trouble

    assert send_what_can_not_be_said() == ""
    canned.rule = lambda _: error("SlowDown", 503)
    with suppress(StoreError):
        canned_store.head_object("a")
    assert send_what_can_not_be_said() != ""
