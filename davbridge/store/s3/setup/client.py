"""Builds botocore's client: endpoint, addressing, checksums, time limits, retries.

The client checks or creates the bucket at the start, and `transport` gets the bucket's address from
it. All other requests are sent by `transport`.

Invariants: nothing is sent but S3 requests, and the requests of the credential chain. A client is
safe for many threads, and has a connection for each of them.
"""

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, Credentials
from botocore.exceptions import BotoCoreError

from davbridge import __version__
from davbridge.config import S3Settings
from davbridge.errors import StoreSetupError
from davbridge.store.s3.messages.errors import one_line
from davbridge.store.s3.setup.credentials import Found, ReloadableCredentials
from davbridge.store.s3.transport.address import ClientOptions, attach_options

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_REGION = "us-east-1"
"""The default name of the only region of stores other than AWS."""

CA_BUNDLE_VARIABLES = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"]
"""botocore heeds the second one too, but its configuration doesn't show it."""

AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws")


def build_client(settings: S3Settings, *, pool_size: int) -> "S3Client":
    """A client with a connection for each of ``pool_size`` threads.

    Raises StoreSetupError where the settings, or the AWS configuration files, don't make one.
    """
    try:
        client = _build(settings, pool_size)
        if settings.endpoint_url is None and not is_aws(client.meta.endpoint_url):
            # AWS_ENDPOINT_URL or the profile names another store.
            client.close()
            return _build(replace(settings, endpoint_url=client.meta.endpoint_url), pool_size)
    except (BotoCoreError, ValueError) as error:
        raise StoreSetupError(f"no S3 client can be made: {one_line(error)}") from error
    return client


def is_aws(endpoint_url: str | None) -> bool:
    """Whether the endpoint is AWS; None, the default, is."""
    if endpoint_url is None:
        return True
    host = urlsplit(endpoint_url).hostname or ""
    return host.endswith(tuple(f".{domain}" for domain in AWS_DOMAINS))


def _build(settings: S3Settings, pool_size: int) -> "S3Client":
    core = botocore.session.Session(profile=settings.profile)
    core.session_var_map["ca_bundle"] = ("ca_bundle", CA_BUNDLE_VARIABLES, None, None)
    credentials = _reloadable_credentials(core, settings)
    session = boto3.Session(botocore_session=core)
    client: S3Client = session.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=_region(core, settings),
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        config=_config(settings, pool_size),
    )
    ca_bundle = core.get_config_variable("ca_bundle")
    options = ClientOptions(ca_bundle)
    if credentials:
        options = ClientOptions(ca_bundle, credentials.renewed, credentials.method or "")
    attach_options(client, options)
    return client


def _region(core: botocore.session.Session, settings: S3Settings) -> str | None:
    if settings.region or is_aws(settings.endpoint_url):
        return settings.region
    return core.get_config_variable("region") or DEFAULT_REGION


def _config(settings: S3Settings, pool_size: int) -> Config:
    on_aws = is_aws(settings.endpoint_url)
    addressing = settings.addressing
    if addressing == "auto" and not on_aws:
        # A host name per bucket needs DNS that stores of one's own seldom have.
        addressing = "path"
    return Config(
        s3={"addressing_style": addressing, "us_east_1_regional_endpoint": "regional"},
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        max_pool_connections=pool_size,
        tcp_keepalive=True,
        # Many other stores don't know AWS's newer checksums, or fail on their trailers.
        request_checksum_calculation="when_supported" if on_aws else "when_required",
        response_checksum_validation="when_supported" if on_aws else "when_required",
        account_id_endpoint_mode="disabled",
        user_agent_extra=f"davbridge/{__version__}",
    )


def _reloadable_credentials(
    core: botocore.session.Session, settings: S3Settings
) -> ReloadableCredentials | None:
    """Sets credentials of the session that can be looked up again in the chain."""
    if settings.access_key is not None:
        return None
    found = core.get_component("credential_provider").load_credentials()
    if found is None:
        return None
    credentials = ReloadableCredentials(found, lambda: _walk_the_chain(settings.profile))
    core.register_component("credential_provider", CredentialResolver([Found(credentials)]))
    return credentials


def _walk_the_chain(profile: str | None) -> Credentials | None:
    """The credentials of a new session, which reads the files again."""
    return botocore.session.Session(profile=profile).get_credentials()
