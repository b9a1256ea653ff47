"""Where a bucket is, with which credentials, and how its client was built.

S3's rules for that (virtual or path addressing, regions, dual stack, FIPS, access points, endpoints
from the environment) are botocore's: the address is read from a request of botocore's that is never
sent.

Invariant: the credentials are taken from the client's chain for each request, so that botocore
renews them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from botocore.signers import RequestSigner
from urllib3 import HTTPResponse

from davbridge.config.checks import is_loopback
from davbridge.errors import StoreSetupError
from davbridge.store.s3.transport.signing import Scope

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_KEY = "key"

_EVENT = "davbridge-client-options"

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """A bucket on the network."""

    url: SplitResult
    """Its path doesn't end in a slash, and is empty where the host is the bucket's own."""
    host: str
    """As in the Host header."""
    scope: Scope
    signer: RequestSigner

    @cached_property
    def is_secure(self) -> bool:
        return self.url.scheme == "https"

    @cached_property
    def is_loopback(self) -> bool:
        """Whether the store is on this machine."""
        return is_loopback(self.url.hostname or "")

    def is_same_place(self, other: "Address") -> bool:
        """Whether requests go to the same host, and are signed for the same region."""
        return (self.url, self.host, self.scope) == (other.url, other.host, other.scope)

    def path_of(self, key: str | None) -> str:
        """The path of the object; of the bucket itself where there is no key."""
        if key is None:
            return self.url.path or "/"
        return f"{self.url.path}/{quote(key, safe='/~')}"

    def credentials(self) -> ReadOnlyCredentials:
        """Raises NoCredentialsError, and the errors of a renewal."""
        signer: Any = self.signer
        auth = signer.get_auth_instance(self.scope.service, self.scope.region, "s3v4")
        found: ReadOnlyCredentials | None = auth.credentials
        if found is None:
            raise NoCredentialsError
        return found


def address_of(client: "S3Client", bucket: str) -> Address:
    """Raises botocore's errors, and StoreSetupError for a bucket whose requests are signed in
    another way: a directory bucket, or an access point of several regions."""
    learner = _Learner(bucket)
    events: Any = client.meta.events
    for event, handler in learner.handlers.items():
        events.register(event, handler)
    try:
        client.head_object(Bucket=bucket, Key=_KEY)
    finally:
        for event, handler in learner.handlers.items():
            events.unregister(event, handler)
    url = urlsplit(learner.url)
    path = url.path.removesuffix(f"/{_KEY}")
    return Address(url._replace(path=path), _host(url), learner.scope, learner.signer)


class _Learner:
    """Observes how botocore signs a request, and stops it before it is sent."""

    url: str
    scope: Scope
    signer: RequestSigner

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        # davbridge never asks botocore for a HeadObject otherwise, so that only this one is caught.
        self.handlers = {
            "before-sign.s3.HeadObject": self._sign,
            "before-send.s3.HeadObject": self._send,
        }

    def _sign(
        self,
        request: Any,
        signing_name: str,
        region_name: str,
        signature_version: str,
        request_signer: RequestSigner,
        **_: Any,
    ) -> None:
        # The rules for this bucket override the client's settings.
        rules = request.context.get("signing", {})
        self.scope = Scope(
            rules.get("region", region_name), rules.get("signing_name", signing_name)
        )
        self.signer = request_signer
        if self.scope.service != "s3" or signature_version != "s3v4":
            raise StoreSetupError(
                f"bucket {self._bucket!r} is of a kind that davbridge can't use: "
                "choose a general purpose bucket"
            )

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        self.url = request.url
        nothing = HTTPResponse(BytesIO(), preload_content=False)
        return AWSResponse(request.url, 200, HTTPHeaders(), nothing)


def _host(url: SplitResult) -> str:
    host = url.netloc.rpartition("@")[2]
    default = f":{_DEFAULT_PORTS[url.scheme]}"
    return host.removesuffix(default)


class ClientOptions(NamedTuple):
    """How a client was built, for the code that sends requests to the same store."""

    ca_bundle: str | None = None
    """The file of certificate authorities, where it isn't the usual one."""
    renew: Callable[[str], bool] = lambda _: False
    """Called with the code with which a request was refused. Returns whether there are new
    credentials."""
    credentials_from: str = ""
    """botocore's name of the place where it found the credentials; empty: the settings."""


def attach_options(client: "S3Client", options: ClientOptions) -> None:
    """Stores ``options`` in the client. The only foreign things that a botocore client can hold are
    event handlers: so one returns the options at an event of davbridge's own."""
    events: Any = client.meta.events
    events.register(_EVENT, lambda **_: options)


def options_of(client: "S3Client") -> ClientOptions:
    """The defaults, if the client was built elsewhere."""
    events: Any = client.meta.events
    _, options = events.emit_until_response(_EVENT)
    return options or ClientOptions()
