"""After a government changed a zone's rules: `make retime ZONE=America/New_York STACK=appointments-prod`.

Appointments that were given in local time keep their time on the wall: each that lies ahead is placed anew with the
current time-zone data, by the same change that a person would ask for. What then meets another appointment, or a
rule of a calendar, stays where it is and is reported, for people to decide. Running this twice moves nothing twice.
Appointments that were given by another name of the zone are meant too: `US/Eastern` is `America/New_York`.

A reminder of days before may be due at another instant though its appointment is not: the day before has other rules.
Those that wait are placed anew as well; one that would be due already by the present rules stays as it was.

Whatever takes time is meant: holds, requests and those who have arrived too. Blocks do not keep their time on the wall,
so they stay where they are and are listed.

Deploy first, with the new time-zone data (`tzdata` in src/requirements.in, then `make lock`): what is booked from then
on lies right, and this command takes care of what was booked before.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from appointments.errors import PreconditionFailedError, RefusalError
from appointments.model import SYSTEM, Interval
from appointments.reminders import ReminderState, due_at
from appointments.storage.dynamodb import busy_where_crowded
from appointments.telemetry import log_arming, logger
from appointments.times import InvalidTimeError, load_zone, parse_time, to_utc_text, to_wall_text
from conflict_detector import booking
from conflict_detector.access import Access, Auth
from conflict_detector.app import api_of
from conflict_detector.settings import Settings
from ops.stack import NoStackError, Stack
from ops.terminal import BROKEN_OFF, working

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.blocks import Block
    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from conflict_detector.api import Api


@dataclass(frozen=True)
class Move:
    """An appointment that lies elsewhere by the zone's present rules."""

    appointment: Appointment
    to: Interval

    def __str__(self) -> str:
        at, wall = self.appointment.interval.start, self.appointment.wall
        return (
            f"{self.appointment.appointment_id}: {wall.start if wall else ''} was {to_utc_text(at)}, "
            f"is {to_utc_text(self.to.start)}"
        )


@dataclass
class Report:
    """What moved, and what did not with the reason why not."""

    unchanged: int = 0
    # Those that lie right already, and had reminders that did not.
    replanned: int = 0
    moved: list[Move] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    # They may have been given in local time, which nothing of them tells any more.
    blocks: list[Block] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{len(self.moved)} moved, {len(self.refused)} not moved, {self.unchanged} lie right already"
        text += f", {self.replanned} with other times of reminders" if self.replanned else ""
        if not self.blocks:
            return text
        return (
            f"{text}\nBlocks of this zone, which stay where they are: {len(self.blocks)}. "
            "A block does not keep its local time. Compare each with what was meant; remove it and place it "
            "again if it lies wrong."
        )


def same_zone(zone_name: str) -> list[str]:
    """Every name of a zone, by the links of the time-zone data: `US/Eastern` and `America/New_York`.

    Raises InvalidTimeError for a name that the data does not know.
    """
    load_zone(zone_name)
    lines = resources.files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text().splitlines()
    links = {alias: target for kind, target, alias in (line.split() for line in lines if line.startswith("L "))}

    def root(name: str) -> str:
        while name in links:
            name = links[name]
        return name

    return sorted({name for name in (*links, *links.values(), zone_name) if root(name) == root(zone_name)})


def retime(api: Api, zone_name: str, report: Report | None = None) -> Report:
    """Place every coming appointment of a zone that was given in local time anew, and say what becomes of each.

    ``report`` is filled on the way, for whoever is there to tell when this is broken off.
    """
    report, moves = Report() if report is None else report, []
    for appointment in api.storage.appointments.given_in_local_time(same_zone(zone_name), api.clock()):
        try:
            placed = _placed(appointment)
        except InvalidTimeError as exc:  # a clock change now skips or repeats it
            _refuse(report, f"{appointment.appointment_id}: {exc}")
            continue
        # A move to another start places the reminders too.
        same_start = placed.start == appointment.interval.start
        current = _with_reminders_placed(api, appointment, report) if same_start else appointment
        if current and placed != current.interval:
            moves.append(Move(current, placed))
        elif current is appointment:
            report.unchanged += 1
    _move_all(api, moves, report)
    for block in api.storage.blocks.given_with_zone(same_zone(zone_name), api.clock()):
        report.blocks.append(block)
        print(f"block      {_shown(block)}", flush=True)
    return report


def _move_all(api: Api, moves: Sequence[Move], report: Report) -> None:
    # Neighbours move together, so whoever goes first must have room: to a later time the last one, to an earlier
    # time the first one. What is refused all the same is tried again once others have gone.
    waiting = sorted(moves, key=_room_first)
    while waiting:
        refused = []
        for move in waiting:
            problem = _move(api, move)
            if problem is None:
                report.moved.append(move)
                print(f"moved      {move}", flush=True)
            else:
                refused.append((move, problem))
        if len(refused) == len(waiting):
            for move, problem in refused:
                _refuse(report, f"{move}: {problem}")
            break
        waiting = [move for move, _ in refused]


def _shown(block: Block) -> str:
    """A block with its times, also as the clock on the wall shows them by the present rules."""
    assert block.time_zone is not None  # noqa: S101 - the table was asked for these
    zone = load_zone(block.time_zone)
    utc, wall = (
        " to ".join(texts)
        for texts in zip(*((to_utc_text(at), to_wall_text(at, zone)) for at in block.interval), strict=True)
    )
    return f"{block.appointment_id} of {block.user_id}: {utc}, on the wall {wall}"


def _refuse(report: Report, line: str) -> None:
    report.refused.append(line)
    print(f"not moved  {line}", flush=True)


def _placed(appointment: Appointment) -> Interval:
    assert appointment.wall is not None  # noqa: S101 - the table was asked for these
    assert appointment.time_zone is not None  # noqa: S101 - as above
    zone, wall = load_zone(appointment.time_zone), appointment.wall
    if tuple(to_wall_text(moment, zone) for moment in appointment.interval) == wall:
        return appointment.interval  # also where the clock shows one of the two twice
    return Interval(parse_time(wall.start, zone), parse_time(wall.end, zone, exact=False))


def _with_reminders_placed(api: Api, appointment: Appointment, report: Report) -> Appointment | None:
    """The appointment, its reminders due by the zone's present rules; None where it cannot be changed now."""
    now = api.clock()
    reminders = _due_by_now(appointment, now)
    if reminders == appointment.reminders:
        return appointment

    def updated(before: Appointment) -> Appointment:
        if before.version != appointment.version:
            raise PreconditionFailedError(before.version)
        placed = _due_by_now(before, now)  # one may be in a sender's hands by now
        return replace(before, reminders=placed, version=before.version + 1, updated_at=now, by=SYSTEM)

    try:
        with busy_where_crowded():
            _, after = booking.change(appointment.appointment_id, updated, api.storage, now)
    except RefusalError as exc:  # changed or removed meanwhile, or the table is too busy: the next run finds it
        _refuse(report, f"{appointment.appointment_id}: its reminders, {type(exc).__name__}")
        return None
    for outcome in api.timers.arm(after, now):
        log_arming(outcome, api.timers.backend)
    report.replanned += 1
    print(f"reminders  {after.appointment_id}: {_dues(appointment)} was, {_dues(after)} is", flush=True)
    return after


def _due_by_now(appointment: Appointment, now: datetime) -> tuple[Reminder, ...]:
    """The reminders with those placed anew that wait. What was due, or would be, is the sender's and the sweep's."""

    def placed(reminder: Reminder) -> Reminder:
        if reminder.state is not ReminderState.PENDING:
            return reminder
        due = due_at(appointment.interval.start, reminder.offset, appointment.time_zone, appointment.quiet)
        return replace(reminder, due_at=due) if min(due, reminder.due_at) > now else reminder

    return tuple(sorted(map(placed, appointment.reminders), key=lambda one: one.due_at))


def _dues(appointment: Appointment) -> str:
    return ", ".join(f"{one.offset} {to_utc_text(one.due_at)}" for one in appointment.reminders if one.is_open)


def _room_first(move: Move) -> tuple[bool, float]:
    start = move.appointment.interval.start
    later = move.to.start > start
    return later, -start.timestamp() if later else start.timestamp()


def _move(api: Api, move: Move) -> str | None:
    """Ask for the change as its owner would, naming the local time. Returns the problem if there is one."""
    appointment, wall = move.appointment, move.appointment.wall
    assert wall is not None  # noqa: S101 - as above
    answer = api.handle(
        {
            "httpMethod": "PATCH",
            "path": f"/appointments/{appointment.appointment_id}",
            "headers": {"If-Match": f'"{appointment.version}"'},
            "requestContext": {"requestId": str(uuid.uuid4())},
            "body": json.dumps({"startTime": wall.start, "endTime": wall.end}),
        }
    )
    if answer["statusCode"] == 200:
        return None
    return _told(json.loads(answer["body"]))


def _told(problem: dict[str, Any]) -> str:
    faults = [f"{fault['field']} {fault['message']}" for fault in problem.get("errors", ())]
    conflicts = [f"{c['calendarId']} is taken from {c['startTime']}" for c in problem.get("conflicts", ())]
    return "; ".join(faults + conflicts) or str(problem["detail"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where everything lies right now, 1 where people have to decide something."""
    parser = argparse.ArgumentParser(description="Place appointments given in local time by a zone's present rules.")
    parser.add_argument("zone", help="IANA name of the zone, such as America/New_York")
    parser.add_argument("stack", nargs="?", help="name of the stack; without one that of `make run`")
    asked = parser.parse_args(arguments)
    logger.setLevel("ERROR")
    report = Report()
    try:
        settings = Settings.from_env(Stack.find(asked.stack).environment("ConflictDetectorFunction"))
        # Whoever may run this has been let in by IAM, and acts for everyone.
        api = replace(api_of(settings), access=Access(Auth.NONE), clock=lambda: datetime.now(UTC))
        print(f"appointments of {', '.join(same_zone(asked.zone))}", flush=True)
        with working("reading and moving"):
            retime(api, asked.zone, report)
    except InvalidTimeError as problem:
        print(f"retime: ZONE={asked.zone} {problem}", file=sys.stderr)
        return 2
    except (NoStackError, BotoCoreError, ClientError) as problem:
        print(f"retime: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("retime: broken off; run it again for the rest", file=sys.stderr)
        return BROKEN_OFF
    finally:
        print(report)
    return 1 if report.refused or report.blocks else 0


if __name__ == "__main__":
    sys.exit(main())
