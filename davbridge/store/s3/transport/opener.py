"""Opens connections to an endpoint as botocore would: TLS, proxies, time limits.

Invariants: certificates are checked against the same authorities as botocore's; each failure is
the exception that botocore has for it.
"""

import ssl
from functools import cached_property
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_NODELAY
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    SSLError,
)
from botocore.httpsession import (
    ProxyConfiguration,
    create_urllib3_context,
    get_cert_path,
    mask_proxy_url,
)
from botocore.utils import get_environ_proxies
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import parse_url
from urllib3.util.ssl_match_hostname import CertificateError

SOCKET_OPTIONS: list[tuple[int, int, int | bytes]] = [
    (IPPROTO_TCP, TCP_NODELAY, 1),
    (SOL_SOCKET, SO_KEEPALIVE, 1),
]


class NetworkOptions(NamedTuple):
    """The settings of connections, whatever the endpoint."""

    connect_timeout: float
    read_timeout: float
    """Seconds, until the next byte."""
    most_idle: int
    ca_bundle: str | None
    """The file of certificate authorities, where it isn't the usual one."""
    client_certificate: str | tuple[str, str] | None
    proxies: dict[str, str] | None
    """By scheme; None: those of the environment."""

    @classmethod
    def of(cls, config: Any, ca_bundle: str | None) -> "NetworkOptions":
        """As botocore's ``config`` has it."""
        return cls(
            config.connect_timeout,
            config.read_timeout,
            config.max_pool_connections,
            ca_bundle,
            config.client_cert,
            config.proxies,
        )


class ConnectionOpener:
    """Opens connections to an endpoint."""

    def __init__(self, url: SplitResult, options: NetworkOptions) -> None:
        self.endpoint = f"{url.scheme}://{url.netloc}"
        self._url = url
        self._options = options
        proxies = ProxyConfiguration(options.proxies or get_environ_proxies(self.endpoint))
        self._proxy: str | None = proxies.proxy_url_for(self.endpoint)
        self._proxy_headers = proxies.proxy_headers_for(self._proxy) if self._proxy else {}
        is_forwarding = self._proxy is not None and url.scheme == "http"
        self.target_prefix = self.endpoint if is_forwarding else ""
        """The prefix of each path if a proxy forwards requests (RFC 9112 §3.2.2)."""
        self.headers: dict[str, str] = self._proxy_headers if is_forwarding else {}
        """Headers for such a proxy."""

    def open(self) -> HTTPConnection:
        """Raises BotoCoreError."""
        connection = self._connection()
        try:
            connection.connect()
        except (OSError, exceptions.HTTPError, CertificateError) as error:
            connection.close()
            raise self._failure(error) from error
        return connection

    def _connection(self) -> HTTPConnection:
        url, timeout = self._url, self._options.connect_timeout
        if self._proxy is None:
            host, port = url.hostname or "", url.port
            if url.scheme == "http":
                return HTTPConnection(host, port, timeout=timeout, socket_options=SOCKET_OPTIONS)
            return HTTPSConnection(
                host, port, timeout=timeout, socket_options=SOCKET_OPTIONS, ssl_context=self._tls
            )
        proxy = parse_url(self._proxy)
        if url.scheme == proxy.scheme == "http":
            return HTTPConnection(
                proxy.host or "",
                proxy.port,
                timeout=timeout,
                socket_options=SOCKET_OPTIONS,
                proxy=proxy,
            )
        connection = HTTPSConnection(
            proxy.host or "",
            proxy.port or (443 if proxy.scheme == "https" else 80),
            timeout=timeout,
            socket_options=SOCKET_OPTIONS,
            proxy=proxy,
            proxy_config=ProxyConfig(None, False, None, None),
            ssl_context=self._tls,
        )
        if url.scheme == "https":
            connection.set_tunnel(
                url.hostname or "", url.port or 443, self._proxy_headers, proxy.scheme or "http"
            )
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context: ssl.SSLContext = create_urllib3_context()
        try:
            authorities: Any = self._options.ca_bundle or True
            context.load_verify_locations(get_cert_path(authorities))
            if files := self._options.client_certificate:
                context.load_cert_chain(*([files] if isinstance(files, str) else files))
        except OSError as error:
            raise SSLError(endpoint_url=self.endpoint, error=error) from error
        return context

    def _failure(self, error: Exception) -> BotoCoreError:
        if isinstance(error, ssl.SSLError | exceptions.SSLError | CertificateError):
            return SSLError(endpoint_url=self.endpoint, error=error)
        if self._proxy is not None:
            return ProxyConnectionError(proxy_url=mask_proxy_url(self._proxy), error=error)
        if isinstance(error, exceptions.NewConnectionError):  # a ConnectTimeoutError to urllib3
            return EndpointConnectionError(endpoint_url=self.endpoint, error=error)
        if isinstance(error, TimeoutError | exceptions.ConnectTimeoutError):
            return ConnectTimeoutError(endpoint_url=self.endpoint, error=error)
        return EndpointConnectionError(endpoint_url=self.endpoint, error=error)
