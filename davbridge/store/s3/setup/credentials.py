"""Credentials that can be looked up again while davbridge runs.

botocore renews by itself credentials that say when they expire (roles, instances, SSO,
``credential_process`` with an expiry). It reads keys in a file or the environment once. If a store
says that keys have expired, davbridge runs the usual chain again. So keys that another program
renews in ``~/.aws/credentials`` are used without a restart.

Invariants: the chain is run at most once per PAUSE, however many requests are refused; a refused
request is sent again once, and only if the keys have changed since it may have been signed; a
failure to get keys raises CredentialRetrievalError, never another service's error.
"""

import logging
import math
import threading
import time
from collections.abc import Callable

from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

PAUSE = 5.0
"""Seconds."""

LONGEST_REQUEST = 300.0
"""Seconds. Requests that were signed with the previous keys may be refused for so long after a
change."""

_EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestExpired",
        "TokenRefreshRequired",
        # HEAD has no body, so that an expired token looks like any other refusal.
        "400",
        "403",
    }
)

_FAILURES = (BotoCoreError, ClientError, RuntimeError)
"""Errors of a renewal: ClientError is STS's, or SSO's; botocore raises RuntimeError if the new
credentials have expired as well."""

_log = logging.getLogger(__name__)

FindCredentials = Callable[[], Credentials | None]
Timer = Callable[[], float]


class ReloadableCredentials(Credentials):
    """The latest result of the chain."""

    def __init__(
        self, found: Credentials, find: FindCredentials, timer: Timer = time.monotonic
    ) -> None:
        super().__init__("", "", method=found.method)  # Only a result of the chain counts.
        self._found = found
        self._find = find
        self._timer = timer
        self._lock = threading.Lock()
        self._looked_at = timer()
        self._changed_at = -math.inf

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Raises BotoCoreError."""
        try:
            return _frozen(self._found)
        except BotoCoreError:
            if self._reload():
                return _frozen(self._found)
            raise

    def renewed(self, code: str) -> bool:
        """Whether there are other keys for a request that was refused with ``code``."""
        return code in _EXPIRED and self._reload()

    def _reload(self) -> bool:
        """Whether there are other keys than those that the request was signed with."""
        with self._lock:
            if self._timer() - self._looked_at >= PAUSE:
                if self._look_again():
                    self._changed_at = self._timer()
                self._looked_at = self._timer()
            return self._timer() - self._changed_at < LONGEST_REQUEST

    def _look_again(self) -> bool:
        try:
            found = self._find()
            if found is None or found.get_frozen_credentials() == self._present():
                return False
        except _FAILURES as error:
            _log.warning("credentials can't be looked up again: %s", error)
            return False
        self._found = found
        _log.info("credentials were renewed, from %s", found.method)
        return True

    def _present(self) -> ReadOnlyCredentials | None:
        try:
            return _frozen(self._found)
        except BotoCoreError:
            return None


def _frozen(credentials: Credentials) -> ReadOnlyCredentials:
    """Raises CredentialRetrievalError for an error of a renewal: it isn't the store's answer to the
    request."""
    try:
        return credentials.get_frozen_credentials()
    except _FAILURES as error:
        raise CredentialRetrievalError(provider=credentials.method, error_msg=str(error)) from error


class Found(CredentialProvider):
    """A credential provider for credentials that were found already."""

    METHOD = "davbridge"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials
