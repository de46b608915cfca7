"""Where a service can be booked, against every way of booking it that there is, tried one after the other."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appointments.calendar_settings import parse_settings
from appointments.calendars import Calendar
from appointments.matching import distinct
from appointments.model import DAY, Interval, Step, Taken
from appointments.ranges import both, in_at_least, rest
from appointments.service_search import ServiceSearch
from appointments.services import Service, check_service, parse_service
from appointments.times import load_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
UNIT = 5 * MINUTE
EIGHT = datetime(2030, 1, 15, 8, tzinfo=UTC)
NOW = EIGHT - timedelta(hours=3)
IDS = ("a", "b", "c", "d")


def at(units: int) -> datetime:
    return EIGHT + units * UNIT


def calendar(id_: str, *busy: tuple[int, int], **body: Any) -> Calendar:
    return Calendar(id_, parse_settings(body), tuple(Taken(Interval(at(start), at(end))) for start, end in busy))


def service(*steps: dict[str, Any], **more: Any) -> Service:
    body = {"steps": list(steps), **more}
    check_service(body)
    return parse_service(body)


def pool(*ids: str, assign: str = "inOrder") -> dict[str, Any]:
    return {"anyOf": list(ids), "assign": assign}


# --- every way there is ------------------------------------------------------------------------------


def ways(search: ServiceSearch, start: datetime) -> Iterator[tuple[Step, ...]]:  # noqa: C901 - one rule after the other
    """Every way of booking a service with that start, in units of time; `Calendar` says what fits."""
    whole = search.service
    soonest, latest = search.bookable()
    if not soonest <= start or (latest and start > latest):
        return

    def fits(on: Calendar, interval: Interval, before: timedelta = 0 * UNIT, after: timedelta = 0 * UNIT) -> bool:
        taken = Interval(interval.start - before, interval.end + after)
        return (
            not on.conflicts(taken)
            and not on.full_day(taken)
            and not on.violations(interval, search.now, suggest=False)
        )

    def of_step(number: int, begin: datetime) -> Iterator[Step]:
        step = whole.steps[number]
        interval = Interval(begin, begin + step.duration)
        for chosen in product(*(one.any_of for one in step.pools)):
            ids = (*step.resource_ids, *chosen)
            mine = search.person is not None and search.person.calendar_id in chosen
            around = (whole.buffer_before, whole.buffer_after)
            differ = len(set(ids)) == len(ids)
            if differ and not mine and all(fits(search.calendars[id_], interval, *around) for id_ in ids):
                yield Step(interval, ids)

    def from_step(number: int, begin: datetime) -> Iterator[tuple[Step, ...]]:
        for own in of_step(number, begin):
            if number + 1 == len(whole.steps):
                yield (own,)
                continue
            step = whole.steps[number]
            gaps = range(step.least_gap // UNIT, step.most_gap // UNIT + 1)
            for gap in gaps:
                for others in from_step(number + 1, own.interval.end + gap * UNIT):
                    yield (own, *others)

    for way in from_step(0, start):
        if search.person is None or fits(search.person, Interval(start, way[-1].interval.end)):
            yield way


spans = st.tuples(st.integers(-4, 24), st.integers(1, 8)).map(lambda it: (it[0], it[0] + it[1]))
HOURS = [{"start": "08:15", "end": "09:00"}, {"start": "09:10", "end": "10:30"}]


@st.composite
def calendars(draw: st.DrawFn, id_: str) -> Calendar:
    body: dict[str, Any] = {"capacity": draw(st.sampled_from([1, 1, 1, 2]))}
    if draw(st.integers(0, 3)) == 0:
        body["overrides"] = {"2030-01-15": HOURS}
    if draw(st.integers(0, 4)) == 0:
        body["bufferMinutes"] = {"after": 10}
    if draw(st.integers(0, 6)) == 0:
        body[draw(st.sampled_from(["minDurationMinutes", "maxDurationMinutes"]))] = draw(st.sampled_from([10, 15]))
    if draw(st.integers(0, 6)) == 0:
        body["minNoticeMinutes"] = 200
    drawn = calendar(id_, *draw(st.lists(spans, max_size=5)), **body)
    if draw(st.integers(0, 3)) == 0:
        special = Taken(Interval(*map(at, draw(spans))), *draw(st.sampled_from([(2, None, None), (9, None, at(0))])))
        drawn = replace(drawn, busy=(*drawn.busy, special))
    if draw(st.integers(0, 9)) == 0:  # a local day that begins within the window takes no more
        zone = load_zone("Etc/GMT+9")
        drawn = replace(drawn, settings=replace(drawn.settings, zone=zone, zone_set=True))
        drawn = replace(drawn, full_days=(drawn.settings.day_of(at(draw(st.integers(0, 40)))),))
    return drawn


@st.composite
def services(draw: st.DrawFn) -> Service:
    many = draw(st.integers(1, 3))
    steps = []
    for number in range(many):
        fixed = draw(st.sampled_from([[], [], ["a"], ["a", "d"]]))
        pools = [
            pool(*draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True)), assign=draw(assigns))
            for _ in range(draw(st.integers(0, 3)))
        ]
        wishes = [[id_ for id_ in one["anyOf"] if id_ not in fixed] for one in pools]
        step = {"durationMinutes": 5 * draw(st.integers(1, 4)), "resourceIds": fixed}
        if distinct(wishes) is not None:
            step["pools"] = pools
        if number + 1 < many and draw(st.booleans()):
            least = draw(st.integers(0, 2))
            step["gapMinutes"] = {"min": 5 * least, "max": 5 * (least + draw(st.integers(0, 4)))}
        steps.append(step)
    buffer = draw(st.sampled_from([0, 0, 0, 5, {"before": 5, "after": 10}]))
    more = {"bufferMinutes": buffer, "minNoticeMinutes": draw(st.sampled_from([0, 0, 195]))}
    return service(*steps, **more)


assigns = st.sampled_from(["fair", "inOrder"])


@st.composite
def searches(draw: st.DrawFn) -> ServiceSearch:
    read = {id_: draw(calendars(id_)) for id_ in IDS}
    person = draw(st.sampled_from([None, draw(calendars("p")), read["c"]]))
    return ServiceSearch(draw(services()), read, NOW, person, appointment_id="an-id")


@given(searches())
@settings(max_examples=100, deadline=None)
def test_the_starts_are_those_for_which_there_is_a_way(search: ServiceSearch) -> None:
    window = Interval(at(0), at(20))
    found = search.starts(window)
    assert all(one.first < one.end for one in found)
    assert all(one.end <= other.first for one, other in pairwise(found))
    for units in range(20):
        start = int(at(units).timestamp())
        over = [one.slope * start + one.over for one in found if one.first <= start < one.end]
        ends = [int(way[-1].interval.end.timestamp()) for way in ways(search, at(units))]
        assert over == ([min(ends)] if ends and min(ends) <= int(at(20).timestamp()) else [])


@given(searches())
@settings(max_examples=100, deadline=None)
def test_what_is_found_is_the_earliest_way_with_the_calendars_that_come_first(search: ServiceSearch) -> None:
    for units in range(0, 20, 3):
        found, every = search.find(at(units)), list(ways(search, at(units)))
        assert (found is None) == (not every)
        if found is None:
            continue
        assert found in every

        def starts(way: tuple[Step, ...]) -> list[datetime]:
            return [step.interval.start for step in way]

        assert starts(found) == min(map(starts, every))
        at_once = [way for way in every if starts(way) == starts(found)]
        for number, own in enumerate(search.service.steps):
            chosen = found[number].resource_ids[len(own.resource_ids) :]
            others = {way[number].resource_ids[len(own.resource_ids) :] for way in at_once}
            assert order(search, found, number, chosen) == min(order(search, found, number, other) for other in others)


def order(search: ServiceSearch, found: tuple[Step, ...], number: int, chosen: tuple[str, ...]) -> list[Any]:
    """What the calendars of each pool are chosen by, on the days of the chosen step."""
    places: list[Any] = []
    for one, id_ in zip(search.service.steps[number].pools, chosen, strict=True):
        whole_day = search.calendars[id_].settings.day_of(found[number].interval.start)
        there = search.calendars[id_].busy
        booked = sum(busy.interval.overlaps(whole_day) and not busy.block for busy in there)
        by_chance = hashlib.sha256(f"an-id {id_}".encode()).digest()
        places.append((booked, by_chance) if one.fair else one.any_of.index(id_))
    return places


# --- one by one --------------------------------------------------------------------------------------


def steps_of(search: ServiceSearch, units: int) -> list[tuple[str, str]] | None:
    found = search.find(at(units))
    return None if found is None else [(f"{one.interval.start:%H:%M}", " ".join(one.resource_ids)) for one in found]


def test_a_gap_is_as_short_as_it_can_be_and_no_longer_than_it_may_be() -> None:
    test_then_talk = service(
        {"durationMinutes": 10, "resourceIds": ["lab"], "gapMinutes": {"min": 5, "max": 30}},
        {"durationMinutes": 20, "resourceIds": ["doctor"]},
    )
    read = {"lab": calendar("lab"), "doctor": calendar("doctor", (0, 7))}
    search = ServiceSearch(test_then_talk, read, NOW)
    assert steps_of(search, 7) == [("08:35", "lab"), ("08:50", "doctor")]
    assert steps_of(search, 1) == [("08:05", "lab"), ("08:35", "doctor")]
    assert steps_of(search, 0) is not None  # the doctor is free 25 minutes after the test
    read["doctor"] = calendar("doctor", (0, 9))
    search = ServiceSearch(test_then_talk, read, NOW)
    assert [steps_of(search, units) is not None for units in range(4)] == [False, True, True, True]


def test_seconds_count() -> None:
    read = {"a": Calendar("a", parse_settings({}), (Taken(Interval(EIGHT, EIGHT + timedelta(seconds=61))),))}
    search = ServiceSearch(service({"durationMinutes": 10, "resourceIds": ["a"]}), read, NOW)
    assert search.find(EIGHT + timedelta(seconds=60)) is None
    assert search.find(EIGHT + timedelta(seconds=61)) is not None
    assert search.find(EIGHT - timedelta(minutes=10)) is not None
    assert search.find(EIGHT - timedelta(minutes=10, seconds=-1)) is None


def test_pools_that_share_calendars_get_different_ones() -> None:
    both_nurses = service({"durationMinutes": 10, "pools": [pool("a", "b"), pool("a")]})
    search = ServiceSearch(both_nurses, {"a": calendar("a"), "b": calendar("b", (2, 3))}, NOW)
    assert steps_of(search, 0) == [("08:00", "b a")]
    assert steps_of(search, 1) is None


def test_a_calendar_can_come_again_in_a_later_step() -> None:
    there_and_back = service(
        {"durationMinutes": 10, "pools": [pool("a", "b")]},
        {"durationMinutes": 10, "resourceIds": ["lab"]},
        {"durationMinutes": 10, "pools": [pool("a", "b")]},
    )
    read = {"a": calendar("a"), "b": calendar("b"), "lab": calendar("lab")}
    search = ServiceSearch(there_and_back, read, NOW)
    assert steps_of(search, 0) == [("08:00", "a"), ("08:10", "lab"), ("08:20", "a")]
    search.given = [
        Step(Interval(at(0), at(2)), ("b",)),
        Step(Interval(at(2), at(4)), ("lab",)),
        Step(Interval(at(4), at(6)), ("a",)),
    ]
    assert steps_of(search, 0) == [("08:00", "b"), ("08:10", "lab"), ("08:20", "a")]


def test_a_fair_pool_takes_turns() -> None:
    one_of_four = service({"durationMinutes": 10, "pools": [pool(*IDS, assign="fair")]})
    read = {id_: calendar(id_) for id_ in IDS}
    taken = Counter(
        ServiceSearch(one_of_four, read, NOW, appointment_id=f"{n}").find(EIGHT)[0].resource_ids[0]  # type: ignore[index]
        for n in range(400)
    )
    assert set(taken) == set(IDS)
    assert max(taken.values()) < 150
    read |= {id_: calendar(id_, (20, 21)) for id_ in "abd"}
    assert steps_of(ServiceSearch(one_of_four, read, NOW), 0) == [("08:00", "c")]


def test_a_length_that_only_the_clock_on_the_wall_allows() -> None:
    """Clocks go back at 01:00 UTC, so what takes two hours then is one hour long on the wall."""
    two_hours = service({"durationMinutes": 120, "resourceIds": ["a"]})
    back = datetime(2030, 10, 27, 1, tzinfo=UTC)
    read = {"a": Calendar("a", parse_settings({"timeZone": "Europe/London", "maxDurationMinutes": 60}), ())}
    search = ServiceSearch(two_hours, read, NOW)
    starts = search.starts(Interval(back - DAY, back + DAY))
    first, end = (int((back - minutes).timestamp()) for minutes in (120 * MINUTE, 0 * MINUTE))
    assert starts == [(first, end, 1, 7200)]
    for moment in (back - 2 * 60 * MINUTE, back - 119 * MINUTE, back - MINUTE, back):
        fits = not read["a"].violations(Interval(moment, moment + 120 * MINUTE), NOW)
        assert (search.find(moment) is not None) == fits


def offers(search: ServiceSearch, since: datetime, until: datetime) -> list[str]:
    return [f"{interval.start:%d %H:%M}" for interval in search.offered(Interval(since, until))]


def test_starts_are_offered_from_each_opening_on_which_all_that_is_needed_can_begin() -> None:
    steps = (
        {"durationMinutes": 30, "pools": [pool("a", "b"), pool("c")]},
        {"durationMinutes": 10, "resourceIds": ["d"]},
    )
    talk = service(*steps, stepMinutes=25)
    hours = {"a": [("09:00", "10:00")], "b": [("12:00", "14:00")], "c": [("08:10", "13:00")], "d": [("09:35", "16:00")]}
    read = {
        id_: calendar(id_, overrides={"2030-01-15": [{"start": start, "end": end} for start, end in spans]})
        for id_, spans in hours.items()
    }
    search = ServiceSearch(talk, read, NOW)
    expected = ["15 09:05", "15 09:30", "15 12:00", "15 12:25"]
    assert offers(search, at(0), at(190)) == expected
    for number, start in enumerate(expected):  # where a question begins makes no difference
        begin = at(0).replace(hour=int(start[3:5]), minute=int(start[6:]))
        assert offers(search, begin, at(190)) == expected[number:]
        assert offers(search, begin + timedelta(seconds=1), at(190)) == expected[number + 1 :]


def test_on_a_day_that_is_open_throughout_starts_count_from_local_midnight() -> None:
    read = {"a": calendar("a", (0, 12), timeZone="Asia/Kolkata")}
    search = ServiceSearch(service({"durationMinutes": 60, "resourceIds": ["a"]}, bufferMinutes=40), read, NOW)
    # Midnight is 18:30 UTC; a step is 100 minutes, and the last one of a day ends early.
    day = at(0).replace(hour=15)
    assert offers(search, day, day + timedelta(hours=8)) == ["15 16:10", "15 17:50", "15 18:30", "15 20:10", "15 21:50"]


def test_the_horizon_counts_local_days_of_the_first_calendar_with_a_zone() -> None:
    soon = service({"durationMinutes": 10, "resourceIds": ["a", "b"]}, horizonDays=1)
    read = {"a": calendar("a"), "b": calendar("b", timeZone="America/New_York")}
    search = ServiceSearch(soon, read, NOW)
    last = datetime(2030, 1, 17, 4, 59, 59, tzinfo=UTC)
    assert search.find(last) is not None
    assert search.find(last + timedelta(seconds=1)) is None


# --- sets of moments, against sets -------------------------------------------------------------------

ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda it: (it[0], it[0] + it[1])), max_size=6)


def moments(found: list[tuple[int, int]]) -> set[int]:
    assert all(first < end for first, end in found)
    assert all(end < first for (_, end), (first, _) in pairwise(found))
    return {moment for first, end in found for moment in range(first, end)}


@given(st.lists(ranges, min_size=1, max_size=4), st.integers(1, 3))
def test_ranges_are_sets(many: list[list[tuple[int, int]]], times: int) -> None:
    sets = [[*rest(sorted(one), 0, 40)] for one in many]
    numbers = [set(range(40)) - {moment for hole in one for moment in range(*hole)} for one in many]
    assert list(map(moments, sets)) == numbers
    assert moments(both(sets[0], sets[-1])) == numbers[0] & numbers[-1]
    counts = Counter(moment for one in numbers for moment in one)
    assert moments(in_at_least(sets, times)) == {moment for moment, count in counts.items() if count >= times}


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=4, unique=True), max_size=4))
def test_wishes_are_met_in_their_order(wishes: list[list[str]]) -> None:
    every = [way for way in product(*wishes) if len(set(way)) == len(way)]
    assert distinct(wishes) == (every[0] if every else None)  # `product` counts up in the order of the lists
