"""Whose request it is when proxies stand in between [pure].

A proxy appends the address it was called from to ``X-Forwarded-For``; whatever stood there
before was written by that caller, who may be anybody. So the header is read from the right,
and only as far as the hops are proxies of ours.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For

``Forwarded`` (RFC 7239) is not read: a proxy that writes the one header lets the other pass
as a stranger sent it, and nothing in the request tells which of them it wrote.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"
# Some proxies add the port: 192.0.2.1:4711, [2001:db8::1]:4711.
_WITH_PORT: Final = re.compile(r"\[([^\[\]]*)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")
_IPV6_SUBSCRIBER: Final = 64  # bits: RFC 6177; one household or firm has a /64 at least


def client_of(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address of the client: the nearest hop that is not a proxy of ours.

    Args:
        peer: the other end of the connection; None when there is none to name.
        forwarded_for: each ``X-Forwarded-For`` header, in their order.
        trusted: the proxies' networks.

    Returns:
        The address in its canonical form, or ``unknown`` without a peer. When a proxy of ours
        says what is no address, the client is that proxy: who was before it is not known.
    """
    hop = parse_address(peer or "")
    if hop is None:
        return peer or UNKNOWN
    for entry in _from_the_right(forwarded_for):
        if not is_trusted(hop, trusted):
            break
        before = parse_address(entry)
        if before is None:
            break
        hop = before
    return str(hop)


def scheme_of(
    peer: str | None, own: str, forwarded_proto: Sequence[str], trusted: Sequence[Network]
) -> str:
    """``https`` or ``http``: how the client reached the outermost part of ours.

    Args:
        peer: the other end of the connection.
        own: the scheme of that connection.
        forwarded_proto: each ``X-Forwarded-Proto`` header, in their order; the last value is
            the nearest proxy's, which is the only one that nobody else can have written.
        trusted: the proxies' networks.
    """
    hop = parse_address(peer or "")
    if hop is None or not is_trusted(hop, trusted):
        return own
    said = next(_from_the_right(forwarded_proto), "").lower()
    return said if said in {"http", "https"} else own


def network_of(address: str, *, ipv6_bits: int = _IPV6_SUBSCRIBER) -> str:
    """What to count by: an IPv4 address itself, of an IPv6 address its /64.

    One IPv6 subscriber has 2**64 addresses, so that a limit for each of them limits nothing.

    Args:
        address: the client's; what is none is all one, ``unknown``.
        ipv6_bits: for a wider network than a subscriber's.
    """
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, ipv6_bits), strict=False))
    return UNKNOWN if parsed is None else str(parsed)


def is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    """Whether the address belongs to one of the networks."""
    return any(address in network for network in trusted)


def parse_address(text: str) -> Address | None:
    """Read an address, with or without a port or a zone; None when it is none.

    An IPv4 address in IPv6's clothes (::ffff:192.0.2.1, what a socket for both shows) is the
    IPv4 address: a rule for one must hold for the other.
    """
    text = text.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2] or ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _from_the_right(headers: Sequence[str]) -> Iterator[str]:
    for header in reversed(headers):
        for entry in reversed(header.split(",")):
            yield entry.strip()
