"""Lists for a desk, across people and calendars: of a service, and of what waits for approval."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.storage.appointment_items import REQUEST_SHARD, appointment_from_item, appointment_key
from appointments.storage.lists import Page, Position
from appointments.storage.reminders import DUE_INDEX
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from appointments.model import Appointment
    from appointments.statuses import Status
    from appointments.storage.appointments import Appointments

SERVICE_INDEX = "ServiceAppointmentsIndex"
# For one page: keys in one query, whose appointments are one read, and queries. What is left out is read, too.
KEYS = 100
QUERIES = 10


class DeskQuery(NamedTuple):
    """The appointments of a service, or of a status that waits for the desk, by start.

    Those with `starts_from <= start < starts_before`. Without a service, the status is `requested`.
    """

    service_id: str | None
    starts_from: datetime
    starts_before: datetime
    status: Status | None = None
    limit: int = 50
    after: Position | None = None


def page(appointments: Appointments, wanted: DeskQuery) -> Page:
    """A page of a desk's list.

    Which appointments these are is read from an index, which follows the table within moments. They themselves are
    strongly consistent: what is moved or answered in between is left out. A page may end before it is full.
    """
    index, owner, start = _index(wanted)
    request: dict[str, Any] = {
        "TableName": appointments.table,
        "IndexName": index,
        "KeyConditionExpression": "#owner = :owner AND #start BETWEEN :first AND :last",
        "ExpressionAttributeNames": {"#owner": next(iter(owner)), "#start": start},
        "ExpressionAttributeValues": {
            ":owner": next(iter(owner.values())),
            ":first": {"S": to_utc_text(wanted.starts_from)},
            ":last": {"S": to_utc_text(wanted.starts_before - timedelta(seconds=1))},
        },
        "Limit": KEYS,
    }
    if wanted.after:
        key = appointment_key(wanted.after.appointment_id)
        request["ExclusiveStartKey"] = {**owner, start: {"S": to_utc_text(wanted.after.start)}, **key}
    found: list[tuple[Position, Appointment]] = []
    position = None
    for _ in range(QUERIES):
        answer = appointments.database.client.query(**request)
        positions = [Position(from_utc_text(item[start]["S"]), item["appointmentId"]["S"]) for item in answer["Items"]]
        keys = [(appointments.table, appointment_key(one.appointment_id)) for one in positions]
        there = {each.appointment_id: each for each in _read(appointments, keys) if _is_asked_for(each, wanted)}
        found += [(one, there[one.appointment_id]) for one in positions if one.appointment_id in there]
        if len(found) > wanted.limit:
            position = found[wanted.limit - 1][0]
            break
        if "LastEvaluatedKey" not in answer:
            position = None
            break
        position = positions[-1]
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return Page(found[: wanted.limit], position)


def _index(wanted: DeskQuery) -> tuple[str, dict[str, Any], str]:
    """The index, its partition and its sort key. Requests are in the due index, at their start."""
    if wanted.service_id is None:
        return DUE_INDEX, {"reminderShard": {"N": str(REQUEST_SHARD)}}, "nextReminderAt"
    return SERVICE_INDEX, {"serviceId": {"S": wanted.service_id}}, "startTime"


def _read(appointments: Appointments, keys: list[tuple[str, Any]]) -> list[Appointment]:
    return [appointment_from_item(item) for _, item in appointments.database.get_many(keys)]


def _is_asked_for(appointment: Appointment, wanted: DeskQuery) -> bool:
    return (
        wanted.starts_from <= appointment.interval.start < wanted.starts_before
        and wanted.status in (None, appointment.status)
        and appointment.is_of(wanted.service_id)
    )
