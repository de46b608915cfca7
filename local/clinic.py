"""A made-up clinic to look at: who works there, what can be booked, and who comes on each date. Pure and repeatable.

What lies on a date depends on the date alone, so a second seeding on another day adds only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
# Who sees patients, with their hours from Monday to Friday. At the weekend everyone works in the morning.
STAFF = {
    "dr-haddad": ("Dr Leila Haddad, heart", ["09:00-12:30", "14:00-18:00"]),
    "dr-lindqvist": ("Dr Eva Lindqvist", ["08:00-12:00", "13:00-17:00"]),
    "dr-marin": ("Dr Paul Marin", ["08:00-12:00", "13:00-17:00"]),
    "dr-okafor": ("Dr Ada Okafor", ["07:30-12:00", "12:30-15:30"]),
    "dr-sato": ("Dr Ken Sato", ["12:00-19:00"]),
    "nurse-brandt": ("Nurse Jonas Brandt", ["08:00-12:00", "13:00-17:00"]),
    "nurse-kelly": ("Nurse Maeve Kelly", ["07:00-14:00"]),
}
ROOMS = {"lab": "Lab", "room-1": "Room 1", "room-2": "Room 2", "room-3": "Room 3", "ultrasound": "Ultrasound"}
DOCTORS = ["dr-lindqvist", "dr-marin", "dr-okafor", "dr-sato"]
NURSES = ["nurse-brandt", "nurse-kelly"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PAUSES = (
    ("dr-marin", "15:00", "17:00", "Home visits"),
    ("room-2", "12:00", "14:00", "New floor"),
    ("nurse-kelly", "10:00", "11:00", "Team meeting"),
)
WEEKEND = ["09:00-13:00"]
OPEN = ["07:00-20:00"]
PATIENTS = 160
# Split, as lists of so many would fill the page.
FIRST = "Alice Amir Anna Ben Carla Chloe Dora Elif Emil Frank Greta Hana Ines Jakob Jonas Kofi Lena Mia Noah".split()  # noqa: SIM905
LAST = "Abel Braun Costa Diallo Engel Fischer Garcia Huber Ito Jansen Klein Lopez Maier Novak Owusu Peters".split()  # noqa: SIM905
TITLES = {30: ("Check-up", "Follow-up", "Consultation"), 15: ("Vaccination", "Blood test"), 45: ("First visit",)}


def service(title: str, minutes: int, *pools: list[str], **more: Any) -> dict[str, Any]:
    """What can be booked: so long, with one of each pool."""
    step = {"durationMinutes": minutes, "pools": [{"anyOf": pool} for pool in pools]}
    policy = {"minNoticeMinutes": 60, "horizonDays": 60, "holdMinutes": 10}
    late = {"cancelUntilMinutes": 120, "moveUntilMinutes": 120}
    return {"title": title, "steps": [step], "stepMinutes": 30, **policy, **late, **more}


SERVICES = {
    "check-up": service("Check-up", 30, DOCTORS, ["room-1", "room-2", "room-3"], description="A visit to a doctor."),
    "vaccination": service(
        "Vaccination", 15, NURSES, stepMinutes=15, description="Please bring your passport for vaccinations."
    ),
    "blood-test": service(
        "Blood test", 15, NURSES, ["lab"], stepMinutes=15, description="Please come without breakfast."
    ),
    "heart": service(
        "Heart ultrasound", 45, ["dr-haddad"], ["ultrasound"], approval=True, description="Needs a referral."
    ),
}


def calendar(calendar_id: str) -> dict[str, Any]:
    """The settings of somebody who works here, or of a room."""
    week = [(STAFF[calendar_id][1] if number < 5 else WEEKEND) if calendar_id in STAFF else OPEN for number in range(7)]
    hours = [[dict(zip(("start", "end"), text.split("-"), strict=True)) for text in day] for day in week]
    title = STAFF[calendar_id][0] if calendar_id in STAFF else ROOMS[calendar_id]
    return {"title": title, "timeZone": str(ZONE), "workingHours": dict(zip(DAYS, hours, strict=True))}


def contact(number: int, channels: list[str]) -> dict[str, Any]:
    """How a patient is reached. The phone numbers are those that Germany keeps free for films."""
    first, last = FIRST[number % len(FIRST)], LAST[number * 7 % len(LAST)]
    email = f"{first}.{last}.{number}@example.com".lower()
    return {"name": f"{first} {last}", "email": email, "phone": f"+4930{23125000 + number}", "channels": channels}


class Pause(NamedTuple):
    """Time that is blocked on a calendar."""

    calendar: str
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True)
class Visit:
    """An appointment: who comes to whom, where, and from when to when."""

    patient: int
    staff: str
    room: str | None
    start: datetime
    end: datetime
    title: str
    chance: float = field(compare=False)
    """Decides what becomes of it, from 0 to 1."""

    @property
    def key(self) -> str:
        """The same in every seeding."""
        return f"clinic {self.staff} {self.start:%Y-%m-%dT%H:%M}"

    def booking(self) -> dict[str, Any]:
        """The request to book it. Few agreed to be written to: a mailbox with all of them shows nothing."""
        return {
            "userId": f"patient-{self.patient:03}",
            "startTime": f"{self.start:%Y-%m-%dT%H:%M}",
            "endTime": f"{self.end:%Y-%m-%dT%H:%M}",
            "timeZone": str(ZONE),
            "resourceIds": [self.staff] + ([self.room] if self.room else []),
            "details": {"title": self.title},
            "contact": contact(self.patient, ["email"] if self.chance > 0.985 else []),
            "reminders": [],
        }


def pause(day: date) -> Pause:
    """What is blocked on a date."""
    calendar_id, begins, ends, reason = PAUSES[day.toordinal() % len(PAUSES)]
    start, end = (datetime.combine(day, time.fromisoformat(text), ZONE) for text in (begins, ends))
    return Pause(calendar_id, start, end, reason)


def visits(day: date) -> list[Visit]:
    """Who comes on a date: in the hours of everyone who works, in a room that is free."""
    random = Random(f"clinic {day}")  # noqa: S311 - the same on every machine
    patients = iter(random.sample(range(PATIENTS), PATIENTS))
    taken: dict[str, list[tuple[datetime, datetime]]] = {calendar_id: [] for calendar_id in (*ROOMS, *STAFF)}
    blocked = pause(day)
    taken[blocked.calendar].append((blocked.start, blocked.end))
    found = []
    for staff, (_, hours) in STAFF.items():
        for opening in WEEKEND if day.weekday() >= 5 else hours:
            for start, end in slots(day, opening, random):
                if not fits(taken[staff], start, end):
                    continue
                room = next((room for room in rooms_of(staff) if fits(taken[room], start, end)), None)
                if room:
                    taken[room].append((start, end))
                title = random.choice(TITLES[int((end - start).total_seconds()) // 60])
                found.append(Visit(next(patients), staff, room, start, end, title, random.random()))
    return found


def slots(day: date, opening: str, random: Random) -> Iterator[tuple[datetime, datetime]]:
    """Visits one after the other, with some time free in between."""
    start, last = (datetime.combine(day, time.fromisoformat(text), ZONE) for text in opening.split("-"))
    while True:
        start += timedelta(minutes=random.choice((0, 0, 0, 15, 30, 30)))
        end = start + timedelta(minutes=random.choice((15, 30, 30, 30, 45)))
        if end > last:
            return
        yield start, end
        start = end


def rooms_of(staff: str) -> tuple[str, ...]:
    """Where somebody works: the one place of their own, or any room."""
    own = {"dr-haddad": ("ultrasound",), "nurse-kelly": ("lab",), "nurse-brandt": ("lab", "room-3")}
    return own.get(staff, ("room-1", "room-2", "room-3"))


def fits(taken: list[tuple[datetime, datetime]], start: datetime, end: datetime) -> bool:
    """Whether a room is free."""
    return all(end <= begun or start >= over for begun, over in taken)


def becomes(visit: Visit, now: datetime) -> list[tuple[datetime, dict[str, Any]]]:
    """What is said of a visit until now: when, and the change."""
    if visit.end <= now:
        status = "no_show" if visit.chance < 0.07 else "cancelled" if visit.chance < 0.12 else "completed"
        if status == "cancelled":
            return [(visit.start - timedelta(hours=2), {"status": status})]
        return [(visit.end, {"status": status})]
    if visit.start <= now + timedelta(minutes=20):
        here = visit.chance > (0.1 if visit.start <= now else 0.5)
        return [(now, {"status": "arrived"})] if here else []
    if visit.chance < 0.05:
        return [(now, {"status": "cancelled"})]
    return [(now, {"confirmed": True})] if visit.chance < 0.4 else []
