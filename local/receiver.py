"""A receiver of webhooks on this machine, as a customer would write one: it believes only what is signed.

The scheme is that of https://www.standardwebhooks.com, in the standard library alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from local.engine import HOST
from local.feed import GREEN, RED, Line, short

# A message that is older, or younger, than this may be a recorded one that somebody sends again.
TOLERANCE_SECONDS = 300


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether one of the signatures is that of the secret's holder over this id, time and body."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        recent = abs(now - int(sent_at)) <= TOLERANCE_SECONDS
    except (ValueError, binascii.Error):
        return False
    content = f"{message_id}.{sent_at}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    signatures = [text.partition(",") for text in headers.get("webhook-signature", "").split()]
    return recent and any(
        version == "v1" and hmac.compare_digest(signature.encode(), expected.encode())
        for version, _, signature in signatures
    )


class Receiver:
    """Listens on a free port while it is open. `secret` is known once the webhook has been configured."""

    def __init__(self) -> None:
        self.secret = ""
        self._lines: SimpleQueue[Line] = SimpleQueue()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self.url = f"http://{HOST}:{self._server.server_port}/appointments"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def lines(self) -> list[Line]:
        """What has arrived since the last call."""
        found: list[Line] = []
        while True:
            try:
                found.append(self._lines.get_nowait())
            except Empty:
                return found

    def take(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Keep what arrived as a line. Whether it is believed."""
        if not verified(self.secret, headers, body, time.time()):
            self._lines.put(Line("WEBHOOK_REFUSED", time.time(), "webhook", "its signature is WRONG", RED, {}))
            return False
        message: dict[str, Any] = json.loads(body)
        about = short(message["data"].get("appointmentId"))
        text = f"{about}  {message['type']}, signature verified"
        self._lines.put(Line("WEBHOOK", time.time(), "webhook", text, GREEN, message))
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(204 if receiver.take(headers, body) else 401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the lines tell it."""

        return Handler
