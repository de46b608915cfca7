"""Webhooks on the deployed stack, whose roles the engine enforces: from a request to a receiver that verifies."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from receivers import Receiver, receiver

if TYPE_CHECKING:
    from e2e.conftest import Answer

    Call = Callable[..., Answer]


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def made(call: Call, port: int) -> tuple[str, str]:
    """The path and the secret of a webhook that goes to this port."""
    path = f"/webhooks/{uuid.uuid4()}"
    answer = call("PUT", path, {"url": f"http://127.0.0.1:{port}/in"})
    assert answer.status == 200, answer
    return path, answer.body["secret"]


def within(seconds: float, found: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return value


def parsed(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body


def states(call: Call, path: str) -> list[tuple[str, str | None]]:
    return [(one["state"], one.get("outcome")) for one in call("GET", f"{path}/deliveries").body["deliveries"]]


def test_a_receiver_verifies_what_it_gets_by_either_secret(call: Call, there: Receiver) -> None:
    path, first = made(call, there.port)
    second = call("POST", f"{path}/secret").body["secret"]
    event_id = call("POST", f"{path}/test").body["eventId"]
    request = within(20, lambda: there.requests)[0]
    headers, body = parsed(request)
    for secret in (first, second):
        assert Verifier(secret).verify(body, headers)["type"] == "webhook.test"
    assert headers["webhook-id"] == event_id
    assert within(10, lambda: states(call, path)) == [("delivered", "200")]
    assert call("POST", f"{path}/deliveries/{event_id}").status == 202
    within(20, lambda: len(there.requests) == 2)
    assert parsed(there.requests[1])[0]["webhook-id"] == event_id
    call("DELETE", path)


def test_what_a_receiver_refuses_is_tried_again_and_one_that_is_gone_is_switched_off(call: Call) -> None:
    answers = iter([b"HTTP/1.1 503 Later\r\n\r\n", b"HTTP/1.1 204 No content\r\n\r\n"])

    def later(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(next(answers))

    with receiver(later) as refusing, receiver(b"HTTP/1.1 410 Gone\r\n\r\n") as gone:
        again, _ = made(call, refusing.port)
        ended, _ = made(call, gone.port)
        for path in (again, ended):
            assert call("POST", f"{path}/test").status == 202
        within(20, lambda: states(call, again) == [("retrying", "503")])
        within(20, lambda: not call("GET", ended).body["active"])
        assert states(call, ended) == [("dropped", "410")]
        assert call("POST", f"{ended}/test").status == 409
        within(30, lambda: states(call, again) == [("delivered", "204")])
    for path in (again, ended):
        call("DELETE", path)


@pytest.mark.parametrize("url", ["http://127.0.0.2/", "http://localhost:8000/", "https://10.0.0.1/", "http://[::1]/"])
def test_the_local_stack_calls_no_other_address_that_is_not_public(call: Call, url: str) -> None:
    assert call("PUT", "/webhooks/never", {"url": url}).status == 422
