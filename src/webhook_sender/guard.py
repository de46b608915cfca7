"""One HTTP request to a receiver that nobody here trusts: only to a public address, and never for long.

Every address that a name resolves to is checked, and the connection is made to one that was: nothing looks the name up
a second time. Resolving, connecting, TLS, sending and the answer share one time limit, however slowly bytes drip. No
redirect is followed, and nothing of an answer is read but its status.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING, Any

from appointments.targets import TargetError, is_public, parse_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from appointments.targets import Target, Targets

# The whole of a try.
MOST_SECONDS = 5.0
# What a receiver may send before the end of its status line, answers before the final one (103) included.
MOST_BYTES = 16 * 1024
# Of a name with more addresses than this, the rest is not tried.
MOST_ADDRESSES = 4

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


class UnansweredError(Exception):
    """No answer came; `reason` is a word that says why, and nothing of the receiver."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@cache
def default_context() -> ssl.SSLContext:
    """The certificates that the runtime trusts, TLS 1.2 or later, and the name checked."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _resolve(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _connect(family: int, address: Any, seconds: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Guard:
    """Sends requests to public addresses, and to this machine where `targets` allows it."""

    targets: Targets
    seconds: float = MOST_SECONDS
    resolve: Callable[[str, int], list[Any]] = _resolve
    connect: Callable[[int, Any, float], socket.socket] = _connect
    context: Callable[[], ssl.SSLContext] = default_context

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer to one POST. Raises UnansweredError."""
        deadline = time.monotonic() + self.seconds
        try:
            target = parse_target(url, self.targets)
        except TargetError as exc:  # it was stored while other addresses were allowed
            raise UnansweredError("not-allowed") from exc
        try:
            with self._connection(target, deadline) as connection:
                _send(connection, _request(target, headers, body), deadline)
                return _status(connection, deadline)
        except TimeoutError as exc:
            raise UnansweredError("timeout") from exc
        except ssl.SSLError as exc:
            raise UnansweredError("tls") from exc
        except (OSError, ValueError) as exc:
            raise UnansweredError("connection") from exc

    def _connection(self, target: Target, deadline: float) -> socket.socket:
        connection = self._first_that_answers(self._addresses(target, deadline)[:MOST_ADDRESSES], deadline)
        if target.scheme == "http":
            return connection
        try:
            connection.settimeout(_left(deadline))
            return self.context().wrap_socket(connection, server_hostname=target.host)
        except BaseException:
            connection.close()
            raise

    def _first_that_answers(self, addresses: list[tuple[int, Any]], deadline: float) -> socket.socket:
        *others, last = addresses
        for number, (family, address) in enumerate(others):
            try:
                # So that one that does not answer leaves time for the others.
                return self.connect(family, address, _left(deadline) / (len(addresses) - number))
            except OSError:
                continue
        return self.connect(*last, _left(deadline))

    def _addresses(self, target: Target, deadline: float) -> list[tuple[int, Any]]:
        """Where to connect to. Raises UnansweredError unless every address of the name is public."""
        answer: Future[list[Any]] = Future()

        def ask() -> None:
            try:
                answer.set_result(self.resolve(target.host, target.port))
            except (OSError, UnicodeError) as exc:
                answer.set_exception(exc)

        # The resolver knows no time limit, so it is left behind where it takes too long.
        Thread(target=ask, daemon=True).start()
        wait([answer], _left(deadline))
        if not answer.done():
            raise TimeoutError
        found = [] if answer.exception() else answer.result()
        if not found:
            raise UnansweredError("unknown-name")
        addresses = [(family, address) for family, _, _, _, address in found]
        if target.is_loopback:
            public = all(address[0] == target.host for _, address in addresses)
        else:
            public = all(is_public(ip_address(address[0])) for _, address in addresses)
        if not public:
            raise UnansweredError("not-public")
        return addresses


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    every = {"Host": target.host_header, "Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in every.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii") + body


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        connection.settimeout(_left(deadline))
        try:
            sent = connection.send(view)
        except (BrokenPipeError, ConnectionResetError):
            return  # it may have answered without having read all of it
        view = view[sent:]


def _status(connection: socket.socket, deadline: float) -> int:
    """The status of the final answer. What comes after its first line is not read."""
    received, length = b"", 0
    while True:
        match = _STATUS.match(received)
        if match and not match[1].startswith(b"1"):
            return int(match[1])
        if match and (end := _END_OF_HEADERS.search(received)):
            received = received[end.end() :]
            continue
        if (b"\n" in received and not match) or length > MOST_BYTES:
            raise UnansweredError("not-http")
        connection.settimeout(_left(deadline))
        more = connection.recv(4096)
        if not more:
            raise UnansweredError("not-http" if received else "connection")
        received += more
        length += len(more)


def _left(deadline: float) -> float:
    """The seconds that are left. Raises TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
