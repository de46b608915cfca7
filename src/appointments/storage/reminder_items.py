"""The reminders in an appointment's item, with the records of their deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.reminders import Delivery, DeliveryState, Reminder, ReminderState
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.storage.dynamodb import Item


def reminders_to_item(appointment: Appointment) -> dict[str, Any]:
    """All reminders by offset, as the item keeps them."""
    return {"M": {reminder.offset: {"M": reminder_to_item(reminder)} for reminder in appointment.reminders}}


def reminders_as_read(appointment: Appointment) -> Mapping[str, Any]:
    """All reminders as they were read, to compare them with the item; of one that was not read, as they are put."""
    return appointment.stored_reminders or reminders_to_item(appointment)


_REMINDER_ATTRIBUTES = {
    "dueAt",
    "state",
    "attempts",
    "claim",
    "leaseUntil",
    "sentAt",
    "messageId",
    "deliveries",
    "earlier",
}
_DELIVERY_ATTRIBUTES = {"channel", "recipient", "state", "at", "attempts", "messageId", "reason", "refused"}


def reminder_to_item(reminder: Reminder) -> dict[str, Any]:
    """One reminder as the item keeps it."""
    item: dict[str, Any] = {
        **reminder.unknown,
        "dueAt": {"S": to_utc_text(reminder.due_at)},
        "state": {"S": reminder.state},
        "attempts": {"N": str(reminder.attempts)},
    }
    if reminder.claim:
        item["claim"] = {"S": reminder.claim}
    if reminder.lease_until:
        item["leaseUntil"] = {"S": to_utc_text(reminder.lease_until)}
    if reminder.sent_at:
        item["sentAt"] = {"S": to_utc_text(reminder.sent_at)}
    if reminder.message_id:
        item["messageId"] = {"S": reminder.message_id}
    if reminder.deliveries:
        item["deliveries"] = {"L": [{"M": _delivery_to_item(delivery)} for delivery in reminder.deliveries]}
    if reminder.earlier:
        item["earlier"] = {"L": [{"M": reminder_to_item(one)} for one in reminder.earlier]}
    return item


def _delivery_to_item(delivery: Delivery) -> dict[str, Any]:
    refused = delivery.state is DeliveryState.REFUSED
    item: dict[str, Any] = {
        **delivery.unknown,
        "channel": {"S": delivery.channel},
        "recipient": {"S": delivery.recipient},
        # A version that knows no refusals reads it as one that failed, and so can read the appointment.
        "state": {"S": DeliveryState.FAILED if refused else delivery.state},
        "at": {"S": to_utc_text(delivery.at)},
        "attempts": {"N": str(delivery.attempts)},
    }
    if delivery.message_id:
        item["messageId"] = {"S": delivery.message_id}
    if delivery.reason:
        item["reason"] = {"S": delivery.reason}
    if refused:
        item["refused"] = {"BOOL": True}
    return item


def _delivery_from_item(item: Item) -> Delivery:
    return Delivery(
        channel=item["channel"]["S"],
        recipient=item["recipient"]["S"],
        state=DeliveryState.REFUSED if "refused" in item else DeliveryState(item["state"]["S"]),
        at=from_utc_text(item["at"]["S"]),
        attempts=int(item["attempts"]["N"]),
        message_id=item["messageId"]["S"] if "messageId" in item else None,
        reason=item["reason"]["S"] if "reason" in item else None,
        unknown={name: value for name, value in item.items() if name not in _DELIVERY_ATTRIBUTES},
    )


def reminder_from_item(offset: str, item: Item) -> Reminder:
    """The inverse of `reminder_to_item`."""

    def moment(name: str) -> datetime | None:
        return from_utc_text(item[name]["S"]) if name in item else None

    return Reminder(
        offset=offset,
        due_at=from_utc_text(item["dueAt"]["S"]),
        state=ReminderState(item["state"]["S"]),
        attempts=int(item["attempts"]["N"]),
        claim=item["claim"]["S"] if "claim" in item else None,
        lease_until=moment("leaseUntil"),
        sent_at=moment("sentAt"),
        message_id=item["messageId"]["S"] if "messageId" in item else None,
        deliveries=tuple(_delivery_from_item(delivery["M"]) for delivery in item["deliveries"]["L"])
        if "deliveries" in item
        else (),
        unknown={name: value for name, value in item.items() if name not in _REMINDER_ATTRIBUTES},
        earlier=tuple(reminder_from_item(offset, one["M"]) for one in item["earlier"]["L"])
        if "earlier" in item
        else (),
    )
