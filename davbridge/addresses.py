"""Client addresses: which of them count as one client."""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

IPV6_PREFIX = 64
"""Bits. A provider gives each customer at least the addresses that share so many (RFC 6177)."""


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 of an IPv6 address.

    All that is no address counts as one client, such as a Unix socket's REMOTE_ADDR.
    """
    try:
        return str(IPv4Address(address))
    except AddressValueError:
        pass
    try:
        ipv6 = IPv6Address(address)
    except AddressValueError:
        return ""
    if ipv6.ipv4_mapped is not None:
        return str(ipv6.ipv4_mapped)
    return f"{IPv6Address(int(ipv6) >> IPV6_PREFIX << IPV6_PREFIX)}/{IPV6_PREFIX}"
