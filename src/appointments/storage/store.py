"""Reads what a decision rests on, and commits the decision in one transaction.

| table        | key                    | item                                                                |
|--------------|------------------------|---------------------------------------------------------------------|
| appointments | appointmentId          | one appointment with its reminders: `appointments`                  |
| calendars    | calendarId, day        | one calendar day, `day` is a UTC date: `calendar_days`              |
| calendars    | calendarId, `overflow` | more entries of a crowded day: `calendar_days`                      |
| calendars    | calendarId, `settings` | a calendar's settings: `calendar_settings`                          |
| calendars    | calendarId, `contact`  | where a calendar's person is reached: `contacts`                    |
| calendars    | calendarId, `block#…`  | a block of the calendar: `blocks`                                   |
| calendars    | `services#`, serviceId | a service: `services`                                               |
| calendars    | `history#…`, version   | a version of an appointment: `history`                              |

A session's own calendar has days and no settings: the session's item in the first table says what it allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from appointments.claims import (
    carrying_days,
    is_session_calendar,
    quarter_hours,
    session_calendar,
    session_of,
)
from appointments.decision import Reading
from appointments.errors import TooManyAppointmentsError
from appointments.memory import KnownService, Memory, unconfigured
from appointments.model import CalendarDay, is_block
from appointments.storage.appointment_items import appointment_from_item, appointment_key
from appointments.storage.appointments import AppointmentChangedError, AppointmentExistsError, Appointments
from appointments.storage.calendar_days import (
    MAX_ENTRIES_READ,
    CalendarDays,
    day_from_item,
    day_key_from_item,
    day_key_item,
    overflow_key,
    with_overflow,
)
from appointments.storage.calendar_settings import SERVICES, SETTINGS, SettingsItems, service_key, settings_key
from appointments.storage.dynamodb import (
    TRANSACTION_ACTIONS,
    ContentionError,
    Database,
    NotWrittenError,
    TransactionFailedError,
    own_change,
    unless_written,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from appointments.claims import Claim
    from appointments.decision import Change
    from appointments.memory import KnownSettings
    from appointments.model import Appointment, DayKey, OverflowKey
    from appointments.storage.blocks import Blocks
    from appointments.storage.dynamodb import Entry, Item
    from appointments.storage.history import History
    from appointments.storage.services import ServiceItems


class ReadingOutdatedError(NotWrittenError):
    """Days or settings that the decision rests on have changed; `newer` has them as they are now."""

    def __init__(self, newer: Reading) -> None:
        super().__init__(f"{len(newer.days)} calendar days and {len(newer.settings)} settings changed")
        self.newer = newer


class ChangeTooLargeError(NotWrittenError):
    """The change needs more actions than one transaction takes; `actions` is how many."""

    def __init__(self, actions: int) -> None:
        super().__init__(f"{actions} actions")
        self.actions = actions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Storage:
    """The two tables, with an attribute per kind of item, and what this process remembers of them."""

    appointments: Appointments
    days: CalendarDays
    settings: SettingsItems
    memory: Memory
    database: Database

    @classmethod
    def of(
        cls,
        client: DynamoDBClient,
        appointments_table: str,
        calendars_table: str,
        retention: timedelta = timedelta(days=400),
        memory: Memory | None = None,
    ) -> Storage:
        """Storage over a client. `retention` is how long days and appointments outlive their end."""
        database = Database(client)
        memory = Memory() if memory is None else memory
        return cls(
            Appointments(database, appointments_table, retention),
            CalendarDays(database, calendars_table, retention),
            SettingsItems(database, calendars_table, memory),
            memory,
            database,
        )

    @property
    def blocks(self) -> Blocks:
        """The blocks, in the table of the calendar days."""
        from appointments.storage.blocks import Blocks  # noqa: PLC0415 - few requests are about one

        return Blocks(self.database, self.days.table, self.days.retention)

    @property
    def history(self) -> History:
        """The history of appointments, in the table of the calendar days."""
        from appointments.storage.history import History  # noqa: PLC0415 - few requests ask for it

        return History(self.database, self.days.table)

    @property
    def services(self) -> ServiceItems:
        """The services, in the table of the calendar days."""
        from appointments.storage.services import ServiceItems  # noqa: PLC0415 - few requests are about one

        return ServiceItems(self.database, self.days.table, self.memory)

    def read(
        self,
        keys: Iterable[DayKey],
        *,
        settings: bool = True,
        appointment_id: str | None = None,
        service_id: str | None = None,
        near: Sequence[Claim] = (),
    ) -> Reading:
        """Read calendar days, their calendars' settings, an appointment and a service if named; strongly consistent.

        A day that was never booked is empty. A calendar that was never configured has the default settings. One call
        reads up to 100 keys, and a query or two the overflow items of each crowded day. With claims, only those that
        may lie `near` them. Raises CalendarBusyError, TooManyAppointmentsError.
        """
        entries = 0
        reading = Reading({key: CalendarDay(key) for key in keys})
        pending: list[tuple[str, Any]] = [(self.days.table, day_key_item(key)) for key in reading.days]
        if settings:
            reading.settings = {key.calendar_id: unconfigured() for key in reading.days}
            pending += [self._rules_at(calendar_id) for calendar_id in reading.settings]
        if appointment_id is not None:
            pending.insert(0, (self.appointments.table, appointment_key(appointment_id)))
        if service_id is not None:
            reading.service = KnownService(service_id)
            pending.insert(0, (self.settings.table, service_key(service_id)))
        for table, item in self.database.get_many(pending):
            if table == self.appointments.table:
                found = appointment_from_item(item)
                if found.appointment_id == appointment_id:
                    reading.appointment = found
                else:
                    self._learn_session(found, reading)
            elif service_id is not None and item["calendarId"]["S"] == SERVICES:
                reading.service = self.services.learn(item)
            elif item["day"]["S"] == SETTINGS:
                reading.settings[item["calendarId"]["S"]] = self.settings.learn(item)
            else:
                day = day_from_item(item)
                entries += len(day.entries)
                if entries > MAX_ENTRIES_READ:
                    raise TooManyAppointmentsError(MAX_ENTRIES_READ)
                reading.days[day.key] = day
                self.memory.learn_day(day)
        self._read_overflow(reading, entries, near)
        return reading

    def _rules_at(self, calendar_id: str) -> tuple[str, dict[str, Any]]:
        """The table and the key of the item that says what a calendar allows: of a session's, the session itself."""
        if is_session_calendar(calendar_id):
            return self.appointments.table, appointment_key(session_of(calendar_id))
        return self.settings.table, settings_key(calendar_id)

    @staticmethod
    def _learn_session(session: Appointment, reading: Reading) -> None:
        from appointments.sessions import settings_of  # noqa: PLC0415 - most appointments are in no session

        reading.session = session
        reading.settings[session_calendar(session.appointment_id)] = settings_of(session)

    def _read_overflow(self, reading: Reading, entries: int, near: Sequence[Claim]) -> None:
        """Read the overflow items of crowded days, after `entries` in the days' own items.

        An entry is only ever written together with the counters of its quarter hours, which lie in the day's own item.
        As long as the counters are those that were read, no entry came after that. So overflow items that are read
        after the day's own item show every entry, and those read after the own items of all days show them for one
        moment.
        """
        for day in [day for day in reading.days.values() if day.overflow is not None]:
            seen = None
            if near:
                quarters = quarter_hours(near, day.key, reading.reach_of)
                seen = range(quarters[0], quarters[-1] + 1) if quarters else range(0)
                items = self.days.overflow_near(day, seen)
            else:
                items = self.days.overflow(day.key.calendar_id, day.key.day, day.key.day)
            found = []
            for _, item in items:
                entries += len(item)
                if entries > MAX_ENTRIES_READ:
                    raise TooManyAppointmentsError(MAX_ENTRIES_READ)
                found.append(item)
            reading.days[day.key] = with_overflow(day, found, seen)

    def recall(self, change: Change, service: KnownService | None = None) -> Reading | None:
        """A reading from memory, in place of a read: days count as untouched, settings are the remembered ones.

        The conditions of `commit` prove it. None if one of them is known to fail, or if the settings of a calendar are
        too large to be remembered.
        """
        settings = {claim.calendar_id: self.memory.recall_settings(claim.calendar_id) for claim in change.new_claims}
        if not all(known.small for known in settings.values()):
            return None
        reading = Reading(settings=settings, assumed=True, service=service)
        keys = reading.deciding_days(change.new_claims)
        if 1 + bool(service) + len(keys) + len(settings) > TRANSACTION_ACTIONS:
            return None  # what decides by the settings in force may be less than those that are remembered
        for key in keys:
            deciding = quarter_hours(change.new_claims, key, reading.reach_of)
            if self.memory.is_touched(key, deciding):
                return None
        return reading

    def commit(self, change: Change, reading: Reading, change_id: str) -> Change:
        """Write a change, all of it or nothing, if what was read is still current.

        A change that touches no calendar is one update of the appointment's item. Any other change is one transaction.
        It writes the appointment, adds its entry to the days that it takes, and removes the entry from the days that it
        leaves. Its conditions are that the deciding quarter hours and the settings of the calendars are those that were
        read.
        `change_id` is the same for each attempt of a request to change an appointment. What an earlier one wrote, of
        which nobody heard, is returned as it is now.
        Raises AppointmentExistsError, AppointmentChangedError, ReadingOutdatedError, ChangeTooLargeError,
        ContentionError, CalendarBusyError in doubt.
        """
        if change.before is not None and not change.touches_calendars:
            if change.after is not change.before:
                self.appointments.change(change.before, change.after, change_id)
            return change
        try:
            self.database.transact(self.actions(change, reading, change_id))
        except TransactionFailedError as exc:
            own = next((item for _, item in exc.failed if own_change(item, change_id, None)), None)
            if own:
                return change._replace(after=appointment_from_item(own))
            self._raise_for(exc, change.after.appointment_id)
        except ContentionError as exc:
            unless_written(exc, lambda: self._written(change, change_id))
        for key in carrying_days(change.new_claims):
            self.memory.touch(key, quarter_hours(change.new_claims, key))
        return change

    def _written(self, change: Change, change_id: str) -> Item | None:
        """The item, if a change whose answer got lost was written. Raises CalendarBusyError where that is unknown.

        A new one is raised as AppointmentExistsError. A block may have been removed by somebody else.
        """
        before, after = change.before, change.after
        if is_block(after):
            item = self.database.look(*self.blocks.key(after.user_id, after.appointment_id))
            if before:
                return item if item and "removedAt" in item else None
        elif before:
            return self.appointments.changed(before, change_id)
        else:
            item = self.database.look(self.appointments.table, appointment_key(after.appointment_id))
        if item:
            raise AppointmentExistsError(
                self.blocks.from_item(item) if is_block(after) else appointment_from_item(item)
            )
        return None

    def actions(self, change: Change, reading: Reading, change_id: str = "") -> list[Entry]:
        """The actions of the transaction that commits a change. Raises ChangeTooLargeError.

        Where those on overflow items make too many, its entries go into the days' own items.
        """
        overflow = self._overflow(change, reading)
        entries = self._actions(change, reading, overflow, change_id)
        if overflow and len(entries) > TRANSACTION_ACTIONS:
            entries = self._actions(change, reading, (), change_id)
        if len(entries) > TRANSACTION_ACTIONS:
            raise ChangeTooLargeError(len(entries))
        return entries

    def _overflow(self, change: Change, reading: Reading) -> tuple[OverflowKey, ...]:
        """The overflow items for a change's entries, on the days whose own items hold many of others.

        A block has none: there are few, and its item need not tell where its entries are. What has run out does not
        count: an entry that goes into the day's own item takes it out.
        """
        if not reading.days or is_block(change.after):
            return ()
        id_, now = change.after.appointment_id, change.after.updated_at
        return tuple(
            overflow_key(id_, change.new_claims, key)
            for key in carrying_days(change.new_claims)
            if (day := reading.days.get(key)) and day.inline(id_) - len(day.run_out(now, id_)) >= self.days.most_inline
        )

    def _actions(
        self, change: Change, reading: Reading, overflow: tuple[OverflowKey, ...], change_id: str
    ) -> list[Entry]:
        before, after = change.before, change.after
        if overflow != after.overflow:
            after = replace(after, overflow=overflow)
        if is_block(after):
            entries = [self.blocks.removing(after) if before else self.blocks.placing(after)]
        elif before:
            entries = [self.appointments.changing(before, after, change_id)]
        else:
            entries = [self.appointments.putting(after)]
        entries += self._on_days(change, reading, [key.day for key in overflow])
        entries += [self.days.entering(after.appointment_id, change.new_claims, key) for key in overflow]
        if before and before.overflow:
            left = sorted(set(before.overflow).difference(overflow))
            entries += [self.days.leaving_overflow(after.appointment_id, key) for key in left]
        calendar_ids = dict.fromkeys(claim.calendar_id for claim in change.new_claims)
        if calendar_ids:
            calendar_ids |= dict.fromkeys(reading.counted_by)
        if reading.service:
            entries.append(self.services.checking(reading.service))
        return entries + [self._proving(id_, reading.settings[id_]) for id_ in calendar_ids]

    def _proving(self, calendar_id: str, known: KnownSettings) -> Entry:
        """Prove that what a calendar allows is what was read; a session also counts that it is joined."""
        if is_session_calendar(calendar_id):
            return self.appointments.joining(session_of(calendar_id), known.version)
        return self.settings.checking(calendar_id, known)

    def _on_days(self, change: Change, reading: Reading, beside: Collection[DayKey]) -> list[Entry]:
        """The actions of a change on the own items of calendar days, one per day. On those `beside`, it has overflow.

        A day that was not read counts as untouched. If it is not, the condition fails and returns the day.
        """
        id_ = change.after.appointment_id
        carrying = carrying_days(change.new_claims)
        elsewhere = {key.day for key in change.before.overflow} if change.before else ()
        left = set(carrying_days(change.old_claims)).difference(carrying, elsewhere)
        entries = []
        for key in sorted(reading.deciding_days(change.new_claims)):
            day = reading.days.get(key) or CalendarDay(key)
            deciding = quarter_hours(change.new_claims, key, reading.reach_of)
            mark = reading.settings[key.calendar_id].mark
            if key in beside:
                entries.append(self.days.taking_beside(id_, change.new_claims, day, deciding, mark))
            elif key in carrying:
                entries.append(self.days.taking(change.after, change.new_claims, day, deciding, mark))
            elif key in left:
                left.remove(key)
                entries.append(self.days.checking_and_leaving(id_, day, deciding))
            else:
                entries.append(self.days.checking(day, deciding))
        return entries + [self.days.leaving(id_, key) for key in sorted(left)]

    def _raise_for(self, failure: TransactionFailedError, own_id: str) -> NoReturn:
        """Turn the conditions that failed into one error: the appointment first, then days, settings and session."""
        newer = Reading()
        for entry, item in failure.failed:
            if "Put" in entry and item:
                raise AppointmentExistsError(appointment_from_item(item)) from failure
            action = entry.get("Update") or entry["ConditionCheck"]
            if action["TableName"] == self.appointments.table:
                if item and action["Key"]["appointmentId"]["S"] != own_id:
                    self._learn_session(appointment_from_item(item), newer)
                    continue
                raise AppointmentChangedError(appointment_from_item(item) if item else None) from failure
            if self.blocks.is_key(action["Key"]):
                raise AppointmentChangedError(self.blocks.from_item(item) if item else None) from failure
            if (key_item := action["Key"])["calendarId"]["S"] == SERVICES:
                service_id = key_item["day"]["S"]
                self.memory.services.pop(service_id, None)
                newer.service = self.services.learn(item) if item else KnownService(service_id)
                continue
            if action["Key"]["day"]["S"] == SETTINGS:
                known: KnownSettings = self.settings.learn(item) if item else unconfigured()
                newer.settings[action["Key"]["calendarId"]["S"]] = known
                continue
            key = day_key_from_item(action["Key"])
            newer.days[key] = day_from_item(item) if item else CalendarDay(key)
            self.memory.learn_day(newer.days[key])
        raise ReadingOutdatedError(newer) from failure
