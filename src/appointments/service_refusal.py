"""Why a service cannot be booked at a start: what lies in the way, and which rules are broken. No I/O."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from appointments.model import Conflict, Interval

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from appointments.calendars import Calendar, Violation
    from appointments.service_search import ServiceSearch
    from appointments.services import Service


class Obstacles(NamedTuple):
    """What is in the way, each once and in order."""

    conflicts: dict[Conflict, None]
    violations: dict[Violation, None]

    def look(self, calendar: Calendar, taken: Interval, served: Interval, now: datetime) -> None:
        """Add what is wrong on a calendar; as in a decision, its rules come first."""
        broken = calendar.violations(served, now)
        self.violations.update(dict.fromkeys(broken))
        if not broken:
            self.conflicts.update(dict.fromkeys([*calendar.full_day(taken), *calendar.conflicts(taken)]))


class _Place(NamedTuple):
    """When a step can be, with every gap: its first and its last time."""

    number: int
    first: Interval
    last: Interval


def obstacles(search: ServiceSearch, start: datetime) -> Obstacles:
    """What keeps a service from being booked with that start.

    A calendar is named if the step has to have it, or if no calendar of its pool has room. Where each step could be
    somewhere, and only not all of them in their order, every calendar that is not free throughout is named.
    """
    service, person = search.service, search.person
    places = list(_places(search, start))
    named: list[tuple[str, _Place]] = []
    if not person or search.for_person(None).find(start) is None:
        named = list(dict.fromkeys(chain.from_iterable(_missing(search, place) for place in places)))
        named = named or [(id_, place) for place in places for id_ in dict.fromkeys(service.steps[place.number].named)]
    found = Obstacles({}, {})
    for id_, place in named:
        over = Interval(place.first.start - service.buffer_before, place.last.end + service.buffer_after)
        found.look(search.calendars[id_], over, place.first, search.now)
    if person:
        found.look(person, Interval(start, places[-1].first.end), Interval(start, places[-1].first.end), search.now)
        if not found.conflicts and not found.violations:  # it would be free for the shortest gaps alone
            found.conflicts[Conflict(person.calendar_id, Interval(start, places[-1].last.end))] = None
    return found


def reaches(service: Service, start: datetime) -> Iterator[Interval]:
    """From the first start to the last end that each step of a service can have."""
    first = last = start
    for step in service.steps:
        yield Interval(first, last + step.duration)
        first, last = first + step.duration + step.least_gap, last + step.duration + step.most_gap


def _places(search: ServiceSearch, start: datetime) -> Iterator[_Place]:
    for number, reach in enumerate(reaches(search.service, start)):
        duration = search.service.steps[number].duration
        first, last = Interval(reach.start, reach.start + duration), Interval(reach.end - duration, reach.end)
        yield _Place(number, first, last)


def _missing(search: ServiceSearch, place: _Place) -> Iterator[tuple[str, _Place]]:
    """The calendars without which a step can be at none of its times."""
    step = search.service.steps[place.number]
    free = {id_: search.is_free(id_, step.duration, place.first.start, place.last.start) for id_ in step.named}
    yield from ((id_, place) for id_ in step.resource_ids if not free[id_])
    for pool in step.pools:
        if not any(free[id_] for id_ in search.members(step, pool)):
            yield from ((id_, place) for id_ in pool.any_of)
