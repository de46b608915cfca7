"""`make demo`: the whole story by itself, on throw-away state; exits 0 only if all of it happened."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError
from local.browser import chromium, picture, picture_of
from local.deploy import shown
from local.feed import Feed, Line, Screen
from local.mailbox import Mailbox
from local.places import LOCAL
from local.receiver import Receiver
from local.seed import seed
from local.system import System, system
from local.waiting import SAY_EVERY, Stopped, pause, stop_on_signals

# A rule created less than 10 s before its minute never fires on the engine.
AHEAD_OF_RULE = timedelta(seconds=20)
# The engine looks for due rules every 10 s and may be busy.
AFTER_DUE_SECONDS = 45
# Long enough for a second delivery of the same reminder to show up.
QUIET_SECONDS = 12


def send(method: str, url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send a request; the answer's status and body."""
    request = urllib.request.Request(  # noqa: S310 - http to ourselves
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http to ourselves
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as problem:
        raise LocalError(f"The API at {url} gave no answer that is HTTP and JSON: {problem}") from problem


class Story:
    """Tells what happens, and insists that it does."""

    def __init__(self, screen: Screen, running: System, receiver: Receiver) -> None:
        self._screen = screen
        self._running = running
        self._receiver = receiver
        self._feed = Feed(running.engine, running.stack, running.feed_queue_url, running.events_queue_url)
        self._lines: list[Line] = []

    def tell(self) -> None:
        """Book, be refused, be reminded; each step raises `LocalError` where it does not happen."""
        appointments = f"{self._running.api_url}/appointments"
        self._say(f"PUT /webhooks/demo: what happens is told to {self._receiver.url}")
        webhook = {"url": self._receiver.url, "events": ["appointment.*"]}
        status, configured = send("PUT", f"{self._running.api_url}/webhooks/demo", webhook)
        self._insist(status == 200, f"the webhook was answered {status} in place of 200: {configured}")
        self._receiver.secret = configured["secret"]

        due = (datetime.now(UTC) + AHEAD_OF_RULE + timedelta(minutes=1)).replace(second=0, microsecond=0)
        start = due + timedelta(hours=1)
        booking = {
            "userId": "alice",
            "startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "endTime": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
            "details": {"title": "Check-up", "location": "Room 2"},
            "reminders": ["1h"],
            "contact": {"name": "Alice Miller", "email": "alice@example.com", "locale": "en"},
        }
        self._say("POST /appointments: alice, in about an hour, with a reminder 1h before")
        status, booked = send("POST", appointments, booking)
        self._insist(status == 201, f"the booking was answered {status} in place of 201: {booked}")
        self._wait("BOOKING_SUCCESS", "the booking's log line", 15)
        self._wait("EVENT", "the booking's event on the bus", 15)
        # The clinic's events, of which there are hundreds, are told as well.
        wanted = ("appointment.booked", booked["appointmentId"])
        self._wait("WEBHOOK", "the webhook of the booking", 60, lambda line: about(line) == wanted)

        self._say("POST /appointments: the same interval again, on the same calendar")
        status, refused = send("POST", appointments, booking)
        self._insist(status == 409, f"the conflict was answered {status} in place of 409: {refused}")
        self._wait("BOOKING_CONFLICT", "the refusal's log line", 15)

        rule = str(self._wait("REMINDER_SCHEDULED", "the reminder's rule", 15).fields["rule_name"])
        expression = self._rules().get(rule)
        self._insist(expression is not None, f"EventBridge has no rule {rule}")
        self._say(f"EventBridge holds {rule}: {expression}")

        self._say(f"waiting for {due.astimezone():%H:%M:%S}, when the reminder is due")
        left = (due - datetime.now(UTC)).total_seconds() + AFTER_DUE_SECONDS
        reminded = self._wait("REMINDER_DELIVERED", "the reminder on the topic's queue", left).fields
        self._insist(
            reminded.get("appointmentId") == booked.get("appointmentId"), f"another appointment's reminder: {reminded}"
        )
        self._wait("RULE_CLEANED", "the removal of the rule", 15)
        self._insist(rule not in self._rules(), f"the rule {rule} is still there")
        self._say("EventBridge holds that rule no more")

        self._until(lambda: False, QUIET_SECONDS)
        count = sum(line.kind == "REMINDER_DELIVERED" for line in self._lines)
        self._insist(count == 1, f"the reminder arrived {count} times")
        self._say("the reminder arrived exactly once")
        self._confirm_by_email(due, f"{appointments}/{booked['appointmentId']}")
        self._show_pages()

    def _confirm_by_email(self, due: datetime, appointment: str) -> None:
        """Do what the person does who opens the reminder's email and follows its link."""

        def emails() -> list[Line]:
            return [line for line in self._lines if line.kind == "EMAIL" and line.at >= due.timestamp()]

        self._until(lambda: bool(emails()), 15)
        self._insist(bool(emails()), "no reminder arrived by email")
        message = Mailbox(self._running.engine.mail).message(str(emails()[0].fields["name"]))
        assert message is not None  # noqa: S101 - the feed has just read it
        assert message.mime is not None  # noqa: S101 - it is an email
        plain, rich = (message.mime.get_body((kind,)) for kind in ("plain", "html"))
        if chromium() and rich:
            picture(str(rich.get_content()), LOCAL / "demo-email.png")
            self._say(f"the email, as a phone shows it: {shown(LOCAL / 'demo-email.png')}")
        link = re.search(r"https?://\S+/l/[\w-]+", str(plain.get_content()) if plain else "")
        if link is None:
            raise LocalError(f"the email {message.name} has no link")
        self._say(f"GET {link[0][: link[0].index('/l/') + 3]}…: alice follows the link of the email")
        with urllib.request.urlopen(link[0], timeout=30) as page:  # noqa: S310 - http to ourselves
            self._insist(b'value="confirm"' in page.read(), "the page of the link does not offer to confirm")
        form = urllib.parse.urlencode({"action": "confirm"}).encode()
        with urllib.request.urlopen(link[0], form, timeout=30) as page:  # noqa: S310 - as above
            self._insist(page.status == 200, f"the form was answered {page.status} in place of 200")
        with urllib.request.urlopen(appointment, timeout=30) as answer:  # noqa: S310 - as above
            self._insist("confirmedAt" in json.load(answer), "the appointment is not confirmed")
        self._say("the appointment is confirmed")

    def _show_pages(self) -> None:
        """Keep a picture of each page, with the made-up clinic in it."""
        if not chromium():
            return
        for page, width in (("desk", 1280), ("book?service=check-up", 390)):
            name = f"demo-{page.partition('?')[0]}.png"
            picture_of(f"{self._running.api_url}/{page}", LOCAL / name, width)
            self._say(f"GET /{page}: {shown(LOCAL / name)}")

    def _rules(self) -> dict[str, str]:
        events = self._running.engine.client("events")
        pages = events.get_paginator("list_rules").paginate(NamePrefix="appointment-reminder-")
        return {found["Name"]: found.get("ScheduleExpression", "") for page in pages for found in page["Rules"]}

    def _say(self, text: str) -> None:
        self._screen.say(f"{datetime.now().astimezone():%H:%M:%S}  · {text}")

    @staticmethod
    def _insist(happened: bool, otherwise: str) -> None:
        if not happened:
            raise LocalError(otherwise)

    def _wait(self, kind: str, what: str, seconds: float, wanted: Callable[[Line], bool] = lambda _: True) -> Line:
        """The first wanted line of this kind, waiting for it if need be."""

        def first() -> Line | None:
            return next((line for line in self._lines if line.kind == kind and wanted(line)), None)

        self._until(lambda: first() is not None, seconds)
        found = first()
        if found is None:
            raise LocalError(f"{what} did not show up within {seconds:.0f} s")
        return found

    def _until(self, enough: Callable[[], bool], seconds: float) -> None:
        """Show the feed until it is enough, and that it still works while nothing happens."""
        deadline = time.monotonic() + seconds
        spoke = time.monotonic()
        while not enough() and time.monotonic() < deadline:
            for line in [*self._feed.poll(), *self._receiver.lines()]:
                self._lines.append(line)
                self._screen.show(line)
                spoke = time.monotonic()
            if time.monotonic() - spoke > SAY_EVERY:
                self._screen.dim(f"{datetime.now().astimezone():%H:%M:%S}  …")
                spoke = time.monotonic()
            pause(0.3)


def about(line: Line) -> tuple[str, str | None]:
    """The type of a webhook's event, and the appointment that it is about."""
    return line.fields["type"], line.fields["data"].get("appointmentId")


def main() -> int:
    """Tell the story; 0 only if all of it happened."""
    screen = Screen(sys.stdout)
    stop_on_signals()
    try:
        with system(screen.dim) as running, Receiver() as receiver:
            seed(running.engine, running.stack.appointments_table, running.stack.calendars_table, screen.dim)
            Story(screen, running, receiver).tell()
    except Stopped:
        print("make demo: stopped before the end", file=sys.stderr)
        return 1
    except (LocalError, BotoCoreError, ClientError, OSError) as problem:
        print(f"make demo: {problem}", file=sys.stderr)
        return 1
    screen.say(
        "All of it happened: booked, told to a webhook, refused, reminded once, rule removed, confirmed by a link."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
