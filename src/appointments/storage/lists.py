"""Lists, page by page: of a person's appointments, and of what lies on a calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.claims import claims_of
from appointments.model import is_block
from appointments.storage.appointment_items import appointment_from_item, appointment_key
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from appointments.model import Appointment, Interval
    from appointments.statuses import Status
    from appointments.storage.appointments import Appointments
    from appointments.storage.store import Storage

USER_INDEX = "UserAppointmentsIndex"
# Queries for one page of a list: those of another status are read and left out, 200 at a time.
LIST_QUERIES = 25
BEGIN_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


class Position(NamedTuple):
    """Where in a list a page ended."""

    start: datetime
    appointment_id: str


class ListQuery(NamedTuple):
    """A person's appointments by start, those with `starts_from <= start < starts_before`."""

    user_id: str
    starts_from: datetime = BEGIN_OF_TIME
    starts_before: datetime = END_OF_TIME
    status: Status | None = None
    limit: int = 50
    after: Position | None = None
    service_id: str | None = None


class CalendarQuery(NamedTuple):
    """What occupies a calendar somewhere within an interval, by start: appointments and blocks, or `only_blocks`."""

    calendar_id: str
    within: Interval
    status: Status | None = None
    limit: int = 50
    after: Position | None = None
    only_blocks: bool = False
    service_id: str | None = None


class Page(NamedTuple):
    """Some appointments, each with its position, in order, and the position to go on from, None at the end."""

    entries: list[tuple[Position, Appointment]]
    next_position: Position | None


def page_of_person(appointments: Appointments, wanted: ListQuery) -> Page:
    """A page of a person's list.

    Read from the index, which follows the table within moments and not at once. Where few are of the `status`,
    a page may end before it is full.
    """
    if wanted.starts_before <= wanted.starts_from:
        return Page([], None)
    request = {"TableName": appointments.table, "IndexName": USER_INDEX, **_list_request(wanted)}
    limit = wanted.limit
    found: list[tuple[Position, Appointment]] = []
    for _ in range(LIST_QUERIES):
        answer = appointments.database.client.query(**request)
        read = [appointment_from_item(item) for item in answer["Items"]]
        found += [(Position(each.interval.start, each.appointment_id), each) for each in read]
        read_up_to = answer.get("LastEvaluatedKey")
        if read_up_to is None or len(found) > limit:
            break
        request["ExclusiveStartKey"] = read_up_to
    page, next_position = found[:limit], None
    if len(found) > limit:
        next_position = page[-1][0]
    elif read_up_to is not None:
        next_position = Position(from_utc_text(read_up_to["startTime"]["S"]), read_up_to["appointmentId"]["S"])
    return Page(page, next_position)


def _list_request(wanted: ListQuery) -> dict[str, Any]:
    """The conditions of a page: a sort key takes one, and BETWEEN includes both ends, in whole seconds."""
    values: dict[str, Any] = {
        ":user": {"S": wanted.user_id},
        ":first": {"S": to_utc_text(wanted.starts_from)},
        ":last": {"S": to_utc_text(wanted.starts_before - timedelta(seconds=1))},
    }
    request: dict[str, Any] = {
        "KeyConditionExpression": "userId = :user AND startTime BETWEEN :first AND :last",
        "ExpressionAttributeValues": values,
        # One more than asked for tells whether there is a next page.
        "Limit": wanted.limit + 1,
    }
    filters = {"status": wanted.status, "serviceId": wanted.service_id}
    asked = {name: value for name, value in filters.items() if value}
    if asked:
        values |= {f":{name}": {"S": value} for name, value in asked.items()}
        request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in asked)
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in asked}
        request["Limit"] = max(wanted.limit + 1, 200)  # the filter comes after the limit
    if wanted.after:
        request["ExclusiveStartKey"] = {
            "userId": {"S": wanted.user_id},
            "startTime": {"S": to_utc_text(wanted.after.start)},
            "appointmentId": {"S": wanted.after.appointment_id},
        }
    return request


def page_of_calendar(storage: Storage, wanted: CalendarQuery, now: datetime) -> Page:
    """A page of what lies on a calendar, blocks too, without what has run out at `now`; strongly consistent.

    The days are read as far as the page needs them, then the appointments in them. What is moved or cancelled in
    between is answered as it was read last, or left out, so that a page may end before it is full.
    """
    start, end = wanted.within
    first = max(start, wanted.after.start) if wanted.after else start
    found: dict[str, Position] = {}
    blocks: set[str] = set()
    for day in storage.days.span(wanted.calendar_id, first.date(), (end - timedelta(seconds=1)).date()):
        for id_, entry in day.entries.items():
            position = Position(min(one.interval.start for one in entry), id_)
            inside = any(one.interval.overlaps(wanted.within) and not one.has_run_out(now) for one in entry)
            if wanted.only_blocks and not entry[0].block:
                continue
            if inside and (wanted.after is None or position > wanted.after):
                found[id_] = position
                if entry[0].block:
                    blocks.add(id_)
        # All that starts on this day or earlier has an entry in one of the days read so far.
        if len(found) > wanted.limit:
            break
    positions = sorted(found.values())
    page = positions[: wanted.limit]
    keys = [(storage.appointments.table, appointment_key(id_)) for _, id_ in page if id_ not in blocks]
    keys += [storage.blocks.key(wanted.calendar_id, id_) for _, id_ in page if id_ in blocks]
    read = [
        appointment_from_item(item) if table == storage.appointments.table else storage.blocks.from_item(item)
        for table, item in storage.database.get_many(keys)
    ]
    there = {each.appointment_id: each for each in read if _occupies(each, wanted)}
    entries = [(position, there[position.appointment_id]) for position in page if position.appointment_id in there]
    return Page(entries, page[-1] if len(positions) > len(page) else None)


def _occupies(appointment: Appointment, wanted: CalendarQuery) -> bool:
    """Whether it lies on the calendar within the interval, and is a block or of the status and service asked for."""
    if is_block(appointment):
        if wanted.service_id:
            return False
    elif wanted.status not in (None, appointment.status) or not appointment.is_of(wanted.service_id):
        return False
    return any(
        claim.calendar_id == wanted.calendar_id and claim.interval.overlaps(wanted.within)
        for claim in claims_of(appointment)
    )
