"""Signature Version 4 for S3, in headers.

Owns the arithmetic of AWS's "Authenticating Requests (AWS Signature Version 4)". botocore's own
signer gives the same signatures, which the tests hold, at four times the cost: it derives the
signing key anew for each request. Must not know where keys or credentials come from.

Invariants: every header that is given is signed; the path and the query are signed as they are
given, which is how they are sent.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from botocore.credentials import ReadOnlyCredentials

from davbridge.store.content import Content, buffers_of

UNSIGNED = "UNSIGNED-PAYLOAD"
"""In place of the body's hash, where TLS and a checksum protect it."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()


class Scope(NamedTuple):
    """What a signature is good for."""

    region: str
    service: str


def payload_hash(body: Content) -> str:
    if not body:
        return _EMPTY
    digest = hashlib.sha256()
    for buffer in buffers_of(body):
        digest.update(buffer)
    return digest.hexdigest()


def signed(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload: str,
    scope: Scope,
    credentials: ReadOnlyCredentials,
    now: datetime,
) -> dict[str, str]:
    """``headers`` and those that sign the request.

    Names of headers are in lower case, and ``host`` is among them; path and query are encoded, and
    the parameters of the query sorted.
    """
    time = now.strftime("%Y%m%dT%H%M%SZ")
    day = time[:8]
    complete = {**headers, "x-amz-content-sha256": payload, "x-amz-date": time}
    if credentials.token:
        complete["x-amz-security-token"] = credentials.token
    names = sorted(complete)
    # Runs of blanks count as one (AWS: "Trimall").
    lines = "\n".join([f"{name}:{' '.join(complete[name].split())}" for name in names])
    signed_names = ";".join(names)
    request = f"{method}\n{path}\n{query}\n{lines}\n\n{signed_names}\n{payload}"
    # The very bytes that are sent. What has none in Latin-1 is refused when it is to be sent.
    digest = hashlib.sha256(request.encode("latin-1", "replace")).hexdigest()
    where = f"{day}/{scope.region}/{scope.service}/aws4_request"
    text = f"{_ALGORITHM}\n{time}\n{where}\n{digest}"
    key = _signing_key(credentials.secret_key, day, scope)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    complete["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{where}, "
        f"SignedHeaders={signed_names}, Signature={signature}"
    )
    return complete


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
