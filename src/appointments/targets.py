"""Where a webhook may go: https to a public address, so that nobody reaches what stands beside the functions.

`parse_target` checks what a URL says, `is_public` each address that its name resolves to. A name is checked anew at
every delivery, because what it resolves to can change.
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ipaddress import IPv6Address

MAX_URL = 2048
LOOPBACK = "127.0.0.1"

# What is no single machine on the public internet (IANA's registries of special-purpose addresses, RFC 6890).
_RESERVED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
# Only this part of IPv6 is handed out to machines. Outside of it lie addresses that stand for one of IPv4 (mapped,
# NAT64), private, link-local and multicast ones.
_UNICAST_V6 = IPv6Network("2000::/3")
# Within it: protocols and Teredo, documentation, 6to4.
_RESERVED_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))

# Names that are never public (RFC 6761, RFC 6762, RFC 8375, and `internal`, which ICANN reserved).
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")
_VISIBLE = re.compile(r"[!-\[\]-~]*", re.ASCII)  # printable ASCII without spaces and backslashes
# An address of IPv6 without a zone, and nothing behind the bracket but a port.
_BRACKETED = re.compile(r"\[[0-9a-f:.]+\](?::\d*)?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)


class Targets(StrEnum):
    """The template's parameter `WebhookTargets`. `loopback`, for the local stack, allows 127.0.0.1 beside."""

    PUBLIC = "public"
    LOOPBACK = "loopback"


class TargetError(ValueError):
    """A URL that no webhook may have. The message tells the caller what to send instead."""


class Target(NamedTuple):
    """The parts of a URL that a delivery needs. `path` has the query in it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, which only the local stack may call."""
        return self.host == LOOPBACK

    @property
    def host_header(self) -> str:
        """The host as a request names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def parse_target(url: str, targets: Targets) -> Target:
    """Read a URL. Raises TargetError where it is none that webhooks may have."""
    if len(url) > MAX_URL:
        raise TargetError(f"must have at most {MAX_URL} characters")
    if not _VISIBLE.fullmatch(url):
        raise TargetError("must be ASCII without spaces; write other letters of a name as xn--…, of a path as %…")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError as exc:
        raise TargetError("is not a URL; use e.g. https://example.com/webhooks") from exc
    if "@" in parts.netloc:
        raise TargetError("must not contain a user name or a password; check the signature instead")
    if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
        raise TargetError(
            "is not a URL; in brackets stands an IPv6 address without a zone, as in https://[2001:db8::1]/"
        )
    if parts.fragment:
        raise TargetError("must not have a fragment (#…)")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if targets is Targets.LOOPBACK and host == LOOPBACK and parts.scheme in ("http", "https"):
        return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)
    if parts.scheme != "https":
        raise TargetError("must begin with https://")
    if port not in (None, 443):
        raise TargetError("must have port 443, which need not be named")
    _check_host(host)
    return Target("https", host, 443, path)


def _check_host(host: str) -> None:
    try:
        address = ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host) or any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES):
            raise TargetError("must name a host on the public internet, such as hooks.example.com") from None
    else:
        if not is_public(address):
            raise TargetError("must name a host on the public internet; this address is not public")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is that of one machine on the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _RESERVED_V4)
    return address in _UNICAST_V6 and not any(address in network for network in _RESERVED_V6)
