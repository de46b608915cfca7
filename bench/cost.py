"""What the scheduler costs on AWS: dollars per million bookings, and per month at 3,500 and 1,000,000 a day.

    PYTHONPATH=src:. .venv/bin/python bench/cost.py           # or: make cost

Measured, on an engine of its own on 127.0.0.1: the AWS calls of each operation, the sizes of the items that they read
and write, the bytes that are logged, and the CPU time of the code. Computed from it: DynamoDB's units, by its rules,
and Lambda's duration, by the share of a core that its memory buys and by how long AWS's calls take. Everything that is
assumed stands below, in capitals. No free tier is taken into account.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from appointments.storage.history import HISTORY, History
from appointments.storage.webhooks import WebhookItems
from appointments.telemetry import logger
from appointments.webhook_queue import DeliveryQueue
from bench.units import read_units, size, write_units
from conflict_detector.access import Access, Auth, Caller
from event_relay.bus import Bus
from event_relay.failures import Failures
from event_relay.fan_out import FanOut
from event_relay.relay import Relay
from local import LocalError
from local.engine import Engine

sys.path.append("tests")
from support import resources, template
from world import NOW, World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# Dollars, list prices of us-east-1 as they were known on that day. Requests, durations, SNS, Scheduler, CloudWatch
# and web ACLs were compared with published copies of AWS's price pages and guides that quote them; provisioned
# capacity, storage, keys, people who sign in and data out were not. The pages lie under aws.amazon.com/SERVICE/pricing.
PRICES_OF = "us-east-1, 2026-11-24"
API_REQUEST = 3.50e-6
LAMBDA_REQUEST = 0.20e-6
LAMBDA_GB_SECOND = 0.0000133334  # arm64
WRITE_UNIT = 0.625e-6
READ_UNIT = 0.125e-6
WRITE_UNIT_HOUR = 0.00065
READ_UNIT_HOUR = 0.00013
TABLE_GB_MONTH = 0.25
RECOVERY_GB_MONTH = 0.20
SNS_REQUEST = 0.50e-6
SNS_EMAIL = 2.00e-5
SCHEDULER_INVOCATION = 1.00e-6  # rules on a schedule cost nothing
BUS_EVENT = 1.00e-6  # up to 64 KB; rules and deliveries within the account cost nothing
ARCHIVE_GB = 0.10
ARCHIVE_GB_MONTH = 0.023
LOG_GB = 0.50
PUT_METRIC_DATA = 1e-5
LOG_GB_MONTH = 0.03
METRIC_MONTH = 0.30
ALARM_METRIC_MONTH = 0.10
DASHBOARD_MONTH = 3.00
KEY_MONTH = 1.00
OUT_GB = 0.09
WEB_ACL_MONTH = 5.00
WEB_ACL_RULE_MONTH = 1.00
WEB_ACL_REQUEST = 0.60e-6
# Each person who signs in at least once in a month, by the user pool's tier.
PERSON_MONTH = {"LITE": 0.0055, "ESSENTIALS": 0.015, "PLUS": 0.02}

# Lambda gives a whole core at 1,769 MB. One core of this machine is taken to be as fast.
CORE_MB = 1769
# Milliseconds that a call waits for AWS, in the same region.
WAIT_MS = {"BatchGetItem": 5, "GetItem": 4, "Query": 6, "TransactWriteItems": 12, "UpdateItem": 6, "PutItem": 6}
WAIT_MS |= {"BatchWriteItem": 8, "PutEvents": 15}
WAIT_MS |= {"PutRule": 40, "PutTargets": 40, "RemoveTargets": 40, "DeleteRule": 40, "Publish": 25, "PutMetricData": 20}
# Reminders of one booking are armed side by side.
SIDE_BY_SIDE = {"PutRule", "PutTargets", "RemoveTargets", "DeleteRule"}
# START, END and REPORT, which Lambda writes for each invocation.
LAMBDA_LOG_BYTES = 330
HTTP_BYTES = 500  # headers of an answer
EVENT_BYTES = 1600
DAYS_A_MONTH = 30
HOURS_A_MONTH = 730
ROUNDS = 20
# Bookings: a million of them, and a month of 3,500 and of 1,000,000 a day.
VOLUMES = (1_000_000, 3_500 * DAYS_A_MONTH, 1_000_000 * DAYS_A_MONTH)
# What people do for each booking that comes about.
MIX = {
    "availability": 3.0,
    "book": 1.0,
    "conflict": 0.1,
    "get": 1.0,
    "list": 0.3,
    "move": 0.1,
    "cancel": 0.1,
    "send": 2.0,
    # The event relay: each new version by itself, and what a sender writes of a reminder, which is one batch.
    "tell": 1.2,
    "tell of a reminder": 2.0,
}
TELLING = ("tell", "tell of a reminder")
# By nobody's request.
BEHIND = ("send", *TELLING)
# As long as what most callers are known by.
CALLER = "arn:aws:sts::123456789012:assumed-role/desk/session"


class Known(Access):
    """Callers who are told apart, as on AWS: who made a version is kept in it."""

    def caller(self, *_: Any, **__: Any) -> Caller:
        return Caller(None, CALLER)


@dataclass
class Measured:
    """One operation, once: the medians of its rounds."""

    calls: Counter[str] = field(default_factory=Counter)
    writes: float = 0
    reads: float = 0
    cpu_ms: float = 0
    log_bytes: float = 0
    answer_bytes: float = 0

    def duration_ms(self, memory: int) -> float:
        """Billed time: the CPU share that the memory buys, and waiting; bounded below by neither."""
        waits = 0.0
        for call, number in self.calls.items():
            waits += WAIT_MS[call] * (1 if call in SIDE_BY_SIDE else number)
        return self.cpu_ms * CORE_MB / memory + waits


class Meter:
    """Watches the calls of a world, and counts what DynamoDB would charge for them."""

    def __init__(self, world: World, plain: Any) -> None:
        self.world, self.plain = world, plain
        self.now = Measured()
        self.items: dict[str, list[dict[str, Any]]] = {}  # both tables, full
        self._before: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        for client in world.clients.values():
            client.meta.events.register("provide-client-params", self.before)
            client.meta.events.register("after-call", self.after)

    def item(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        return dict(self.plain.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {}))

    def before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Remember what a call is about to change, and count what it reads."""
        self.now.calls[model.name] += 1
        self._before = []
        match model.name:
            case "BatchGetItem":
                for table, asked in params["RequestItems"].items():
                    self.now.reads += sum(read_units(size(self.item(table, key))) for key in asked["Keys"])
            case "GetItem":
                self.now.reads += read_units(size(self.item(params["TableName"], params["Key"])))
            case "UpdateItem" | "PutItem":
                self._remember(params, 1)
            case "BatchWriteItem":
                for table, requests in params["RequestItems"].items():
                    for put in requests:
                        self._remember({"TableName": table, **put["PutRequest"]}, 1)
            case "TransactWriteItems":
                for entry in params["TransactItems"]:
                    self._remember(next(iter(entry.values())), 2)

    def _remember(self, write: dict[str, Any], factor: int) -> None:
        names = ("appointmentId", "calendarId", "day")
        key = write.get("Key") or {name: write["Item"][name] for name in names if name in write["Item"]}
        self._before.append(
            (write["TableName"], key, self.item(write["TableName"], key) | {"factor": {"N": str(factor)}})
        )

    def after(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        """Count what a call changed, in the table and in its indexes."""
        if model.name == "Query":
            found = sum(size(item) for item in parsed.get("Items", ()))
            self.now.reads += max(1, -(-found // 4096))
        for table, key, before in self._before:
            factor = int(before.pop("factor")["N"])
            now = self.item(table, key)
            self.now.writes += factor * max(write_units(size(before)), write_units(size(now)))
            if table == "AppointmentsTable":
                self.now.writes += _index_units(before, now)
        self._before = []


def _index_units(before: dict[str, Any], now: dict[str, Any]) -> int:
    """Writes of both indexes of the appointments: an entry whose key changes is removed and put anew."""
    if before == now:
        return 0
    moved = before and before["startTime"] != now["startTime"]
    units = write_units(size(now)) + (
        write_units(size(before)) if moved else 0
    )  # the user's index holds the whole item
    was, due = before.get("nextReminderAt"), now.get("nextReminderAt")
    return units + (0 if was == due else bool(was) + bool(due))


def measure(world: World, meter: Meter, log: io.StringIO, act: Callable[[int], Any]) -> Measured:
    """Run an operation some times, and take the median of each figure."""
    rounds = []
    for number in range(ROUNDS):
        log.seek(0)
        log.truncate()
        meter.now = Measured()
        act(number)
        rounds.append(meter.now)
        meter.now.log_bytes = len(log.getvalue().encode())
    # Once more without the meter, whose own reads cost CPU.
    quiet = []
    for client in world.clients.values():
        client.meta.events.unregister("provide-client-params", meter.before)
        client.meta.events.unregister("after-call", meter.after)
    for number in range(ROUNDS, 2 * ROUNDS):
        began = time.process_time()
        answer = act(number)
        quiet.append((time.process_time() - began) * 1000)
    for client in world.clients.values():
        client.meta.events.register("provide-client-params", meter.before)
        client.meta.events.register("after-call", meter.after)
    return Measured(
        rounds[ROUNDS // 2].calls,
        statistics.median(r.writes for r in rounds),
        statistics.median(r.reads for r in rounds),
        statistics.median(quiet),
        statistics.median(r.log_bytes for r in rounds),
        len(json.dumps(answer).encode()) if answer is not None else 0,
    )


DETAILS = {"title": "Check-up", "location": "Room 4, 2nd floor", "contact": "anna@example.org", "description": "Yearly"}


def story(world: World, meter: Meter, log: io.StringIO) -> dict[str, Measured]:
    """Every operation of the mix, on a calendar whose days hold a dozen appointments each."""
    booked: list[dict[str, Any]] = []

    def start(number: int) -> str:
        """Twelve a day, from 9:00."""
        moment = datetime(2030, 3, 4, 9, tzinfo=NOW.tzinfo) + timedelta(days=number // 12, minutes=30 * (number % 12))
        return moment.isoformat()

    def body(number: int) -> dict[str, Any]:
        end = (datetime.fromisoformat(start(number)) + timedelta(minutes=30)).isoformat()
        more = {"resourceIds": ["dr-lee"], "details": DETAILS, "timeZone": "Europe/Berlin"}
        return {"userId": f"user-{number:032}", "startTime": start(number), "endTime": end} | more

    def book(number: int) -> Any:
        status, _, answer = world.request("POST", "/appointments", body(number))
        assert status == 201, answer  # noqa: S101 - a figure of something else would be worse than none
        booked.append(answer)
        return answer

    def request(method: str, path: str, body: Any = None, **more: Any) -> Any:
        return world.request(method, path, body, **more)[2]

    def availability(number: int) -> Any:
        span = {"from": ["2030-03-04T00:00:00Z"], "to": ["2030-03-11T00:00:00Z"], "durationMinutes": ["30"]}
        query = {"calendarIds": ["dr-lee"]} | span
        return request(
            "GET",
            "/availability",
            queryStringParameters={name: values[0] for name, values in query.items()},
            multiValueQueryStringParameters=query,
        )

    def one(method: str, number: int, body: Any = None) -> Any:
        return request(method, f"/appointments/{booked[number]['appointmentId']}", body)

    def listed(number: int) -> Any:
        query = {"userId": [booked[number]["userId"]]}
        single = {"userId": booked[number]["userId"]}
        return request("GET", "/appointments", queryStringParameters=single, multiValueQueryStringParameters=query)

    found = {"book": measure(world, meter, log, book)}
    if not found["book"].log_bytes:
        raise LocalError("a booking logged nothing: the logger is silenced, and its bytes would be counted as none")
    found["conflict"] = measure(
        world, meter, log, lambda n: request("POST", "/appointments", body(n % 20) | {"userId": "x"})
    )
    found["availability"] = measure(world, meter, log, availability)
    found["get"] = measure(world, meter, log, lambda n: one("GET", n))
    found["list"] = measure(world, meter, log, listed)
    found["send"] = measure(world, meter, log, lambda n: world.fire(booked[n], "24h"))
    world.now = NOW
    found |= telling(world, meter, log, booked)
    meter.items = {name: meter.plain.scan(TableName=name)["Items"] for name in ("AppointmentsTable", "CalendarsTable")}
    found["move"] = measure(world, meter, log, lambda n: one("PATCH", n, {"startTime": start(500 + n)}))
    found["cancel"] = measure(world, meter, log, lambda n: one("DELETE", n))
    return found


def telling(world: World, meter: Meter, log: io.StringIO, booked: list[dict[str, Any]]) -> dict[str, Measured]:
    """What the event relay does for a new version, and for a reminder that was claimed and sent."""
    world.events.create_event_bus(Name="appointments-cost")
    history, bus = History(world.storage.database, "CalendarsTable"), Bus(world.events, "appointments-cost")
    # Nobody has a webhook, which is asked all the same.
    fan_out = FanOut(WebhookItems(world.storage.database, "CalendarsTable"), DeliveryQueue(world.sqs, ""))
    relay = Relay(history, [bus, fan_out], Failures(world.sqs, ""))

    def change(number: int, before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
        key = {"appointmentId": after["appointmentId"]}
        written = {"SequenceNumber": str(number), "ApproximateCreationDateTime": 0, "Keys": key, "NewImage": after}
        return {"eventSourceARN": "", "dynamodb": written | ({"OldImage": before} if before else {})}

    items = [meter.item("AppointmentsTable", {"appointmentId": {"S": one["appointmentId"]}}) for one in booked]

    def with_state(item: dict[str, Any], state: str) -> dict[str, Any]:
        reminder = item["reminders"]["M"]["24h"]["M"] | {"state": {"S": state}}
        return item | {"reminders": {"M": item["reminders"]["M"] | {"24h": {"M": reminder}}}}

    def tell(number: int) -> None:
        assert relay.relay([change(1, None, items[number])]) is None  # noqa: S101 - as above

    def tell_of_a_reminder(number: int) -> None:
        states = [with_state(items[number], state) for state in ("pending", "sending", "sent")]
        assert relay.relay([change(1, *states[:2]), change(2, *states[1:])]) is None  # noqa: S101 - as above

    return {
        "tell": measure(world, meter, log, tell),
        "tell of a reminder": measure(world, meter, log, tell_of_a_reminder),
    }


def lines_per_booking(
    found: dict[str, Measured], memory: int, stored_bytes: float, of: Collection[str] = tuple(MIX)
) -> dict[str, float]:
    """Dollars for one booking and what goes with it, or for some of that, by line, on demand."""
    lines: defaultdict[str, float] = defaultdict(float)
    days = int(template()["Parameters"]["RetentionDays"]["Default"])
    log_days = int(template()["Parameters"]["LogRetentionDays"]["Default"])
    for name, times in MIX.items():
        if name not in of:
            continue
        cost = found[name]
        lines["events on the bus"] += times * cost.calls["PutEvents"] * BUS_EVENT
        if name not in BEHIND:
            lines["API Gateway"] += times * API_REQUEST
            lines["data out"] += times * (cost.answer_bytes + HTTP_BYTES) / 1e9 * OUT_GB
        lines["Lambda requests"] += times * LAMBDA_REQUEST
        lines["Lambda time"] += times * cost.duration_ms(memory) / 1000 * memory / 1024 * LAMBDA_GB_SECOND
        lines["DynamoDB writes"] += times * cost.writes * WRITE_UNIT
        lines["DynamoDB reads"] += times * cost.reads * READ_UNIT
        lambda_lines = 0 if name in TELLING else LAMBDA_LOG_BYTES  # SystemLogLevel of the relay
        logged = times * (cost.log_bytes + lambda_lines) / 1e9
        lines["logs"] += logged * LOG_GB + logged * LOG_GB_MONTH * log_days / DAYS_A_MONTH
    if "send" in of:
        lines["SNS publishes"] += MIX["send"] * SNS_REQUEST
    months = days / DAYS_A_MONTH
    lines["storage, for 400 days"] += stored_bytes / 1e9 * (TABLE_GB_MONTH + RECOVERY_GB_MONTH) * months
    return dict(lines)


def naive(book: Measured) -> Measured:
    """The booking of tutorials: two queries of an index, a put, the same rules, and two metrics sent by the handler."""
    calls = Counter({"Query": 2, "PutItem": 1, "PutRule": 2, "PutTargets": 2, "PutMetricData": 2})
    cpu_of_a_call = book.cpu_ms / book.calls.total()
    # The item, once in the table and once in each index; a query is eventually consistent, at half a unit.
    return replace(book, calls=calls, writes=3, reads=2 * 0.5, cpu_ms=cpu_of_a_call * calls.total())


def booking_alone(m: Measured, memory: int) -> dict[str, float]:
    """Dollars for one request that books, by line."""
    return {
        "API Gateway": API_REQUEST,
        "Lambda": LAMBDA_REQUEST + m.duration_ms(memory) / 1000 * memory / 1024 * LAMBDA_GB_SECOND,
        "DynamoDB": m.writes * WRITE_UNIT + m.reads * READ_UNIT,
        "logs": (m.log_bytes + LAMBDA_LOG_BYTES) / 1e9 * LOG_GB,
        "PutMetricData": m.calls["PutMetricData"] * PUT_METRIC_DATA,
    }


def _is_usual(resource: dict[str, Any]) -> bool:
    """Whether a resource is there without a number that takes answers by SMS, which few stacks have."""
    return "SmsReplies" not in resource.get("Condition", "")


def metrics_on_alarms(*, gradual: bool) -> int:
    """How many metrics the alarms read; those of gradual deployments are there only with GradualDeployment=true."""
    alarms = [alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if _is_usual(alarm)]
    counted = [alarm for alarm in alarms if (alarm["Condition"] == "WatchesNewVersions") == gradual]
    return sum(
        len([part for part in alarm["Properties"].get("Metrics", [{}]) if "Expression" not in part])
        for alarm in counted
    )


def options() -> dict[str, tuple[float, float]]:
    """What parameters add, in dollars: for each booking, and a month."""
    requests = sum(times for name, times in MIX.items() if name not in BEHIND)
    kept = sum(MIX[name] for name in TELLING) * EVENT_BYTES / 1e9
    rules = sum(len(acl["Properties"]["Rules"]) for acl in resources("AWS::WAFv2::WebACL").values())
    return {
        "with `ReminderBackend=scheduler`, more": (MIX["send"] * SCHEDULER_INVOCATION, 0),
        "with `RequestsPerAddress`, more": (requests * WEB_ACL_REQUEST, WEB_ACL_MONTH + rules * WEB_ACL_RULE_MONTH),
        "with `GradualDeployment=true`, more": (0, metrics_on_alarms(gradual=True) * ALARM_METRIC_MONTH),
        "reminders by email, more": (MIX["send"] * SNS_EMAIL, 0),
        "with `EventRetentionDays=30`, more": (kept * (ARCHIVE_GB + ARCHIVE_GB_MONTH), 0),
    }


def option_row(name: str) -> str:
    """The line of an option in the table."""
    per_booking, monthly = options()[name]
    cells = [f"{per_booking * VOLUMES[0]:,.2f}" if per_booking else ""]
    cells += [f"{per_booking * volume + monthly:,.2f}" for volume in VOLUMES[1:]]
    return "| " + " | ".join([name, *cells]).replace("|  |", "| |") + " |"


def fixed_per_month() -> dict[str, float]:
    """Dollars a month for what is there, used or not."""
    metrics = {
        r["Properties"]["MetricTransformations"][0]["MetricName"]
        for r in resources("AWS::Logs::MetricFilter").values()
        if _is_usual(r)
    }
    alarm_metrics = metrics_on_alarms(gradual=False)
    sweeps = 12 * 24 * DAYS_A_MONTH
    sweep = resources("AWS::Serverless::Function")["ReminderSweepFunction"]["Properties"]
    # A sweep with nothing to do reads eight shards and lists the bus: about a second.
    return {
        f"{len(metrics)} metrics": len(metrics) * METRIC_MONTH,
        f"{alarm_metrics} metrics on alarms": alarm_metrics * ALARM_METRIC_MONTH,
        "dashboard": DASHBOARD_MONTH,
        "keys": len(resources("AWS::KMS::Key")) * KEY_MONTH,
        "sweeps": sweeps * (LAMBDA_REQUEST + sweep["MemorySize"] / 1024 * LAMBDA_GB_SECOND + 8 * READ_UNIT),
    }


def provisioned_per_month() -> float:
    """Dollars a month for the capacity of all tables and indexes as it is by default."""
    given = {name: p["Default"] for name, p in template()["Parameters"].items() if "Default" in p}
    tables = resources("AWS::DynamoDB::Table").values()
    holders = len(tables) + sum(len(t["Properties"].get("GlobalSecondaryIndexes", ())) for t in tables)
    hourly = int(given["ReadCapacity"]) * READ_UNIT_HOUR + int(given["WriteCapacity"]) * WRITE_UNIT_HOUR
    return holders * hourly * HOURS_A_MONTH


def print_beside(found: dict[str, Measured], memory: int) -> None:
    """Print what people who sign in cost, and the comparison with the naive way."""
    people = ", ".join(f"${1000 * dollars:.2f} with {tier}" for tier, dollars in PERSON_MONTH.items())
    print(f"\nA thousand people who sign in to the user pool in a month: {people}.")

    print("\n| a million requests that book, alone | " + " | ".join(booking_alone(found["book"], memory)) + " | $ |")
    print("|---|---|---|---|---|---|---|")
    alone = {"this": booking_alone(found["book"], memory), "the naive way": booking_alone(naive(found["book"]), memory)}
    for name, parts in alone.items():
        figures = " | ".join(f"{dollars * 1_000_000:.2f}" for dollars in (*parts.values(), sum(parts.values())))
        print(f"| {name} | {figures} |")
    print(f"\nThat is {sum(alone['this'].values()) / sum(alone['the naive way'].values()):.2f} of the naive way.")


def main() -> None:
    """Measure and print."""
    memory = int(template()["Globals"]["Function"]["MemorySize"])
    session = boto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    log = io.StringIO()
    logger.registered_handler.setStream(log)  # type: ignore[attr-defined]  # it is a StreamHandler
    with Engine() as engine:
        names = ("dynamodb", "events", "scheduler", "sns", "sqs")
        client: Callable[..., Any] = session.client
        world = World({name: client(name, endpoint_url=engine.url) for name in names})
        world.api = replace(world.api, access=Known(Auth.NONE))
        meter = Meter(world, engine.client("dynamodb"))
        found = story(world, meter, log)
    appointment = statistics.median(map(size, meter.items["AppointmentsTable"]))
    days = [item for item in meter.items["CalendarsTable"] if item["calendarId"]["S"] == "dr-lee"]
    day = max(map(size, days))
    # The user's index holds an appointment again, and each item costs 100 bytes of its own.
    versions = [item for item in meter.items["CalendarsTable"] if item["calendarId"]["S"].startswith(HISTORY)]
    version = statistics.median(map(size, versions))
    told = MIX["tell"] * (version + 100)
    stored = 2 * (appointment + 100) + 2 * day / 12 + told

    print(f"Prices of {PRICES_OF}. An appointment has {appointment:.0f} bytes, a day of twelve {day:.0f},")
    print(f"a version in the history {version:.0f}.\n")
    print("| operation | times per booking | calls | write units | read units | CPU ms | billed ms | log bytes |")
    print("|---|---|---|---|---|---|---|---|")
    for name, times in MIX.items():
        m = found[name]
        calls = ", ".join(f"{n} {call}" for call, n in m.calls.items())
        figures = f"{m.writes:.0f} | {m.reads:.0f} | {m.cpu_ms:.1f} | {m.duration_ms(memory):.0f} | {m.log_bytes:.0f}"
        print(f"| {name} | {times:g} | {calls} | {figures} |")

    per_booking = lines_per_booking(found, memory, stored)
    fixed = fixed_per_month()
    print("\n| line | $ per million bookings | $ per month at 3,500 a day | $ per month at 1,000,000 a day |")
    print("|---|---|---|---|")
    for name, dollars in sorted(per_booking.items(), key=lambda line: -line[1]):
        print(f"| {name} | " + " | ".join(f"{dollars * volume:,.2f}" for volume in VOLUMES) + " |")
    for name, dollars in fixed.items():
        print(f"| {name} | | {dollars:,.2f} | {dollars:,.2f} |")
    variable, standing = sum(per_booking.values()), sum(fixed.values())
    totals = [variable * volume + (standing if volume != VOLUMES[0] else 0) for volume in VOLUMES]
    print("| **all** | " + " | ".join(f"**{total:,.2f}**" for total in totals) + " |")
    of_telling = sum(lines_per_booking(found, memory, told, TELLING).values())
    share = of_telling / (variable - of_telling)
    of_these = " | ".join(f"{of_telling * volume:,.2f}" for volume in VOLUMES)
    print(f"| of these, events and history | {of_these} |")
    for name in options():
        print(option_row(name))
    print(f"\nEvents and history are {100 * share:.1f} % on top of everything else.")
    print_beside(found, memory)
    units = per_booking["DynamoDB writes"] + per_booking["DynamoDB reads"]
    provisioned = provisioned_per_month()
    print(
        f"\nProvisioned capacity as the parameters have it by default: ${provisioned:,.2f} a month, "
        f"as much as {provisioned / units / DAYS_A_MONTH:,.0f} bookings a day cost on demand."
    )


if __name__ == "__main__":
    main()
