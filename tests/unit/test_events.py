"""What others are told of a change: each name of one, reminders, settings, and what is never told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.events import EVENT_TYPES, Configured, Event, of_appointment, of_configured
from appointments.happened import Happened
from appointments.model import Appointment, Interval
from appointments.reminders import Reminder, ReminderState
from appointments.statuses import Status

NOW = datetime(2029, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR
START = datetime(2030, 1, 15, 9, tzinfo=UTC)
DUE = START - timedelta(hours=1)
BOOKED = Appointment(
    appointment_id="a-1",
    user_id="anna",
    interval=Interval(START, START + timedelta(minutes=30)),
    created_at=NOW,
    updated_at=NOW,
    resource_ids=("dr-lee",),
    details={"title": "Secret", "phone": "+4912345"},
    reminders=(Reminder("1h", DUE),),
    offsets=("1h",),
    by="anna",
)


def changed(before: Appointment, **fields: Any) -> Appointment:
    wanted: Any = {"version": before.version + 1, "updated_at": LATER, "by": "desk"} | fields
    return replace(before, **wanted)


def only(events: list[Event]) -> Event:
    (event,) = events
    return event


def told(event: Event) -> str:
    return json.dumps(event.detail)


HELD = replace(BOOKED, status=Status.HELD, expires_at=NOW + timedelta(minutes=10))
REQUESTED = replace(BOOKED, status=Status.REQUESTED)
ARRIVED = replace(BOOKED, status=Status.ARRIVED)
# Every name, with what it was and what it became.
CHANGES: dict[Happened, tuple[Appointment | None, Appointment]] = {
    Happened.HELD: (None, HELD),
    Happened.REQUESTED: (None, REQUESTED),
    Happened.BOOKED: (None, BOOKED),
    Happened.APPROVED: (REQUESTED, changed(REQUESTED, status=Status.SCHEDULED)),
    Happened.DECLINED: (REQUESTED, changed(REQUESTED, status=Status.DECLINED)),
    Happened.EXPIRED: (HELD, changed(HELD, status=Status.EXPIRED)),
    Happened.ARRIVED: (BOOKED, changed(BOOKED, status=Status.ARRIVED)),
    Happened.COMPLETED: (ARRIVED, changed(ARRIVED, status=Status.COMPLETED)),
    Happened.NO_SHOW: (BOOKED, changed(BOOKED, status=Status.NO_SHOW)),
    Happened.CANCELLED: (BOOKED, changed(BOOKED, status=Status.CANCELLED)),
    Happened.MOVED: (
        BOOKED,
        changed(BOOKED, interval=Interval(START + timedelta(hours=2), START + timedelta(hours=3))),
    ),
    Happened.CONFIRMED: (BOOKED, changed(BOOKED, confirmed_at=LATER)),
    Happened.CHANGED: (BOOKED, changed(BOOKED, offsets=("2h",))),
}


def test_every_name_of_a_change_is_here() -> None:
    assert CHANGES.keys() == set(Happened)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_by_its_name(name: Happened) -> None:
    before, after = CHANGES[name]
    event = only(of_appointment(before, after, LATER))
    assert event.type == f"appointment.{name.value}"
    assert event.type in EVENT_TYPES
    assert event.event_id == f"a-1.{after.version}.{int(after.updated_at.timestamp())}"
    assert event.time == after.updated_at
    assert {key: event.detail[key] for key in ("eventId", "type", "appointmentId", "version", "by")} == {
        "eventId": event.event_id,
        "type": event.type,
        "appointmentId": "a-1",
        "version": after.version,
        "by": after.by,
    }
    assert event.detail["appointment"]["status"] == after.status


def test_a_change_tells_what_each_field_was_and_is() -> None:
    before, after = CHANGES[Happened.MOVED]
    assert only(of_appointment(before, after, LATER)).detail["changes"] == {
        "startTime": {"from": "2030-01-15T09:00:00Z", "to": "2030-01-15T11:00:00Z"},
        "endTime": {"from": "2030-01-15T09:30:00Z", "to": "2030-01-15T12:00:00Z"},
    }
    before, after = CHANGES[Happened.CHANGED]
    assert only(of_appointment(before, after, LATER)).detail["changes"] == {"reminders": {"from": ["1h"], "to": ["2h"]}}


def test_the_same_calendars_in_another_order_are_no_move() -> None:
    before = replace(BOOKED, resource_ids=("dr-lee", "room-1"))
    after = replace(before, resource_ids=("room-1", "dr-lee"), version=BOOKED.version + 1)
    assert only(of_appointment(before, after, LATER)).type == "appointment.changed"


def test_what_is_new_was_nothing_before() -> None:
    assert only(of_appointment(None, BOOKED, NOW)).detail["changes"] == {
        "userId": {"from": None, "to": "anna"},
        "startTime": {"from": None, "to": "2030-01-15T09:00:00Z"},
        "endTime": {"from": None, "to": "2030-01-15T09:30:00Z"},
        "resourceIds": {"from": None, "to": ["dr-lee"]},
        "details": {},
        "reminders": {"from": None, "to": ["1h"]},
        "status": {"from": None, "to": "scheduled"},
    }


def test_what_is_gone_is_nothing_now() -> None:
    before = replace(BOOKED, confirmed_at=NOW)
    event = only(of_appointment(before, changed(before, confirmed_at=None), LATER))
    assert event.detail["changes"] == {"confirmedAt": {"from": "2029-12-01T12:00:00Z", "to": None}}


def test_details_change_without_their_values() -> None:
    event = only(of_appointment(BOOKED, changed(BOOKED, details={"title": "Hidden"}), LATER))
    assert event.detail["changes"] == {"details": {}}
    assert "details" not in event.detail["appointment"]
    assert only(of_appointment(None, replace(BOOKED, details={}), NOW)).detail["changes"].keys().isdisjoint({"details"})


@pytest.mark.parametrize(
    "after",
    [
        BOOKED,
        replace(BOOKED, joins=3),
        replace(BOOKED, clearing=NOW),
        replace(BOOKED, reminders=(replace(BOOKED.reminders[0], state=ReminderState.SENDING, attempts=1),)),
        replace(BOOKED, reminders=(replace(BOOKED.reminders[0], state=ReminderState.SKIPPED),)),
    ],
    ids=["nothing", "joined", "to be cleared", "claimed", "closed"],
)
def test_nothing_is_told_of_what_makes_no_version(after: Appointment) -> None:
    assert of_appointment(BOOKED, after, LATER) == []


def test_nothing_is_told_of_a_version_that_is_put_back() -> None:
    sending = replace(BOOKED, reminders=(replace(BOOKED.reminders[0], state=ReminderState.SENDING),))
    assert of_appointment(changed(sending), BOOKED, LATER) == []
    assert of_appointment(None, changed(BOOKED), LATER) == []


# --- Reminders ---------------------------------------------------------------------------------------------


def with_state(state: ReminderState, **fields: Any) -> Appointment:
    return replace(BOOKED, reminders=(replace(BOOKED.reminders[0], state=state, **fields),))


@pytest.mark.parametrize(
    ("before", "after", "type_", "id_", "time"),
    [
        (
            with_state(ReminderState.SENDING, attempts=1),
            with_state(ReminderState.SENT, attempts=1, sent_at=DUE, message_id="m-1"),
            "reminder.sent",
            "a-1.1h.2030-01-15T08:00:00Z.sent",
            DUE,
        ),
        (
            BOOKED,
            with_state(ReminderState.MISSED),
            "reminder.missed",
            "a-1.1h.2030-01-15T08:00:00Z.missed",
            LATER,
        ),
        (
            with_state(ReminderState.SENDING, attempts=2),
            with_state(ReminderState.PENDING, attempts=2),
            "reminder.failed",
            "a-1.1h.2030-01-15T08:00:00Z.failed.2",
            LATER,
        ),
    ],
)
def test_a_reminder_is_told_of(before: Appointment, after: Appointment, type_: str, id_: str, time: datetime) -> None:
    event = only(of_appointment(before, after, LATER))
    assert (event.type, event.event_id, event.time) == (type_, id_, time)
    assert type_ in EVENT_TYPES
    assert event.detail["reminder"]["state"] == after.reminders[0].state
    assert event.detail["changes"] == {"state": {"from": before.reminders[0].state, "to": after.reminders[0].state}}
    assert event.detail["by"] == "system"


def test_an_earlier_reminder_is_told_of_once() -> None:
    """Moved while it was being sent: told when its sender records it, and not when a move back brings it to light."""
    new = Reminder("1h", DUE + timedelta(days=1))
    sending = replace(BOOKED.reminders[0], state=ReminderState.SENDING, attempts=1, claim="c")
    sent = replace(sending, state=ReminderState.SENT, sent_at=DUE)
    moved = replace(BOOKED, reminders=(replace(new, earlier=(sending,)),))
    recorded = replace(BOOKED, reminders=(replace(new, earlier=(sent,)),))
    assert only(of_appointment(moved, recorded, LATER)).event_id == "a-1.1h.2030-01-15T08:00:00Z.sent"
    back = changed(recorded, reminders=(sent,))
    assert [event.type for event in of_appointment(recorded, back, LATER)] == ["appointment.changed"]


# --- Settings ----------------------------------------------------------------------------------------------


def configured(version: int, **body: Any) -> Configured:
    whole = {"calendarId": "dr-lee", "capacity": 1, "version": version, "updatedAt": "2029-12-01T12:00:00Z"} | body
    return Configured("calendar", "dr-lee", version, NOW, "desk", whole)


def test_settings_are_told_of() -> None:
    event = only(of_configured(configured(1), configured(2, capacity=3, contact={"phone": "+4912345"})))
    assert (event.event_id, event.type, event.time) == (
        f"calendar.dr-lee.2.{int(NOW.timestamp())}",
        "calendar.configured",
        NOW,
    )
    assert event.type in EVENT_TYPES
    assert event.detail == {
        "eventId": event.event_id,
        "type": "calendar.configured",
        "time": "2029-12-01T12:00:00Z",
        "calendarId": "dr-lee",
        "version": 2,
        "by": "desk",
        "changes": {"capacity": {"from": 1, "to": 3}, "contact": {}},
        "calendar": {"calendarId": "dr-lee", "capacity": 3, "version": 2, "updatedAt": "2029-12-01T12:00:00Z"},
    }


def test_first_settings_and_those_that_are_put_back() -> None:
    assert only(of_configured(None, configured(1))).detail["changes"] == {"capacity": {"from": None, "to": 1}}
    assert of_configured(configured(2), configured(1)) == []
    assert of_configured(configured(2), configured(2)) == []


def test_a_service_is_told_of_by_its_own_name() -> None:
    event = only(of_configured(None, Configured("service", "check-up", 1, NOW, "desk", {"serviceId": "check-up"})))
    assert (event.event_id, event.type) == (f"service.check-up.1.{int(NOW.timestamp())}", "service.configured")
    assert event.detail["serviceId"] == "check-up"


# --- Whatever is changed -----------------------------------------------------------------------------------

moments = st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds))
texts = st.text(st.characters(codec="utf-8"), max_size=10)
reminders = st.builds(
    Reminder,
    st.sampled_from(["1h", "2h"]),
    st.sampled_from([DUE, DUE + timedelta(hours=1)]),
    st.sampled_from(ReminderState),
    attempts=st.integers(0, 3),
    sent_at=st.none() | moments,
)
appointments = st.builds(
    Appointment,
    appointment_id=st.just("a-1"),
    user_id=st.just("anna"),
    interval=st.builds(
        lambda start, hours: Interval(start, start + timedelta(hours=hours)), moments, st.integers(1, 9)
    ),
    created_at=moments,
    updated_at=moments,
    resource_ids=st.lists(st.sampled_from(["dr-lee", "room-1"]), unique=True).map(tuple),
    details=st.dictionaries(st.sampled_from(["title", "mine"]), texts.map(lambda text: f"SECRET {text}")),
    reminders=st.lists(reminders, max_size=2, unique_by=lambda one: one.offset).map(tuple),
    status=st.sampled_from(Status),
    confirmed_at=st.none() | moments,
    by=texts,
)


@given(appointments, appointments, st.integers(1, 9), moments)
def test_events_are_the_same_however_often_and_tell_no_secret(
    before: Appointment, after: Appointment, version: int, at: datetime
) -> None:
    before, after = replace(before, version=version), replace(after, version=version + 1)
    events = of_appointment(before, after, at)
    assert [told(one) for one in events] == [told(one) for one in of_appointment(replace(before), replace(after), at)]
    assert len({one.event_id for one in events}) == len(events)
    assert events[0].event_id == f"a-1.{version + 1}.{int(events[0].time.timestamp())}"
    assert all(one.type in EVENT_TYPES and "SECRET" not in told(one) for one in events)
    assert all(one.detail["type"] == one.type and one.detail["eventId"] == one.event_id for one in events)


@given(appointments, appointments, moments)
def test_changes_lead_from_one_to_the_other(before: Appointment, after: Appointment, at: datetime) -> None:
    after = replace(after, version=2)
    was = only(of_appointment(None, before, at)).detail["appointment"]
    event = of_appointment(before, after, at)[0].detail
    for name, now in event["appointment"].items():
        if name not in ("version", "createdAt", "updatedAt", "reminders"):
            change = event["changes"].get(name, {"from": was.get(name), "to": was.get(name)})
            assert (change["from"], change["to"]) == (was.get(name), now)
