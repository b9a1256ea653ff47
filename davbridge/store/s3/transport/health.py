"""Whether the store answers: for readiness and monitoring.

It has one line about the latest failure, and logs when the store begins to fail and when it
recovers. A refusal of one request isn't a failure: the store answers.
"""

import logging

from botocore.exceptions import ClientError, ParamValidationError

from davbridge.errors import UnavailableError
from davbridge.store.s3.messages.errors import NO_SUCH_UPLOAD, code_of, kind_of, one_line, status_of

_OF_ONE_REQUEST = frozenset({NO_SUCH_UPLOAD, "OperationAborted"})

_log = logging.getLogger(__name__)


class Health:
    """Safe for many threads: a race causes at most a superfluous line in the log."""

    def __init__(self) -> None:
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why the store can't be used; empty while it can, as far as is known."""
        return self._trouble

    def answered(self) -> None:
        if self._trouble:
            self._trouble = ""
            _log.warning("the store answers again")

    def failed(self, error: Exception) -> None:
        """A request has ended with ``error``, retries included."""
        if isinstance(error, ParamValidationError):
            return  # it was never sent
        if not is_trouble(error):
            self.answered()
            return
        if not self._trouble:
            _log.warning("the store can't be used: %s", one_line(error))
        self._trouble = one_line(error)


def is_trouble(error: Exception) -> bool:
    """Whether a store with this response can't be used at all at present."""
    if not isinstance(error, ClientError):
        return True
    if status_of(error) == 501 or (error.operation_name, status_of(error)) == ("HeadObject", 404):
        return False
    kind = kind_of(code_of(error), status_of(error))
    return kind is UnavailableError and code_of(error) not in _OF_ONE_REQUEST
