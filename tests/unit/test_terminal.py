"""What the operator's commands ask and understand at the terminal."""

from __future__ import annotations

import io
import sys
import time

import pytest

from appointments.times import InvalidTimeError, to_utc_text
from ops import restore, terminal
from ops.terminal import confirmed, working


@pytest.mark.parametrize(
    ("typed", "meant"), [("appointments-prod\n", True), ("yes\n", False), ("\n", False), ("", False)]
)
def test_only_the_name_itself_is_a_yes(monkeypatch: pytest.MonkeyPatch, typed: str, meant: bool) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert confirmed("Type its name: ", "appointments-prod") is meant


def test_the_end_of_the_input_at_the_prompt_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys, "argv", ["restore", "appointments-prod", "2026-11-24T10:00:00Z"])
    assert restore.main() == 1
    assert "Nothing was changed." in capsys.readouterr().out


@pytest.mark.parametrize("text", ["2026-11-24T10:00:00Z", "2026-11-24T11:00:00+01:00", "2026-11-24 10:00z"])
def test_a_moment_to_restore_to(text: str) -> None:
    assert to_utc_text(restore.moment(text)) == "2026-11-24T10:00:00Z"


@pytest.mark.parametrize("text", ["2026-11-24T10:00:00", "2026-11-24", "yesterday", "2026-02-30T10:00:00Z"])
def test_what_is_no_moment_is_told_in_the_words_of_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(InvalidTimeError, match=f"^AT={text} is not"):
        restore.moment(text)
    monkeypatch.setattr(sys, "argv", ["restore", "appointments-prod", text, "--yes"])
    assert restore.main() == 1
    told = capsys.readouterr().err
    assert told.startswith(f"restore: AT={text} is not")
    assert "timeZone" not in told


def test_what_takes_long_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(terminal, "SAY_EVERY", 0.01)
    told = ""
    with working("reading"):
        while "still reading (0 s)" not in told:
            time.sleep(0.01)
            told += capsys.readouterr().out
