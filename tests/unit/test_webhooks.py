"""Webhooks: what may be asked for, who gets what, and signatures that the specification's own library verifies."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from appointments.errors import InvalidRequestError
from appointments.events import EVENT_TYPES as TYPES
from appointments.events import Event
from appointments.targets import Targets
from appointments.webhooks import (
    EVERY,
    Delivery,
    Webhook,
    check_webhook_id,
    parse_webhook,
    secret_of,
    signed_headers,
    stored_webhook,
)
from support import ROOT

URL = "https://hooks.example.com/in"
TIME = datetime(2030, 1, 15, 9, tzinfo=UTC)
EVENT = Event("a1.2", "appointment.moved", TIME, {"eventId": "a1.2", "appointment": {"userId": "Zoë"}})
SECRETS = (secret_of(bytes(range(32))), secret_of(bytes(range(32, 64))))


def faults(body: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as refused:
        parse_webhook(body, Targets.PUBLIC)
    return {fault.field: fault.message for fault in refused.value.faults}


def test_a_webhook_hears_of_everything_unless_it_says_what() -> None:
    every = parse_webhook({"url": URL}, Targets.PUBLIC)
    assert every == Webhook(URL, (EVERY,), active=True)
    assert all(every.wants(name) for name in TYPES)
    some = parse_webhook({"url": URL, "events": ["appointment.booked", "reminder.*"]}, Targets.PUBLIC)
    assert [name for name in TYPES if some.wants(name)] == [
        "appointment.booked",
        "reminder.sent",
        "reminder.missed",
        "reminder.failed",
    ]
    off = parse_webhook({"url": URL, "active": False}, Targets.PUBLIC)
    assert not any(off.wants(name) for name in TYPES)


def test_every_fault_is_named_at_once() -> None:
    assert faults({}) == {"url": "is required"}
    found = faults({"url": "http://example.com", "events": ["appointment.eaten", 7], "active": 1, "secret": "mine"})
    assert set(found) == {"url", "events[0]", "events[1]", "active", "secret"}
    assert found["url"] == "must begin with https://"
    assert "appointment.booked" in found["events[0]"]
    invalid: list[Any] = [[], "appointment.booked", None, {}, ["*"] * 30]
    for events in invalid:
        assert set(faults({"url": URL, "events": events})) == {"events"}
    assert set(faults({"url": 7})) == {"url"}


def test_what_was_stored_is_read_as_it_is() -> None:
    """Also by a version that knows fewer types, and with rules that have become stricter."""
    body = {"url": "http://10.0.0.1/", "events": ["appointment.eaten"]}
    assert stored_webhook(body, active=True) == Webhook("http://10.0.0.1/", ("appointment.eaten",), active=True)
    assert not stored_webhook(body, active=False).active
    assert not stored_webhook(body | {"active": False}, active=True).active
    assert stored_webhook({"url": URL}, active=True).events == (EVERY,)


def test_an_id_is_one_as_of_calendars() -> None:
    check_webhook_id("crm.prod")
    for text in ("a#b", "a b", "x" * 129):
        with pytest.raises(InvalidRequestError):
            check_webhook_id(text)


def test_a_delivery_in_the_queue_is_what_it_was() -> None:
    delivery = Delivery.of("crm", 3, EVENT)
    assert Delivery.from_message(delivery.message) == delivery
    assert json.loads(delivery.message) == {
        "webhookId": "crm",
        "made": 3,
        "event": {"id": "a1.2", "type": "appointment.moved", "time": "2030-01-15T09:00:00Z", "detail": EVENT.detail},
    }
    good = json.loads(delivery.message)
    for text in (
        "",
        "[]",
        "{}",
        json.dumps(good | {"webhookId": 7}),
        json.dumps(good | {"made": "x"}),
        json.dumps(good | {"event": good["event"] | {"time": "2030-01-15T09:00:00"}}),
        json.dumps(good | {"event": good["event"] | {"id": ""}}),
        json.dumps(good | {"event": good["event"] | {"detail": 5}}),
    ):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Delivery.from_message(text)


def test_the_library_of_the_specification_verifies_what_is_signed() -> None:
    delivery, now = Delivery.of("crm", 3, EVENT), datetime.now(UTC)
    headers = signed_headers(delivery, SECRETS[:1], now)
    assert headers["webhook-id"] == "a1.2"
    told = Verifier(SECRETS[0]).verify(delivery.body, headers)
    assert told == {"type": "appointment.moved", "timestamp": "2030-01-15T09:00:00Z", "data": EVENT.detail}
    for other, more in ((delivery.body + " ", {}), (delivery.body, {"webhook-id": "a1.3"})):
        with pytest.raises(WebhookVerificationError):
            Verifier(SECRETS[0]).verify(other, headers | more)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRETS[1]).verify(delivery.body, headers)


def test_while_a_secret_is_replaced_both_verify() -> None:
    delivery = Delivery.of("crm", 3, EVENT)
    headers = signed_headers(delivery, SECRETS, datetime.now(UTC))
    for secret in SECRETS:
        assert Verifier(secret).verify(delivery.body, headers)["data"] == EVENT.detail


def test_the_example_of_the_guide_verifies_what_is_signed() -> None:
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL | re.MULTILINE
    )
    names: dict[str, Any] = {}
    exec(compile(code, "webhooks.md", "exec"), names)
    delivery = Delivery.of("crm", 3, EVENT)
    headers = signed_headers(delivery, SECRETS, datetime.now(UTC))
    for secret in SECRETS:
        assert names["verify"](secret, headers, delivery.body.encode())
    assert not names["verify"](secret_of(bytes(32)), headers, delivery.body.encode())
    assert not names["verify"](SECRETS[0], headers, delivery.body.encode() + b" ")
    old = signed_headers(delivery, SECRETS, datetime(2020, 1, 1, tzinfo=UTC))
    assert not names["verify"](SECRETS[0], old, delivery.body.encode())


def test_a_signature_is_that_of_the_time_at_which_it_is_sent() -> None:
    """A repetition is signed anew, or receivers would refuse it as too old."""
    headers = signed_headers(Delivery.of("crm", 3, EVENT), SECRETS, datetime(2020, 1, 1, tzinfo=UTC))
    assert headers["webhook-timestamp"] == "1577836800"
    with pytest.raises(WebhookVerificationError, match="too old"):
        Verifier(SECRETS[0]).verify(Delivery.of("crm", 3, EVENT).body, headers)
