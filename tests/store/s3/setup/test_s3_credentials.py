"""Keys that change or can't be had while davbridge runs."""

from collections.abc import Callable

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from davbridge.store.s3.messages.xml import client_error
from davbridge.store.s3.setup.credentials import LONGEST_REQUEST, PAUSE, ReloadableCredentials
from tests.support.timer import Timer

OLD, NEW = Credentials("OLD", "secret"), Credentials("NEW", "secret")


class Failing(Credentials):
    """They can't be renewed."""

    def __init__(self, error: Exception) -> None:
        super().__init__("", "", method="assume-role")
        self._error = error

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        raise self._error


FAILURES = [
    RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    client_error("AssumeRole", 403, {}, b"<Error><Code>AccessDenied</Code></Error>", 0),
    client_error("GetRoleCredentials", 404, {}, b"<Error><Code>NoSuchKey</Code></Error>", 0),
    CredentialRetrievalError(provider="process", error_msg="no"),
]


@pytest.mark.parametrize("error", FAILURES, ids=str)
def test_an_error_of_renewing_is_never_taken_for_the_stores_answer(error: Exception) -> None:
    credentials = ReloadableCredentials(Failing(error), lambda: None)
    with pytest.raises(CredentialRetrievalError):
        credentials.get_frozen_credentials()


@pytest.mark.parametrize("error", FAILURES, ids=str)
def test_keys_that_can_not_be_renewed_are_looked_up_anew(error: Exception) -> None:
    timer = Timer()
    credentials = ReloadableCredentials(Failing(error), lambda: NEW, timer)
    timer.advance(PAUSE)
    assert credentials.get_frozen_credentials().access_key == "NEW"


def failing(error: Exception) -> Callable[[], Credentials]:
    def find() -> Credentials:
        raise error

    return find


@pytest.mark.parametrize("error", FAILURES, ids=str)
def test_a_chain_that_fails_leaves_the_keys_that_there_are(error: Exception) -> None:
    timer = Timer()
    credentials = ReloadableCredentials(OLD, failing(error), timer)
    timer.advance(PAUSE)
    assert not credentials.renewed("ExpiredToken")
    assert credentials.get_frozen_credentials().access_key == "OLD"


def test_a_request_signed_before_the_keys_changed_may_be_sent_again_for_long() -> None:
    timer = Timer()
    credentials = ReloadableCredentials(OLD, lambda: NEW, timer)
    timer.advance(PAUSE)
    assert credentials.renewed("ExpiredToken")
    timer.advance(10 * PAUSE)
    assert credentials.renewed("ExpiredToken")  # a long part, refused only now
    assert not credentials.renewed("AccessDenied")
    timer.advance(LONGEST_REQUEST)
    assert not credentials.renewed("ExpiredToken")


def test_keys_that_never_changed_are_not_tried_again() -> None:
    timer = Timer()
    credentials = ReloadableCredentials(OLD, lambda: OLD, timer)
    assert not credentials.renewed("ExpiredToken")
    timer.advance(PAUSE)
    assert not credentials.renewed("ExpiredToken")
