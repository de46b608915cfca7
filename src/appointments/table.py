"""All that knows DynamoDB: keys, items, reads, and the transaction that decides a booking.

| table        | key                    | item                                                         |
|--------------|------------------------|--------------------------------------------------------------|
| appointments | appointmentId          | one appointment with its reminders                           |
| calendars    | calendarId, day        | one calendar day: `day` is a UTC date such as `2026-12-01`   |

A calendar day has an attribute `a#<appointmentId>` per live appointment, whose value is the appointment's
whole interval in epoch seconds, `<start>-<end>`, and a counter `q<n>` per quarter hour ever touched.
"""

from __future__ import annotations

import json
import random
import uuid
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from botocore.exceptions import ClientError

from appointments.errors import CalendarBusyError, SchedulerError
from appointments.memory import Memory, RememberedSettings, unconfigured
from appointments.model import (
    DAY,
    Appointment,
    CalendarDay,
    DayKey,
    Interval,
    Reminder,
    ReminderState,
    Status,
    WallTimes,
)
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from appointments.calendars import CalendarSettings

    Item = Mapping[str, Any]
    Entry = dict[str, Any]  # one element of TransactItems

# The sort key of a calendar's settings, among its days.
SETTINGS = "settings"
# A condition on an item costs as much as writing it, by its size: large settings are cheaper read.
CHECKED_SETTINGS_CHARACTERS = 900
USER_INDEX = "UserAppointmentsIndex"
DUE_INDEX = "DueRemindersIndex"
# The due index has one partition per shard, so that a million bookings a day do not share one.
REMINDER_SHARDS = 8
# DynamoDB's limits: keys in one BatchGetItem, actions in one TransactWriteItems.
BATCH_GET_KEYS = 100
TRANSACTION_ACTIONS = 100
# Queries for one page of a list: those of another status are read and left out, 200 at a time.
LIST_QUERIES = 25
# Keys of due appointments read at a time: some 12 KB of index.
DUE_PAGE = 100

# Seconds at most before a call is repeated that another transaction holds up, or that was answered in part.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
# DynamoDB's words for calls that come faster than it takes them.
THROTTLES = ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")

BEGIN_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)

_ENTRY = "a#"
_COUNTER = "q"
_QUARTERS = {f"{_COUNTER}{quarter}": quarter for quarter in range(96)}
# Not the generator of `random`: processes that start from one snapshot would share its state, and so their pauses.
_jitter = random.SystemRandom()


def pause(most: float) -> None:
    """Wait for up to so many seconds, each process for another time."""
    sleep(_jitter.uniform(0, most))


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


@contextmanager
def busy_where_crowded() -> Iterator[None]:
    """Raise CalendarBusyError where DynamoDB took a call neither at once nor when it was repeated."""
    try:
        yield
    except TransactionContentionError as exc:
        raise CalendarBusyError from exc
    except ClientError as exc:
        if _code(exc) in THROTTLES:
            raise CalendarBusyError from exc
        raise


class DaysChangedError(SchedulerError):
    """Someone else touched the same quarter hours first; `days` are those days as they are now."""

    def __init__(self, days: Mapping[DayKey, CalendarDay]) -> None:
        super().__init__(f"{len(days)} calendar days changed")
        self.days = days


class AppointmentExistsError(SchedulerError):
    """An appointment with this id was booked before: `existing`."""

    def __init__(self, existing: Appointment) -> None:
        super().__init__(existing.appointment_id)
        self.existing = existing


class AppointmentChangedError(SchedulerError):
    """The appointment is no longer the version that was read; `now` is the current one, None if it is gone."""

    def __init__(self, now: Appointment | None) -> None:
        super().__init__()
        self.now = now


class SettingsChangedError(SchedulerError):
    """The calendar's settings are no longer the version that was named; `version` is the current one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the version is {version}")
        self.version = version


class SettingsOutdatedError(SchedulerError):
    """Settings that were remembered are not those in force; `settings` are, and `days` are days that changed too."""

    def __init__(self, settings: Mapping[str, RememberedSettings], days: Mapping[DayKey, CalendarDay]) -> None:
        super().__init__(f"the settings of {len(settings)} calendars and {len(days)} calendar days changed")
        self.settings = settings
        self.days = days


class TransactionContentionError(SchedulerError):
    """DynamoDB was working on another transaction over the same items, or throttled this one; try again."""


class ReminderClaimLostError(SchedulerError):
    """The reminder is not, or no longer, in the state that the write asked for: nothing was written."""


class ReminderNotRecordedError(SchedulerError):
    """The record of a reminder was refused although its claim is still held: nothing was written."""


@dataclass(slots=True)
class Reading:
    """What one consistent read found: days, their calendars' settings, and the appointment if asked for.

    `unread` are the settings that were remembered in place of that, by version: a write has to check them.
    """

    days: dict[DayKey, CalendarDay]
    settings: dict[str, CalendarSettings]
    appointment: Appointment | None = None
    unread: dict[str, int] = field(default_factory=dict)

    def correct(self, found: SettingsOutdatedError) -> None:
        """Put what a failed write has brought back in the place of what was remembered."""
        self.days.update(found.days)
        self.settings.update({calendar_id: one.settings for calendar_id, one in found.settings.items()})
        self.unread.update({calendar_id: one.version for calendar_id, one in found.settings.items()})


class StoredSettings(NamedTuple):
    """A calendar's settings as they were sent, what they mean, and their version (0: never configured)."""

    body: dict[str, Any]
    settings: CalendarSettings
    version: int
    updated_at: datetime | None


class Position(NamedTuple):
    """Where in a person's list a page ended."""

    start: datetime
    appointment_id: str


class Page(NamedTuple):
    """Some appointments in order of their start, and the position to go on from, None at the end."""

    appointments: list[Appointment]
    next_position: Position | None


@dataclass(frozen=True, slots=True)
class SchedulerTable:
    """The two tables behind one client. `retention` is how long days and appointments outlive their end."""

    client: DynamoDBClient
    appointments_table: str
    calendars_table: str
    retention: timedelta = timedelta(days=400)
    memory: Memory = field(default_factory=Memory)

    # --- reading -------------------------------------------------------------------------------------

    def get_appointment(self, appointment_id: str) -> Appointment | None:
        """Strongly consistent."""
        answer = self.client.get_item(
            TableName=self.appointments_table, Key={"appointmentId": {"S": appointment_id}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return appointment_from_item(item) if item else None

    def read(self, keys: Iterable[DayKey], *, settings: bool = True, appointment_id: str | None = None) -> Reading:
        """Read calendar days, their calendars' settings, and an appointment if one is named; strongly consistent.

        A day that nobody ever booked comes back empty, a calendar that nobody configured as the default. One
        call, or more where there are over 100 keys. Raises CalendarBusyError.
        """
        reading = Reading({key: CalendarDay(key) for key in keys}, {})
        pending = [(self.calendars_table, _day_key_item(key)) for key in reading.days]
        if settings:
            reading.settings = {key.calendar_id: unconfigured().settings for key in reading.days}
            pending += [(self.calendars_table, _settings_key(calendar_id)) for calendar_id in reading.settings]
        if appointment_id is not None:
            pending.insert(0, (self.appointments_table, {"appointmentId": {"S": appointment_id}}))
        for table, item in self._read_items(pending):
            if table == self.appointments_table:
                reading.appointment = appointment_from_item(item)
            elif item["day"]["S"] == SETTINGS:
                reading.settings[item["calendarId"]["S"]] = self._learn_settings(item).settings
            else:
                day = day_from_item(item)
                reading.days[day.key] = day
                self.memory.learn_day(day)
        return reading

    def _read_items(self, keys: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, Item]]:
        """What lies under the keys, each with its table; what DynamoDB hands back unread is asked for again."""
        pauses = iter(PAUSES)
        while keys:
            request: dict[str, Any] = {}
            for table, key in keys[:BATCH_GET_KEYS]:
                request.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"].append(key)
            answer = self.client.batch_get_item(RequestItems=request)
            yield from ((table, item) for table, items in answer["Responses"].items() for item in items)
            handed_back = answer.get("UnprocessedKeys", {})
            unread = [(table, dict(key)) for table, left in handed_back.items() for key in left["Keys"]]
            if unread:
                # Some is handed back of a large answer, and all where the table takes no more reads for now.
                seconds = next(pauses, None)
                if seconds is None:
                    raise CalendarBusyError
                pause(seconds)
            keys = [*unread, *keys[BATCH_GET_KEYS:]]

    def recall(self, appointment: Appointment) -> Reading | None:
        """What stands in for a read before a booking: its days taken for untouched, settings as they are remembered.

        `book` proves all of it by its conditions. None where something is known that would make those fail, or where
        they would cost more than a read.
        """
        remembered = {calendar_id: self.memory.recall_settings(calendar_id) for calendar_id in appointment.calendar_ids}
        if not all(one.cheap for one in remembered.values()):
            return None
        reading = Reading({}, {calendar_id: one.settings for calendar_id, one in remembered.items()})
        reading.unread = {calendar_id: one.version for calendar_id, one in remembered.items()}
        keys = self.padded_day_keys(appointment, reading.settings)
        if not _fit(keys, reading):
            return None
        for key in keys:
            deciding = _padded(appointment.interval, reading.settings[key.calendar_id].buffer)
            if self.memory.is_touched(key, deciding.quarter_hours(key.day)):
                return None
        return reading

    def fits(self, appointment: Appointment, reading: Reading) -> bool:
        """Whether one transaction holds all that `book` writes and checks, the settings that were not read included."""
        return _fit(self.padded_day_keys(appointment, reading.settings), reading)

    def _learn_settings(self, item: Item) -> RememberedSettings:
        """The settings in an item that was just read or written."""
        text = item["settings"]["S"]
        cheap = len(text) <= CHECKED_SETTINGS_CHARACTERS
        remembered = RememberedSettings(_settings_from_text(text), int(item["version"]["N"]), cheap)
        self.memory.learn_settings(item["calendarId"]["S"], remembered)
        return remembered

    def list_appointments(
        self,
        user_id: str,
        *,
        starts_from: datetime | None = None,
        starts_before: datetime | None = None,
        status: Status | None = None,
        limit: int = 50,
        after: Position | None = None,
    ) -> Page:
        """A person's appointments by start, those with `starts_from <= start < starts_before`.

        Read from the index, which follows the table within moments and not at once. Where few are of the `status`,
        a page may end before it is full.
        """
        # A sort key takes one condition, and BETWEEN includes both ends: in whole seconds, "before" is "up to
        # the second before".
        first = starts_from or BEGIN_OF_TIME
        last = starts_before - timedelta(seconds=1) if starts_before else END_OF_TIME
        if last < first:
            return Page([], None)
        values: dict[str, Any] = {
            ":user": {"S": user_id},
            ":first": {"S": to_utc_text(first)},
            ":last": {"S": to_utc_text(last)},
        }
        query: dict[str, Any] = {
            "TableName": self.appointments_table,
            "IndexName": USER_INDEX,
            "KeyConditionExpression": "userId = :user AND startTime BETWEEN :first AND :last",
            "ExpressionAttributeValues": values,
            # One more than asked for tells whether there is a next page.
            "Limit": limit + 1,
        }
        if status:
            values[":status"] = {"S": status}
            query |= {"FilterExpression": "#status = :status", "ExpressionAttributeNames": {"#status": "status"}}
            query["Limit"] = max(limit + 1, 200)  # the filter comes after the limit
        if after:
            query["ExclusiveStartKey"] = {
                "userId": {"S": user_id},
                "startTime": {"S": to_utc_text(after.start)},
                "appointmentId": {"S": after.appointment_id},
            }
        found: list[Appointment] = []
        for _ in range(LIST_QUERIES):
            answer = self.client.query(**query)
            found += [appointment_from_item(item) for item in answer["Items"]]
            read_up_to = answer.get("LastEvaluatedKey")
            if read_up_to is None or len(found) > limit:
                break
            query["ExclusiveStartKey"] = read_up_to
        page, next_position = found[:limit], None
        if len(found) > limit:
            next_position = Position(page[-1].interval.start, page[-1].appointment_id)
        elif read_up_to is not None:
            next_position = Position(from_utc_text(read_up_to["startTime"]["S"]), read_up_to["appointmentId"]["S"])
        return Page(page, next_position)

    def given_in_local_time(self, time_zone: str, now: datetime) -> Iterator[Appointment]:
        """Every appointment to come that was given in the local time of a zone.

        Reads the whole table, page by page: for an operator and once in years, when a zone's rules change.
        """
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.appointments_table,
            FilterExpression="#timeZone = :zone AND attribute_exists(wallStart) AND #status = :scheduled "
            "AND startTime > :now",
            ExpressionAttributeNames={"#timeZone": "timeZone", "#status": "status"},
            ExpressionAttributeValues={
                ":zone": {"S": time_zone},
                ":scheduled": {"S": Status.SCHEDULED},
                ":now": {"S": to_utc_text(now)},
            },
            ConsistentRead=True,
        )
        return (appointment_from_item(item) for page in pages for item in page["Items"])

    # --- calendars -----------------------------------------------------------------------------------

    def read_calendar_settings(self, calendar_ids: Iterable[str]) -> dict[str, CalendarSettings]:
        """The settings of several calendars, strongly consistent, in one call. Raises CalendarBusyError."""
        settings = dict.fromkeys(calendar_ids, unconfigured().settings)
        for _, item in self._read_items(
            [(self.calendars_table, _settings_key(calendar_id)) for calendar_id in settings]
        ):
            settings[item["calendarId"]["S"]] = self._learn_settings(item).settings
        return settings

    def read_settings(self, calendar_id: str) -> StoredSettings:
        """Strongly consistent; a calendar that nobody configured has the default, as version 0."""
        answer = self.client.get_item(
            TableName=self.calendars_table, Key=_settings_key(calendar_id), ConsistentRead=True
        )
        item = answer.get("Item")
        return settings_from_item(item) if item else StoredSettings({}, unconfigured().settings, 0, None)

    def write_settings(
        self, calendar_id: str, body: Mapping[str, Any], now: datetime, version: int | None = None
    ) -> StoredSettings:
        """Replace a calendar's settings, only over `version` where one is given, and return the new ones.

        Raises SettingsChangedError, TransactionContentionError.
        """
        values: dict[str, Any] = {
            ":settings": {"S": json.dumps(body, ensure_ascii=False, separators=(",", ":"))},
            ":now": {"S": to_utc_text(now)},
            ":one": {"N": "1"},
        }
        condition: dict[str, Any] = {}
        if version == 0:
            condition["ConditionExpression"] = "attribute_not_exists(#version)"
        elif version is not None:
            condition["ConditionExpression"] = "#version = :was"
            values[":was"] = {"N": str(version)}
        try:
            answer = self._update(
                TableName=self.calendars_table,
                Key=_settings_key(calendar_id),
                UpdateExpression="SET settings = :settings, updatedAt = :now ADD #version :one",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **condition,
            )
        except ClientError as exc:
            if _code(exc) != "ConditionalCheckFailedException":
                raise
            item: Any = exc.response.get("Item")
            raise SettingsChangedError(settings_from_item(item).version if item else 0) from exc
        self._learn_settings(answer["Attributes"])
        return settings_from_item(answer["Attributes"])

    def read_span(self, calendar_id: str, first: date, last: date) -> list[CalendarDay]:
        """All days of a calendar from `first` to `last`, both included; strongly consistent, one query."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.calendars_table,
            KeyConditionExpression="calendarId = :calendar AND #day BETWEEN :first AND :last",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={
                ":calendar": {"S": calendar_id},
                ":first": {"S": first.isoformat()},
                ":last": {"S": last.isoformat()},
            },
            ConsistentRead=True,
        )
        return [day_from_item(item) for page in pages for item in page["Items"]]

    # --- booking -------------------------------------------------------------------------------------

    def book(self, appointment: Appointment, reading: Reading) -> None:
        """Write the appointment and its entry in each of its days, all or nothing.

        `reading` is what the caller decided on; the write holds only while it still stands. Raises
        AppointmentExistsError, DaysChangedError with the newer days, SettingsOutdatedError with the settings in force
        where they were not read but remembered, TransactionContentionError.
        """
        entries = [self._put_new(appointment), *self._occupy(appointment, reading)]
        entries += [self._check_settings(calendar_id, version) for calendar_id, version in reading.unread.items()]
        self._commit(entries)
        for key in appointment.day_keys():
            self.memory.touch(key, appointment.interval.quarter_hours(key.day))

    def move(self, before: Appointment, after: Appointment, reading: Reading) -> None:
        """Change the appointment and move its entries from its old days to its new ones, all or nothing.

        `reading` holds the new days as the caller decided on them.
        Raises AppointmentChangedError, DaysChangedError, TransactionContentionError.
        """
        occupied = set(after.day_keys())
        checked = self.padded_day_keys(after, reading.settings) - occupied
        entries = [self._change(before, after), *self._occupy(after, reading, leaving=before)]
        # A day that is left and whose condition counts as well has one action already, above.
        left = [key for key in before.day_keys() if key not in occupied and key not in checked]
        self._commit([*entries, *(self._remove_entry(before, key) for key in left)])

    def padded_day_keys(self, appointment: Appointment, settings: Mapping[str, CalendarSettings]) -> set[DayKey]:
        """The calendar days that decide about an appointment: its own, and those that its buffers reach into."""
        return {
            DayKey(calendar_id, day)
            for calendar_id in appointment.calendar_ids
            for day in _padded(appointment.interval, settings[calendar_id].buffer).days()
        }

    def _occupy(self, appointment: Appointment, reading: Reading, leaving: Appointment | None = None) -> list[Entry]:
        """Add the appointment to its days, on condition that the quarter hours that decided are as they were read.

        A day that was not read is taken for untouched; where it is not, the condition fails and brings it.
        """
        own = set(appointment.day_keys())
        left = set(leaving.day_keys()) if leaving else set()
        entries = []
        for key in sorted(self.padded_day_keys(appointment, reading.settings)):
            gap = reading.settings[key.calendar_id].buffer
            day = reading.days.get(key, CalendarDay(key))
            deciding = _padded(appointment.interval, gap).quarter_hours(key.day)
            if key in own:
                entries.append(self._add_entry(appointment, day, deciding))
            else:
                entries.append(self._check_day(appointment, day, deciding, leave=key in left))
        return entries

    def cancel(self, before: Appointment, after: Appointment) -> None:
        """Mark the appointment cancelled and take its entries out of its days, all or nothing.

        Raises AppointmentChangedError, TransactionContentionError.
        """
        entries = [self._change(before, after)]
        entries += [self._remove_entry(before, key) for key in before.day_keys()]
        self._commit(entries)

    def revise(self, before: Appointment, after: Appointment) -> None:
        """Change what does not touch any calendar: details, zone, reminders.

        Raises AppointmentChangedError, TransactionContentionError.
        """
        update = self._change(before, after)["Update"]
        try:
            self._update(**update)
        except ClientError as exc:
            if _code(exc) != "ConditionalCheckFailedException":
                raise
            item: Any = exc.response.get("Item")
            if item and self._is_written(item, before, after):
                return  # only the answer got lost; a transaction has a token against that
            raise AppointmentChangedError(appointment_from_item(item) if item else None) from exc

    def _is_written(self, item: Item, before: Appointment, after: Appointment) -> bool:
        """Whether the stored item is `after`, whatever another version keeps in it besides."""
        new, old = (appointment_to_item(appointment, self.retention) for appointment in (after, before))
        return new.items() <= item.items() and (old.keys() - new.keys()).isdisjoint(item)

    def _change(self, before: Appointment, after: Appointment) -> Entry:
        """Write `after` over `before`, on condition that nobody, no sender either, has changed it meanwhile."""
        new, old = (appointment_to_item(appointment, self.retention) for appointment in (after, before))
        changed = {name: value for name, value in new.items() if value != old.get(name)}
        gone = [name for name in old if name not in new]
        names = {f"#{name}": name for name in (*changed, *gone)} | {"#version": "version"}
        values = {f":{name}": value for name, value in changed.items()} | {":was": old["version"]}
        condition = "#version = :was"
        if "reminders" in changed:
            # A sender does not count versions: its claim or its record must not be overwritten.
            condition += " AND #reminders = :reminders_were"
            values[":reminders_were"] = old["reminders"]
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in changed)
        if gone:
            update += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        return {
            "Update": {
                "TableName": self.appointments_table,
                "Key": {"appointmentId": old["appointmentId"]},
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _remove_entry(self, appointment: Appointment, key: DayKey) -> Entry:
        """Take an appointment out of a day. What was free stays free, so no counter needs to move."""
        return {
            "Update": {
                "TableName": self.calendars_table,
                "Key": _day_key_item(key),
                "UpdateExpression": "REMOVE #entry",
                "ExpressionAttributeNames": {"#entry": f"{_ENTRY}{appointment.appointment_id}"},
            }
        }

    def _put_new(self, appointment: Appointment) -> Entry:
        return {
            "Put": {
                "TableName": self.appointments_table,
                "Item": appointment_to_item(appointment, self.retention),
                "ConditionExpression": "attribute_not_exists(appointmentId)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _add_entry(self, appointment: Appointment, day: CalendarDay, deciding: range) -> Entry:
        """Add the appointment to a day, if the `deciding` quarter hours are unchanged; count its own."""
        condition, values = _unchanged(day, deciding)
        values |= {
            ":entry": {"S": _interval_to_text(appointment.interval)},
            ":expires": {"N": str(_day_expiry(day.key.day, self.retention))},
            ":one": {"N": "1"},
        }
        counted = ", ".join(f"{_COUNTER}{n} :one" for n in appointment.interval.quarter_hours(day.key.day))
        return {
            "Update": {
                "TableName": self.calendars_table,
                "Key": _day_key_item(day.key),
                "UpdateExpression": f"SET #entry = :entry, expiresAt = :expires ADD {counted}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#entry": f"{_ENTRY}{appointment.appointment_id}"},
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _check_day(self, appointment: Appointment, day: CalendarDay, deciding: range, *, leave: bool) -> Entry:
        """Hold a day that only a buffer reaches into to what was read, and `leave` it where a move does that."""
        condition, values = _unchanged(day, deciding)
        entry = {
            "TableName": self.calendars_table,
            "Key": _day_key_item(day.key),
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **({"ExpressionAttributeValues": values} if values else {}),
        }
        if leave:
            return {"Update": entry | self._remove_entry(appointment, day.key)["Update"]}
        return {"ConditionCheck": entry}

    def _check_settings(self, calendar_id: str, version: int) -> Entry:
        """Hold a calendar's settings to a version."""
        condition: Entry = {"ConditionExpression": "attribute_not_exists(#version)"}
        if version:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(version)}},
            }
        return {
            "ConditionCheck": {
                "TableName": self.calendars_table,
                "Key": _settings_key(calendar_id),
                "ExpressionAttributeNames": {"#version": "version"},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **condition,
            }
        }

    def _commit(self, entries: list[Entry]) -> None:
        # A call that got no answer is repeated by the SDK, and may find itself at work still. By its token DynamoDB
        # knows it again, and answers how it went.
        token = str(uuid.uuid4())
        request: Any = {"TransactItems": entries, "ClientRequestToken": token}
        try:
            self._when_free(lambda: self.client.transact_write_items(**request), "TransactionInProgressException")
        except ClientError as exc:
            if _code(exc) != "TransactionCanceledException":
                raise
            self._raise_for_cancellation(exc, entries)

    def _update(self, **request: Any) -> Any:
        """One UpdateItem. Raises TransactionContentionError where a transaction holds the item all the while."""
        return self._when_free(lambda: self.client.update_item(**request), "TransactionConflictException")

    def _when_free(self, call: Callable[[], Any], refusal: str) -> Any:
        for seconds in PAUSES:
            try:
                return call()
            except ClientError as exc:
                if _code(exc) != refusal:
                    raise
                pause(seconds)
        raise TransactionContentionError

    def _raise_for_cancellation(self, exc: ClientError, entries: Sequence[Entry]) -> NoReturn:
        """Turn the reasons of a cancelled transaction, one per action and in their order, into one error."""
        reasons: list[dict[str, Any]] = exc.response.get("CancellationReasons", [])  # type: ignore[assignment]
        changed: dict[DayKey, CalendarDay] = {}
        outdated: dict[str, RememberedSettings] = {}
        for entry, reason in zip(entries, reasons, strict=False):
            if reason.get("Code") != "ConditionalCheckFailed":
                continue
            item = reason.get("Item")
            if item and "Put" in entry:
                raise AppointmentExistsError(appointment_from_item(item)) from exc
            action = entry.get("Update") or entry["ConditionCheck"]
            if action["TableName"] == self.appointments_table:
                raise AppointmentChangedError(appointment_from_item(item) if item else None) from exc
            if action["Key"]["day"]["S"] == SETTINGS:
                outdated[action["Key"]["calendarId"]["S"]] = self._learn_settings(item) if item else unconfigured()
                continue
            key = _day_key_from_item(action["Key"])
            changed[key] = day_from_item(item) if item else CalendarDay(key)
            self.memory.learn_day(changed[key])
        if outdated:
            raise SettingsOutdatedError(outdated, changed) from exc
        if changed:
            raise DaysChangedError(changed) from exc
        codes = {reason.get("Code") or "None" for reason in reasons} - {"None"}
        if codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
            raise TransactionContentionError(", ".join(sorted(codes))) from exc
        raise exc

    # --- reminders -----------------------------------------------------------------------------------

    def due_appointments(self, shard: int, until: datetime) -> Iterator[str]:
        """Ids of appointments of one shard with an open reminder due by `until`, the longest due first.

        Read from the sparse index, page by page as they are asked for: what is not due costs nothing, and an
        answer may be a moment old.
        """
        query: dict[str, Any] = {
            "TableName": self.appointments_table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "reminderShard = :shard AND nextReminderAt <= :until",
            "ExpressionAttributeValues": {":shard": {"N": str(shard)}, ":until": {"S": to_utc_text(until)}},
            "Limit": DUE_PAGE,
        }
        while True:
            answer = self.client.query(**query)
            for item in answer["Items"]:
                yield item["appointmentId"]["S"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def claim_reminder(
        self, appointment_id: str, reminder: Reminder, *, claim: str, lease: timedelta, now: datetime
    ) -> Appointment:
        """Take the reminder for one sender until `now + lease`, and return the appointment as it then is.

        Open to a reminder that is pending, or whose last claim has run out.
        Raises ReminderClaimLostError when it is cancelled, moved, done or in somebody's hands.
        """
        try:
            return self._update_reminder(
                appointment_id,
                reminder.offset,
                "SET #r.#o.#s = :sending, #r.#o.claim = :claim, #r.#o.leaseUntil = :lease, "
                "#r.#o.attempts = #r.#o.attempts + :one",
                "#status = :scheduled AND #r.#o.dueAt = :due AND "
                "(#r.#o.#s = :pending OR (#r.#o.#s = :sending AND #r.#o.leaseUntil <= :now))",
                {
                    ":sending": {"S": ReminderState.SENDING},
                    ":pending": {"S": ReminderState.PENDING},
                    ":scheduled": {"S": Status.SCHEDULED},
                    ":claim": {"S": claim},
                    ":due": {"S": to_utc_text(reminder.due_at)},
                    ":lease": {"S": to_utc_text(now + lease)},
                    ":now": {"S": to_utc_text(now)},
                    ":one": {"N": "1"},
                },
            )
        except _ReminderChangedError as exc:
            held = exc.now.reminder(reminder.offset) if exc.now else None
            if exc.now and held and held.claim == claim and held.state is ReminderState.SENDING:
                return exc.now  # it was written, and only the answer got lost on the way to the repetition
            raise

    def settle_reminder(self, appointment: Appointment, settled: Reminder) -> None:
        """Write the outcome of a claimed reminder: sent, missed, or pending again after a failure.

        `appointment` is what `claim_reminder` returned. Raises ReminderClaimLostError when the claim was
        taken over, or the appointment moved, in the meantime, ReminderNotRecordedError where neither is so.
        """
        held = appointment.reminder(settled.offset)
        if held is None or held.claim is None or held.claim != settled.claim:
            raise ReminderClaimLostError(appointment.appointment_id)
        condition = "#r.#o.claim = :claim AND #r.#o.#s = :was"
        try:
            self._record_reminder(appointment, settled, condition, {":claim": {"S": held.claim}})
        except _ReminderChangedError as exc:
            now = exc.now.reminder(settled.offset) if exc.now else None
            if now and (now.state, now.claim) == (held.state, held.claim):
                raise ReminderNotRecordedError(appointment.appointment_id) from exc
            raise

    def skip_reminder(self, appointment: Appointment, reminder: Reminder) -> None:
        """Close an open reminder that is not asked for any more, if it and the appointment are as they were read.

        A cancel or a change leaves a reminder that is being sent to its sender; this is for one whose sender died.
        Raises ReminderClaimLostError where somebody else was faster.
        """
        condition = "#version = :version AND #r.#o.#s = :was"
        values: dict[str, Any] = {":version": {"N": str(appointment.version)}}
        if reminder.claim:
            condition += " AND #r.#o.claim = :claim"
            values[":claim"] = {"S": reminder.claim}
        self._record_reminder(appointment, replace(reminder, state=ReminderState.SKIPPED), condition, values)

    def _record_reminder(
        self, appointment: Appointment, settled: Reminder, condition: str, values: Mapping[str, Any]
    ) -> None:
        """Write a reminder's new state, and with it when the next one of the appointment is due."""
        while True:
            was, after = appointment.reminder(settled.offset), appointment.with_reminder(settled).next_reminder_at
            assert was is not None  # noqa: S101 - callers have it from this appointment, and the loop keeps it
            update = "SET #r.#o = :reminder"
            # When the next one is due follows from all reminders, so all must be as they were read.
            unchanged = f"{condition} AND #r = :were"
            more: dict[str, Any] = {
                ":reminder": {"M": _reminder_to_item(settled)},
                ":was": {"S": was.state},
                ":were": _reminders_to_item(appointment),
            }
            if after is None:
                update += " REMOVE nextReminderAt"
            else:
                update += ", nextReminderAt = :after"
                more[":after"] = {"S": to_utc_text(after)}
            try:
                self._update_reminder(appointment.appointment_id, settled.offset, update, unchanged, {**values, **more})
            except _ReminderChangedError as exc:
                now = exc.now.reminder(settled.offset) if exc.now else None
                if exc.now is None or now is None:
                    raise
                if (now.state, now.claim) == (settled.state, settled.claim):
                    return  # it was written, and only the answer got lost
                if (now.state, now.claim) != (was.state, was.claim) or exc.now.reminders == appointment.reminders:
                    raise
                # Only other reminders changed, or what another version keeps with this one.
                appointment, settled = exc.now, replace(settled, unknown=now.unknown)
            else:
                return

    def _update_reminder(
        self,
        appointment_id: str,
        offset: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
    ) -> Appointment:
        # DynamoDB refuses a placeholder that no expression uses.
        names = {"#r": "reminders", "#o": offset, "#s": "state", "#status": "status", "#version": "version"}
        used = {name: value for name, value in names.items() if name in f"{update} {condition}"}
        try:
            answer = self._update(
                TableName=self.appointments_table,
                Key={"appointmentId": {"S": appointment_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=used,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as exc:
            if _code(exc) != "ConditionalCheckFailedException":
                raise
            item: Any = exc.response.get("Item")
            raise _ReminderChangedError(appointment_from_item(item) if item else None) from exc
        return appointment_from_item(answer["Attributes"])


class _ReminderChangedError(ReminderClaimLostError):
    """Carries the appointment as it is now, or None where it is gone."""

    def __init__(self, now: Appointment | None) -> None:
        super().__init__()
        self.now = now


# --- items -------------------------------------------------------------------------------------------


def appointment_to_item(appointment: Appointment, retention: timedelta) -> dict[str, Any]:
    """`details` is kept as JSON text: it comes back exactly as it was sent, floats and all."""
    end = appointment.interval.end
    item: dict[str, Any] = {
        "appointmentId": {"S": appointment.appointment_id},
        "userId": {"S": appointment.user_id},
        "startTime": {"S": to_utc_text(appointment.interval.start)},
        "endTime": {"S": to_utc_text(end)},
        "resourceIds": _texts(appointment.resource_ids),
        "details": {"S": json.dumps(appointment.details, ensure_ascii=False, separators=(",", ":"))},
        "offsets": _texts(appointment.offsets),
        "reminders": _reminders_to_item(appointment),
        "status": {"S": appointment.status},
        "version": {"N": str(appointment.version)},
        "createdAt": {"S": to_utc_text(appointment.created_at)},
        "updatedAt": {"S": to_utc_text(appointment.updated_at)},
        "reminderShard": {"N": str(reminder_shard(appointment.appointment_id))},
        "expiresAt": {"N": str(int((end + retention).timestamp()))},
    }
    if appointment.assigned_calendar_id:
        item["assignedCalendarId"] = {"S": appointment.assigned_calendar_id}
    if appointment.fingerprint:
        item["fingerprint"] = {"S": appointment.fingerprint}
    if appointment.time_zone:
        item["timeZone"] = {"S": appointment.time_zone}
    if appointment.wall:
        item["wallStart"], item["wallEnd"] = ({"S": text} for text in appointment.wall)
    if appointment.next_reminder_at:
        item["nextReminderAt"] = {"S": to_utc_text(appointment.next_reminder_at)}
    return item


def appointment_from_item(item: Item) -> Appointment:
    """The inverse of `appointment_to_item`."""
    reminders = [_reminder_from_item(offset, value["M"]) for offset, value in item["reminders"]["M"].items()]
    return Appointment(
        appointment_id=item["appointmentId"]["S"],
        user_id=item["userId"]["S"],
        interval=Interval(from_utc_text(item["startTime"]["S"]), from_utc_text(item["endTime"]["S"])),
        resource_ids=tuple(text["S"] for text in item["resourceIds"]["L"]),
        time_zone=item["timeZone"]["S"] if "timeZone" in item else None,
        details=json.loads(item["details"]["S"]),
        offsets=tuple(text["S"] for text in item["offsets"]["L"]),
        reminders=tuple(sorted(reminders, key=lambda reminder: reminder.due_at)),
        status=Status(item["status"]["S"]),
        wall=WallTimes(item["wallStart"]["S"], item["wallEnd"]["S"]) if "wallStart" in item else None,
        version=int(item["version"]["N"]),
        created_at=from_utc_text(item["createdAt"]["S"]),
        updated_at=from_utc_text(item["updatedAt"]["S"]),
        assigned_calendar_id=item["assignedCalendarId"]["S"] if "assignedCalendarId" in item else None,
        fingerprint=item["fingerprint"]["S"] if "fingerprint" in item else None,
    )


def day_from_item(item: Item) -> CalendarDay:
    """Read a calendar day: its entries and its counters."""
    entries, counters = {}, {}
    for name, value in item.items():
        if name in _QUARTERS:
            counters[_QUARTERS[name]] = int(value["N"])
        elif name.startswith(_ENTRY):
            entries[name.removeprefix(_ENTRY)] = _interval_from_text(value["S"])
    return CalendarDay(_day_key_from_item(item), entries, counters)


def reminder_shard(appointment_id: str) -> int:
    """The partition of the due index that an appointment's reminders lie in."""
    return zlib.crc32(appointment_id.encode()) % REMINDER_SHARDS


def _reminders_to_item(appointment: Appointment) -> dict[str, Any]:
    return {"M": {reminder.offset: {"M": _reminder_to_item(reminder)} for reminder in appointment.reminders}}


_REMINDER_ATTRIBUTES = {"dueAt", "state", "attempts", "claim", "leaseUntil", "sentAt", "messageId"}


def _reminder_to_item(reminder: Reminder) -> dict[str, Any]:
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
    return item


def _reminder_from_item(offset: str, item: Item) -> Reminder:
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
        unknown={name: value for name, value in item.items() if name not in _REMINDER_ATTRIBUTES},
    )


def settings_from_item(item: Item) -> StoredSettings:
    """Read a calendar's settings item; its body was checked before it was written."""
    text = item["settings"]["S"]
    return StoredSettings(
        json.loads(text), _settings_from_text(text), int(item["version"]["N"]), from_utc_text(item["updatedAt"]["S"])
    )


# A thousand overrides take longer to read than a booking does; a function that lives on reads them once.
@lru_cache(maxsize=64)
def _settings_from_text(text: str) -> CalendarSettings:
    from appointments.calendar_settings import parse_settings  # noqa: PLC0415 - no sender of reminders needs it

    return parse_settings(json.loads(text))


def _unchanged(day: CalendarDay, quarters: range) -> tuple[str, dict[str, Any]]:
    """The condition that quarter hours of a day are still as they were read, and its values."""
    parts, values = [], {}
    for quarter in quarters:
        name = f"{_COUNTER}{quarter}"
        if quarter in day.counters:
            values[f":{name}"] = {"N": str(day.counters[quarter])}
            parts.append(f"{name} = :{name}")
        else:
            parts.append(f"attribute_not_exists({name})")
    return " AND ".join(parts), values


def _fit(days: set[DayKey], reading: Reading) -> bool:
    return 1 + len(days) + len(reading.unread) <= TRANSACTION_ACTIONS


def _padded(interval: Interval, gap: timedelta) -> Interval:
    return Interval(interval.start - gap, interval.end + gap)


def _settings_key(calendar_id: str) -> dict[str, Any]:
    return {"calendarId": {"S": calendar_id}, "day": {"S": SETTINGS}}


def _texts(values: Iterable[str]) -> dict[str, Any]:
    return {"L": [{"S": value} for value in values]}


def _day_key_item(key: DayKey) -> dict[str, Any]:
    return {"calendarId": {"S": key.calendar_id}, "day": {"S": key.day.isoformat()}}


def _day_key_from_item(item: Item) -> DayKey:
    return DayKey(item["calendarId"]["S"], date.fromisoformat(item["day"]["S"]))


def _day_expiry(day: date, retention: timedelta) -> int:
    return int((datetime.combine(day, time(), UTC) + DAY + retention).timestamp())


def _interval_to_text(interval: Interval) -> str:
    return f"{interval.start.timestamp():.0f}-{interval.end.timestamp():.0f}"


# Appointments begin and end at the same few times on all calendars, and a day is read again and again.
@lru_cache(maxsize=4096)
def _interval_from_text(text: str) -> Interval:
    start, end = text.split("-")
    return Interval(datetime.fromtimestamp(int(start), UTC), datetime.fromtimestamp(int(end), UTC))
