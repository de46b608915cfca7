"""The one module of the exploration that knows how the product is put together.

`play` runs one request through the product's own code: the HTTP API, the reminder sender or the sweep, over a client
that the exploration answers. Whatever would differ from run to run is replaced: identifiers, jitter, sleeping, clocks.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from appointments.contacts import ChannelName
from appointments.firing import Backend, Firing
from appointments.link_keys import LinkKeys
from appointments.memory import Memory
from appointments.model import Appointment
from appointments.reminders import Reminder
from appointments.storage.reminders import Reminders
from appointments.storage.store import Storage
from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from reaching.recipients import Person, Reached
from reminder_sender.channels.person import ToPerson
from reminder_sender.channels.topic import Topic
from reminder_sender.message import machine_body
from reminder_sender.sender import ReminderSender
from reminder_sweep import sweep

PRODUCT = ("appointments", "conflict_detector", "reminder_sender", "reminder_sweep")
TABLES = ("AppointmentsTable", "CalendarsTable")
# As in production, which no scenario reaches unless it says otherwise.
MOST_INLINE = 64

# Answers a call, or raises what the client raises.
Channel = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What one process is asked for, once. `now` is its clock. `{X}` stands for the id of the appointment X.

    `kind` is `http`, `sender` or `sweep`; the sender's body names its reminder. One that `dies` does so as it
    publishes, which only a setup knows.
    """

    kind: str
    now: datetime
    method: str = ""
    path: str = ""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    dies: bool = False
    # Under which name a request that follows can speak of the appointment that this one booked.
    name: str = ""

    @property
    def is_atomic(self) -> bool:
        """Whether callers may take it for one step. A sender's claim and record are meant to be seen."""
        return self.kind == "http"

    def __str__(self) -> str:
        if self.kind != "http":
            return self.kind
        return f"{self.method} {self.path} {json.dumps(self.body) if self.body else ''}".rstrip()


class Process:
    """What one process keeps from request to request. `remembered` is what it starts with."""

    def __init__(self, remembered: Memory | None = None, most_inline: int = MOST_INLINE) -> None:
        self.most_inline = most_inline
        self.memory = Memory()
        if remembered:
            self.memory.settings.update(remembered.settings)
            self.memory.touched.update({key: set(quarters) for key, quarters in remembered.touched.items()})
            self.memory.services.update(remembered.services)


def play(request: Request, process: Process, channel: Channel) -> dict[str, Any]:
    """Run one request to its end and return its answer, as far as a caller can rely on it."""
    storage = Storage.of(_Client(channel), *TABLES, memory=process.memory)  # type: ignore[arg-type]
    storage = replace(storage, days=replace(storage.days, most_inline=process.most_inline))

    def clock() -> datetime:
        return request.now

    if request.kind == "http":
        links = LinkKeys(_Key(), "key")
        api = Api(storage, _Timers(), Access(Auth.NONE), clock=clock, links=lambda: links)  # type: ignore[arg-type]
        holder_of = request.path.partition("/l/")[2]
        event = {
            "httpMethod": request.method,
            "path": f"/l/{links.token_for(holder_of)}" if holder_of else request.path,
            "body": None if request.body is None else (urlencode if holder_of else json.dumps)(request.body),
            "headers": dict(request.headers),
            "queryStringParameters": dict(request.query),
            "requestContext": {"requestId": "r"},
        }
        return (_shown if holder_of else _public)(api.handle(event))
    topic = Topic(_Client(channel), "topic")  # type: ignore[arg-type]
    reminders = Reminders(storage.database, TABLES[0])
    channels: list[Any] = [topic, _Phone(channel)]
    sender = ReminderSender(
        reminders,
        channels,
        _Events,  # type: ignore[arg-type]
        clock,
        time.sleep,
        people=lambda appointment: Reached(appointment.contact),
    )
    try:
        if request.kind == "sender":
            sender.send(Firing.from_event(request.body or {}))
        else:
            sweep.Sweep(reminders, sender, _Timers(), clock, lambda: storage).run(lambda: 270.0)  # type: ignore[arg-type]
    except Exception as exc:  # noqa: BLE001 - how it failed is its answer; no test expects a failure that it did not cause
        return {"failed": type(exc).__name__}
    return {"done": True}


class _Phone:
    """The person's phone, as the product has it, but for what an SMS says: of which reminder it is."""

    name = ChannelName.SMS.value

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._person = ToPerson(ChannelName.SMS, lambda *_: "")

    def recipients(self, appointment: Appointment, person: Person) -> tuple[str, ...]:
        return self._person.recipients(appointment, person)

    def send(self, appointment: Appointment, reminder: Reminder, recipient: str, person: Person) -> str:
        self._person.send(appointment, reminder, recipient, person)  # refuses where there is nobody any more
        contact = person.reached(appointment).contact
        assert contact
        message = json.dumps({"default": json.dumps(machine_body(appointment, reminder))})
        sent: str = self._channel("publish", {"PhoneNumber": contact.phone, "Message": message})["MessageId"]
        return sent


def _public(response: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without what only advises: alternatives, and the nearest time that rules accept."""
    body = json.loads(response["body"])
    for name in ("alternatives", "requestId", "detail"):
        body.pop(name, None)
    if "conflicts" in body:  # in the order in which calendars were tried
        body["conflicts"].sort(key=json.dumps)
    for fault in body.get("errors", []):
        fault.pop("nearest", None)
        fault.pop("message", None)
    return {"status": response["statusCode"], "body": body}


def _shown(response: Mapping[str, Any]) -> dict[str, Any]:
    """What a page says was done, and when it is then. Of a refusal, what else the page shows only advises."""
    said = re.findall(r'role="(?:status|alert)">(.*?)</p>', response["body"])
    times = re.findall(r"<dl>.*?</dl>", response["body"]) if response["statusCode"] == 200 else []
    return {"status": response["statusCode"], "body": {"said": said, "times": times}}


class _Key:
    """Stands in for KMS, without a call that could be met by others."""

    def generate_mac(self, **request: Any) -> dict[str, Any]:
        return {"Mac": hashlib.sha256(request["Message"]).digest()}


class _Client:
    """Stands in for botocore's clients: DynamoDB's, and SNS's for `publish`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __getattr__(self, operation: str) -> Any:
        return lambda **parameters: self._channel(operation, parameters)

    def get_paginator(self, operation: str) -> Any:
        def paginate(**parameters: Any) -> Iterator[Any]:
            while True:
                page = self._channel(operation, parameters)
                yield page
                if "LastEvaluatedKey" not in page:
                    return
                parameters = parameters | {"ExclusiveStartKey": page["LastEvaluatedKey"]}

        return SimpleNamespace(paginate=paginate)


class _Timers:
    """Timers are made after everything is decided, and nothing depends on them: the due index knows each reminder."""

    backend = Backend.RULES

    def arm(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def disarm(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def rules(self) -> Any:
        return SimpleNamespace(minutes=dict, aimed=set)

    def schedules(self) -> Any:
        return SimpleNamespace(minute=lambda _: None)


class _Events:
    """Takes a rule away without a word."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def remove_targets(self, **_: Any) -> None:
        pass

    def delete_rule(self, **_: Any) -> None:
        pass


class _Inline(Executor):
    """Runs everything at once and in order, where the product has threads."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Iterator[Any]:
        return map(fn, *iterables)


class Determinism:
    """Identifiers and clocks of the request that runs, the same each time it runs."""

    def __init__(self) -> None:
        self.begin("")

    def begin(self, label: str) -> None:
        self.label = label
        self.made = 0
        self.slept = 0.0

    def uuid4(self) -> uuid.UUID:
        self.made += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self.label} {self.made}")

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def monotonic(self) -> float:
        return self.slept


def _longest(_: random.Random, low: float, high: float) -> float:
    return max(low, high)


@contextmanager
def determinism() -> Iterator[Determinism]:
    """While this lasts the product meets no chance, no time and no threads. Its log is silent."""
    made = Determinism()
    replaced = {time.sleep: made.sleep, time.monotonic: made.monotonic, uuid.uuid4: made.uuid4}
    disabled = logging.root.manager.disable
    with (
        patch.object(uuid, "uuid4", made.uuid4),
        patch.object(time, "sleep", made.sleep),
        patch.object(time, "monotonic", made.monotonic),
        patch.object(random.SystemRandom, "uniform", _longest),
        patch.object(sweep, "ThreadPoolExecutor", _Inline),
        _rebound(replaced),
    ):
        logging.disable(logging.CRITICAL)
        try:
            yield made
        finally:
            logging.disable(disabled)


@contextmanager
def _rebound(replaced: Mapping[Any, Any]) -> Iterator[None]:
    """Replace functions where modules of the product have them under a name of their own."""
    found = [
        (module, name, value)
        for module in list(sys.modules.values())
        if module and module.__name__.partition(".")[0] in PRODUCT
        for name, value in list(vars(module).items())
        if callable(value) and value.__hash__ and value in replaced
    ]
    for module, name, value in found:
        setattr(module, name, replaced[value])
    try:
        yield
    finally:
        for module, name, value in found:
            setattr(module, name, value)
