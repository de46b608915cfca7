"""Receivers of webhooks on this machine: some listen, one hangs, one always fails, one is gone, one is not there."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from local.engine import HOST, free_port
from local.receiver import verified

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENS, HANGS, FAILS, GONE, ABSENT = "listens", "hangs", "fails", "gone", "absent"


class Arrival(NamedTuple):
    """A webhook as it came."""

    at: float
    body: bytes
    message: dict[str, Any]


class Receivers:
    """A path for each of them, under one address."""

    def __init__(self, names: dict[str, str]) -> None:
        """``names`` are the webhooks' ids, each with how its receiver behaves."""
        self.names = names
        self.secrets: dict[str, str] = {}
        self.arrived: dict[str, dict[str, list[Arrival]]] = {name: defaultdict(list) for name in names}
        self.requests: Counter[str] = Counter()
        self.unbelievable: list[str] = []
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._nobody = free_port()

    def url(self, name: str) -> str:
        port = self._nobody if self.names[name] == ABSENT else self._server.server_port
        return f"http://{HOST}:{port}/{name}"

    @contextmanager
    def open(self) -> Iterator[None]:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self._closing.set()
            self._server.shutdown()
            self._server.server_close()

    def ids(self, name: str) -> set[str]:
        """The ids of the events that a receiver took."""
        return set(self.arrived[name])

    def take(self, name: str, headers: dict[str, str], body: bytes) -> int:
        """The status with which a receiver answers."""
        self.requests[name] += 1
        match self.names[name]:
            case "hangs":
                self._closing.wait(60)
                return 200
            case "fails":
                return 500
            case "gone":
                return 410
        if not verified(self.secrets.get(name, ""), headers, body, time.time()):
            self.unbelievable.append(f"{name}: {headers.get('webhook-id')}")
            return 401
        self.arrived[name][headers["webhook-id"]].append(Arrival(time.time(), body, json.loads(body)))
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receivers.take(self.path.strip("/"), headers, body)
                try:
                    self.send_response(status)
                    self.end_headers()
                except OSError:
                    pass  # whoever asked waits no longer

            def log_message(self, *_: object) -> None:
                pass

        return Handler
