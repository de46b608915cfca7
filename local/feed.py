"""The live feed: what the functions log, what the topic delivers and what the bus tells, in lines for a person."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from botocore.exceptions import BotoCoreError, ClientError

from local.deploy import Stack
from local.engine import Engine
from local.mailbox import Mailbox, Message
from local.waiting import ask_to_stop

# How far a poll looks back: log lines are stored a little after the moment that they carry.
OVERLAP_MS = 10_000
# As many events as one answer of FilterLogEvents holds.
PAGE = 10_000

# Messages of a queue that come in one answer, and answers in one poll, after which the other sources have their turn.
BATCH = 10
MOST_BATCHES = 20

# What stands before the text of a line: time, label, and what parts them.
INDENT = 30
# The narrowest column that is still easier to read than what the terminal makes of a long line.
SHORTEST = 20

GREEN, YELLOW, RED, CYAN, MAGENTA, BLUE, DIM = "32", "33", "31", "36", "35", "34", "2"


@dataclass(frozen=True)
class Line:
    """One thing that happened: ``kind`` for programs, ``label`` and ``text`` for people."""

    kind: str
    at: float
    label: str
    text: str
    colour: str
    fields: Mapping[str, Any]


def moment(text: str | None) -> str:
    """A time of the API as this machine's wall clock shows it; with its date unless that is today."""
    try:
        then = datetime.fromisoformat(text or "").astimezone()
    except ValueError:
        return text or "?"
    clock = f"{then:%H:%M:%S}" if then.second else f"{then:%H:%M}"
    return clock if then.date() == datetime.now().astimezone().date() else f"{then:%a %d %b %Y} {clock}"


def seconds(text: str | None) -> float:
    """A time as seconds since the epoch; now, where there is none."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return time.time()


def short(identifier: object) -> str:
    """The first part of an id: enough to tell appointments on a screen apart."""
    return str(identifier or "?")[:8]


def interval(fields: Mapping[str, Any]) -> str:
    """When an appointment is."""
    return f"{moment(fields.get('start_time'))} to {moment(fields.get('end_time'))}"


def calendars(fields: Mapping[str, Any], name: str = "calendar_ids") -> str:
    """The calendars that a line names, or the user's own."""
    return ", ".join(fields.get(name) or [str(fields.get("user_id", "?"))])


def lateness(fields: Mapping[str, Any]) -> str:
    """How long after its time a reminder was sent. No timer fires more than a minute early, but a person can."""
    late = float(fields.get("lateness_ms") or 0) / 1000
    if late >= 0:
        return f"{late:.1f} s after it was due"
    if late >= -60:
        return f"{-late:.1f} s before it was due"
    return f"by an event sent by hand: it is due {moment(fields.get('due_at'))}"


def told(fields: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Label, text and colour of a log line, or None where it is no outcome."""
    event, reminder, of = fields.get("event_type"), fields.get("reminder", "?"), short(fields.get("appointment_id"))
    match event:
        case "BOOKING_SUCCESS":
            return "booked", f"{of}  {calendars(fields)}, {interval(fields)}", GREEN
        case "BOOKING_CONFLICT":
            taken = calendars(fields, "conflicting_calendar_ids")
            return "refused", f"{calendars(fields)}, {interval(fields)}: {taken} is taken", YELLOW
        case "BOOKING_REJECTED":
            return "rejected", f"the request is not valid, faults: {fields.get('faults', '?')}", YELLOW
        case "APPOINTMENT_CANCELLED":
            return "cancelled", f"{of}  {calendars(fields)}", YELLOW
        case "APPOINTMENT_RESCHEDULED":
            return "rescheduled", f"{of}  {calendars(fields)}, now {interval(fields)}", GREEN
        case "REMINDER_SCHEDULED":
            return "rule created", f"{of}  {reminder} reminder, fires at {moment(fields.get('due_at'))}", CYAN
        case "RULE_CLEANED":
            known = "appointment_id" in fields and "reminder" in fields
            return "rule removed", f"{of}  {reminder} reminder" if known else str(fields.get("rule_name", "?")), DIM
        case "REMINDER_SENT":
            channel = fields.get("channel", "topic")
            by = "" if channel == "topic" else f" by {channel}"
            return "reminder sent", f"{of}  {reminder} reminder{by}, {lateness(fields)}", CYAN
        case "REMINDER_SKIPPED":
            return "skipped", f"{of}  {reminder} reminder: {fields.get('reason', '?')}", DIM
        case "REMINDER_MISSED":
            return "missed", f"{of}  {reminder} reminder: the appointment had begun", RED
        case "REMINDER_RECOVERED" | "REMINDER_OVERFLOW":
            return str(event).rpartition("_")[2].lower(), f"{of}  {reminder} reminder", YELLOW
        case "NOTICE_SENT":
            to, channel = fields.get("recipient", "?"), fields.get("channel", "?")
            return "notice sent", f"{of}  {fields.get('kind', '?')}, to {to} by {channel}", CYAN
        case "NOTICE_RECOVERED":
            return "notice repeated", f"{of}  nobody knows whether the one before arrived", YELLOW
        case "MESSAGE_REFUSED":
            return "not reached", f"{of}  by {fields.get('channel', '?')}: {fields.get('reason', '?')}", YELLOW
        case "ADDRESS_UNDELIVERABLE":
            return "address marked", f"{fields.get('reason', '?')}: nothing more is sent to it", YELLOW
        case "WEBHOOK_DELIVERED":
            return "webhook sent", f"{short(fields.get('event_id'))}  to {fields.get('webhook_id', '?')}", CYAN
        case "WEBHOOK_FAILED":
            to, outcome = fields.get("webhook_id", "?"), fields.get("outcome", "?")
            return "webhook failed", f"{short(fields.get('event_id'))}  to {to}: {outcome}", YELLOW
        case "WEBHOOK_GONE":
            return "webhook gone", f"{fields.get('webhook_id', '?')} is switched off: its receiver answers 410", YELLOW
        case "WEBHOOK_GIVEN_UP":
            return "webhook given up", f"{short(fields.get('event_id'))}  to {fields.get('webhook_id', '?')}", RED
        case str() if event.endswith("_ERROR"):
            why = fields.get("exception_name") or fields.get("message") or "?"
            return "error", f"{event}: {why}", RED
        case _:
            return None


def delivered(envelope: Mapping[str, Any]) -> Line:
    """The reminder inside an SNS envelope: its subject, and what the message says of the appointment."""
    text = str(envelope.get("Message", ""))
    try:
        message = json.loads(text)
    except ValueError:
        message = {}
    fields = message if isinstance(message, dict) else {}
    details = fields.get("details") or {}
    named = [str(details[key]) for key in ("title", "location") if details.get(key)]
    said = ", ".join([str(envelope.get("Subject") or text), *named])
    who = f"{short(fields.get('appointmentId'))}  to {fields.get('userId', '?')}: {said}"
    return Line("REMINDER_DELIVERED", seconds(envelope.get("Timestamp")), "reminder delivered", who, MAGENTA, fields)


def happened(envelope: Mapping[str, Any]) -> Line:
    """An event of the stack's bus: what it is about, its type, and who did it."""
    detail = envelope.get("detail") or {}
    about = short(detail["appointmentId"]) if "appointmentId" in detail else ""
    named = [str(detail[key]) for key in ("calendarId", "serviceId") if key in detail]
    text = "  ".join(filter(None, [about, ", ".join([str(envelope.get("detail-type", "?")), *named])]))
    if "version" in detail:
        text += f", version {detail['version']}"
    return Line("EVENT", seconds(detail.get("time")), "event", f"{text}, by {detail.get('by', '?')}", BLUE, detail)


def posted(message: Message) -> Line:
    """An email or an SMS that was sent."""
    text = f"to {message.to}: {message.subject}"
    return Line(
        message.kind.upper(), message.at.timestamp(), f"{message.kind} sent", text, MAGENTA, {"name": message.name}
    )


class Feed:
    """Reads the functions' log groups, two queues of its own and the mailbox; each outcome comes out once."""

    def __init__(self, engine: Engine, stack: Stack, queue_url: str, events_url: str) -> None:
        """Only what happens from now on comes out: of the logs, and of what is not in the queues yet."""
        # One try and a short one: nothing is lost by a poll that fails, and Ctrl-C waits for it.
        patience = {"read_timeout": 5, "retries": {"total_max_attempts": 1}}
        self._logs = engine.client("logs", **patience)
        self._sqs = engine.client("sqs", **patience)
        functions = [stack.conflict_detector, stack.reminder_sender, stack.reminder_sweep]
        functions += [stack.event_relay, stack.webhook_sender, stack.reach_feedback, stack.notice_sender]
        self._groups = [f"/aws/lambda/{name}" for name in functions]
        self._queues = {queue_url: delivered, events_url: happened}
        self._mailbox = Mailbox(engine.mail)
        self._posted = set(self._mailbox.names())
        now = int(time.time() * 1000)
        self._since = dict.fromkeys(self._groups, now)
        self._begin = now
        self._seen: dict[str, set[tuple[str, int, str]]] = {group: set() for group in self._groups}

    def poll(self) -> list[Line]:
        """What has happened since the last call, in order. What the engine cannot answer now comes later."""
        lines: list[Line] = []
        try:
            for group in self._groups:
                lines += self._logged(group)
            for url, line in self._queues.items():
                # What a clinic was filled with is told late. The times of events are in whole seconds.
                lines += [one for one in map(line, self._received(url)) if one.at >= self._begin // 1000]
            fresh = [name for name in self._mailbox.names() if name not in self._posted]
            self._posted.update(fresh)
            lines += [posted(message) for name in fresh if (message := self._mailbox.message(name))]
        except (BotoCoreError, ClientError):
            pass  # the engine is busy or stopping: the next poll reads the same lines again
        return sorted(lines, key=lambda line: line.at)

    def _logged(self, group: str) -> Iterator[Line]:
        """New outcomes in a log group. The engine gives no paging token, so the start moves and overlaps."""
        seen = self._seen[group]
        fresh: set[tuple[str, int, str]] = set()
        while True:
            since = self._since[group]
            found = self._logs.filter_log_events(logGroupName=group, startTime=since, limit=PAGE)["events"]
            for event in found:
                key = (event["logStreamName"], event["timestamp"], event["message"])
                fresh.add(key)
                if key not in seen:
                    seen.add(key)
                    line = self._line(event)
                    if line is not None:
                        yield line
            if found:
                newest = found[-1]["timestamp"]
                self._since[group] = newest if len(found) == PAGE else max(since, newest - OVERLAP_MS, self._begin)
            if len(found) < PAGE or self._since[group] == since:
                break
        floor = self._since[group]
        self._seen[group] = {key for key in seen if key[1] >= floor}

    @staticmethod
    def _line(event: Mapping[str, Any]) -> Line | None:
        try:
            fields = json.loads(event["message"])
        except ValueError:
            return None
        outcome = told(fields) if isinstance(fields, dict) else None
        if outcome is None:
            return None
        label, text, colour = outcome
        # The engine stores the lines of one invocation under one time; their own tells their order.
        return Line(fields["event_type"], seconds(fields.get("timestamp")), label, text, colour, fields)

    def _received(self, url: str) -> Iterator[Any]:
        for _ in range(MOST_BATCHES):
            messages = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=BATCH).get("Messages", [])
            for message in messages:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])
            if len(messages) < BATCH:
                return


class Screen:
    """Prints lines, in colour only where a terminal shows them."""

    def __init__(self, out: TextIO) -> None:
        """``NO_COLOR`` is honoured."""
        self._out = out
        self._terminal = out.isatty()
        self._colour = self._terminal and "NO_COLOR" not in os.environ

    def say(self, text: str = "") -> None:
        """A plain line. Where nobody can read it any more, it asks this program to stop."""
        try:
            print(text, file=self._out, flush=True)
        except OSError:
            ask_to_stop()

    def dim(self, text: str) -> None:
        """A line of lesser weight."""
        self.say(self._painted(text, DIM))

    def show(self, line: Line) -> None:
        """An outcome."""
        at = datetime.fromtimestamp(line.at).astimezone()
        # Text comes from requests: a control character could rewrite the terminal.
        text = "".join(character if character.isprintable() else "·" for character in line.text)
        text = self._folded(text, INDENT)
        self.say(f"{self._painted(f'{at:%H:%M:%S}', DIM)}  {self._painted(f'{line.label:<18}', line.colour)}  {text}")

    def _folded(self, text: str, indent: int) -> str:
        """The text in lines that fit the terminal beside what stands left of it."""
        room = shutil.get_terminal_size().columns - indent if self._terminal else 0
        lines = textwrap.wrap(text, room, break_on_hyphens=False) if room > SHORTEST else [text]
        return f"\n{' ' * indent}".join(lines)

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text
