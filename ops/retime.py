"""After a government changed a zone's rules: `make retime ZONE=America/New_York STACK=appointments-prod`.

Appointments that were given in local time keep their time on the wall: each that lies ahead is placed anew with the
current time-zone data, by the same change that a person would ask for. What then meets another appointment, or a
rule of a calendar, stays where it is and is reported, for people to decide. Running this twice moves nothing twice.

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
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from appointments.model import Interval
from appointments.telemetry import logger
from appointments.times import InvalidTimeError, load_zone, parse_time, to_utc_text
from conflict_detector.access import Access, Auth
from conflict_detector.app import Api, api_of
from conflict_detector.settings import Settings
from ops.stack import NoStackError, Stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from appointments.model import Appointment


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
    moved: list[Move] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def retime(api: Api, zone_name: str) -> Report:
    """Place every coming appointment of a zone that was given in local time anew."""
    zone, report, moves = load_zone(zone_name), Report(), []
    for appointment in api.storage.appointments.given_in_local_time(zone_name, api.clock()):
        try:
            placed = _placed(appointment, zone)
        except InvalidTimeError as exc:  # a clock change now skips or repeats it
            report.refused.append(f"{appointment.appointment_id}: {exc}")
            continue
        if placed == appointment.interval:
            report.unchanged += 1
        else:
            moves.append(Move(appointment, placed))
    # Neighbours move together, so whoever goes first must have room: to a later time the last one, to an earlier
    # time the first one. What is refused all the same is tried again once others have gone.
    waiting = sorted(moves, key=_room_first)
    while waiting:
        refused = [(move, problem) for move in waiting if (problem := _move(api, move)) is not None]
        still = [move for move, _ in refused]
        report.moved += [move for move in waiting if move not in still]
        if len(still) == len(waiting):
            report.refused += [f"{move}: {problem}" for move, problem in refused]
            break
        waiting = still
    return report


def _placed(appointment: Appointment, zone: ZoneInfo) -> Interval:
    assert appointment.wall is not None  # noqa: S101 - the table was asked for these
    return Interval(*(parse_time(text, zone) for text in appointment.wall))


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


def show(report: Report) -> None:
    """One line for each appointment that moved, or should have, and the numbers."""
    for title, lines in (("moved", [str(move) for move in report.moved]), ("not moved", report.refused)):
        for line in lines:
            print(f"{title:<10} {line}")
    print(f"{len(report.moved)} moved, {len(report.refused)} not moved, {report.unchanged} lie right already")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where everything lies right now, 1 where people have to decide something."""
    parser = argparse.ArgumentParser(description="Place appointments given in local time by a zone's present rules.")
    parser.add_argument("zone", help="IANA name of the zone, such as America/New_York")
    parser.add_argument("stack", nargs="?", help="name of the stack; without one that of `make run`")
    asked = parser.parse_args(arguments)
    logger.setLevel("ERROR")
    try:
        settings = Settings.from_env(Stack.find(asked.stack).environment("ConflictDetectorFunction"))
        # Whoever may run this has been let in by IAM, and acts for everyone.
        api = replace(api_of(settings), access=Access(Auth.NONE), clock=lambda: datetime.now(UTC))
        report = retime(api, asked.zone)
    except (InvalidTimeError, NoStackError, BotoCoreError, ClientError) as problem:
        print(f"retime: {problem}", file=sys.stderr)
        return 2
    show(report)
    return 1 if report.refused else 0


if __name__ == "__main__":
    sys.exit(main())
