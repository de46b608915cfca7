"""How a container of `sam local invoke` reaches the engine, which listens on 127.0.0.1 of this machine only.

SAM's containers are on a bridge, on which this machine has an address of its own. A forwarder on that address, open to
that bridge alone, leads to the engine. Where containers run in a virtual machine, as with Docker Desktop, the name
`host.docker.internal` leads to this machine's 127.0.0.1 already.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector

from local.engine import HOST
from local.loop import Loop
from local.waiting import Say

# Where SAM looks too.
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
PATIENCE = ClientTimeout(total=3)
VIRTUAL_MACHINE = "host.docker.internal"
# Linux: bind an address that is not there yet. podman makes its bridge when a container starts.
IP_FREEBIND = 15
CHUNK = 65536


class NoWayInError(Exception):
    """There is a container engine, and its containers cannot reach this machine; the message says why."""


@dataclass(frozen=True)
class Bridge:
    """This machine as containers see it. Without a subnet, the container engine forwards by itself."""

    host: str
    subnet: IPv4Network | None = None


async def ask(place: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What a container engine says of itself and of its bridge, by Docker's API, which podman has too."""
    async with ClientSession(connector=UnixConnector(path=place), timeout=PATIENCE, raise_for_status=True) as session:
        answers = []
        for path in ("/info", "/networks/bridge"):
            async with session.get(f"http://localhost{path}") as answer:
                answers.append(await answer.json(content_type=None))
        return answers[0], answers[1]


def bridge_of(info: Mapping[str, Any], network: Mapping[str, Any], system: str) -> Bridge:
    """How containers of this engine reach this machine. Raises NoWayInError."""
    if system != "Linux" or info.get("OperatingSystem") == "Docker Desktop":
        return Bridge(VIRTUAL_MACHINE)
    if any("rootless" in option for option in info.get("SecurityOptions") or ()):
        raise NoWayInError("the container engine is rootless, and its bridge is not on this machine")
    for config in network.get("IPAM", {}).get("Config") or ():
        try:
            subnet, gateway = IPv4Network(config["Subnet"]), IPv4Address(config["Gateway"])
        except (KeyError, ValueError):  # an IPv6 one
            continue
        if gateway in subnet:
            return Bridge(str(gateway), subnet)
    raise NoWayInError("the container engine has no IPv4 bridge with an address for this machine")


def find() -> Bridge | None:
    """The bridge of the container engine that SAM would use; None where none answers. Raises NoWayInError."""
    kind, _, place = (os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET).partition("://")
    if kind != "unix":
        return None  # on another machine
    try:
        info, network = asyncio.run(ask(place))
    except (ClientError, OSError, TimeoutError, ValueError):
        return None
    return bridge_of(info, network, platform.system())


class Forwarder:
    """Listens on the bridge's address and leads connections from the bridge to the same port on 127.0.0.1."""

    def __init__(self, bridge: Bridge, port: int) -> None:
        """Raises OSError where it cannot listen."""
        self._subnet = bridge.subnet
        self._port = port
        self._connections: set[asyncio.Task[Any]] = set()
        self._socket = socket.socket()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            self._socket.bind((bridge.host, port))
        except OSError:
            self._socket.close()
            raise
        self._loop = Loop("bridge")

    def __enter__(self) -> None:
        self._loop.start()
        self._server = self._loop.run(asyncio.start_server(self._lead, sock=self._socket))

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._close())
        self._loop.stop()

    async def _close(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy both directions until one of the two ends the connection."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server's callback runs as a task
        self._connections.add(task)
        writers = [writer]
        copies: list[asyncio.Task[None]] = []
        try:
            # The address can be reached from the network too, by whoever sends packets for it to this machine.
            peer = IPv4Address(writer.get_extra_info("peername")[0])
            if self._subnet is None or peer not in self._subnet:
                return
            engine_reader, engine_writer = await asyncio.open_connection(HOST, self._port)
            writers.append(engine_writer)
            for source, target in ((reader, engine_writer), (engine_reader, writer)):
                copies.append(asyncio.create_task(_copy(source, target)))
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the engine is gone, and the container learns of it as its connection closes
        finally:
            for copy in copies:
                copy.cancel()
            for each in writers:
                each.close()
            await asyncio.gather(*copies, *(each.wait_closed() for each in writers), return_exceptions=True)
            self._connections.discard(task)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()


@contextmanager
def offered(port: int, say: Say) -> Iterator[str | None]:
    """Let containers reach the engine's port until the block ends; the address for them, None where none can."""
    bridge, forwarder = None, None
    try:
        bridge = find()
        if bridge is not None and bridge.subnet is not None:
            forwarder = Forwarder(bridge, port)
    except (NoWayInError, OSError) as problem:
        bridge = None
        say(f"sam local invoke is off: {problem}")
    with forwarder or nullcontext():
        yield f"http://{bridge.host}:{port}" if bridge else None
