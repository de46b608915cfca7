"""`make seed`: fills the stack of `make run` with a made-up clinic, by the API's own code, whose clock is set back.

The API takes no booking of what has begun, so its code runs here over the tables of the stack: what was yesterday is
booked and completed when it was. Everything has an `Idempotency-Key`: a second run adds what is missing, and changes
nothing that somebody has changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError, clinic
from local.engine import Engine
from local.places import LOCAL, ROOT
from local.waiting import Heartbeat, Say, Stopped, heed, stop_on_signals

if TYPE_CHECKING:
    from conflict_detector.api import Api

# The days around today that are filled: some 360 appointments.
DAYS = range(-1, 5)
# What an appointment of one's own, or a key that was used for another body, is answered with.
NOT_NEW = (409, 422)

Ask = Callable[..., tuple[int, Any]]


def seed(engine: Engine, appointments_table: str, calendars_table: str, say: Say) -> None:
    """Fill the tables of a stack, and say so."""
    say("filling a clinic with calendars, services and appointments")
    count = fill(api_over(engine, appointments_table, calendars_table), datetime.now(UTC), say)
    calendars = len(clinic.STAFF) + len(clinic.ROOMS)
    say(f"  {calendars} calendars, {len(clinic.SERVICES)} services, {count} appointments around today")


def api_over(engine: Engine, appointments_table: str, calendars_table: str) -> Api:
    """The API over two tables, in this process. Nobody is reminded, so it makes no timers."""
    sys.path.append(str(ROOT / "src"))
    from appointments.storage.store import Storage  # noqa: PLC0415 - found by the line above
    from appointments.timers import ReminderTimers  # noqa: PLC0415
    from conflict_detector.access import Access, Auth  # noqa: PLC0415
    from conflict_detector.api import Api  # noqa: PLC0415

    def no_timers() -> NoReturn:
        raise LocalError("The clinic has no reminders")

    storage = Storage.of(engine.client("dynamodb"), appointments_table, calendars_table)
    return Api(storage, ReminderTimers(no_timers, no_timers, no_timers), Access(Auth.NONE))


def fill(api: Api, now: datetime, say: Say, days: Iterable[int] = DAYS) -> int:
    """Make the clinic and what happens in it around today. Returns how many appointments there are of it."""
    today = now.astimezone(clinic.ZONE).date()
    ask = asking(api)
    heartbeat = Heartbeat(say, "booking")
    count = 0
    with silence():
        configure(ask, now)
        for day in (today + timedelta(days=number) for number in days):
            block(ask, clinic.pause(day))
            for visit in clinic.visits(day):
                heed()
                heartbeat.beat()
                count += book(ask, visit, now)
        return count + sum(ask_for(ask, now, *one) for one in ((158, "check-up", True), (159, "heart", False)))


@contextmanager
def silence() -> Iterator[None]:
    """Without the API's log lines, which are for the metrics of a stack."""
    from appointments.telemetry import logger  # noqa: PLC0415 - of the API

    level = logger.log_level
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)


def asking(api: Api) -> Ask:
    """Send the API requests at a moment: status and body of its answer."""

    def ask(at: datetime, method: str, path: str, body: Any = None, key: str = "", **query: str) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        event = {"httpMethod": method, "path": path, "headers": headers, "queryStringParameters": query}
        answer = replace(api, clock=lambda: at).handle(event | {"body": None if body is None else json.dumps(body)})
        status = answer["statusCode"]
        if status >= 500:
            raise LocalError(f"{method} {path} was answered with {status}: {answer['body']}")
        return status, json.loads(answer["body"])

    return ask


def configure(ask: Ask, now: datetime) -> None:
    """Settings of calendars and services that nobody has configured yet."""
    for calendar_id in (*clinic.STAFF, *clinic.ROOMS):
        path = f"/calendars/{calendar_id}"
        if ask(now, "GET", path)[1]["version"] == 0:
            insist(200, ask(now, "PUT", path, clinic.calendar(calendar_id)))
            if calendar_id in clinic.STAFF:
                contact = {"name": clinic.STAFF[calendar_id][0], "email": f"{calendar_id}@example.com", "channels": []}
                insist(200, ask(now, "PUT", f"{path}/contact", contact))
    for service_id, settings in clinic.SERVICES.items():
        path = f"/services/{service_id}"
        if ask(now, "GET", path)[0] == 404:
            insist(200, ask(now, "PUT", path, settings))


def block(ask: Ask, pause: clinic.Pause) -> None:
    """Block time, the day before."""
    body = {"startTime": pause.start.isoformat(), "endTime": pause.end.isoformat(), "reason": pause.reason}
    key = f"clinic {pause.start.isoformat()}"
    insist(201, ask(pause.start - timedelta(days=1), "POST", f"/calendars/{pause.calendar}/blocks", body, key))


def book(ask: Ask, visit: clinic.Visit, now: datetime) -> bool:
    """Book a visit some days before it, and say what became of it, unless somebody has. True if it is there."""
    booked_at = min(now, visit.start - timedelta(days=1 + int(visit.chance * 9)))
    status, made = ask(booked_at, "POST", "/appointments", visit.booking(), visit.key)
    if status in NOT_NEW:
        return False
    insist(201, (status, made))
    for at, change in clinic.becomes(visit, now) if made["version"] == 1 else []:
        insist(200, ask(at, "PATCH", f"/appointments/{made['appointmentId']}", change))
    return True


def ask_for(ask: Ask, now: datetime, patient: int, service_id: str, held: bool) -> bool:
    """Hold the next free time of a service, or ask for it; once a day. True if that was done."""
    span = {"from": now.isoformat(), "to": (now + timedelta(days=7)).isoformat()}
    _, free = ask(now, "GET", "/availability", serviceId=service_id, limit="1", **span)
    start = next((slot["startTime"] for slot in free["available"]), None)
    if start is None:
        return False
    body = {"userId": f"patient-{patient:03}", "serviceId": service_id, "startTime": start}
    body |= {"contact": clinic.contact(patient, []), "reminders": []}
    hold = {"hold": {"minutes": 60}} if held else {}
    status, _ = ask(
        now, "POST", "/appointments", body | hold, f"clinic {service_id} {now.astimezone(clinic.ZONE):%Y-%m-%d}"
    )
    return status == 201


def insist(expected: int, answer: tuple[int, Any]) -> None:
    """Raise LocalError if the API answered with something else."""
    status, body = answer
    if status != expected:
        raise LocalError(f"The API answered {status} in place of {expected}: {body}")


def running() -> dict[str, str]:
    """What `make run` says of its stack."""
    try:
        found: dict[str, str] = json.loads((LOCAL / "stack.json").read_text())
    except FileNotFoundError:
        raise LocalError("nothing runs here; start it in another terminal with: make run") from None
    return found


def main() -> int:
    """Fill the stack of `make run`, and turn what goes wrong into one sentence."""
    stop_on_signals()
    try:
        stack = running()
        engine = Engine(port=urlsplit(stack["engineUrl"]).port)
        seed(engine, stack["appointmentsTable"], stack["calendarsTable"], print)
    except Stopped:
        print("make seed: stopped before the end; a second run adds what is missing", file=sys.stderr)
        return 1
    except (LocalError, BotoCoreError, ClientError, OSError) as problem:
        print(f"make seed: {problem}", file=sys.stderr)
        return 1
    print(f"Look at it: {stack['apiUrl']}/desk")
    return 0


if __name__ == "__main__":
    sys.exit(main())
