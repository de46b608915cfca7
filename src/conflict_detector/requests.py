"""Requests in: from the text of a body to checked values, naming every fault at once."""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from appointments.calendar_settings import parse_offsets
from appointments.claims import carrying_days, claims_of
from appointments.errors import AppointmentNotFoundError, BadRequestError, Fault, InvalidRequestError
from appointments.model import (
    DEFAULT_REMINDERS,
    MAX_DURATION,
    Appointment,
    Interval,
    WallTimes,
    reminders_after_change,
    reminders_ahead,
)
from appointments.statuses import Status
from appointments.storage.appointments import BEGIN_OF_TIME, END_OF_TIME
from appointments.storage.dynamodb import TRANSACTION_ACTIONS
from appointments.times import InvalidTimeError, has_offset, load_zone, parse_time, to_utc_text, to_wall_text
from conflict_detector.cursors import decode_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.storage.appointments import Position

    # Query parameters by name, each with every value that was sent for it.
    Query = Mapping[str, Sequence[str]]
    # The same of headers, with names in lower case.
    Headers = Mapping[str, Sequence[str]]

MAX_RESOURCES = 20
MAX_DETAILS_BYTES = 16 * 1024
# Far below what the JSON library takes, so that whatever was stored can be read and answered again.
MAX_DETAILS_DEPTH = 32
# In one JSON object. The largest `details` have some 3,000, the largest settings 1,000.
MAX_NAMES = 4096
DEFAULT_PAGE = 50
MAX_PAGE = 100
MAX_SPAN = timedelta(days=62)
MAX_SLOTS = 10_000
# The years that EventBridge's cron fields know, and so reminders.
FIRST_YEAR, LAST_YEAR = 1970, 2199

_ID = re.compile(r"[A-Za-z0-9._:@+=~|-]{1,128}", re.ASCII)
# Every id is one that this API made.
_APPOINTMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# An opaque tag may hold commas, so a list of tags is not split at them.
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"')
_VERSION_TAG = re.compile(r'"(0|[1-9]\d{0,14})"', re.ASCII)
_KEY_NAMESPACE = uuid.UUID("8f8a4a53-6c1b-4b55-9e0a-4d3c8e0f6a02")
_ID_RULE = "must be 1 to 128 characters out of letters, digits and . _ : @ + = ~ | -"
_CHANGE_FIELDS = ("startTime", "endTime", "timeZone", "resourceIds", "details", "reminders")
_BOOKING_FIELDS = ("userId", *_CHANGE_FIELDS, "anyOf")
_REQUIRED_FIELDS = ("userId", "startTime", "endTime")
_LIST_PARAMETERS = ("userId", "from", "to", "timeZone", "status", "limit", "cursor")
_AVAILABILITY_PARAMETERS = ("calendarIds", "from", "to", "durationMinutes", "stepMinutes", "mode", "timeZone")


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A request of `POST /appointments` that has no fault in itself; whether it fits is decided later.

    `past` is the fault of an interval that has begun. It is kept apart because the repetition of a request
    that was good in its time is answered as it was then.
    """

    user_id: str
    interval: Interval
    time_zone: str | None
    resource_ids: tuple[str, ...]
    details: Mapping[str, Any]
    offsets: tuple[str, ...] | None
    any_of: tuple[str, ...]
    fingerprint: str | None
    past: Fault | None
    wall: WallTimes | None
    idempotency_key: str | None
    dry_run: bool

    def appointment(self, now: datetime) -> Appointment:
        """The appointment to book, with those of its reminders that are still ahead.

        An idempotency key is folded into the id, together with the user whose key it is: a repetition
        has the same id, and the transaction itself notices it.
        """
        if self.idempotency_key is None:
            appointment_id = uuid.uuid4()
        else:
            appointment_id = uuid.uuid5(_KEY_NAMESPACE, json.dumps([self.user_id, self.idempotency_key]))
        offsets = DEFAULT_REMINDERS if self.offsets is None else self.offsets
        return Appointment(
            appointment_id=str(appointment_id),
            user_id=self.user_id,
            interval=self.interval,
            time_zone=self.time_zone,
            wall=self.wall,
            resource_ids=self.resource_ids,
            details=self.details,
            offsets=offsets,
            reminders=reminders_ahead(self.interval.start, offsets, now),
            created_at=now,
            updated_at=now,
            fingerprint=self.fingerprint,
        )


class ListRequest(NamedTuple):
    """The query of `GET /appointments`."""

    user_id: str
    starts_from: datetime | None
    starts_before: datetime | None
    status: Status | None
    limit: int
    after: Position | None


def parse_object(body: str | None) -> dict[str, Any]:
    """Read a body. Raises BadRequestError where it is no JSON, InvalidRequestError where it is no object."""
    try:
        value = _decoder.decode(body or "")
        # A lone surrogate such as "\ud800" is legal JSON, but no text: nothing downstream could encode it.
        if body and ("\\u" in body or not body.isascii()):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:  # UnicodeEncodeError is a ValueError
        raise BadRequestError("The body is not valid JSON.") from exc
    if not isinstance(value, dict):
        raise InvalidRequestError([Fault("", "must be a JSON object")])
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    """A number such as 1e999 is JSON, but read as infinity it could not be answered as JSON again."""
    number = float(text)
    if math.isinf(number):
        raise BadRequestError(f"The body has a number that is too large: {text[:32]}")
    return number


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values for one name: whichever was taken, it could be the wrong one."""
    if len(pairs) > MAX_NAMES:
        raise InvalidRequestError([Fault("", f"must not have an object with more than {MAX_NAMES} names")])
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise BadRequestError(f"The body names the field {_printable(twice)} twice.")
    return value


# With hooks, `json.loads` would make one anew for each body.
_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object_without_duplicates)


def parse_booking(
    body: dict[str, Any], now: datetime, query: Query | None = None, headers: Headers | None = None
) -> BookingRequest:
    """Check a request of `POST /appointments`. Raises InvalidRequestError with every fault that it has."""
    reader = _Reader(body, _BOOKING_FIELDS, required=_REQUIRED_FIELDS)
    parameters = _parameters(query or {}, ("dryRun",))
    dry_run = parameters.choice("dryRun", ("true", "false"))
    keys = (headers or {}).get("idempotency-key", ())
    key = keys[0] if keys else None
    if len(keys) > 1:
        parameters.fault("Idempotency-Key", "is sent more than once")
    elif key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        parameters.fault("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    user_id = reader.identifier("userId")
    zone = reader.zone()
    start, end = reader.time("startTime", zone), reader.time("endTime", zone)
    resource_ids = reader.identifiers("resourceIds")
    any_of = reader.identifiers("anyOf")
    if "anyOf" in body and not reader.faults:
        if not any_of:
            reader.fault("anyOf", "must name at least one calendar")
        if set(any_of) & {user_id, *resource_ids}:
            reader.fault("anyOf", "must not name calendars that the appointment takes anyway")
    details = reader.details()
    offsets = reader.offsets()
    past = _past(start, now)
    interval = reader.interval(start, end)
    if interval and user_id:
        calendars = len({user_id, *resource_ids}) + bool(any_of)  # of `anyOf`, one is taken
        reader.fits_one_transaction(calendars * len(list(interval.days())), calendars)
    reader.faults += parameters.faults
    if reader.faults or interval is None or user_id is None:
        raise InvalidRequestError([*reader.faults, past] if past else reader.faults)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() if key else None
    zone_name = zone.key if zone else None
    wall = None if has_offset(body["startTime"]) else _wall_times(interval, zone)
    return BookingRequest(
        user_id=user_id,
        interval=interval,
        time_zone=zone_name,
        resource_ids=resource_ids,
        details=details,
        offsets=offsets,
        any_of=any_of,
        fingerprint=digest,
        past=past,
        wall=wall,
        idempotency_key=key,
        dry_run=dry_run == "true",
    )


def revise(body: dict[str, Any], before: Appointment, now: datetime, beside: Sequence[Fault] = ()) -> Appointment:
    """What the body of `PATCH /appointments/{id}` makes of an appointment, one version later.

    `startTime` alone moves it and keeps its length. A local time without `timeZone` is read in the
    appointment's own zone; where the time-zone data has lost that zone since, nothing else needs it. `details`
    replace the old ones as a whole.
    Raises InvalidRequestError with every fault that the body has, and those that were found `beside` it.
    """
    reader = _Reader(body, _CHANGE_FIELDS, faults=[*beside], kept_zone=before.time_zone)
    if not body:
        reader.fault("", f"must change something; it takes {', '.join(_CHANGE_FIELDS)}")
    zone = reader.zone()
    start, end = before.interval
    if "startTime" in body:
        given = reader.time("startTime", zone)
        if past := _past(given, now):
            reader.faults.append(past)
        start, end = given or start, end + ((given or start) - start)
    if "endTime" in body:
        end = reader.time("endTime", zone) or end
    interval = None if reader.faults else reader.interval(start, end)
    offsets = reader.offsets()
    offsets = before.offsets if offsets is None else offsets
    resource_ids = reader.identifiers("resourceIds") if "resourceIds" in body else before.resource_ids
    after = replace(
        before,
        interval=interval or before.interval,
        time_zone=zone.key if zone else before.time_zone,
        resource_ids=resource_ids,
        assigned_calendar_id=before.assigned_calendar_id if before.assigned_calendar_id in resource_ids else None,
        details=reader.details() if "details" in body else before.details,
        offsets=offsets,
        version=before.version + 1,
        updated_at=now,
    )
    moved = (after.interval, after.time_zone) != (before.interval, before.time_zone)
    if "startTime" in body:
        after = replace(after, wall=None if has_offset(str(body["startTime"])) else _wall_times(after.interval, zone))
    elif before.wall and moved:  # without a zone, what the clock on the wall shows cannot be told any more
        after = replace(after, wall=_wall_times(after.interval, zone))
    reader.fits_one_transaction(len(carrying_days((*claims_of(before), *claims_of(after)))), len(after.calendar_ids))
    if reader.faults:
        raise InvalidRequestError(reader.faults)
    if after.interval.start != before.interval.start or offsets != before.offsets:
        after = replace(after, reminders=reminders_after_change(before, after.interval.start, offsets, now))
    return after


def _wall_times(interval: Interval, zone: ZoneInfo | None) -> WallTimes | None:
    return WallTimes(*(to_wall_text(moment, zone) for moment in interval)) if zone else None


def parse_list(query: Query) -> ListRequest:
    """Check the query of `GET /appointments`. Raises InvalidRequestError with every fault that it has."""
    reader = _parameters(query, _LIST_PARAMETERS, required=("userId",))
    user_id = reader.identifier("userId")
    zone = reader.zone()
    starts_from, starts_before = reader.time("from", zone), reader.time("to", zone)
    if starts_from and starts_before and starts_before <= starts_from:
        reader.fault("to", "must be after from")
    status = reader.choice("status", tuple(Status))
    limit = reader.whole("limit", MAX_PAGE) or DEFAULT_PAGE
    after = reader.position("cursor", starts_from, starts_before)
    if reader.faults or user_id is None:
        raise InvalidRequestError(reader.faults)
    return ListRequest(user_id, starts_from, starts_before, Status(status) if status else None, limit, after)


class AvailabilityRequest(NamedTuple):
    """The query of `GET /availability`. `within` is in UTC; `zone` is for the answer, if one was given."""

    calendar_ids: tuple[str, ...]
    within: Interval
    duration: timedelta
    step: timedelta
    any_of: bool
    zone: ZoneInfo | None


def parse_availability(query: Query) -> AvailabilityRequest:
    """Check the query of `GET /availability`. Raises InvalidRequestError with every fault that it has."""
    reader = _parameters(
        query, _AVAILABILITY_PARAMETERS, required=("from", "to", "durationMinutes"), lists=("calendarIds",)
    )
    calendar_ids = reader.listed("calendarIds")
    zone = reader.zone()
    start, end = reader.time("from", zone), reader.time("to", zone)
    if start and end and not start < end <= start + MAX_SPAN:
        reader.fault("to", f"must be after from, by at most {MAX_SPAN.days} days")
    duration = reader.minutes("durationMinutes")
    step = reader.minutes("stepMinutes") or duration
    if start and end and step and (end - start) / step > MAX_SLOTS:
        reader.fault("stepMinutes", f"makes over {MAX_SLOTS} slots; ask for larger steps or fewer days")
    mode = reader.choice("mode", ("all", "any"))
    if reader.faults or start is None or end is None or duration is None or step is None:
        raise InvalidRequestError(reader.faults)
    return AvailabilityRequest(calendar_ids, Interval(start, end), duration, step, mode == "any", zone)


def parse_calendar_id(text: str) -> str:
    """A calendar's id in a path. Raises InvalidRequestError."""
    if not _ID.fullmatch(text):
        raise InvalidRequestError([Fault("calendarId", _ID_RULE)])
    return text


def parse_appointment_id(text: str) -> str:
    """An appointment's id in a path, in upper or lower case. Raises AppointmentNotFoundError where it can be none."""
    appointment_id = text.lower()
    if not _APPOINTMENT_ID.fullmatch(appointment_id):
        raise AppointmentNotFoundError
    return appointment_id


def parse_no_parameters(query: Query) -> None:
    """Raises InvalidRequestError: a parameter that nobody looks at may mean a lot to the one who sent it."""
    if faults := unknown_parameters(query):
        raise InvalidRequestError(faults)


def unknown_parameters(query: Query) -> list[Fault]:
    """The faults of the query of a call that takes no parameters."""
    return _parameters(query, ()).faults


def parse_versions(headers: Headers) -> frozenset[int] | None:
    """The versions that `If-Match` allows; None where it allows any.

    A weak tag, and one that is not written as `ETag` is, match no version (RFC 9110, 13.1.1 and 8.8.3.2).
    """
    tags = ",".join(headers.get("if-match", ("*",)))
    if "*" in (rest.strip() for rest in _ENTITY_TAG.sub("", tags).split(",")):
        return None
    return frozenset(int(tag[1:-1]) for tag in _ENTITY_TAG.findall(tags) if _VERSION_TAG.fullmatch(tag))


def _past(start: datetime | None, now: datetime) -> Fault | None:
    if start is None or start >= now.replace(microsecond=0):
        return None
    return Fault("startTime", f"lies in the past; it is now {to_utc_text(now)}")


def _parameters(
    query: Query, names: tuple[str, ...], required: tuple[str, ...] = (), lists: tuple[str, ...] = ()
) -> _Reader:
    """A reader of query parameters, each of which may be sent once, or several times where it is one of `lists`."""
    # A "+" that was not encoded arrives as a space; in a time it can only have been the sign of an offset.
    values = {name: re.sub(r" (?=\d\d:\d\d$)", "+", sent[-1]) for name, sent in query.items()}
    values |= {name: ",".join(query[name]) for name in lists if name in query}
    reader = _Reader(values, names, required, kind="query parameter")
    for name, sent in query.items():
        if len(sent) > 1 and name not in lists:
            reader.fault(_printable(name), "is sent more than once")
    return reader


@dataclass(slots=True)
class _Reader:
    """Reads one field at a time and collects faults; a field that is absent or at fault reads as None."""

    body: Mapping[str, Any]
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    kind: str = "field"
    # The zone of what is changed. It is meant where the body names none, and the time-zone data may have lost it since.
    kept_zone: str | None = None

    def __post_init__(self) -> None:
        known = ", ".join(self.fields) or "none"
        for name in sorted(self.body.keys() - set(self.fields)):
            self.fault(_printable(name), f"is no {self.kind} of this request; it takes {known}")

    def fault(self, name: str, message: str) -> None:
        self.faults.append(Fault(name, message))

    def text(self, name: str) -> str | None:
        if name not in self.body:
            if name in self.required:
                self.fault(name, "is required")
            return None
        value = self.body[name]
        if isinstance(value, str):
            return value
        self.fault(name, "must be a string")
        return None

    def identifier(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not _ID.fullmatch(value):
            self.fault(name, _ID_RULE)
            return None
        return value

    def zone(self) -> ZoneInfo | None:
        name = self.text("timeZone") if "timeZone" in self.body else self.kept_zone
        if name is None:
            return None
        try:
            return load_zone(name)
        except InvalidTimeError as exc:
            if "timeZone" in self.body:
                self.fault("timeZone", str(exc))
            return None

    def interval(self, start: datetime | None, end: datetime | None) -> Interval | None:
        if not start or not end:
            return None
        if end <= start:
            self.fault("endTime", "must be after startTime")
            return None
        if end - start > MAX_DURATION:
            self.fault("endTime", f"must be at most {MAX_DURATION.days} days after startTime")
            return None
        return Interval(start, end)

    def fits_one_transaction(self, days: int, calendars: int) -> None:
        """Hold a change of so many calendar days to what one transaction takes beside the appointment itself.

        Each of the calendars may add the UTC day before and the one after: its buffers, which nobody has read yet,
        reach that far and no further.
        """
        calendar_days = days + 2 * calendars
        if calendar_days >= TRANSACTION_ACTIONS:
            self.fault(
                "resourceIds",
                f"and the days make {calendar_days} calendar days, with one before and one after on each calendar for "
                f"its buffers; at most {TRANSACTION_ACTIONS - 1} fit into one transaction, so take fewer calendars or "
                f"days",
            )

    def position(self, name: str, starts_from: datetime | None, starts_before: datetime | None) -> Position | None:
        """Where a cursor points, if that lies in the range asked for."""
        text = self.text(name)
        if text is None:
            return None
        try:
            position = decode_cursor(text)
        except ValueError:
            position = None
        if (
            position
            and (starts_from or BEGIN_OF_TIME) <= position.start < (starts_before or END_OF_TIME)
            and _APPOINTMENT_ID.fullmatch(position.appointment_id)
        ):
            return position
        self.fault(name, "is not a nextCursor of this list")
        return None

    def time(self, name: str, zone: ZoneInfo | None) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        # Where the zone itself is at fault, a local time can still be checked for its form, but not placed.
        unplaced = zone is None and ("timeZone" in self.body or bool(self.kept_zone)) and not has_offset(text)
        try:
            moment = parse_time(text, load_zone("UTC") if unplaced else zone)
        except InvalidTimeError as exc:
            self.fault(name, str(exc))
            return None
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fault(name, f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
            return None
        if unplaced and "timeZone" not in self.body:
            self.fault(
                name,
                f"is a local time of {self.kept_zone}, the appointment's own zone, which is not known any more: "
                f"add an offset (Z or e.g. -05:00), or send `timeZone`",
            )
        return None if unplaced else moment

    def identifiers(self, name: str) -> tuple[str, ...]:
        values = self.strings(name, MAX_RESOURCES)
        for index, value in enumerate(values):
            if not _ID.fullmatch(value):
                self.fault(f"{name}[{index}]", _ID_RULE)
        return tuple(dict.fromkeys(values))

    def listed(self, name: str) -> tuple[str, ...]:
        """Ids in a query, separated by commas or sent one by one; at least one."""
        text = self.text(name)
        if not text:
            self.fault(name, "is required; separate several by commas")
            return ()
        self.body = {**self.body, name: text.split(",")}
        return self.identifiers(name)

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        text = self.text(name)
        if text is None or text in allowed:
            return text
        self.fault(name, f"must be {' or '.join(allowed)}")
        return None

    def whole(self, name: str, most: int) -> int | None:
        """A whole number in a query, from 1 on."""
        text = self.text(name)
        if text is None:
            return None
        if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII) and int(text) <= most:
            return int(text)
        self.fault(name, f"must be a whole number from 1 to {most}")
        return None

    def minutes(self, name: str) -> timedelta | None:
        """A whole number of minutes in a query, up to the longest appointment."""
        number = self.whole(name, int(MAX_DURATION / timedelta(minutes=1)))
        return None if number is None else timedelta(minutes=number)

    def strings(self, name: str, most: int) -> list[str]:
        values = self.body.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.fault(name, "must be a list of strings")
            return []
        if len(values) > most:
            self.fault(name, f"must have at most {most} elements")
            return []
        return values

    def details(self) -> dict[str, Any]:
        details = self.body.get("details", {})
        if not isinstance(details, dict):
            self.fault("details", "must be a JSON object")
            return {}
        if _depth(details) > MAX_DETAILS_DEPTH:
            self.fault("details", f"must be nested at most {MAX_DETAILS_DEPTH} levels deep")
            return {}
        size = len(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode())
        if size > MAX_DETAILS_BYTES:
            self.fault("details", f"must be at most {MAX_DETAILS_BYTES} bytes of JSON; these are {size}")
        return details

    def offsets(self) -> tuple[str, ...] | None:
        """The reminders asked for; None where the calendar's own default holds."""
        return parse_offsets(self.body["reminders"], "reminders", self.faults) if "reminders" in self.body else None


def _depth(value: dict[str, Any]) -> int:
    """How many objects and lists lie within one another."""
    depth = 0
    level: list[dict[str, Any] | list[Any]] = [value]
    while level:
        depth += 1
        inside = (inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer))
        level = [inner for inner in inside if isinstance(inner, dict | list)]
    return depth


def _printable(name: str) -> str:
    """A field's name as the caller sent it, made safe and short enough to hand back."""
    return name.encode("unicode_escape").decode()[:64]
