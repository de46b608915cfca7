"""Invitations, read by what reads them: two libraries of their own, and a calendar server."""

from __future__ import annotations

import json
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from radicale import config
from radicale.app import Application

from support import NO_NODE, NODE, ROOT
from texts.facts import Facts, Kind
from texts.invitation import Invitation, Parties, Party, invitation

START = datetime(2026, 11, 30, 9, tzinfo=UTC)
NOW = datetime(2026, 11, 26, 21, 50, 3, tzinfo=UTC)
ID = "0a1b2c3d-0000-5000-8000-00000000000a"
PARTIES = Parties(Party("termine@praxis.example", "Praxis Dr. Müller"), Party("anna+x@example.com", "Anna Weiß"))


def facts(kind: Kind = Kind.BOOKED, **others: Any) -> Facts:
    given_ = {
        "title": "Check-up; cleaning, advice",
        "location": "Hauptstraße 5, 80331 München",
        "description": "Bitte bringen Sie Ihre Karte mit.\nC:\\new",
        "with_whom": ("Dr. Meier", "Raum 2"),
        "link": "https://example.com/l/secret",
    }
    return Facts(kind, START, START + timedelta(minutes=30), ZoneInfo("Europe/Berlin"), **(given_ | others))


def made(kind: Kind = Kind.BOOKED, version: int = 1, **others: Any) -> Invitation:
    found = invitation(facts(kind, **others), ID, version, PARTIES, NOW)
    assert found
    return found


def event(text: str) -> Any:
    (found,) = Calendar.from_ical(text).walk("VEVENT")
    return found


@pytest.mark.parametrize(
    ("kind", "method", "status"),
    [
        (Kind.BOOKED, "REQUEST", "CONFIRMED"),
        (Kind.APPROVED, "REQUEST", "CONFIRMED"),
        (Kind.MOVED, "REQUEST", "CONFIRMED"),
        (Kind.CANCELLED, "CANCEL", "CANCELLED"),
    ],
)
def test_icalendar_reads_what_was_meant(kind: Kind, method: str, status: str) -> None:
    found = made(kind, version=7)
    calendar, read = Calendar.from_ical(found.text), event(found.text)
    assert (found.method, calendar["METHOD"], read["STATUS"]) == (method, method, status)
    assert (calendar["VERSION"], calendar["CALSCALE"]) == ("2.0", "GREGORIAN")
    assert (read["UID"], read["SEQUENCE"], read["DTSTAMP"].dt) == (ID, 7, NOW)
    assert (read["DTSTART"].dt, read["DTEND"].dt) == (START, START + timedelta(minutes=30))
    assert read["SUMMARY"] == "Check-up; cleaning, advice"
    assert read["LOCATION"] == "Hauptstraße 5, 80331 München"
    assert read["DESCRIPTION"] == "Dr. Meier, Raum 2\nBitte bringen Sie Ihre Karte mit.\nC:\\new"
    assert read["ORGANIZER"] == "mailto:termine@praxis.example"
    assert read["ORGANIZER"].params["CN"] == "Praxis Dr. Müller"
    assert read["ATTENDEE"] == "mailto:anna+x@example.com"
    assert dict(read["ATTENDEE"].params) == {
        "CN": "Anna Weiß",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "ACCEPTED",
        "RSVP": "FALSE",
    }
    assert not Calendar.from_ical(found.text).errors
    assert not read.errors


def test_a_calendar_that_others_see_gets_no_link() -> None:
    assert "secret" not in made().text


@pytest.mark.parametrize("kind", [Kind.REMINDER, Kind.REQUESTED, Kind.DECLINED, Kind.EXPIRED])
def test_what_is_not_booked_has_no_invitation(kind: Kind) -> None:
    assert invitation(facts(kind), ID, 1, PARTIES, NOW) is None


def test_without_a_title_it_is_called_after_who_invites() -> None:
    assert event(made(title=None).text)["SUMMARY"] == "Praxis Dr. Müller"
    assert event(made(title=None, sender="Praxis").text)["SUMMARY"] == "Praxis"
    nameless = invitation(facts(title="\n"), ID, 1, Parties(Party("a@b.example"), Party("c@d.example")), NOW)
    assert nameless
    assert event(nameless.text)["SUMMARY"] == "a@b.example"


def test_times_are_instants_whatever_zone_they_come_in() -> None:
    start = START.astimezone(ZoneInfo("America/New_York"))
    found = invitation(
        Facts(Kind.BOOKED, start, start + timedelta(hours=1), ZoneInfo("Asia/Tokyo")), ID, 1, PARTIES, NOW
    )
    assert found
    assert "DTSTART:20261130T090000Z\r\nDTEND:20261130T100000Z\r\n" in found.text


@pytest.mark.parametrize("name", ['Anna "Ann" Weiß', "x^2", "^'", "^n", "^^", "a;b:c,d", "It's ^"])
def test_a_name_is_read_as_it_was_written(name: str) -> None:
    """A reader that knows RFC 6868 would make a quotation mark, or a line end, of a bare `^'` or `^n`."""
    parties = Parties(Party("termine@praxis.example", name), Party("anna@example.com", name))
    found = invitation(facts(), ID, 1, parties, NOW)
    assert found
    assert [event(found.text)[who].params["CN"] for who in ("ORGANIZER", "ATTENDEE")] == [name, name]
    if NODE:
        assert read_by_ical_js([found.text])[0]["attendees"] == [{"address": "mailto:anna@example.com", "name": name}]


free = st.one_of(st.text(max_size=200), st.sampled_from(['a"b', "x\r\nBEGIN:VALARM", "ü" * 200, "🦷" * 90, ";:,\\n"]))


@settings(max_examples=200, deadline=None)
@given(free, free, free, free)
def test_free_text_stays_in_its_property(title: str, location: str, description: str, name: str) -> None:
    parties = Parties(PARTIES.organizer, Party("anna@example.com", name))
    made_ = invitation(facts(title=title, location=location, description=description), ID, 1, parties, NOW)
    assert made_
    raw = made_.text.encode()
    assert raw.endswith(b"END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    for line in raw.split(b"\r\n"):
        line.decode()
    read = event(made_.text)
    assert read.subcomponents == []
    assert read["ATTENDEE"] == "mailto:anna@example.com"
    assert {key for key in read if key not in ("LOCATION", "DESCRIPTION")} == {
        "UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "ORGANIZER", "ATTENDEE",
    }  # fmt: skip
    if clean := " ".join(title.split()):
        assert len(str(read["SUMMARY"])) <= 200
        if clean.isascii() and clean.isprintable():
            assert read["SUMMARY"] == clean


def read_by_ical_js(texts: list[str]) -> Any:
    run = subprocess.run(
        ["node", ROOT / "tests" / "node" / "invitations.js"],
        input=json.dumps(texts),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return json.loads(run.stdout)


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
def test_ical_js_reads_the_same() -> None:
    texts = [made(kind, version).text for kind, version in ((Kind.BOOKED, 1), (Kind.MOVED, 2), (Kind.CANCELLED, 3))]
    for text, read, sequence in zip(texts, read_by_ical_js(texts), (1, 2, 3), strict=True):
        python = event(text)
        assert read == {
            "method": "CANCEL" if sequence == 3 else "REQUEST",
            "uid": ID,
            "sequence": sequence,
            "start": "2026-11-30T09:00:00Z",
            "end": "2026-11-30T09:30:00Z",
            "summary": python["SUMMARY"],
            "location": python["LOCATION"],
            "description": python["DESCRIPTION"],
            "status": python["STATUS"],
            "organizer": "mailto:termine@praxis.example",
            "attendees": [{"address": "mailto:anna+x@example.com", "name": "Anna Weiß"}],
        }


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WSGIServer]:
    """Radicale on this machine, for whom anybody is a user."""
    settings_ = config.load()
    settings_.update(
        {
            "auth": {"type": "none"},
            "storage": {"filesystem_folder": str(tmp_path)},
            "logging": {"level": "critical"},
        },
        "test",
        privileged=True,
    )
    with make_server("127.0.0.1", 0, Application(settings_), handler_class=Quiet) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_a_calendar_server_keeps_one_appointment_through_its_changes(server: WSGIServer) -> None:
    def call(method: str, path: str, body: str = "", kind: str = "text/calendar; charset=utf-8") -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        headers = {"Content-Type": kind, "Authorization": "Basic " + b64encode(b"anna:x").decode(), "Depth": "1"}
        connection.request(method, path, body.encode(), headers)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return answer.status, said

    def on(day: str) -> bool:
        """Whether the calendar shows the appointment on a day."""
        status, said = call(
            "REPORT",
            "/anna/work/",
            f"""<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop>
            <C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
            <C:time-range start="{day}T000000Z" end="{day}T235959Z"/></C:comp-filter></C:comp-filter></C:filter>
            </C:calendar-query>""",
            "application/xml",
        )
        assert status == 207
        return f"{ID}.ics" in said

    assert call("MKCALENDAR", "/anna/work/")[0] == 201
    # What a mail program does with an invitation: it keeps the event under its id, without the method.
    moved = {"start": START + timedelta(days=3), "end": START + timedelta(days=3, minutes=30)}
    for version, (kind, others) in enumerate([(Kind.BOOKED, {}), (Kind.MOVED, moved), (Kind.CANCELLED, moved)], 1):
        changed = Facts(
            **{name: getattr(facts(kind), name) for name in Facts.__slots__} | others,
        )
        sent = invitation(changed, ID, version, PARTIES, NOW)
        assert sent
        kept = sent.text.replace(f"METHOD:{sent.method}\r\n", "")
        assert call("PUT", f"/anna/work/{ID}.ics", kept)[0] in (201, 204)
        status, answer = call("GET", f"/anna/work/{ID}.ics")
        assert status == 200
        read, asked = event(answer), event(sent.text)
        for name in (
            "UID",
            "SEQUENCE",
            "DTSTART",
            "DTEND",
            "SUMMARY",
            "DESCRIPTION",
            "STATUS",
            "ATTENDEE",
            "ORGANIZER",
        ):
            assert read[name] == asked[name]
        assert (on("20261130"), on("20261203")) == (kind is Kind.BOOKED, kind is not Kind.BOOKED)
