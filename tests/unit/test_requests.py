"""Bodies in: every fault is named, all of them at once, and nothing but a named error ever comes out."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.calendars import CalendarSettings
from appointments.claims import carrying_days, claims_of, deciding_days, reach
from appointments.errors import BadRequestError, Fault, InvalidRequestError
from appointments.model import Appointment, DayKey
from appointments.reader import MAX_NAMES, read_object
from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from appointments.storage.dynamodb import TRANSACTION_ACTIONS
from appointments.times import to_utc_text
from conflict_detector.appointments.answers import appointment_response
from conflict_detector.appointments.changes import parse_change
from conflict_detector.appointments.parsing import BookingRequest, parse_booking

NOW = datetime(2029, 12, 1, 12, 0, 30, tzinfo=UTC)
GOOD: dict[str, Any] = {"userId": "anna", "startTime": "2030-01-15T09:00:00Z", "endTime": "2030-01-15T09:30:00Z"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def parse(body: str | None) -> BookingRequest:
    return parse_booking(read_object(body), NOW, {}, {})


def faults(**changes: object) -> dict[str, str]:
    """The faults of a good body with changes, by field; None takes a field away."""
    body = {name: value for name, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(InvalidRequestError) as caught:
        parse(json.dumps(body))
    return {fault.field: fault.message for fault in caught.value.faults}


def test_the_least_request_gets_the_default_reminders() -> None:
    request = parse(json.dumps(GOOD))
    appointment = request.appointment(NOW)
    assert appointment.calendar_ids == ("anna",)
    assert [reminder.offset for reminder in appointment.reminders] == ["24h", "1h"]
    assert appointment.interval.end - appointment.interval.start == timedelta(minutes=30)


def test_a_calendar_named_twice_counts_once() -> None:
    request = parse(json.dumps(GOOD | {"resourceIds": ["room", "anna", "room"]}))
    assert request.appointment(NOW).calendar_ids == ("anna", "room")


@pytest.mark.parametrize("name", ["userId", "startTime", "endTime"])
def test_required_fields(name: str) -> None:
    assert faults(**{name: None}) == {name: "is required"}


@pytest.mark.parametrize("value", [7, [], {}, True, 1.5])
@pytest.mark.parametrize("name", ["userId", "startTime", "endTime", "timeZone"])
def test_texts_must_be_texts(name: str, value: object) -> None:
    assert faults(**{name: value}) == {name: "must be a string"}


@pytest.mark.parametrize("value", ["", "a\0b", "a b", "x" * 129, "ü", "💇", "a/b", "a\n"])
def test_ids_have_a_stated_alphabet(value: str) -> None:
    assert "userId" in faults(userId=value)
    assert "resourceIds[1]" in faults(resourceIds=["room", value])


@pytest.mark.parametrize("value", ["auth0|5f7c8ec7c33c6c004bbafe82", "anna@example.org", "urn:user:7", "a.b_c~d=e+f-g"])
def test_ids_as_identity_providers_give_them(value: str) -> None:
    assert parse(json.dumps(GOOD | {"userId": value})).user_id == value


def test_end_before_or_at_start() -> None:
    assert faults(endTime="2030-01-15T08:59:59Z") == {"endTime": "must be after startTime"}
    assert faults(endTime=GOOD["startTime"]) == {"endTime": "must be after startTime"}


def test_start_in_the_past_and_now() -> None:
    begun = parse(json.dumps(GOOD | {"startTime": "2029-12-01T12:00:29Z", "endTime": "2029-12-01T13:00:00Z"}))
    assert begun.past
    assert begun.past.field == "startTime"
    assert "past" in faults(startTime="2029-12-01T12:00:29Z", endTime="soon")["startTime"]  # beside other faults
    now = {"startTime": "2029-12-01T12:00:30Z", "endTime": "2029-12-01T13:00:00Z"}
    assert parse(json.dumps(GOOD | now)).interval.start == NOW


def test_31_days_at_most() -> None:
    assert "31 days" in faults(endTime="2030-02-15T09:00:01Z")["endTime"]
    assert parse(json.dumps(GOOD | {"endTime": "2030-02-15T09:00:00Z"}))


def test_leap_days() -> None:
    leap = {"startTime": "2028-02-29T09:00:00Z", "endTime": "2028-02-29T10:00:00Z"}
    assert parse_booking(GOOD | leap, datetime(2028, 1, 1, tzinfo=UTC), {}, {})
    assert "startTime" in faults(startTime="2030-02-29T09:00:00Z")


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"])
def test_times_that_nobody_means(text: str) -> None:
    assert "startTime" in faults(startTime=text)
    assert "endTime" in faults(endTime=text)


def test_fractions_belong_to_seconds() -> None:
    assert parse(json.dumps(GOOD | {"endTime": "2030-01-15T09:30:00.75Z"})).interval.end.second == 0
    assert "endTime" in faults(endTime="2030-01-15T09:30.75Z")


def test_no_later_than_eventbridge_can_schedule() -> None:
    assert "2199" in faults(startTime="2200-01-01T00:00:00Z", endTime="2200-01-01T01:00:00Z")["endTime"]


def test_neither_offset_nor_zone() -> None:
    assert "timeZone" in faults(startTime="2030-01-15T09:00:00")["startTime"]


def test_a_local_time_is_read_in_its_zone_and_the_zone_is_kept() -> None:
    local = {"startTime": "2030-01-15T09:00", "endTime": "2030-01-15T10:00", "timeZone": "America/New_York"}
    request = parse(json.dumps(GOOD | local))
    assert request.interval.start == datetime(2030, 1, 15, 14, tzinfo=UTC)
    assert request.time_zone == "America/New_York"


def test_an_unknown_zone_hides_no_other_fault_and_invents_none() -> None:
    found = faults(timeZone="Mars/Olympus", startTime="2029-12-01T11:00", endTime="2030-02-30T09:00")
    assert found.keys() == {"timeZone", "endTime"}


def test_all_faults_are_listed_together() -> None:
    found = faults(
        userId="a\0", startTime="2030-02-29T00:00:00Z", endTime=5, timeZone="Mars/Olympus", resourceIds=["ok", "no no"],
        details=[], reminders=["60m", "1h", "soon"], colour="red",
    )  # fmt: skip
    assert found.keys() == {
        "userId", "startTime", "endTime", "timeZone", "resourceIds[1]", "details", "reminders[1]", "reminders[2]",
        "colour",
    }  # fmt: skip


def test_faults_of_any_of_are_listed_with_all_others() -> None:
    assert faults(userId=1, anyOf=[]).keys() == {"userId", "anyOf"}
    assert faults(details=[], anyOf=["anna"]).keys() == {"details", "anyOf"}
    assert faults(userId=1, anyOf=["no no"]).keys() == {"userId", "anyOf[0]"}


def test_details_are_free_but_bounded() -> None:
    details = {"title": "Zürich 💇", "price": 12.5, "tags": [None, True, {"deep": []}]}
    assert parse(json.dumps(GOOD | {"details": details})).details == details
    assert "16384 bytes" in faults(details={"note": "x" * 300_000})["details"]


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_details_come_back_as_they_were_sent(details: dict[str, Any]) -> None:
    appointment = parse(json.dumps(GOOD | {"details": details})).appointment(NOW)
    stored = appointment_from_item(appointment_to_item(appointment, timedelta(days=1)))
    answered = json.loads(appointment_response(stored)["body"])["details"]
    assert json.dumps(answered) == json.dumps(details)  # as text: 1 and 1.0 and True are equal, and not the same


def nested(levels: int) -> dict[str, Any]:
    """An object with lists in it, so many levels deep."""
    inner: object = "note"
    for _ in range(levels - 1):
        inner = [inner]
    return {"deep": inner}


def test_details_are_not_nested_so_deep_that_they_could_not_be_read_again() -> None:
    assert parse(json.dumps(GOOD | {"details": nested(32)})).details == nested(32)
    for levels in (33, 900):
        assert "32 levels" in faults(details=nested(levels))["details"]


def test_faults_of_body_query_and_header_are_listed_together() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_booking(
            GOOD | {"userId": 1, "startTime": "2029-11-30T09:00:00Z", "endTime": "2029-11-30T10:00:00Z"},
            NOW,
            {"dryRun": ["yes"], "dryrun": ["true"], "n": ["1", "2"]},
            {"idempotency-key": [""]},
        )
    found = {fault.field for fault in caught.value.faults}
    assert found == {"userId", "dryRun", "dryrun", "n", "Idempotency-Key", "startTime"}


def test_an_idempotency_key_is_sent_once() -> None:
    assert parse_booking(GOOD, NOW, {}, {"idempotency-key": ["a"]}).idempotency_key == "a"
    for twice in (["a", "b"], ["a", "a"], ["", ""]):
        with pytest.raises(InvalidRequestError) as caught:
            parse_booking(GOOD, NOW, {}, {"idempotency-key": twice})
        assert [fault.field for fault in caught.value.faults] == ["Idempotency-Key"]


@pytest.mark.parametrize("query", [{"dryRun": ["true", "true"]}, {"dryRun": ["TRUE"]}, {"dry_run": ["true"]}])
def test_a_dry_run_is_asked_for_in_one_way_only(query: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidRequestError):
        parse_booking(GOOD, NOW, query, {})


@pytest.mark.parametrize("value", ["24h", ["24h", 1], [f"{n}h" for n in range(1, 7)], {"a": 1}])
def test_reminders_are_a_short_list_of_texts(value: object) -> None:
    assert "reminders" in faults(reminders=value)


def test_no_reminders_is_a_choice() -> None:
    assert parse(json.dumps(GOOD | {"reminders": []})).offsets == ()


def spell(calendars: int, days: float, begin: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> dict[str, Any]:
    """So many calendars for so many days, from a midnight on unless another `begin` is given."""
    return {
        "startTime": to_utc_text(begin),
        "endTime": to_utc_text(begin + timedelta(days=days)),
        "resourceIds": [f"room-{n}" for n in range(calendars - 1)],
    }


@pytest.mark.parametrize(("calendars", "most"), [(3, 31), (4, 22), (5, 17), (9, 9), (21, 2)])
def test_calendars_by_two_more_than_their_days_are_99_at_most(calendars: int, most: int) -> None:
    assert parse(json.dumps(GOOD | spell(calendars, most)))
    # Of several calendars one is taken, and counts as one.
    other = spell(calendars - 1, most) | {"anyOf": ["a", "b", "c"]}
    assert parse(json.dumps(GOOD | other))


@pytest.mark.parametrize(("calendars", "days", "counted"), [(4, 24, 104), (4, 23, 100), (6, 15, 102), (21, 3, 105)])
def test_more_calendar_days_than_a_transaction_holds(calendars: int, days: int, counted: int) -> None:
    message = (
        f"and the days make {counted} calendar days, with one before and one after on each calendar for its buffers; "
        "at most 99 fit into one transaction, so take fewer calendars or days"
    )
    assert faults(**spell(calendars, days)) == {"resourceIds": message}


spells = st.builds(
    spell,
    st.integers(1, 21),
    st.integers(1, 31 * 24).map(lambda hours: hours / 24),
    st.integers(0, 60 * 24).map(lambda hours: datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
)


@given(spells, spells)
def test_what_is_accepted_fits_one_transaction_whatever_the_settings(
    was: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Booked, and then moved: the days that are written or checked, and the appointment, are 100 actions at most.

    The settings of the calendars are checked beside them; where that is too much, which the largest of buffers on many
    calendars over midnight make it, the use case says so.
    """

    widest = CalendarSettings(buffer=timedelta(days=1), max_per_day=1)

    def deciding(appointment: Appointment) -> set[DayKey]:
        return deciding_days(claims_of(appointment), lambda claim: reach(claim, widest))

    with suppress(InvalidRequestError):
        booked = parse(json.dumps(GOOD | was)).appointment(NOW)
        assert 1 + len(deciding(booked)) <= TRANSACTION_ACTIONS
        moved = parse_change(wanted, booked, NOW)
        assert 1 + len(deciding(moved) | set(carrying_days(claims_of(booked)))) <= TRANSACTION_ACTIONS


@pytest.mark.parametrize(
    "body",
    [None, "", "{", "hello", '{"userId": NaN}', "[" * 100_000, '{"userId": "\\ud800"}', "1" * 5000, "\ufeff{}"]
    + ['{"details": {"n": 1e999}}', '{"userId": "a", "userId": "b"}', '{"details": {"a": [{"b": 1, "b": 1}]}}'],
)
def test_what_is_no_json(body: str | None) -> None:
    with pytest.raises(BadRequestError):
        parse(body)


def test_the_names_of_an_object_are_bounded() -> None:
    names = {f"n{n}": 0 for n in range(MAX_NAMES)}
    with pytest.raises(InvalidRequestError) as caught:
        parse(json.dumps(GOOD | {"details": {"deep": names | {"more": 0}}}))
    assert caught.value.faults == (Fault("", "must not have an object with more than 4096 names"),)
    assert read_object(json.dumps(names)) == names
    with pytest.raises(BadRequestError, match="contains the field n7 twice"):
        read_object(json.dumps(names)[:-1].replace('"n9": 0', '"n7": 1') + "}")


@pytest.mark.parametrize("body", ["[]", "1", '"text"', "null", "true"])
def test_json_that_is_no_object(body: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse(body)


field_values = json_values | st.sampled_from(["2030-01-15T09:00:00Z", "2030-01-15T09:30", "UTC", "anna", ["1h"], {}])
bodies = st.dictionaries(
    st.sampled_from([*GOOD, "timeZone", "resourceIds", "details", "reminders"]) | st.text(), field_values
)


@given(bodies.map(json.dumps) | st.text() | json_values.map(json.dumps))
def test_whatever_is_sent_only_named_errors_come_out(body: str) -> None:
    try:
        request = parse(body)
    except (BadRequestError, InvalidRequestError) as exc:
        assert str(exc)  # noqa: PT017 - a refusal says why
    else:
        assert request.interval.start < request.interval.end
