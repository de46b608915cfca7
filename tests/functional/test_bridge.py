"""The way from a container to the engine: the bridge's address and nothing else, and off where it cannot work."""

from __future__ import annotations

import json
import platform
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Network
from socketserver import UnixStreamServer
from typing import TYPE_CHECKING, Any

import pytest

from local import bridge
from local.bridge import Bridge, NoWayInError, bridge_of, offered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# On Linux all of 127/8 is this machine: an address beside the engine's, which containers would call from.
GATEWAY = "127.7.7.1"
SUBNET = "127.7.7.0/24"
DOCKER: dict[str, Any] = {"OperatingSystem": "Debian GNU/Linux 13", "SecurityOptions": ["name=seccomp,profile=builtin"]}
NETWORK: dict[str, Any] = {"IPAM": {"Config": [{"Subnet": SUBNET, "Gateway": GATEWAY}]}}

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the bridge is on this machine on Linux only")


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def engine_port() -> Iterator[int]:
    """Something that listens on 127.0.0.1 and says hello."""

    class Hello(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "500000")
            self.end_headers()
            self.wfile.write(b"x" * 500_000)

    with HTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def container_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A socket that answers as Docker does, with what the test puts in."""
    answers = {"/info": DOCKER, "/networks/bridge": NETWORK}

    class Docker(Quiet):
        def address_string(self) -> str:
            return "a container engine"

        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

    place = tmp_path / "engine.sock"
    with UnixStreamServer(str(place), Docker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
        yield answers
        server.shutdown()
        thread.join()


def received(host: str, port: int, source: str) -> bytes:
    """What comes back from an address, for whoever calls from another one; nothing where that is closed at once."""
    with socket.create_connection((host, port), timeout=20, source_address=(source, 0)) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            found = b""
            while data := connection.recv(65536):
                found += data
        except ConnectionError:
            return b""
        return found


def refused(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0


def test_a_container_reaches_the_engine(container_engine: dict[str, Any], engine_port: int) -> None:
    with offered(engine_port, print) as url:
        assert url == f"http://{GATEWAY}:{engine_port}"
        assert received(GATEWAY, engine_port, "127.7.7.9").endswith(b"x" * 500_000)
        # That address only.
        assert refused("127.7.7.2", engine_port)
    assert refused(GATEWAY, engine_port)


def test_nobody_else_does(container_engine: dict[str, Any], engine_port: int) -> None:
    with offered(engine_port, print):
        assert received(GATEWAY, engine_port, "127.0.0.1") == b""


def test_a_connection_that_is_left_open_ends_with_it(container_engine: dict[str, Any], engine_port: int) -> None:
    with offered(engine_port, print):
        connection = socket.create_connection((GATEWAY, engine_port), timeout=20, source_address=("127.7.7.9", 0))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1)
    with connection:
        while connection.recv(65536):
            pass


def test_an_address_that_is_not_there_yet_can_be_bound(container_engine: dict[str, Any], engine_port: int) -> None:
    """podman makes its bridge when a container starts. 192.0.2.0/24 is for examples."""
    container_engine["/networks/bridge"] = {
        "IPAM": {"Config": [{"Subnet": "198.51.100.0/24", "Gateway": "198.51.100.1"}]}
    }
    with offered(engine_port, pytest.fail) as url:
        assert url == f"http://198.51.100.1:{engine_port}"


def test_it_is_off_without_a_container_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_port: int
) -> None:
    for place in (f"unix://{tmp_path}/nothing.sock", "tcp://192.0.2.1:2375", "ssh://elsewhere"):
        monkeypatch.setenv("DOCKER_HOST", place)
        with offered(engine_port, pytest.fail) as url:
            assert url is None


def test_it_is_off_where_the_address_is_taken_and_says_so(
    container_engine: dict[str, Any], engine_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind((GATEWAY, engine_port))
        other.listen()
        with offered(engine_port, print) as url:
            assert url is None
    assert capsys.readouterr().out.startswith("sam local invoke is off: ")


def test_it_is_off_where_the_engine_is_rootless_and_says_so(
    container_engine: dict[str, Any], engine_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    container_engine["/info"] = DOCKER | {"SecurityOptions": ["name=seccomp", "name=rootless"]}
    with offered(engine_port, print) as url:
        assert url is None
    assert "rootless" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("info", "system"), [(DOCKER, "Darwin"), ({"OperatingSystem": "Docker Desktop"}, "Linux"), ({}, "Windows")]
)
def test_a_virtual_machine_forwards_by_itself(info: dict[str, Any], system: str) -> None:
    assert bridge_of(info, NETWORK, system) == Bridge("host.docker.internal")


def test_the_first_ipv4_address_of_this_machine_on_the_bridge() -> None:
    config = [
        {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
        {"Subnet": "172.17.0.0/16"},
        {"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"},
    ]
    found = bridge_of(DOCKER, {"IPAM": {"Config": config}}, "Linux")
    assert found == Bridge("172.17.0.1", IPv4Network("172.17.0.0/16"))


@pytest.mark.parametrize("gateway", ["0.0.0.0", "192.168.1.7", "", "localhost"])
def test_no_other_address_is_ever_bound(gateway: str) -> None:
    network = {"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": gateway}]}}
    with pytest.raises(NoWayInError):
        bridge_of(DOCKER, network, "Linux")


def test_an_engine_that_answers_nonsense_is_none(container_engine: dict[str, Any]) -> None:
    del container_engine["/networks/bridge"]
    assert bridge.find() is None
