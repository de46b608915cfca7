"""One request to a receiver that nobody trusts: only to addresses that were checked, and never for long."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addresses import NOT_PUBLIC
from appointments.targets import Targets
from receivers import OK, PUBLIC, certificate, dripping, leading_to, receiver, resolving, silent
from webhook_sender.guard import MOST_ADDRESSES, MOST_BYTES, MOST_SECONDS, Guard, UnansweredError, default_context

NAME = "hooks.example.com"
URL = f"https://{NAME}/in"


def never(family: int, address: Any, seconds: float) -> socket.socket:
    raise AssertionError(f"connected to {address}")


def reason(guard: Guard, url: str = URL) -> str:
    with pytest.raises(UnansweredError) as unanswered:
        guard.post(url, {}, b"{}")
    return unanswered.value.reason


def local(seconds: float = MOST_SECONDS) -> Guard:
    return Guard(Targets.LOOPBACK, seconds)


# --- where to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_a_name_that_leads_to_what_is_not_public_is_not_called(address: str) -> None:
    for targets in Targets:
        assert reason(Guard(targets, resolve=resolving(address), connect=never)) == "not-public"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1"])
def test_one_bad_address_among_good_ones_is_enough(address: str) -> None:
    for addresses in ((PUBLIC, address), (address, PUBLIC), (PUBLIC, "1.1.1.1", "2606:4700::1", address)):
        assert reason(Guard(Targets.PUBLIC, resolve=resolving(*addresses), connect=never)) == "not-public"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://user:word@hooks.example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
    ],
)
def test_a_url_that_may_not_be_is_refused_at_every_try_too(url: str) -> None:
    guard = Guard(Targets.PUBLIC, resolve=lambda *_: pytest.fail("was looked up"), connect=never)
    assert reason(guard, url) == "not-allowed"


def test_a_name_that_changes_between_check_and_use_is_not_looked_up_again(tmp_path: Path) -> None:
    """DNS rebinding: the second answer would be the bad one. It is never asked for."""
    server, client = certificate(tmp_path, NAME)
    answers = iter([PUBLIC, "127.0.0.1"])
    asked: list[Any] = []

    def changing(host: str, port: int) -> list[Any]:
        return resolving(next(answers))(host, port)

    with receiver(context=server) as there:
        guard = Guard(
            Targets.PUBLIC,
            resolve=changing,
            connect=leading_to(there.port, asked),
            context=lambda: client,
        )
        assert guard.post(URL, {}, b"{}") == 200
    assert asked == [(PUBLIC, 443)]
    assert next(answers) == "127.0.0.1"


def test_the_connection_is_made_to_the_address_and_not_to_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to the socket: a name there would be looked up anew."""
    connected: list[Any] = []

    class Socket:
        def __init__(self, *_: Any) -> None: ...
        def settimeout(self, seconds: float) -> None: ...
        def close(self) -> None: ...
        def connect(self, address: Any) -> None:
            connected.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "socket", Socket)
    assert reason(Guard(Targets.PUBLIC, resolve=resolving(PUBLIC, "2606:4700::1"))) == "connection"
    assert connected == [(PUBLIC, 443), ("2606:4700::1", 443)]


def test_the_certificate_has_to_be_that_of_the_name(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, NAME)
    with receiver(context=server) as there:
        guard = Guard(Targets.PUBLIC, resolve=resolving(PUBLIC), connect=leading_to(there.port), context=lambda: client)
        assert guard.post(URL, {}, b"{}") == 200
        assert reason(guard, "https://other.example.com/") == "tls"
        untrusting = Guard(Targets.PUBLIC, resolve=resolving(PUBLIC), connect=leading_to(there.port))
        assert reason(untrusting) == "tls"
        assert len(there.requests) == 1
    context = default_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_address_that_refuses_leaves_the_next_one(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, NAME)
    asked: list[Any] = []
    with receiver(context=server) as there:
        to_it = leading_to(there.port)

        def connect(family: int, address: Any, seconds: float) -> socket.socket:
            asked.append((address[0], seconds))
            if len(asked) < 3:
                raise TimeoutError
            return to_it(family, address, seconds)

        guard = Guard(
            Targets.PUBLIC,
            resolve=resolving("2606:4700::1", "1.1.1.1", PUBLIC),
            connect=connect,
            context=lambda: client,
        )
        assert guard.post(URL, {}, b"{}") == 200
    assert [address for address, _ in asked] == ["2606:4700::1", "1.1.1.1", PUBLIC]
    # Each leaves time for those after it.
    assert [round(seconds, 1) for _, seconds in asked] == [1.7, 2.5, 5.0]


def test_of_many_addresses_some_are_tried_and_all_are_checked() -> None:
    asked: list[Any] = []

    def connect(family: int, address: Any, seconds: float) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError

    many = [f"1.1.1.{number}" for number in range(20)]
    assert reason(Guard(Targets.PUBLIC, resolve=resolving(*many), connect=connect)) == "connection"
    assert len(asked) == MOST_ADDRESSES
    assert reason(Guard(Targets.PUBLIC, resolve=resolving(*many, "10.0.0.1"), connect=never)) == "not-public"


def test_a_name_that_is_unknown_is_told() -> None:
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror

    for resolve in (unknown, resolving()):
        assert reason(Guard(Targets.PUBLIC, resolve=resolve, connect=never)) == "unknown-name"


# --- what is sent, and what comes back ---------------------------------------------------------------------


def test_the_request_is_as_http_writes_it() -> None:
    with receiver() as there:
        url = f"http://127.0.0.1:{there.port}/in?a=1"
        assert local().post(url, {"webhook-id": "a.1"}, "ö".encode()) == 200
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    assert body == "ö".encode()
    assert head.split(b"\r\n") == [
        b"POST /in?a=1 HTTP/1.1",
        b"Host: 127.0.0.1:%d" % there.port,
        b"Content-Length: 2",
        b"Connection: close",
        b"webhook-id: a.1",
    ]


@pytest.mark.parametrize("status", [200, 202, 204, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
def test_the_status_is_the_answer_and_a_redirect_is_not_followed(status: int) -> None:
    with receiver() as other:
        answer = f"HTTP/1.1 {status} Because\r\nLocation: http://127.0.0.1:{other.port}/\r\n\r\n".encode()
        with receiver(answer) as there:
            assert local().post(f"http://127.0.0.1:{there.port}/", {}, b"{}") == status
    assert (len(there.requests), other.connections) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.0 200\r\n\r\n", 200),
        (b"HTTP/1.1 200\n\n", 200),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 201 Created\r\n\r\n",
            201,
        ),
    ],
)
def test_answers_that_are_written_in_another_way(answer: bytes, status: int) -> None:
    with receiver(answer) as there:
        assert local().post(f"http://127.0.0.1:{there.port}/", {}, b"{}") == status


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "connection"),
        (b"HTTP/1.1 200", "not-http"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not-http"),
        (b"<html>\n", "not-http"),
        (b"HTTP/2 200 OK\r\n\r\n", "not-http"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not-http"),
        (b"x" * (MOST_BYTES + 1), "not-http"),
        (b"HTTP/1.1 103 Early Hints\r\n" + b"a: b\r\n" * MOST_BYTES, "not-http"),
        (b"HTTP/1.1 100 x\r\n\r\n" * 2000 + OK, "not-http"),
    ],
)
def test_what_is_no_answer_is_told(answer: bytes, told: str) -> None:
    with receiver(answer) as there:
        assert reason(local(), f"http://127.0.0.1:{there.port}/") == told


def test_an_answer_before_all_was_read_counts() -> None:
    """And nothing of its body is read, however long it is."""
    with receiver(lambda connection: connection.sendall(b"HTTP/1.1 413 Too large\r\n\r\n" + b"x" * 10**6)) as there:
        assert local().post(f"http://127.0.0.1:{there.port}/", {}, b"x" * 10**6) == 413


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert reason(local(), f"http://127.0.0.1:{port}/") == "connection"


def test_the_local_stack_calls_this_machine_and_no_other_that_is_not_public() -> None:
    guard = Guard(Targets.LOOPBACK, resolve=resolving("10.0.0.1"), connect=never)
    assert reason(guard, "http://127.0.0.1:1/") == "not-public"
    assert reason(Guard(Targets.PUBLIC, connect=never), "http://127.0.0.1:1/") == "not-allowed"


# --- the time limit ----------------------------------------------------------------------------------------


def test_a_try_takes_five_seconds_at_most() -> None:
    assert Guard(Targets.PUBLIC).seconds == MOST_SECONDS == 5


@pytest.mark.parametrize(
    "answer",
    [silent, dripping(OK, 0.05), dripping(b"HTTP/1.1 103 x\r\n" + b"a: b\r\n" * 100, 0.05), dripping(b"", 0)],
    ids=["hangs", "drips", "drips for ever", "closes"],
)
def test_an_answer_that_does_not_come_in_time_is_none(answer: Callable[[socket.socket], None]) -> None:
    with receiver(answer) as there:
        began = time.monotonic()
        told = reason(local(0.4), f"http://127.0.0.1:{there.port}/")
        assert time.monotonic() - began < 0.8
    assert told == ("connection" if answer.__closure__ and answer.__closure__[0].cell_contents == b"" else "timeout")


def test_a_handshake_that_drips_is_given_up(tmp_path: Path) -> None:
    _, client = certificate(tmp_path, NAME)
    record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"  # the beginning of a long ServerHello
    with receiver(dripping(record + b"\x03" * 500, 0.05)) as there:
        to_it = leading_to(there.port)

        def slowly(family: int, address: Any, seconds: float) -> socket.socket:
            time.sleep(0.5)
            return to_it(family, address, seconds)

        guard = Guard(Targets.PUBLIC, 0.7, resolving(PUBLIC), slowly, lambda: client)
        began = time.monotonic()
        assert reason(guard) == "timeout"
        assert time.monotonic() - began < 1.0  # what is left after connecting, and not as much again


def test_a_receiver_that_does_not_read_is_given_up() -> None:
    with receiver(lambda _: time.sleep(2)) as there:
        began = time.monotonic()
        with pytest.raises(UnansweredError, match="timeout"):
            local(0.4).post(f"http://127.0.0.1:{there.port}/", {}, b"x" * 2**25)
        assert time.monotonic() - began < 0.8


def test_a_resolver_that_hangs_is_given_up() -> None:
    def slow(host: str, port: int) -> list[Any]:
        time.sleep(2)
        return resolving(PUBLIC)(host, port)

    began = time.monotonic()
    assert reason(Guard(Targets.PUBLIC, 0.3, slow, never)) == "timeout"
    assert time.monotonic() - began < 0.7
