"""What must hold after every run, read from the items as they lie in the tables with none of the product's code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from exploration.dynamo import MESSAGES, Attributes, Database, Key, canonical

# The phone of whoever is reached, in scenarios where somebody is.
PHONE = "+4915123456789"
APPOINTMENTS, CALENDARS = "AppointmentsTable", "CalendarsTable"
MARKER, OVERFLOW = "a#overflow", "overflow#"


UNLIMITED = 10**6


class Limits(NamedTuple):
    """The loosest settings that a calendar had at any moment of the run."""

    capacity: int = 1
    buffer_minutes: int = 0
    per_day: int = UNLIMITED
    # In which days are counted; no scenario changes it.
    zone: str = "UTC"

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Limits:
        buffer = max(body.get("bufferMinutes", {}).values(), default=0)
        return cls(body.get("capacity", 1), buffer, body.get("maxPerDay", UNLIMITED), body.get("timeZone", "UTC"))

    def or_looser(self, other: Limits) -> Limits:
        return Limits(
            max(self.capacity, other.capacity),
            min(self.buffer_minutes, other.buffer_minutes),
            max(self.per_day, other.per_day),
            self.zone,
        )


def limits_of(database: Database, *later: tuple[str, Mapping[str, Any]]) -> dict[str, Limits]:
    """By calendar, from the settings that lie in a database and those that are sent later."""
    sent = [
        (item["calendarId"]["S"], json.loads(item["settings"]["S"]))
        for _, item in database.within(CALENDARS)
        if item["day"]["S"] == "settings"
    ]
    found: dict[str, Limits] = {}
    sent += [
        (f"session#{key.partition}", {"capacity": int(item["sessionSeats"]["N"])})
        for key, item in database.within(APPOINTMENTS)
        if "sessionSeats" in item
    ]
    initial = {calendar for calendar, _ in sent}
    for calendar, body in (*sent, *later):
        one = Limits.of(body)
        found[calendar] = one.or_looser(found.get(calendar) or (one if calendar in initial else Limits()))
    return found


def broken_invariants(database: Database, limits: Mapping[str, Limits]) -> list[str]:
    broken = [*_on_calendars(database, limits), *_reminders(database), *_in_sessions(database)]
    return [*broken, *_too_often(database)]


def _epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


LIVE = {"held", "requested", "scheduled", "arrived", "completed", "no_show"}
EXPIRING = {"held", "requested"}
# Seconds for which others respect time that has expired.
GRACE = 5


class Lying(NamedTuple):
    """A live appointment on one of its calendars, in epoch seconds. `until` is when it ends by itself."""

    start: int
    end: int
    appointment_id: str
    decided_at: int
    until: int | None = None
    places: int = 1
    # The service that counts it on the person's day; on the person's calendar alone.
    service: str = ""

    def counts_for(self, other: Lying) -> bool:
        """Whether the other had to respect it, by the other's own clock."""
        return self is other or self.until is None or other.decided_at < self.until + GRACE


def _until(item: Attributes) -> int | None:
    expires = item["status"]["S"] in EXPIRING and "heldUntil" in item
    return _epoch(item["heldUntil"]["S"]) if expires else None


def _live(database: Database) -> Iterator[tuple[str, Lying]]:
    """Every live appointment with each of its calendars, and with steps each time that one of them takes."""
    for key, item in database.within(APPOINTMENTS):
        if item["status"]["S"] in LIVE:
            start, end, decided_at = (_epoch(item[name]["S"]) for name in ("startTime", "endTime", "updatedAt"))
            own = Lying(start, end, key.partition, decided_at, _until(item))
            if "servicePerDay" in item:
                own = own._replace(service=item["serviceId"]["S"])
            lying = own._replace(service="", places=int(item["places"]["N"]) if "places" in item else 1)
            steps = [step["M"] for step in item.get("steps", {"L": []})["L"]]
            yield item["userId"]["S"], own
            for calendar in {text["S"] for text in item["resourceIds"]["L"]} - {item["userId"]["S"]}:
                if not steps:
                    yield calendar, lying
            for text, begin, over in _taken_by(steps, item.get("serviceBuffers", {"S": "0 0"})["S"]):
                yield text, lying._replace(start=begin, end=over)
            if "sessionId" in item:
                yield f"session#{item['sessionId']['S']}", lying


def _taken_by(steps: list[Attributes], buffers: str) -> Iterator[tuple[str, int, int]]:
    """When steps take their calendars. Where two of them take one calendar, no buffer lies over the other's time."""
    before, _ = map(int, buffers.split())
    taken: dict[str, list[tuple[int, int]]] = {}
    for step in steps:
        begin, over = (_epoch(step[name]["S"]) for name in ("startTime", "endTime"))
        for calendar in (text["S"] for text in step["resourceIds"]["L"]):
            spans = taken.setdefault(calendar, [])
            if spans:
                first, last = spans.pop()
                spans.append((first, min(last, begin + before)))
                spans.append((max(begin, spans[-1][1]), over))
            else:
                spans.append((begin, over))
    return ((calendar, *span) for calendar, spans in taken.items() for span in spans)


def _entry(lying: Lying) -> str:
    until = "" if lying.until is None else f";until={lying.until}"
    places = "" if lying.places == 1 else f";places={lying.places}"
    counted = f";service={lying.service}" if lying.service else ""
    return f"{lying.start}-{lying.end}{places}{counted}{until}"


def _days(lying: Iterable[Lying]) -> set[str]:
    days = {day for one in lying for day in range(one.start // 86400, (one.end - 1) // 86400 + 1)}
    return {datetime.fromtimestamp(day * 86400, UTC).date().isoformat() for day in days}


def _wanted(database: Database, by_calendar: Mapping[str, list[Lying]]) -> dict[tuple[str, str, str], str]:
    """The entries that there should be, by calendar, day and appointment: each names all that it takes there."""
    wanted: dict[tuple[str, str, str], str] = {}
    for calendar, there in by_calendar.items():
        for id_ in {one.appointment_id for one in there}:
            own = [one for one in there if one.appointment_id == id_]
            wanted |= {(calendar, day, id_): ",".join(map(_entry, own)) for day in _days(own)}
    for calendar, block in _blocks(database):
        text = f"{block.start}-{block.end};places=1000;block={block.decided_at}"
        wanted |= {(calendar, day, block.appointment_id): text for day in _days([block])}
    return wanted


def _on_calendars(database: Database, limits: Mapping[str, Limits]) -> Iterator[str]:
    by_calendar: dict[str, list[Lying]] = {}
    for calendar, lying in _live(database):
        by_calendar.setdefault(calendar, []).append(lying)
    wanted = _wanted(database, by_calendar)
    found: dict[tuple[str, str, str], str] = {}
    for entry, text in _entries(database):
        if entry in found:
            yield f"the entry {entry} is there twice"
        found[entry] = text
    yield from _misplaced(database)
    for entry in sorted(wanted.keys() | found.keys()):
        told, stored = wanted.get(entry), found.get(entry)
        if told != stored and not _ran_out(database, entry[2], told, stored):
            yield f"the entry {entry} is {stored}, and its appointment is at {told}"
    for calendar, there in sorted(by_calendar.items()):
        yield from _overfull(calendar, there, limits.get(calendar, Limits()))
        yield from _overfull_days(calendar, there, limits.get(calendar, Limits()))


def _blocks(database: Database) -> Iterator[tuple[str, Lying]]:
    """Every block that was not removed, with its calendar."""
    for key, item in database.within(CALENDARS):
        if key.sort.startswith("block#") and "removedAt" not in item:
            start, end, placed_at = (_epoch(item[name]["S"]) for name in ("startTime", "endTime", "createdAt"))
            yield key.partition, Lying(start, end, key.sort.removeprefix("block#"), placed_at)


def not_told_of(database: Database, placed: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Live appointments that lie in a block of this run and that its answer does not name."""
    blocks = {block.appointment_id: (calendar, block) for calendar, block in _blocks(database)}
    for answer in placed:
        calendar, block = blocks.get(answer["blockId"], ("", None))
        for on, lying in _live(database):
            in_it = block and on == calendar and lying.start < block.end and block.start < lying.end
            if block and in_it and lying.counts_for(block) and lying.appointment_id not in answer["meets"]:
                yield f"{lying.appointment_id} lies in the block {answer['blockId']}, which does not name it"


def _ran_out(database: Database, id_: str, wanted: str | None, found: str | None) -> bool:
    """Whether the difference is an entry whose time is over: it may stay, and whoever writes to the day removes it."""
    expiring = re.search(r";until=(\d+)$", wanted or found or "")
    if expiring is None or (wanted and found):
        return False
    appointments = {key.partition: item for key, item in database.within(APPOINTMENTS)}
    latest = max(
        *(_epoch(item["updatedAt"]["S"]) for item in appointments.values()),
        *(block.decided_at for _, block in _blocks(database)),
    )
    return appointments[id_]["status"]["S"] == "expired" or int(expiring[1]) + GRACE <= latest


def _entries(database: Database) -> Iterator[tuple[tuple[str, str, str], str]]:
    """By calendar, day and appointment, in whichever item of the day it lies."""
    for key, item in database.within(CALENDARS):
        day = key.sort.removeprefix(OVERFLOW).partition("#")[0]
        for name, value in item.items():
            if name.startswith("a#") and name != MARKER:
                yield (key.partition, day, name[2:]), value["S"]


def _misplaced(database: Database) -> Iterator[str]:
    """Entries in overflow items of which their day, or their appointment, does not tell."""
    told = {
        (text["S"], key.partition)
        for key, item in database.within(APPOINTMENTS)
        for text in item.get("overflow", {"L": []})["L"]
    }
    there = set()
    for key, item in database.within(CALENDARS):
        if key.sort.startswith(OVERFLOW):
            day, _, part = key.sort.removeprefix(OVERFLOW).partition("#")
            names = [name for name in item if name.startswith("a#")]
            there |= {(f"{day} {part} {key.partition}", name[2:]) for name in names}
            if names and MARKER not in database.items[Key(CALENDARS, key.partition, day)].attributes:
                yield f"the day of {key} has no marker"
    for where, appointment in sorted(told ^ there):
        yield f"only one of them tells of the other: {where} and the appointment {appointment}"


def _overfull(calendar: str, lying: list[Lying], limits: Limits) -> Iterator[str]:
    """Moments at which a calendar holds more than it may; one is full, if ever, as an appointment begins."""
    for at in sorted({one.start for one in lying}):
        near = [one for one in lying if one.start <= at < one.end + 60 * limits.buffer_minutes]
        counting = [one for one in near if all(one.counts_for(other) for other in near)]
        places = {one.appointment_id: one.places for one in counting}  # no buffer lies between steps of one
        if (taken := sum(places.values())) > limits.capacity:
            yield f"{calendar} holds {taken} at {datetime.fromtimestamp(at, UTC)}: {', '.join(sorted(places))}"


def _overfull_days(calendar: str, lying: list[Lying], limits: Limits) -> Iterator[str]:
    """Local dates on which more begin than may."""
    days: dict[date, list[Lying]] = {}
    for one in lying:
        days.setdefault(datetime.fromtimestamp(one.start, ZoneInfo(limits.zone)).date(), []).append(one)
    for day, begin in sorted(days.items()):
        there = {one.appointment_id for one in begin if all(one.counts_for(other) for other in begin)}
        if len(there) > limits.per_day:
            yield f"{calendar} takes {len(there)} on {day}: {', '.join(sorted(there))}"


def _too_often(database: Database) -> Iterator[str]:
    """Persons who have more appointments of a service on a local date than each of these allows."""
    days: dict[tuple[str, str, date], list[tuple[int, Lying]]] = {}
    items = {key.partition: item for key, item in database.within(APPOINTMENTS)}
    for calendar, lying in _live(database):
        if lying.service:
            most, zone = items[lying.appointment_id]["servicePerDay"]["S"].split()
            day = datetime.fromtimestamp(lying.start, ZoneInfo(zone)).date()
            days.setdefault((calendar, lying.service, day), []).append((int(most), lying))
    for (person, service, day), begin in sorted(days.items()):
        counting = [one for one in begin if all(one[1].counts_for(other) for _, other in begin)]
        if counting and len(counting) > max(most for most, _ in counting):
            yield f"{person} has {len(counting)} of {service} on {day}"


def _reminders(database: Database) -> Iterator[str]:
    for key, item in database.within(APPOINTMENTS):
        reminders = {offset: value["M"] for offset, value in item["reminders"]["M"].items()}
        due = [one["dueAt"]["S"] for one in reminders.values() if one["state"]["S"] in ("pending", "sending")]
        if (until := _until(item)) is not None:
            due.append(datetime.fromtimestamp(until + GRACE, UTC).isoformat().replace("+00:00", "Z"))
        if "clearing" in item:
            due.append(item["clearing"]["S"])
        if item["status"]["S"] == "requested":  # under which a desk lists it
            due = [item["startTime"]["S"]]
        told = item.get("nextReminderAt", {}).get("S")
        if told != min(due, default=None):
            yield f"{key.partition}: nextReminderAt is {told}, and open reminders are due at {sorted(due)}"
        every = [(offset, each) for offset, one in reminders.items() for each in (one, *_earlier(one))]
        for offset, one in every:
            if one["state"]["S"] == "sending" and not {"claim", "leaseUntil"} <= one.keys():
                yield f"{key.partition}: {offset} is being sent by nobody"
            for channel in sorted(_told_by(one, item)):
                if database.get(_message(key.partition, offset, one, channel)) is None:
                    yield f"{key.partition}: {offset} counts as sent by {channel}, and was not"


def _in_sessions(database: Database) -> Iterator[str]:
    """Whoever is left in a session that takes place no more, and that nobody will look at, or lies elsewhere."""
    items = {key.partition: item for key, item in database.within(APPOINTMENTS)}
    for id_, item in items.items():
        if "sessionId" in item and item["status"]["S"] in LIVE:
            session = items[item["sessionId"]["S"]]
            if session["status"]["S"] not in LIVE and "clearing" not in session:
                yield f"{id_} is left in a session that is {session['status']['S']}"
            if any(item[name] != session[name] for name in ("startTime", "endTime")):
                yield f"{id_} does not lie where its session lies"


def _earlier(reminder: Attributes) -> list[Attributes]:
    return [one["M"] for one in reminder.get("earlier", {"L": []})["L"]]


def _told_by(reminder: Attributes, item: Attributes) -> set[str]:
    """The channels on which a reminder was sent, as it is recorded."""
    records = [one["M"] for one in reminder.get("deliveries", {"L": []})["L"]]
    told_by = {one["channel"]["S"] for one in records if one["state"]["S"] == "sent"}
    if reminder["state"]["S"] == "sent":
        told_by.add("topic")
        # What is given up while it is sent goes to nobody else.
        current = reminder in [one["M"] for one in item["reminders"]["M"].values()]
        current &= item["status"]["S"] == "scheduled"
        told_by.update(json.loads(item["contact"]["S"])["channels"] if current and "contact" in item else ())
    return told_by


def _message(appointment_id: str, offset: str, reminder: Attributes, channel: str = "topic") -> Key:
    to = "" if channel == "topic" else f" {PHONE}"
    return Key(MESSAGES, appointment_id, f"{offset} {reminder['dueAt']['S']}{to}")


def repeated_messages(database: Database, faults: int) -> list[str]:
    """What was sent more often than once; a fault may repeat one message, on one channel."""
    repeated = {key: item["count"] for key, item in database.within(MESSAGES) if item["count"] > 1}
    if sum(repeated.values()) - len(repeated) <= faults:
        return []
    return [f"published {count} times: {key}" for key, count in repeated.items()]


def unsent(database: Database, now: str) -> list[str]:
    """Reminders that were due by now, and are still to be sent though nothing else happens any more."""
    return [
        f"{key.partition}: {offset} is left {value['M']['state']['S']}"
        for key, item in database.within(APPOINTMENTS)
        for offset, value in item["reminders"]["M"].items()
        if value["M"]["dueAt"]["S"] <= now and value["M"]["state"]["S"] in ("pending", "sending")
    ]


def _without_claim(reminder: Attributes) -> dict[str, Any]:
    return {name: value for name, value in reminder.items() if name != "claim"}


def essence(database: Database, *, versions: bool = True) -> str:
    """What a run leaves that callers can see: appointments, settings, messages; no marks of who wrote last."""
    seen: list[Any] = []
    for key, item in database.within(APPOINTMENTS):
        reminders = {
            offset: _without_claim(one["M"]) | {"earlier": [_without_claim(each) for each in _earlier(one["M"])]}
            for offset, one in item["reminders"]["M"].items()
        }
        shown = {name: value for name, value in item.items() if name not in ("changeId", "overflow")}
        seen.append((key.partition, {**shown, "reminders": reminders}))
    for key, item in database.within(CALENDARS):
        if key.sort == "settings" or key.partition == "services#":
            seen.append((key.partition, item["settings"], item["version"] if versions else None))
        elif key.sort.startswith("block#"):
            seen.append((key.partition, key.sort, item))
    seen += [(str(key), item) for key, item in database.within(MESSAGES)]
    return canonical(seen)
