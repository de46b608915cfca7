"""What people read: the email, the SMS and the JSON of a reminder."""

from __future__ import annotations

import json
import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.model import Appointment, Interval
from appointments.reminders import Reminder
from reminder_sender import message
from texts import gsm

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
        ("two\n\tlines ", '"two lines"'),
        # The name of the topic and the time take 40 of 160 places or 70 units, the quotes 2.
        ("x" * 118, '"' + "x" * 118 + '"'),
        ("x" * 119, '"' + "x" * 116 + "..."),
        ("ü" * 118, '"' + "ü" * 118 + '"'),
        ("ü" * 119, '"' + "ü" * 116 + "..."),
        ("[" * 59, '"' + "[" * 59 + '"'),  # each takes two places
        ("[" * 60, '"' + "[" * 58 + "..."),
        ("Ж" * 28, '"' + "Ж" * 28 + '"'),
        ("Ж" * 29, '"' + "Ж" * 26 + "..."),
        ("Ж" + "🦷" * 13, '"Ж' + "🦷" * 13 + '"'),  # each takes two units
        ("Ж" + "🦷" * 15, '"Ж' + "🦷" * 12 + "..."),
        ("“" + "x" * 100, '""' + "x" * 100 + '"'),
    ],
)
def test_what_fits_one_sms(title: str, text: str) -> None:
    assert message.sms_text(appointment(details={"title": title})) == f"Tue 15 Jan 2030, 14:00 (UTC), {text}"


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Anna’s “wash – cut” 💇🏽‍♀️ for 30 €…", 'Anna\'s "wash - cut" for 30 €...'),  # noqa: RUF001
        ("Ania Łęcka, Sīna Çağrı, Zoë, œuf", "Ania Lecka, Sina Çagri, Zoe, oeuf"),  # noqa: RUF001
        ("10½ hours, 25 m²", "10 1/2 hours, 25 m2"),
    ],
)
def test_an_sms_keeps_its_content_in_the_alphabet_of_gsm(title: str, text: str) -> None:
    sms = message.sms_text(appointment(details={"title": title, "location": "Café Žižka, Krakowska 12/3"}))
    assert sms == f'Tue 15 Jan 2030, 14:00 (UTC), "{text}", Café Zizka, Krakowska 12/3'
    assert gsm.GSM.issuperset(sms)


@pytest.mark.parametrize("title", ["Приём 💇", "ψυχή…", "⅓ л"])
def test_an_sms_loses_no_letter_that_gsm_lacks(title: str) -> None:
    sms = message.sms_text(appointment(details={"title": title, "location": "Žižka"}))
    assert sms == f'Tue 15 Jan 2030, 14:00 (UTC), "{title}", Žižka'


@pytest.mark.parametrize(("title", "location"), [("💇", "Room 4"), ("\n\ufffe", "Room 4")])
def test_a_title_of_which_nothing_is_left_is_left_out(title: str, location: str) -> None:
    sms = message.sms_text(appointment(details={"title": title, "location": location}))
    assert sms == "Tue 15 Jan 2030, 14:00 (UTC), Room 4"


def test_a_title_stays_on_one_line_of_the_email() -> None:
    details = {"title": "Check\r\nup\u2028at\x85once", "description": "a\nWhen: never", "location": "\x00\uffff\n"}
    lines = message.email_text(appointment(details=details)).splitlines()
    assert lines[0] == "This is a reminder of your appointment “Check up at once”."
    assert [line.partition(":")[0] for line in lines[2:]] == ["When", "Until", "About", "", "Appointment id"]


def test_nothing_turns_the_direction_of_a_message_for_people() -> None:
    turned = appointment(details={"title": "Check\u061cup", "location": "Room \u202e4", "contact": "\u2066Ann"})
    said = message.email_text(turned) + message.sms_text(turned)
    assert not set("\u061c\u202e\u2066").intersection(said)


@pytest.mark.parametrize(
    ("zone", "start", "text"),
    [
        ("Etc/GMT+5", "2030-01-15T14:00Z", "09:00 (UTC-5)"),
        ("Etc/GMT-14", "2030-01-15T09:00Z", "23:00 (UTC+14)"),
        ("Etc/UTC", "2030-01-15T09:00Z", "09:00 (UTC)"),
        ("America/New_York", "2027-11-07T05:30Z", "01:30 (America/New_York, UTC-4)"),
        ("America/New_York", "2027-11-07T06:30Z", "01:30 (America/New_York, UTC-5)"),
        ("America/New_York", "2027-11-07T07:00Z", "02:00 (America/New_York)"),
        ("Australia/Lord_Howe", "2027-04-03T14:45Z", "01:45 (Australia/Lord_Howe, UTC+11)"),
        ("Australia/Lord_Howe", "2027-04-03T15:15Z", "01:45 (Australia/Lord_Howe, UTC+10:30)"),
    ],
)
def test_55_a_time_reads_in_one_way_only(zone: str, start: str, text: str) -> None:
    moment = datetime.fromisoformat(start)
    booked = replace(appointment(time_zone=zone), interval=Interval(moment, moment + timedelta(minutes=1)))
    assert text in message.sms_text(booked)
    assert text in message.email_text(booked)
    assert text in message.subject(booked)


def test_the_machines_json_has_no_character_that_sqs_or_email_refuses() -> None:
    details = {"title": "a\x00b\uffffc\ufffed🦷é", "\uffff": 1}
    machine = json.loads(message.body(appointment(details=details), REMINDER))["default"]
    assert not set(machine) & {"\x00", "\uffff", "\ufffe"}
    assert "🦷é" in machine
    assert json.loads(machine)["details"] == details


@pytest.mark.parametrize("title", ["x" * 200, "Ж" * 200, "🦷" * 200])
def test_an_sms_always_has_the_whole_time(title: str) -> None:
    longest_zone = max(zoneinfo.available_timezones(), key=len)
    sms = message.sms_text(appointment(time_zone=longest_zone, details={"title": title}))
    assert f"({longest_zone})" in sms


def test_the_gsm_alphabet_is_complete() -> None:
    """GSM 03.38: 128 places less the escape and two for line ends, and 10 behind the escape less the form feed."""
    assert (len(gsm.GSM - gsm.GSM_TWO_PLACES), len(gsm.GSM_TWO_PLACES)) == (125, 9)


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
    assert len(sms) <= 160 if gsm.GSM.issuperset(sms) else len(sms.encode("utf-16-le")) <= 2 * 70
    assert "\n" not in sms
    json.loads(message.body(booked, REMINDER))
