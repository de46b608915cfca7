"""What `make run` and `make help` show: true, and readable in 80 columns."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from local.feed import Line, Screen, happened, told
from local.run import welcome
from support import ROOT

ID = "c69dd71d-9565-5b27-8ae7-9c2acfa4c2fe"


def sent(lateness_ms: float) -> str:
    outcome = told(
        {
            "event_type": "REMINDER_SENT",
            "appointment_id": ID,
            "reminder": "1h",
            "lateness_ms": lateness_ms,
            "due_at": "2030-01-15T08:00:00Z",
        }
    )
    assert outcome is not None
    return outcome[1]


def test_lateness_in_words() -> None:
    assert sent(3210) == "c69dd71d  1h reminder, 3.2 s after it was due"
    assert sent(-51_000) == "c69dd71d  1h reminder, 51.0 s before it was due"


def test_a_replayed_sample_event_says_what_it_is() -> None:
    text = sent(-98_963_509_000)
    assert "by an event sent by hand: it is due " in text
    assert "Jan 2030" in text
    assert "-98963509" not in text


def test_a_removed_rule_is_told_by_its_appointment_where_that_is_known() -> None:
    fields = {"event_type": "RULE_CLEANED", "rule_name": f"appointment-reminder-1h-{ID}"}
    assert told(fields | {"appointment_id": ID, "reminder": "1h"}) == ("rule removed", "c69dd71d  1h reminder", "2")
    assert told(fields) == ("rule removed", f"appointment-reminder-1h-{ID}", "2")


def test_an_event_of_the_bus_says_what_happened_to_what_and_who_did_it() -> None:
    detail = {"eventId": f"{ID}.2", "time": "2030-01-15T08:00:00Z", "appointmentId": ID, "version": 2, "by": "anna"}
    line = happened({"detail-type": "appointment.moved", "detail": detail})
    assert (line.kind, line.at) == ("EVENT", datetime(2030, 1, 15, 8, tzinfo=UTC).timestamp())
    assert line.text == "c69dd71d  appointment.moved, version 2, by anna"
    configured = happened({"detail-type": "calendar.configured", "detail": {"calendarId": "room", "by": "system"}})
    assert configured.text == "calendar.configured, room, by system"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_, **__: os.terminal_size((80, 24)))
    return Terminal()


LONG = Line("X", 0.0, "reminder delivered", f"{ID[:8]}  to alice: {'a title, ' * 20}end", "35", {})


def test_a_long_line_is_folded_beside_its_label(terminal: Terminal) -> None:
    Screen(terminal).show(LONG)
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 30) for line in lines[1:])
    assert lines[-1].endswith("end")


def test_what_is_read_by_a_program_is_one_line() -> None:
    out = io.StringIO()
    Screen(out).show(LONG)
    assert len(out.getvalue().splitlines()) == 1


def running(engine_url: str = "http://127.0.0.1:45669", api_url: str = "http://127.0.0.1:30009") -> Any:
    return SimpleNamespace(api_url=api_url, engine=SimpleNamespace(url=engine_url))


def test_the_welcome_fits_80_columns_and_names_every_address(terminal: Terminal) -> None:
    welcome(Screen(terminal), running(), "http://host.docker.internal:45669")
    text = terminal.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for address in ("ready http://127.0.0.1:30009\n", "http://127.0.0.1:30009/docs", "http://127.0.0.1:45669"):
        assert address in text
    assert "http://host.docker.internal:45669" in text


def test_the_example_of_a_second_start_does_not_meet_the_first(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        at = datetime(2026, 11, 26, 10, 0, 1, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return cls.at.astimezone(tz)

    monkeypatch.setattr("local.run.datetime", Clock)
    users = set()
    for second in (1, 2):
        Clock.at = Clock.at.replace(second=second)
        terminal.truncate(0)
        welcome(Screen(terminal), running(), None)
        users.add(next(line for line in terminal.getvalue().splitlines() if "userId" in line))
    assert len(users) == 2


def test_make_help_fits_80_columns() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(not line.startswith(" ") for line in lines) == (ROOT / "Makefile").read_text().count(" ## ")
