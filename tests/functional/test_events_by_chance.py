"""Random calls, told by the relay as streams may give them, against a model that knows only the answers."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.storage.dynamodb import Database
from appointments.storage.history import History
from conflict_detector.access import Access, Auth
from contract import closed, contract, validator
from event_relay.relay import Relay
from reaching.refusals import NotSentError
from relaying import Relaying
from services import step
from support import api_event
from world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appointments.events import Event

    Body = dict[str, Any]

CALENDARS = ("dr-lee", "dr-kim", "room-1", "room-2")
PEOPLE = ("anna", "ben", "carla")
CALLERS = (None, "arn:aws:iam::123456789012:role/desk", "arn:aws:iam::123456789012:user/shop")
STATUSES = ("scheduled", "arrived", "completed", "no_show", "cancelled", "declined")
# What is mostly asked for, so that not all is refused.
NEXT = {
    "held": ("scheduled",),
    "requested": ("scheduled", "scheduled", "declined"),
    "scheduled": ("arrived", "completed", "no_show"),
    "arrived": ("scheduled", "completed"),
}
UNTOLD = ("appointmentId", "version", "createdAt", "updatedAt", "seatsLeft")
CALLS = 60
# Together they have every type of event.
SEEDS = (0, 4, 6, 8, 12)


def kind_of(before: Body | None, after: Body) -> str:
    """The type of the event of a change, by what docs/events.md says of each."""
    was, now = before and before["status"], after["status"]
    if was != now:
        if now != "scheduled":
            return f"appointment.{now}"
        if was in (None, "held"):
            return "appointment.booked"
        if was == "requested":
            return "appointment.approved"
    assert before is not None
    places = [(one["startTime"], one["endTime"], {one["userId"], *one["resourceIds"]}) for one in (before, after)]
    if places[0] != places[1]:
        return "appointment.moved"
    if after.get("confirmedAt") and not before.get("confirmedAt"):
        return "appointment.confirmed"
    return "appointment.changed"


class Model:
    """What must be told, from the answers of the API before and after each call."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.bodies: dict[str, Body] = {}
        self.asked: dict[str, list[str]] = {}
        # The same with the reminders that are asked for in place of those that are answered.
        self.told: dict[str, Body] = {}
        self.history: dict[str, list[Body]] = defaultdict(list)
        self.events: dict[str, Body] = {}
        self.settings: dict[tuple[str, str], Body] = {}
        self.open = world.api_for(Access(Auth.NONE))
        self.signed = world.api_for(Access(Auth.IAM))

    def get(self, path: str) -> Body | None:
        response = self.open.handle(api_event("GET", path))
        return dict(json.loads(response["body"])) if response["statusCode"] == 200 else None

    def call(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        """One call by somebody, and what it changed."""
        by = self.rng.choice(CALLERS)
        self.world.api = self.signed if by else self.open
        if by:
            more["requestContext"] = api_event(method, path)["requestContext"] | {"identity": {"userArn": by}}
        status, _, answer = self.world.request(method, path, body, **more)
        targets = set()
        if method == "POST" and status == 201 and isinstance(body, dict):
            targets = {answer["appointmentId"]}
            # Only reminders that are still ahead are answered, but all that were asked for are told.
            self.asked.setdefault(answer["appointmentId"], body.get("reminders", ["24h", "1h"]))
        elif path.startswith("/appointments/"):
            targets = {path.split("/")[2]}
            if status == 200 and isinstance(body, dict) and "reminders" in body:
                self.asked[path.split("/")[2]] = body["reminders"]
        if status < 300 and path.startswith(("/calendars/", "/services/")):
            self.configured(path, by or "system")
        self.look(by or "system", targets)
        return status, answer

    def look(self, by: str, targets: set[str]) -> None:
        """See what became of every appointment. What nobody named was changed by the system."""
        for id_ in [*self.bodies, *(targets - self.bodies.keys())]:
            before, after = self.bodies.get(id_), self.get(f"/appointments/{id_}")
            if after is None:
                continue  # a dry run, or it was never booked
            self.bodies[id_] = after
            if before:
                self.reminded(before, after)
            told = shown(after) | {"details": after["details"], "reminders": list(self.asked[id_])}
            was, self.told[id_] = self.told.get(id_), told
            if was and was["version"] == after["version"]:
                assert was == told
                continue
            assert after["version"] == (was["version"] if was else 0) + 1
            entry = {
                "version": after["version"],
                "at": after["updatedAt"],
                "by": by if id_ in targets else "system",
                "type": kind_of(before, after),
                "changes": differences(was, told),
            }
            self.history[id_].append(entry)
            self.events[version_id(id_, after)] = entry | {"appointment": shown(after)}

    def reminded(self, before: Body, after: Body) -> None:
        """Reminders that were settled."""
        was = {(one["offset"], one["dueAt"]): one for one in before["reminders"]}
        for one in after["reminders"]:
            old = was.get((one["offset"], one["dueAt"]))
            if old and old["state"] != one["state"] and one["state"] in ("sent", "missed"):
                id_ = f"{after['appointmentId']}.{one['offset']}.{one['dueAt']}.{one['state']}"
                self.events[id_] = {"type": f"reminder.{one['state']}", "by": "system", "reminder": one}

    def configured(self, path: str, by: str) -> None:
        kind, name = path.split("/")[1][:-1], path.split("/")[2]
        stored = self.world.items("CalendarsTable")
        key = ("services#", name) if kind == "service" else (name, "settings")
        (item,) = [one for one in stored if (one["calendarId"]["S"], one["day"]["S"]) == key]
        version = int(item["version"]["N"])
        id_ = version_id(f"{kind}.{name}", {"version": version, "updatedAt": item["updatedAt"]["S"]})
        if id_ in self.events:
            return
        before = self.settings.get((kind, name))
        shown_now = self.get(path)
        after = shown_now or {**(before or {}), "deletedAt": item["deletedAt"]["S"]}
        after |= {"version": version, "updatedAt": item["updatedAt"]["S"]}
        self.settings[kind, name] = after
        changes = differences(before, after, (f"{kind}Id",))
        self.events[id_] = {"type": f"{kind}.configured", "by": by, "version": version, "changes": changes, kind: after}


def version_id(of: str, body: Body) -> str:
    return f"{of}.{body['version']}.{int(datetime.fromisoformat(body['updatedAt']).timestamp())}"


def shown(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in ("details", "seatsLeft")}


def differences(before: Body | None, after: Body, beside: tuple[str, ...] = ()) -> Body:
    was, now = before or {}, after
    found: Body = {}
    for name in {*was, *now} - {*UNTOLD, *beside}:
        if was.get(name) == now.get(name):
            continue
        if name != "details":
            found[name] = {"from": was.get(name), "to": now.get(name)}
        elif was.get(name) or now.get(name):
            found[name] = {}
    return found


class Day:
    """A day of random calls."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.model = Model(world, rng)
        self.sessions: list[str] = []
        self.keys: dict[str, Body] = {}

    def times(self) -> Body:
        hour, minute = self.rng.randrange(8, 18), self.rng.choice((0, 30))
        start = datetime.fromisoformat(f"2030-01-{self.rng.choice((15, 16))}T{hour:02}:{minute:02}:00+00:00")
        end = start + timedelta(minutes=self.rng.choice((30, 60)))
        return {"startTime": start.isoformat(), "endTime": end.isoformat()}

    def details(self) -> Body:
        return {"title": f"SECRET {self.rng.random()}"} if self.rng.random() < 0.7 else {}

    def reminders(self) -> list[str]:
        return self.rng.sample(["1h", "2h", "24h"], self.rng.randrange(3))

    def wanted(self) -> Body:
        rng = self.rng
        body: Body = {"userId": rng.choice(PEOPLE), "reminders": self.reminders()} | self.times()
        if rng.random() < 0.5:
            body["resourceIds"] = rng.sample(CALENDARS, rng.randrange(1, 3))
            if rng.random() < 0.2:
                body["seats"] = 2
        elif rng.random() < 0.3:
            body["anyOf"] = list(CALENDARS)
        beside: list[tuple[float, Body]] = [
            (0.5, {"details": self.details()}),
            (0.2, {"timeZone": "Europe/Berlin"}),
            (0.25, {"hold": {"minutes": rng.randrange(1, 60)}}),
            (0.15, {"session": {"seats": rng.randrange(1, 4)}}),
        ]
        for chance, part in beside:
            if rng.random() < chance:
                body |= part
        return body

    def book(self) -> None:
        body = self.wanted()
        more: Body = {}
        if self.rng.random() < 0.2:
            key = self.rng.choice(("one", "two"))
            body = self.keys.setdefault(key, body)
            more["headers"] = {"Idempotency-Key": key}
        if self.rng.random() < 0.1:
            more["queryStringParameters"] = {"dryRun": "true"}
        status, answer = self.model.call("POST", "/appointments", body, **more)
        if status == 201 and "session" in body:
            self.sessions.append(answer["appointmentId"])

    def book_service(self) -> None:
        body = {"userId": self.rng.choice(PEOPLE), "serviceId": "check-up", "startTime": self.times()["startTime"]}
        self.model.call("POST", "/appointments", body | {"reminders": self.reminders()})

    def join(self) -> None:
        if self.sessions:
            body = {"userId": self.rng.choice(PEOPLE), "sessionId": self.rng.choice(self.sessions)}
            self.model.call("POST", "/appointments", body | {"reminders": self.reminders()})

    def change(self) -> None:
        rng = self.rng
        if not self.model.bodies:
            return
        id_ = rng.choice(list(self.model.bodies))
        parts: list[Callable[[], Body]] = [
            lambda: {"startTime": self.times()["startTime"]},
            self.times,
            lambda: {"resourceIds": rng.sample(CALENDARS, rng.randrange(3))},
            lambda: {"resourceIds": self.model.bodies[id_]["resourceIds"][::-1]},
            lambda: {"details": self.details()},
            lambda: {"reminders": self.reminders()},
            lambda: {"confirmed": rng.random() < 0.8},
            lambda: {"timeZone": rng.choice(("Europe/Berlin", "America/New_York"))},
            lambda: {"seats": rng.randrange(1, 3)},
            lambda: {"session": {"seats": rng.randrange(1, 5)}},
        ]
        body: Body = {}
        if rng.random() < 0.4:
            likely = NEXT.get(self.model.bodies[id_]["status"], STATUSES)
            body["status"] = rng.choice(likely if rng.random() < 0.8 else STATUSES)
        for part in rng.choices(parts, k=1 if not body else rng.choice((0, 0, 1))):
            body |= part()
        more: Body = {"headers": {"X-Acting-For": "anna"}} if rng.random() < 0.1 else {}
        self.model.call("PATCH", f"/appointments/{id_}", body, **more)

    def cancel(self) -> None:
        among = self.sessions if self.rng.random() < 0.5 else list(self.model.bodies)
        if among:
            self.model.call("DELETE", f"/appointments/{self.rng.choice(among)}")

    def configure(self) -> None:
        rng = self.rng
        body = rng.choice(({}, {"approval": True}, {"capacity": rng.randrange(1, 4)}, {"bufferMinutes": {"after": 5}}))
        self.model.call("PUT", f"/calendars/{rng.choice(CALENDARS)}", body)

    def configure_service(self) -> None:
        if self.rng.random() < 0.3:
            self.model.call("DELETE", "/services/check-up")
            return
        pools = [list(CALENDARS[2:])] if self.rng.random() < 0.5 else None
        body: Body = {"steps": [step(30, "dr-lee", pools=pools)], "approval": self.rng.random() < 0.3}
        self.model.call("PUT", "/services/check-up", body)

    def wait(self) -> None:
        """Time passes, and the sweep sends, expires and notices whatever is due."""
        self.world.now += timedelta(minutes=self.rng.choice((1, 20, 120, 600)))
        self.world.sweep()
        self.model.look("system", set())

    def come_near(self) -> None:
        self.world.now = max(self.world.now, datetime.fromisoformat("2030-01-15T07:30:00+00:00"))
        self.wait()

    def fire(self) -> None:
        """A timer fires, and what it sends may fail once."""
        due = [
            (body, one)
            for body in self.model.bodies.values()
            for one in body["reminders"]
            if one["state"] == "pending" and body["status"] == "scheduled"
        ]
        if not due:
            return
        body, one = self.rng.choice(due)
        if self.rng.random() < 0.3:
            with self.world.failing("Publish"), suppress(NotSentError):
                self.world.fire(body, one["offset"])
            self.model.look("system", set())
            now = self.model.bodies[body["appointmentId"]]
            tried = next(r for r in now["reminders"] if r["offset"] == one["offset"])
            if tried["attempts"] > one["attempts"] and tried["state"] == "pending":
                id_ = f"{now['appointmentId']}.{one['offset']}.{one['dueAt']}.failed.{tried['attempts']}"
                self.model.events[id_] = {"type": "reminder.failed", "by": "system", "reminder": tried}
        else:
            self.world.fire(body, one["offset"])
            self.model.look("system", set())

    def run(self) -> None:
        often = [self.book] * 6 + [self.change] * 8 + [self.join] * 4 + [self.book_service] * 2
        seldom = [self.cancel, self.configure, self.configure_service, self.wait, self.fire, self.fire]
        for number in range(CALLS):
            self.rng.choice(often + seldom)()
            if number == CALLS * 2 // 3:
                self.come_near()


class Ears:
    """Who hears of events; some do not get through."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.heard: dict[str, Body] = {}

    def send(self, events: Sequence[Event]) -> set[str]:
        left = {event.event_id for event in events if self.rng.random() < 0.1}
        for event in events:
            if event.event_id not in left:
                detail = json.loads(json.dumps(event.detail))
                assert self.heard.setdefault(event.event_id, detail) == detail
                assert (event.event_id, event.type) == (detail["eventId"], detail["type"])
        return left


def shuffled(records: list[Body], rng: random.Random) -> list[Body]:
    """Records of several shards: those of one item stay in their order, and nothing else does."""
    by_key: dict[str, list[Body]] = defaultdict(list)
    for record in records:
        by_key[json.dumps(record["dynamodb"]["Keys"], sort_keys=True)].append(record)
    order = [key for key, found in by_key.items() for _ in found]
    rng.shuffle(order)
    waiting = {key: iter(found) for key, found in by_key.items()}
    return [next(waiting[key]) for key in order]


def relayed(relay: Relay, records: list[Body], rng: random.Random) -> None:
    """As Lambda does: batch after batch, from the record on that failed, and now and then one once more."""
    position = 0
    while position < len(records):
        batch = records[position : position + rng.randrange(1, 30)]
        failed = relay.relay(json.loads(json.dumps(batch)))
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        if failed is not None:
            position += numbers.index(failed)
        elif rng.random() < 0.8:
            position += len(batch)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_told_is_what_the_api_answered(world: World, seed: int) -> None:
    rng = random.Random(seed)
    relaying = Relaying(world)
    day = Day(world, rng)
    day.run()
    ears = Ears(rng)
    relay = Relay(History(Database(world.dynamodb), "CalendarsTable"), [ears], relaying.failures)
    relayed(relay, shuffled(relaying.records(), rng), rng)
    expected = day.model.events
    assert ears.heard.keys() == expected.keys()
    webhooks = contract()["webhooks"]
    for id_, event in ears.heard.items():
        told = {("at" if name == "time" else name): value for name, value in event.items()}
        assert {name: told[name] for name in expected[id_]} == expected[id_]
        schema = webhooks[event["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        message = {"type": event["type"], "timestamp": event["time"], "data": event}
        validator(schema, closed()).validate(message)
    assert "SECRET" not in json.dumps(ears.heard)
    for id_, entries in day.model.history.items():
        answer = day.model.get(f"/appointments/{id_}/history")
        assert answer == {"history": entries}
