"""Receivers of webhooks for tests: sockets on 127.0.0.1 that behave, and that do not."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
# An address on the public internet, which no test connects to.
PUBLIC = "93.184.216.34"


@dataclass
class Receiver:
    """What a receiver got, and where it listens."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")] or [0]
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


@contextmanager
def receiver(
    answer: bytes | Callable[[socket.socket], None] = OK,
    context: ssl.SSLContext | None = None,
) -> Iterator[Receiver]:
    """A receiver that answers each request with these bytes, or does with the connection what it likes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Receiver(server.getsockname()[1])

        def serve(accepted: socket.socket) -> None:
            with (
                suppress(OSError),
                accepted,
                context.wrap_socket(accepted, server_side=True) if context else accepted as connection,
            ):
                if callable(answer):
                    answer(connection)
                    return
                found.requests.append(_request(connection))
                connection.sendall(answer)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                found.connections += 1
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield found
        server.shutdown(socket.SHUT_RDWR)


def dripping(data: bytes, seconds: float) -> Callable[[socket.socket], None]:
    """One byte after the other, with a pause before each."""

    def answer(connection: socket.socket) -> None:
        for byte in data:
            time.sleep(seconds)
            connection.sendall(bytes([byte]))

    return answer


def silent(connection: socket.socket) -> None:
    """Takes everything and says nothing."""
    while connection.recv(65536):
        pass


def resolving(*addresses: str) -> Callable[[str, int], list[Any]]:
    """A resolver that answers every name with these addresses."""

    def resolve(host: str, port: int) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in text else socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))
            for text in addresses
        ]

    return resolve


def leading_to(port: int, asked: list[Any] | None = None) -> Callable[[int, Any, float], socket.socket]:
    """Connects to this port of 127.0.0.1, whatever address it is asked for."""

    def connect(family: int, address: Any, seconds: float) -> socket.socket:
        if asked is not None:
            asked.append(address)
        return socket.create_connection(("127.0.0.1", port), seconds)

    return connect


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for names: the context of the server that shows it, and that of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    file = folder / "certificate.pem"
    file.write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=pem.decode())
    return server, client
