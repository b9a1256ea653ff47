"""Client addresses: whose share of something a client takes.

Owns which addresses count as one. Must not know what is shared.
"""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

IPV6_PREFIX = 64
"""Bits: one customer has at least as many addresses as share them (RFC 6177)."""


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 of an IPv6 address.

    What is no address, as REMOTE_ADDR of a Unix socket, is one client.
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
