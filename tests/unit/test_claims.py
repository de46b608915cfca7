"""What an appointment takes of its calendars, and which days and quarter hours decide about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from appointments.calendars import CalendarSettings
from appointments.claims import Claim, carrying_days, claims_of, deciding_days, quarter_hours, reach
from appointments.model import Appointment, DayKey, Interval, PerPerson, ServiceTerms, Step, Taken
from appointments.statuses import Status
from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from appointments.storage.calendar_days import entry_from_text, entry_to_text
from appointments.times import load_zone

MIDNIGHT = datetime(2030, 1, 15, tzinfo=UTC)
DAY_1, DAY_2 = date(2030, 1, 15), date(2030, 1, 16)


def span(start: float, end: float) -> Interval:
    """Hours after midnight of the 15th."""
    return Interval(MIDNIGHT + timedelta(hours=start), MIDNIGHT + timedelta(hours=end))


PLAIN = Appointment("id", "anna", span(9, 10), MIDNIGHT, MIDNIGHT, resource_ids=("room", "anna", "room"))
# Blood is drawn in the lab for ten minutes, and the doctor sees the person half an hour later, for twenty.
IN_STEPS = replace(
    PLAIN,
    interval=span(9, 10),
    resource_ids=("lab", "doctor"),
    steps=(Step(span(9, 9 + 1 / 6), ("lab",)), Step(span(9 + 2 / 3, 10), ("doctor",))),
    places=2,
)


def test_a_plain_appointment_takes_the_same_interval_on_each_of_its_calendars() -> None:
    assert claims_of(PLAIN) == (Claim("anna", span(9, 10)), Claim("room", span(9, 10)))


def test_steps_take_their_own_calendars_for_their_own_time_and_the_person_for_all_of_it() -> None:
    assert claims_of(IN_STEPS) == (
        Claim("anna", span(9, 10)),  # one person, however many places
        Claim("lab", span(9, 9 + 1 / 6), 2),
        Claim("doctor", span(9 + 2 / 3, 10), 2),
    )


def test_a_step_takes_nothing_twice() -> None:
    """What is the person's own calendar lies on it already, and two equal steps are one."""
    steps = (Step(span(9, 9.5), ("anna", "lab")), Step(span(9, 9.5), ("lab",)), Step(span(9.5, 10), ("lab",)))
    assert claims_of(replace(IN_STEPS, steps=steps, places=1)) == (
        Claim("anna", span(9, 10)),
        Claim("lab", span(9, 9.5)),
        Claim("lab", span(9.5, 10)),
    )


def test_the_buffers_of_a_service_lie_around_its_steps_but_not_over_one_another() -> None:
    """A place is taken once, and the person's own calendar is taken without buffers."""
    steps = (Step(span(9, 9.5), ("room", "lab")), Step(span(9.75, 10), ("room",)))
    terms = ServiceTerms("check", "{}", timedelta(minutes=6), timedelta(minutes=30))
    assert claims_of(replace(IN_STEPS, steps=steps, places=1, service=terms)) == (
        Claim("anna", span(9, 10)),
        Claim("room", span(8.9, 9.75), served=steps[0].interval),
        Claim("lab", span(8.9, 10), served=steps[0].interval),
        Claim("room", span(9.75, 10.5), served=steps[1].interval),
    )


@pytest.mark.parametrize("status", Status)
def test_claims_follow_the_status(status: Status) -> None:
    assert bool(claims_of(replace(PLAIN, status=status))) is status.occupies
    assert claims_of(None) == ()


def test_a_claim_covers_what_takes_nothing_new() -> None:
    claim = Claim("c", span(9, 12), 2)
    assert claim.covers(Claim("c", span(9, 10)))
    assert not claim.covers(Claim("d", span(9, 10)))
    assert not claim.covers(Claim("c", span(9, 10), 3))
    assert not claim.covers(Claim("c", span(9, 13)))


def reach_on(**settings: CalendarSettings) -> Callable[[Claim], Interval]:
    return lambda claim: reach(claim, settings[claim.calendar_id])


def test_days_over_midnight_and_those_that_a_buffer_reaches_into() -> None:
    claims = [Claim("c", span(23, 25)), Claim("c", span(25, 26)), Claim("d", span(0, 24))]
    assert carrying_days(claims) == [DayKey("c", DAY_1), DayKey("c", DAY_2), DayKey("d", DAY_1)]
    reach_of = reach_on(c=CalendarSettings(), d=CalendarSettings(buffer=timedelta(minutes=1)))
    added = {DayKey("d", date(2030, 1, 14)), DayKey("d", DAY_2)}
    assert deciding_days(claims, reach_of) == {*carrying_days(claims), *added}


def test_the_quarter_hours_of_several_claims_on_a_day() -> None:
    claims = [Claim("c", span(9, 9.5)), Claim("d", span(0, 24)), Claim("c", span(11.1, 11.2))]
    assert list(quarter_hours(claims, DayKey("c", DAY_1))) == [36, 37, 44]
    ten_minutes = reach_on(c=CalendarSettings(buffer=timedelta(minutes=10)))
    assert list(quarter_hours(claims, DayKey("c", DAY_1), ten_minutes)) == [35, 36, 37, 38, 43, 44, 45]
    assert list(quarter_hours(claims, DayKey("c", DAY_2))) == []


@pytest.mark.parametrize(
    ("zone", "start", "first", "following"),
    [
        ("UTC", "2030-01-15T09:00Z", "2030-01-15T00:00Z", "2030-01-16T00:00Z"),
        ("Asia/Kolkata", "2030-01-15T18:30Z", "2030-01-15T18:30Z", "2030-01-16T18:30Z"),
        ("Asia/Kolkata", "2030-01-15T18:29Z", "2030-01-14T18:30Z", "2030-01-15T18:30Z"),
        ("America/New_York", "2030-11-03T05:30Z", "2030-11-03T04:00Z", "2030-11-04T05:00Z"),  # 25 hours
        ("America/Santiago", "2030-09-08T12:00Z", "2030-09-08T04:00Z", "2030-09-09T03:00Z"),  # 23, from one o'clock
        # The clock goes back from a minute past midnight: the last hour of the 28th comes again, after the 29th began.
        ("America/St_Johns", "1990-10-28T02:30Z", "1990-10-28T02:30Z", "1990-10-29T03:30Z"),
        ("America/St_Johns", "1990-10-28T03:00Z", "1990-10-28T02:30Z", "1990-10-29T03:30Z"),
    ],
)
def test_where_appointments_are_counted_by_day_the_whole_local_day_decides(
    zone: str, start: str, first: str, following: str
) -> None:
    rules = CalendarSettings(zone=load_zone(zone), max_per_day=2)
    begin, since, until = map(datetime.fromisoformat, (start, first, following))
    claim = Claim("c", Interval(begin, begin + timedelta(minutes=30)))
    assert reach(claim, rules) == Interval(since, max(until, claim.interval.end))
    long = claim._replace(interval=Interval(begin, begin + timedelta(days=3)))
    assert reach(long, replace(rules, buffer=timedelta(hours=30))) == Interval(
        min(since, begin - timedelta(hours=30)), begin + timedelta(days=3, hours=30)
    )
    assert begin - since <= rules.margin
    assert until - begin <= rules.margin


# --- as they are stored ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ([Claim("c", span(9, 10))], "1894698000-1894701600"),
        ([Claim("c", span(9, 10), 3)], "1894698000-1894701600;places=3"),
        (
            [Claim("c", span(9, 10)), Claim("c", span(11, 12), 2)],
            "1894698000-1894701600,1894705200-1894708800;places=2",
        ),
    ],
)
def test_entries_as_text(claims: list[Claim], text: str) -> None:
    assert entry_to_text(claims) == text
    assert entry_from_text(text) == tuple(Taken(claim.interval, claim.places) for claim in claims)


def test_an_option_of_a_later_version_is_passed_over() -> None:
    text = "1894698000-1894701600;expires=1894697000;places=2;new=x=y;newer"
    assert entry_from_text(text) == (Taken(span(9, 10), 2),)


def test_steps_and_places_survive_the_item() -> None:
    retention = timedelta(days=1)
    assert appointment_from_item(
        appointment_to_item(replace(IN_STEPS, reminders=(), offsets=()), retention)
    ) == replace(IN_STEPS, reminders=(), offsets=())
    assert not {"steps", "places"} & appointment_to_item(PLAIN, retention).keys()


def test_a_service_survives_the_item_and_who_does_not_know_it_leaves_all_that_it_took() -> None:
    terms = ServiceTerms("check", '{"steps":[]}', timedelta(minutes=5), timedelta(minutes=30))
    booked = replace(IN_STEPS, reminders=(), offsets=(), service=terms)
    item = appointment_to_item(booked, timedelta(days=1))
    assert appointment_from_item(item) == booked
    unknowing = appointment_from_item({name: value for name, value in item.items() if not name.startswith("service")})
    taken = [(claim.calendar_id, claim.interval) for claim in claims_of(booked)]
    assert [(claim.calendar_id, claim.interval) for claim in claims_of(unknowing)] == taken


# --- so many a day of one person ---------------------------------------------------------------------

COUNTED = ServiceTerms("check", "{}", per_person=PerPerson(2, "Asia/Kolkata"))


def test_what_a_service_counts_rests_on_the_whole_local_day_of_the_person_alone() -> None:
    own, *others = claims_of(replace(IN_STEPS, service=COUNTED))
    assert reach(own, CalendarSettings()) == span(-5.5, 18.5)
    assert reach(own._replace(interval=span(9, 20)), CalendarSettings(buffer=timedelta(hours=1))) == span(-5.5, 21)
    assert [reach(claim, CalendarSettings()) for claim in others] == [claim.interval for claim in others]
    assert carrying_days([own]) == [DayKey("anna", DAY_1)]


def test_what_a_service_counts_survives_the_item_and_the_entry() -> None:
    booked = replace(IN_STEPS, reminders=(), offsets=(), service=COUNTED, status=Status.HELD, expires_at=MIDNIGHT)
    assert appointment_from_item(appointment_to_item(booked, timedelta(days=1))) == booked
    (own, other, _) = claims_of(booked)
    assert entry_to_text([own]) == "1894698000-1894701600;service=check;until=1894665600"
    assert entry_from_text(entry_to_text([own])) == (Taken(span(9, 10), until=MIDNIGHT, service_id="check"),)
    assert "service" not in entry_to_text([other])
    assert entry_from_text("1894698000-1894701600;service=a=b|c") == (Taken(span(9, 10), service_id="a=b|c"),)


def test_a_zone_that_was_lost_counts_as_utc() -> None:
    lost = COUNTED._replace(per_person=PerPerson(1, "Mars/Olympus"))
    assert reach(claims_of(replace(IN_STEPS, service=lost))[0], CalendarSettings()) == span(0, 24)


def test_a_claim_keeps_its_day_unless_it_is_confirmed_or_begins_on_another() -> None:
    own = claims_of(replace(IN_STEPS, service=COUNTED))[0]
    held = own._replace(until=MIDNIGHT)
    assert own.keeps_its_day(own._replace(interval=span(-5.5, -5)))
    assert held.keeps_its_day(held)
    assert not own.keeps_its_day(held)
    assert not own.keeps_its_day(own._replace(interval=span(18.5, 19)))
    assert not own.keeps_its_day(None)
    assert not own._replace(daily=None).keeps_its_day(own)
