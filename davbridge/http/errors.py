"""The exceptions of this package.

::

    ValueError
    └── ServerSetupError        the server can't start with these settings; says what to do
    ConnectionError
    ├── IncompleteBodyError     a body ended before its promised end
    │   └── MalformedBodyError  the chunked coding of a body is malformed
    └── ClientGoneError         an answer could not be sent
    Exception
    ├── RequestHeadError        a request head that can't be served: it is answered, then closed
    └── BrokenResponseError     the application's answer can't be sent as it is

Invariant: an application needs no import from here. Every exception that wsgi.input raises is an
OSError.
"""


class ServerSetupError(ValueError):
    """Port in use, bad certificate and the like: one line that a person can act on."""


class IncompleteBodyError(ConnectionError):
    """The client closed, reset or stalled before all of the body was there."""


class MalformedBodyError(IncompleteBodyError):
    """The chunked coding of the body is broken (RFC 9112 §7.1)."""


class RequestHeadError(Exception):
    """A malformed or late request head: it is answered with ``status``, then closed."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class ClientGoneError(ConnectionError):
    """An answer could not be sent, because the client has disconnected or stopped reading."""


class BrokenResponseError(Exception):
    """The application's answer has headers or a length that HTTP doesn't allow."""
