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
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from appointments.errors import SchedulerError
from appointments.model import (
    DAY,
    Appointment,
    CalendarDay,
    DayKey,
    Interval,
    Reminder,
    ReminderState,
    Status,
)
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient

    Item = Mapping[str, Any]
    Entry = dict[str, Any]  # one element of TransactItems

USER_INDEX = "UserAppointmentsIndex"
DUE_INDEX = "DueRemindersIndex"
# The due index has one partition per shard, so that a million bookings a day do not share one.
REMINDER_SHARDS = 8
# DynamoDB's limits: keys in one BatchGetItem, actions in one TransactWriteItems.
BATCH_GET_KEYS = 100
TRANSACTION_ACTIONS = 100

BEGIN_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)

_ENTRY = "a#"
_COUNTER = "q"


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


class TransactionContentionError(SchedulerError):
    """DynamoDB was working on another transaction over the same items, or throttled this one; try again."""


class ReminderClaimLostError(SchedulerError):
    """The reminder is not, or no longer, in the state that the write asked for: nothing was written."""


class Reading(NamedTuple):
    """What one consistent read found: the days asked for, and the appointment if it was asked for."""

    days: dict[DayKey, CalendarDay]
    appointment: Appointment | None


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

    # --- reading -------------------------------------------------------------------------------------

    def get_appointment(self, appointment_id: str) -> Appointment | None:
        """Strongly consistent."""
        answer = self.client.get_item(
            TableName=self.appointments_table, Key={"appointmentId": {"S": appointment_id}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return appointment_from_item(item) if item else None

    def read(self, keys: Iterable[DayKey], appointment_id: str | None = None) -> Reading:
        """Read calendar days, and an appointment if one is named; strongly consistent.

        A day that nobody ever booked comes back empty. One call, or more where there are over 100 keys or
        DynamoDB hands keys back.
        """
        reading = Reading({key: CalendarDay(key) for key in keys}, None)
        pending = [(self.calendars_table, _day_key_item(key)) for key in reading.days]
        if appointment_id is not None:
            pending.insert(0, (self.appointments_table, {"appointmentId": {"S": appointment_id}}))
        while pending:
            batch, pending = pending[:BATCH_GET_KEYS], pending[BATCH_GET_KEYS:]
            request: dict[str, Any] = {}
            for table, key in batch:
                request.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"].append(key)
            answer = self.client.batch_get_item(RequestItems=request)
            for item in answer["Responses"].get(self.calendars_table, ()):
                day = day_from_item(item)
                reading.days[day.key] = day
            for item in answer["Responses"].get(self.appointments_table, ()):
                reading = reading._replace(appointment=appointment_from_item(item))
            handed_back = answer.get("UnprocessedKeys", {})
            pending = [(table, dict(key)) for table in handed_back for key in handed_back[table]["Keys"]] + pending
        return reading

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

        Read from the index, which follows the table within moments and not at once.
        """
        # A sort key takes one condition, and BETWEEN includes both ends: in whole seconds, "before" is "up to
        # the second before".
        last = starts_before - timedelta(seconds=1) if starts_before else END_OF_TIME
        values: dict[str, Any] = {
            ":user": {"S": user_id},
            ":first": {"S": to_utc_text(starts_from or BEGIN_OF_TIME)},
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
        while len(found) <= limit:
            answer = self.client.query(**query)
            found += [appointment_from_item(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        page = found[:limit]
        if len(found) <= limit:
            return Page(page, None)
        return Page(page, Position(page[-1].interval.start, page[-1].appointment_id))

    # --- booking -------------------------------------------------------------------------------------

    def book(self, appointment: Appointment, days: Mapping[DayKey, CalendarDay]) -> None:
        """Write the appointment and its entry in each of its days, all or nothing.

        `days` are the days on which the caller decided; the write holds only while they still stand.
        Raises AppointmentExistsError, DaysChangedError with the newer days, TransactionContentionError.
        """
        entries = [self._put_new(appointment)]
        entries += [self._add_entry(appointment, days[key]) for key in appointment.day_keys()]
        self._commit(entries)

    def move(self, before: Appointment, after: Appointment, days: Mapping[DayKey, CalendarDay]) -> None:
        """Change the appointment and move its entries from its old days to its new ones, all or nothing.

        `days` are the new days as the caller read and decided on them.
        Raises AppointmentChangedError, DaysChangedError, TransactionContentionError.
        """
        new_keys = after.day_keys()
        entries = [self._change(before, after)]
        entries += [self._add_entry(after, days[key]) for key in new_keys]
        entries += [self._remove_entry(before, key) for key in before.day_keys() if key not in set(new_keys)]
        self._commit(entries)

    def cancel(self, before: Appointment, after: Appointment) -> None:
        """Mark the appointment cancelled and take its entries out of its days, all or nothing.

        Raises AppointmentChangedError, TransactionContentionError.
        """
        entries = [self._change(before, after)]
        entries += [self._remove_entry(before, key) for key in before.day_keys()]
        self._commit(entries)

    def revise(self, before: Appointment, after: Appointment) -> None:
        """Change what does not touch any calendar: details, zone, reminders. Raises AppointmentChangedError."""
        update = self._change(before, after)["Update"]
        try:
            self.client.update_item(**update)
        except self.client.exceptions.ConditionalCheckFailedException as exc:
            item: Any = exc.response.get("Item")
            raise AppointmentChangedError(appointment_from_item(item) if item else None) from exc

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

    def _add_entry(self, appointment: Appointment, day: CalendarDay) -> Entry:
        """Add the appointment to a day, on condition that its quarter hours are still as they were read."""
        values: dict[str, Any] = {
            ":entry": {"S": _interval_to_text(appointment.interval)},
            ":expires": {"N": str(_day_expiry(day.key.day, self.retention))},
            ":one": {"N": "1"},
        }
        unchanged, bumped = [], []
        for quarter in appointment.interval.quarter_hours(day.key.day):
            name = f"{_COUNTER}{quarter}"
            bumped.append(f"{name} :one")
            if quarter in day.counters:
                values[f":{name}"] = {"N": str(day.counters[quarter])}
                unchanged.append(f"{name} = :{name}")
            else:
                unchanged.append(f"attribute_not_exists({name})")
        return {
            "Update": {
                "TableName": self.calendars_table,
                "Key": _day_key_item(day.key),
                "UpdateExpression": f"SET #entry = :entry, expiresAt = :expires ADD {', '.join(bumped)}",
                "ConditionExpression": " AND ".join(unchanged),
                "ExpressionAttributeNames": {"#entry": f"{_ENTRY}{appointment.appointment_id}"},
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _commit(self, entries: list[Entry]) -> None:
        try:
            self.client.transact_write_items(TransactItems=entries)  # type: ignore[arg-type]  # a dict is an action
        except self.client.exceptions.TransactionCanceledException as exc:
            self._raise_for_cancellation(exc, entries)
        except self.client.exceptions.TransactionInProgressException as exc:
            raise TransactionContentionError from exc

    def _raise_for_cancellation(self, exc: ClientError, entries: Sequence[Entry]) -> NoReturn:
        """Turn the reasons of a cancelled transaction, one per action and in their order, into one error."""
        reasons: list[dict[str, Any]] = exc.response.get("CancellationReasons", [])  # type: ignore[assignment]
        changed: dict[DayKey, CalendarDay] = {}
        for entry, reason in zip(entries, reasons, strict=True):
            if reason.get("Code") != "ConditionalCheckFailed":
                continue
            item = reason.get("Item")
            if item and "Put" in entry:
                raise AppointmentExistsError(appointment_from_item(item)) from exc
            if entry["Update"]["TableName"] == self.appointments_table:
                raise AppointmentChangedError(appointment_from_item(item) if item else None) from exc
            key = _day_key_from_item(entry["Update"]["Key"])
            changed[key] = day_from_item(item) if item else CalendarDay(key)
        if changed:
            raise DaysChangedError(changed) from exc
        codes = {reason.get("Code") or "None" for reason in reasons} - {"None"}
        if codes and codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
            raise TransactionContentionError(", ".join(sorted(codes))) from exc
        raise exc

    # --- reminders -----------------------------------------------------------------------------------

    def claim_reminder(
        self, appointment_id: str, reminder: Reminder, *, claim: str, lease: timedelta, now: datetime
    ) -> Appointment:
        """Take the reminder for one sender until `now + lease`, and return the appointment as it then is.

        Open to a reminder that is pending, or whose last claim has run out.
        Raises ReminderClaimLostError when it is cancelled, moved, done or in somebody's hands.
        """
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

    def settle_reminder(self, appointment: Appointment, settled: Reminder) -> None:
        """Write the outcome of a claimed reminder: sent, missed, or pending again after a failure.

        `appointment` is what `claim_reminder` returned. Raises ReminderClaimLostError when the claim was
        taken over, or the appointment moved, in the meantime.
        """
        while True:
            held = appointment.reminder(settled.offset)
            if held is None or held.claim != settled.claim or held.claim is None:
                raise ReminderClaimLostError(appointment.appointment_id)
            seen, after = appointment.next_reminder_at, appointment.with_reminder(settled).next_reminder_at
            values = {":reminder": {"M": _reminder_to_item(settled)}, ":claim": {"S": held.claim}}
            update = "SET #r.#o = :reminder"
            if after is None:
                update += " REMOVE nextReminderAt"
            else:
                update += ", nextReminderAt = :after"
                values[":after"] = {"S": to_utc_text(after)}
            condition = "#r.#o.claim = :claim"
            if seen is not None:
                condition += " AND nextReminderAt = :seen"
                values[":seen"] = {"S": to_utc_text(seen)}
            try:
                self._update_reminder(appointment.appointment_id, settled.offset, update, condition, values)
            except _ReminderChangedError as exc:
                # Another reminder of the same appointment moved on: the next due time is worked out anew.
                if exc.now is None or exc.now.next_reminder_at == seen:
                    raise
                appointment = exc.now
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
        names = {"#r": "reminders", "#o": offset, "#s": "state", "#status": "status"}
        used = {name: value for name, value in names.items() if name in f"{update} {condition}"}
        try:
            answer = self.client.update_item(
                TableName=self.appointments_table,
                Key={"appointmentId": {"S": appointment_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=used,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.client.exceptions.ConditionalCheckFailedException as exc:
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
        "reminders": {"M": {r.offset: {"M": _reminder_to_item(r)} for r in appointment.reminders}},
        "status": {"S": appointment.status},
        "version": {"N": str(appointment.version)},
        "createdAt": {"S": to_utc_text(appointment.created_at)},
        "updatedAt": {"S": to_utc_text(appointment.updated_at)},
        "reminderShard": {"N": str(reminder_shard(appointment.appointment_id))},
        "expiresAt": {"N": str(int((end + retention).timestamp()))},
    }
    if appointment.fingerprint:
        item["fingerprint"] = {"S": appointment.fingerprint}
    if appointment.time_zone:
        item["timeZone"] = {"S": appointment.time_zone}
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
        version=int(item["version"]["N"]),
        created_at=from_utc_text(item["createdAt"]["S"]),
        updated_at=from_utc_text(item["updatedAt"]["S"]),
        fingerprint=item["fingerprint"]["S"] if "fingerprint" in item else None,
    )


def day_from_item(item: Item) -> CalendarDay:
    """Read a calendar day: its entries and its counters."""
    entries, counters = {}, {}
    for name, value in item.items():
        if name.startswith(_ENTRY):
            entries[name.removeprefix(_ENTRY)] = _interval_from_text(value["S"])
        elif name.startswith(_COUNTER):
            counters[int(name.removeprefix(_COUNTER))] = int(value["N"])
    return CalendarDay(_day_key_from_item(item), entries, counters)


def reminder_shard(appointment_id: str) -> int:
    """The partition of the due index that an appointment's reminders lie in."""
    return zlib.crc32(appointment_id.encode()) % REMINDER_SHARDS


def _reminder_to_item(reminder: Reminder) -> dict[str, Any]:
    item: dict[str, Any] = {
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
    )


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


def _interval_from_text(text: str) -> Interval:
    start, end = text.split("-")
    return Interval(datetime.fromtimestamp(int(start), UTC), datetime.fromtimestamp(int(end), UTC))
