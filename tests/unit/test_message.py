"""What people read: the email, the SMS and the JSON of a reminder."""

from __future__ import annotations

import json
import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.model import Appointment, Interval, Reminder
from reminder_sender import message

START = datetime(2030, 1, 15, 14, tzinfo=UTC)
REMINDER = Reminder("1h", START - timedelta(hours=1))


def appointment(**more: Any) -> Appointment:
    interval = Interval(START, START + timedelta(minutes=30))
    return Appointment("id-1", "anna", interval, START, START, reminders=(REMINDER,), **more)


CHECKUP = appointment(
    time_zone="America/New_York",
    details={"title": "Check-up", "location": "Room 4", "contact": {"phone": "secret"}},
    resource_ids=("dr-lee",),
)


def test_email_reads_in_the_persons_own_time() -> None:
    assert message.email_text(CHECKUP) == (
        "This is a reminder of your appointment “Check-up”.\n\n"
        "When: Tue 15 Jan 2030, 09:00 (America/New_York)\n"
        "Until: Tue 15 Jan 2030, 09:30 (America/New_York)\n"
        "Where: Room 4\n\n"
        "Appointment id: id-1"
    )


def test_sms_is_one_short_line() -> None:
    assert message.sms_text(CHECKUP) == 'Tue 15 Jan 2030, 09:00 (America/New_York), "Check-up", Room 4'


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("two\n\tlines ", '"two lines "'),
        # The name of the topic and the time take 40 of 160 places or 70 units, the quotes 2.
        ("x" * 118, '"' + "x" * 118 + '"'),
        ("x" * 119, '"' + "x" * 116 + "..."),
        ("ü" * 118, '"' + "ü" * 118 + '"'),
        ("ü" * 119, '"' + "ü" * 116 + "..."),
        ("[" * 59, '"' + "[" * 59 + '"'),  # each takes two places
        ("[" * 60, '"' + "[" * 58 + "..."),
        ("Ж" * 28, '"' + "Ж" * 28 + '"'),
        ("Ж" * 29, '"' + "Ж" * 26 + "..."),
        ("🦷" * 14, '"' + "🦷" * 14 + '"'),  # each takes two units
        ("🦷" * 15, '"' + "🦷" * 13 + "..."),
        ("“" + "x" * 100, '"“' + "x" * 25 + "..."),
    ],
)
def test_what_fits_one_sms(title: str, text: str) -> None:
    assert message.sms_text(appointment(details={"title": title})) == f"Tue 15 Jan 2030, 14:00 (UTC), {text}"


@pytest.mark.parametrize("title", ["x" * 200, "Ж" * 200, "🦷" * 200])
def test_an_sms_always_has_the_whole_time(title: str) -> None:
    longest_zone = max(zoneinfo.available_timezones(), key=len)
    sms = message.sms_text(appointment(time_zone=longest_zone, details={"title": title}))
    assert f"({longest_zone})" in sms


def test_the_gsm_alphabet_is_complete() -> None:
    """GSM 03.38: 128 places less the escape and two for line ends, and 10 behind the escape less the form feed."""
    assert (len(message.GSM - message.GSM_TWO_PLACES), len(message.GSM_TWO_PLACES)) == (125, 9)


def test_a_zone_that_was_abolished_since_does_not_lose_the_reminder() -> None:
    assert "14:00 (UTC)" in message.sms_text(appointment(time_zone="Mars/Olympus"))


def test_one_publish_carries_a_text_per_protocol() -> None:
    texts = json.loads(message.body(CHECKUP, REMINDER))
    assert texts.keys() == {"default", "email", "sms"}
    assert json.loads(texts["default"]) == {
        "appointmentId": "id-1",
        "userId": "anna",
        "reminder": "1h",
        "dueAt": "2030-01-15T13:00:00Z",
        "startTime": "2030-01-15T14:00:00Z",
        "endTime": "2030-01-15T14:30:00Z",
        "timeZone": "America/New_York",
        "resourceIds": ["dr-lee"],
        "details": CHECKUP.details,
    }


@given(st.dictionaries(st.sampled_from(["title", "location", "description", "contact"]), st.text() | st.integers()))
def test_any_details_give_a_message_that_sns_takes(details: dict[str, Any]) -> None:
    booked = appointment(details=details)
    subject = message.subject(booked)
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) <= 100
    sms = message.SMS_PREFIX + message.sms_text(booked)
    assert len(sms) <= 160 if message.GSM.issuperset(sms) else len(sms.encode("utf-16-le")) <= 2 * 70
    assert "\n" not in sms
    json.loads(message.body(booked, REMINDER))
