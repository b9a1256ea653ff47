"""What a client remembers of how it was built, for who speaks to its store beside it.

Owns where that is kept. botocore's clients carry nothing of others' but handlers of events, so it
is the answer to an event of davbridge's own; a client that somebody else built gives the default.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EVENT = "davbridge-kept"


class Kept(NamedTuple):
    ca_bundle: str | None = None
    """The file of certificate authorities, where it isn't the usual one."""
    renew: Callable[[str], bool] = lambda _: False
    """Given the code that a request was refused with: whether there are new credentials."""


def keep(client: "S3Client", kept: Kept) -> None:
    events: Any = client.meta.events
    events.register(_EVENT, lambda **_: kept)


def kept_by(client: "S3Client") -> Kept:
    events: Any = client.meta.events
    _, kept = events.emit_until_response(_EVENT)
    return kept or Kept()
