"""All that is kept of a person: to be read, and to be forgotten. A person may do both for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appointments.bodies import calendar_body
from appointments.contacts import contact_body
from appointments.errors import Fault, InvalidRequestError
from appointments.forgetting import forget
from appointments.reader import CALENDAR_ID_RULE, Reader, is_calendar_id
from appointments.storage.contacts import ContactItems
from appointments.storage.lists import BEGIN_OF_TIME, END_OF_TIME, ListQuery, page_of_person
from appointments.storage.people import PeopleItems
from appointments.telemetry import logger
from appointments.times import to_utc_text
from conflict_detector.appointments.answers import page_body
from conflict_detector.appointments.listing import DEFAULT_PAGE, MAX_PAGE, read_position
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from appointments.storage.people import Forgetting
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

# Pages read and appointments changed while the caller waits. What is left is the sweep's to do.
MAX_STEPS = 25


def get(call: Call, user_id: str) -> Response:
    """`GET /people/{id}`: 200, also for somebody of whom nothing is kept."""
    reader = Reader.of_query(call.request.query, ("limit", "cursor"))
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    after = read_position(reader, BEGIN_OF_TIME, END_OF_TIME)
    _check(reader, user_id)
    call.caller.act_for(user_id)
    storage = call.storage
    page = page_of_person(storage.appointments, ListQuery(user_id, limit=limit, after=after))
    kept = ContactItems(storage.database, storage.days.table).get(user_id)
    settings = storage.settings.get(user_id)
    body: dict[str, Any] = {"userId": user_id}
    if kept:
        body["contact"] = contact_body(kept.contact)
        body |= call.undeliverable(kept.contact)
    if settings.version:
        body["calendar"] = calendar_body(user_id, settings)
    forgetting = PeopleItems(storage.database, storage.days.table).get(user_id)
    return json_response(body | _task_body(forgetting) | page_body(page))


def remove(call: Call, user_id: str) -> Response:
    """`DELETE /people/{id}`: 200 where everything is done, 202 where the sweep goes on; again and again."""
    _check(Reader.of_query(call.request.query, ()), user_id)
    call.caller.act_for(user_id)
    people = PeopleItems(call.storage.database, call.storage.days.table)
    forgetting = people.start(user_id, call.now, call.caller.by)
    changed, complete = forget(forgetting, call.storage, call.now, lambda steps: steps >= MAX_STEPS)
    logger.info("Person forgotten" if complete else "Person begun to be forgotten", user_id=user_id, changed=changed)
    body: dict[str, Any] = {"userId": user_id, "changed": changed}
    if complete:
        return json_response(body)
    return json_response(body | _task_body(forgetting)) | {"statusCode": 202}


def _check(reader: Reader, user_id: str) -> None:
    faults = reader.faults if is_calendar_id(user_id) else [Fault("userId", CALENDAR_ID_RULE), *reader.faults]
    if faults:
        raise InvalidRequestError(faults)


def _task_body(forgetting: Forgetting | None) -> dict[str, Any]:
    return {"forgetting": {"startedAt": to_utc_text(forgetting.started_at)}} if forgetting else {}
