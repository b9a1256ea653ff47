"""AWS Signature Version 4 for S3, in headers or in the query.

botocore's own signers make the same signatures (the tests compare them) at four times the cost:
they derive the signing key for each request. A signature in headers is valid for a quarter of an
hour or more; one in the query for as many seconds as it says.

Invariants: every header that is passed is signed; the path and the query are signed unchanged, as
they are sent.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from botocore.credentials import ReadOnlyCredentials

from davbridge.store.buffers.outgoing_body import OutgoingBody, buffers_of

UNSIGNED = "UNSIGNED-PAYLOAD"
"""In place of the body's hash, where something else protects it."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = "%Y%m%dT%H%M%SZ"
_EMPTY = hashlib.sha256(b"").hexdigest()


class Scope(NamedTuple):
    """The credentials, region and service of a signature."""

    region: str
    service: str


def payload_hash(body: OutgoingBody) -> str:
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
    time = _text_of(now)
    complete = {**headers, "x-amz-content-sha256": payload, "x-amz-date": time}
    if credentials.token:
        complete["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(complete))
    where = _where(time, scope)
    request = _canonical(method, path, query, complete, names, payload)
    signature = _signature(request, time, where, scope, credentials)
    complete["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{where}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return complete


def presigned(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    scope: Scope,
    credentials: ReadOnlyCredentials,
    now: datetime,
    expires: int,
) -> str:
    """The query that signs the request: valid from ``now``, a whole second, for ``expires``
    seconds.

    As in `signed`; the parameters of ``query`` sort behind those that sign, which begin with a
    capital letter. The body isn't signed: of the stores that davbridge knows, SeaweedFS takes no
    hash of it here. A Content-MD5 among the headers is.
    """
    time = _text_of(now)
    names = ";".join(sorted(headers))
    where = _where(time, scope)
    credential, token = _encoded_credentials(credentials.access_key, credentials.token, where)
    signing = (
        f"X-Amz-Algorithm={_ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date={time}"
        f"&X-Amz-Expires={expires}{token}&X-Amz-SignedHeaders={names.replace(';', '%3B')}"
    )
    whole = f"{signing}&{query}" if query else signing
    request = _canonical(method, path, whole, headers, names, UNSIGNED)
    return f"{whole}&X-Amz-Signature={_signature(request, time, where, scope, credentials)}"


@lru_cache(maxsize=16)
def _text_of(second: datetime) -> str:
    return second.strftime(_TIME)


@lru_cache(maxsize=16)
def _encoded_credentials(access_key: str, token: str | None, where: str) -> tuple[str, str]:
    """Two parts of the query. They are the same for all requests of a day."""
    credential = quote(f"{access_key}/{where}", safe="")
    return credential, f"&X-Amz-Security-Token={quote(token, safe='')}" if token else ""


def _where(time: str, scope: Scope) -> str:
    return f"{time[:8]}/{scope.region}/{scope.service}/aws4_request"


def _canonical(
    method: str, path: str, query: str, headers: Mapping[str, str], names: str, payload: str
) -> bytes:
    # Runs of blanks count as one (AWS: "Trimall").
    lines = "\n".join([f"{name}:{' '.join(headers[name].split())}" for name in names.split(";")])
    request = f"{method}\n{path}\n{query}\n{lines}\n\n{names}\n{payload}"
    # The very bytes that are sent. What has none in Latin-1 is refused when it is to be sent.
    return request.encode("latin-1", "replace")


def _signature(
    request: bytes, time: str, where: str, scope: Scope, credentials: ReadOnlyCredentials
) -> str:
    text = f"{_ALGORITHM}\n{time}\n{where}\n{hashlib.sha256(request).hexdigest()}"
    key = _signing_key(credentials.secret_key, time[:8], scope)
    return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
