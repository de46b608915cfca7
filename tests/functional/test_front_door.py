"""The front door of the local stack passes on every request as it came."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.front_door import FrontDoor

HOST = "127.0.0.1"


class _Echo(BaseHTTPRequestHandler):
    """Answers with the target of the request line."""

    def do_GET(self) -> None:
        target = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(target)))
        self.end_headers()
        self.wfile.write(target)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    "target", ["/calendars/a%0Ab", "/calendars/a%2Fb?x=%0A&x=1", "//calendars", "/calendars/%C3%A9"]
)
def test_a_path_is_passed_on_as_it_was_sent(target: str) -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    engine = HTTPServer((HOST, 0), _Echo)
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    with FrontDoor(port, f"http://{HOST}:{engine.server_port}/stage"):
        connection = HTTPConnection(HOST, port, timeout=20)
        connection.request("GET", target)
        answer = connection.getresponse()
        assert (answer.status, answer.read().decode()) == (200, f"/stage{target}")
        connection.close()
    engine.shutdown()
    engine.server_close()
