"""What the wire raises.

::

    ValueError
    └── ServerSetupError        a setting that the server can't start with; says what to do
    ConnectionError
    ├── IncompleteBodyError     a body ended before its promised end; never taken for its end
    │   └── MalformedBodyError  a body that isn't in the chunked coding it claims
    └── ClientGoneError         an answer could not be written
    Exception
    ├── RequestHeadError            no head that can be served: it is answered, and ends its connection
    └── BrokenResponseError     an application's answer that can't be sent as it is

Invariant: an application needs no import from here. Every error that wsgi.input raises is an
OSError.
"""


class ServerSetupError(ValueError):
    """Port in use, bad certificate and the like: one line that a person can act on."""


class IncompleteBodyError(ConnectionError):
    """The client closed, reset or stalled before all of the body was there."""


class MalformedBodyError(IncompleteBodyError):
    """The chunked coding of the body is broken (RFC 9112 §7.1)."""


class RequestHeadError(Exception):
    """What has come is no head that can be trusted: it gets ``status``, and its connection ends."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class ClientGoneError(ConnectionError):
    """An answer could not be written: there is nobody left to tell."""


class BrokenResponseError(Exception):
    """An application broke its promise: other headers or another length than HTTP allows."""
