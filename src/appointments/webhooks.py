"""Webhooks: who wants to hear of which events, what is sent to them, and how it is signed. No I/O.

A delivery is signed as the Standard Webhooks specification says (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from appointments.errors import Fault, InvalidRequestError
from appointments.json_text import to_json
from appointments.reader import CALENDAR_ID_RULE, Reader, is_calendar_id
from appointments.targets import TargetError, parse_target
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from appointments.events import Event
    from appointments.targets import Targets

FIELDS = ("url", "events", "active")
EVERY = "*"
# What `POST /webhooks/{id}/test` sends. No webhook names it, and no other gets it.
TEST_TYPE = "webhook.test"

MAX_WEBHOOKS = 50
SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with, as the specification says


class Webhook(NamedTuple):
    """Where to, for which events, and whether at all."""

    url: str
    events: tuple[str, ...]
    active: bool

    def wants(self, event_type: str) -> bool:
        """Whether events of this type go to it."""
        group = f"{event_type.partition('.')[0]}.*"
        return self.active and any(name in (EVERY, group, event_type) for name in self.events)


class Delivery(NamedTuple):
    """One event on its way to one webhook.

    `made` is the version under which the webhook was made: another one under the same id does not get this.
    """

    webhook_id: str
    event_id: str
    type: str
    time: datetime
    detail: dict[str, Any]
    made: int = 1

    @classmethod
    def of(cls, webhook_id: str, made: int, event: Event) -> Self:
        """An event, for a webhook that wants it."""
        return cls(webhook_id, event.event_id, event.type, event.time, event.detail, made)

    @classmethod
    def from_message(cls, text: str) -> Self:
        """The inverse of `message`. Raises KeyError, TypeError or ValueError for what is none."""
        message = json.loads(text)
        event = message["event"]
        time, detail, made = from_utc_text(event["time"]), dict(event["detail"]), int(message["made"])
        found = cls(message["webhookId"], event["id"], event["type"], time, detail, made)
        if not all(isinstance(value, str) and value for value in found[:3]) or found.time.utcoffset() is None:
            raise ValueError("not a delivery")
        return found

    @property
    def message(self) -> str:
        """The delivery as it lies in the queue."""
        event = {"id": self.event_id, "type": self.type, "time": to_utc_text(self.time), "detail": self.detail}
        return to_json({"webhookId": self.webhook_id, "made": self.made, "event": event})

    @property
    def body(self) -> str:
        """What the receiver gets."""
        return to_json({"type": self.type, "timestamp": to_utc_text(self.time), "data": self.detail})


def parse_webhook(body: Mapping[str, Any], targets: Targets) -> Webhook:
    """Check a webhook that is sent. Raises InvalidRequestError with every fault that it has."""
    reader = Reader(body, FIELDS, required=("url",))
    url = reader.text("url")
    if url is not None:
        try:
            parse_target(url, targets)
        except TargetError as exc:
            reader.fault("url", str(exc))
    active = "active" not in body or reader.flag("active")
    events = _events(reader)
    reader.raise_faults()
    return Webhook(url or "", events, active)


def stored_webhook(body: Mapping[str, Any], *, active: bool) -> Webhook:
    """What a webhook means that was checked when it was stored."""
    return Webhook(body["url"], tuple(body.get("events", (EVERY,))), active and body.get("active", True))


def _events(reader: Reader) -> tuple[str, ...]:
    from appointments.events import EVENT_TYPES  # noqa: PLC0415 - who sends checks none

    value: object = reader.body.get("events", [EVERY])
    groups = dict.fromkeys(f"{name.partition('.')[0]}.*" for name in EVENT_TYPES)
    allowed = (EVERY, *groups, *EVENT_TYPES)
    if not isinstance(value, list) or not 1 <= len(value) <= len(allowed):
        reader.fault("events", f"must be a list of 1 to {len(allowed)} types of events")
        return ()
    for index, name in enumerate(value):
        if name not in allowed:
            reader.fault(f"events[{index}]", f"must be one of {', '.join(allowed)}")
    return tuple(map(str, value))


def check_webhook_id(text: str) -> None:
    """Raises InvalidRequestError where a text in a path cannot be the id of a webhook."""
    if not is_calendar_id(text):
        raise InvalidRequestError([Fault("webhookId", CALENDAR_ID_RULE)])


def secret_of(key: bytes) -> str:
    """A secret as receivers are given it."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def signed_headers(delivery: Delivery, secrets: Iterable[str], now: datetime) -> dict[str, str]:
    """The headers by which a receiver knows who sent it, when, and whether it has it already.

    A signature for each secret: while one is replaced by another, the receiver may still know the old one only.
    """
    timestamp = str(int(now.timestamp()))
    content = f"{delivery.event_id}.{timestamp}.{delivery.body}".encode()
    signatures = [
        "v1," + base64.b64encode(hmac.digest(_key(secret), content, hashlib.sha256)).decode() for secret in secrets
    ]
    return {
        "webhook-id": delivery.event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))
