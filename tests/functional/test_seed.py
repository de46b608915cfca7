"""The made-up clinic: the same on every machine, without a conflict, and left alone where somebody has been at work."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from local import clinic, seed
from local.clinic import ZONE

if TYPE_CHECKING:
    from world import World

DAY = date(2029, 11, 30)


@pytest.mark.parametrize("number", range(14))
def test_what_is_planned_fits_the_hours_and_itself(number: int) -> None:
    day = DAY + timedelta(days=number)
    planned = clinic.visits(day)
    assert planned == clinic.visits(day)
    assert len({visit.key for visit in planned}) == len(planned) == len({visit.patient for visit in planned})
    on_calendar: dict[str, list[tuple[Any, Any]]] = {}
    pause = clinic.pause(day)
    on_calendar[pause.calendar] = [(pause.start, pause.end)]
    for visit in planned:
        for calendar_id in filter(None, (visit.staff, visit.room)):
            on_calendar.setdefault(calendar_id, []).append((visit.start, visit.end))
    for taken in on_calendar.values():
        taken.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(taken))


def test_some_360_appointments_lie_around_any_day() -> None:
    for number in range(7):
        around = sum(len(clinic.visits(DAY + timedelta(days=number + day))) for day in seed.DAYS)
        assert 320 <= around <= 430


def fill(world: World, days: list[int]) -> int:
    said: list[str] = []
    return seed.fill(world.api, world.now, said.append, days)


def states(world: World) -> Counter[str]:
    return Counter(item["status"]["S"] for item in world.items("AppointmentsTable"))


def test_a_day_is_filled_once_and_what_somebody_changed_stays(world: World) -> None:
    world.now = world.now.replace(hour=11)  # noon in the clinic, on a Saturday
    planned = clinic.visits(world.now.astimezone(ZONE).date())
    assert fill(world, [0]) == len(planned) + 2
    found = states(world)
    assert {"completed", "arrived", "scheduled", "held", "requested"} <= found.keys()
    assert sum(found.values()) == len(planned) + 2
    settings = world.request("GET", "/calendars/dr-marin")[2]
    assert (settings["version"], settings["timeZone"]) == (1, "Europe/Berlin")
    assert settings["title"] == "Dr Paul Marin"
    assert all("title" in one for one in world.request("GET", "/calendars")[2]["calendars"])
    assert len(world.request("GET", "/services")[2]["services"]) == len(clinic.SERVICES)

    (later, *_) = [item for item in world.items("AppointmentsTable") if item["status"]["S"] == "scheduled"]
    path = f"/appointments/{later['appointmentId']['S']}"
    assert world.request("PATCH", path, {"details": {"title": "Moved to the garden"}})[0] == 200
    before = world.items("AppointmentsTable")
    assert fill(world, [0]) >= len(planned)
    assert sorted(map(repr, world.items("AppointmentsTable"))) == sorted(map(repr, before))
