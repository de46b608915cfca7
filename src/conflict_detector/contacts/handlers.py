"""The contacts of calendars. With their own, a person may do all of this; with others, only who acts for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.contacts import contact_body
from appointments.errors import ContactNotFoundError, InvalidRequestError
from appointments.reader import check_calendar_id
from appointments.storage.contacts import ContactItems
from appointments.telemetry import logger
from appointments.times import to_utc_text
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from appointments.storage.contacts import StoredContact
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

# What an answer has beside the contact. It may be sent back, and is ignored.
READ_ONLY = ("calendarId", "undeliverable", "updatedAt")


def get(call: Call, calendar_id: str) -> Response:
    """`GET /calendars/{id}/contact`: 200, or 404 where none is kept."""
    _check(call, calendar_id)
    call.caller.act_for(calendar_id)
    stored = _items(call).get(calendar_id)
    if stored is None:
        raise ContactNotFoundError
    return json_response(_body(calendar_id, stored) | call.undeliverable(stored.contact))


def put(call: Call, calendar_id: str) -> Response:
    """`PUT /calendars/{id}/contact`: 200."""
    from conflict_detector.contacts.parsing import check_contact  # noqa: PLC0415 - what checks addresses is large

    _check(call, calendar_id)
    call.caller.act_for(calendar_id)
    body = {name: value for name, value in call.request.json().items() if name not in READ_ONLY}
    contact, faults = check_contact(body)
    if contact is None:
        raise InvalidRequestError(faults)
    stored = _items(call).put(calendar_id, contact, call.now, call.caller.by)
    logger.info("Contact kept", calendar_id=calendar_id)
    return json_response(_body(calendar_id, stored))


def remove(call: Call, calendar_id: str) -> Response:
    """`DELETE /calendars/{id}/contact`: 200, again and again."""
    _check(call, calendar_id)
    call.caller.act_for(calendar_id)
    _items(call).delete(calendar_id)
    logger.info("Contact removed", calendar_id=calendar_id)
    return json_response({"calendarId": calendar_id})


def _check(call: Call, calendar_id: str) -> None:
    """Raises InvalidRequestError where the path or the query is at fault."""
    call.request.refuse_parameters()
    check_calendar_id(calendar_id)


def _items(call: Call) -> ContactItems:
    return ContactItems(call.storage.database, call.storage.days.table)


def _body(calendar_id: str, stored: StoredContact) -> dict[str, Any]:
    return {
        "calendarId": calendar_id,
        **contact_body(stored.contact),
        "updatedAt": to_utc_text(stored.changed_at),
    }
