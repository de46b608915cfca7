"""A whole run on the deployed stack, and then a search for the contacts that it used, wherever they have no business.

They may be in the field `contact` of items, in requests and answers of who may see them, and in what is sent to them.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.engine import HOST, free_port
from local.front_door import FrontDoor
from local.mailbox import Mailbox
from local.queues import listen, subscribe
from receivers import receiver
from support import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web

    from local.system import System

WITHIN = 90.0
EVENTS = ["appointment.booked", "appointment.moved", "appointment.changed", "appointment.cancelled", "reminder.sent"]
# What keeps what failed; the queue of answers by SMS is not there without a number that takes them.
FAILED = [name for name in resources("AWS::SQS::Queue") if re.search(r"DeadLetter|Failures", name)]


class Counting(FrontDoor):
    """A front door with a log of what was asked for, as an access log of API Gateway would have it."""

    def __init__(self, port: int, target: str) -> None:
        super().__init__(port, target)
        self.asked: list[str] = []

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.raw_path}")
        return await super()._pass_on(request)


class Run:
    """One person, from the booking to the cancellation, and everything that heard of it."""

    def __init__(self, system: System, call_to: Callable[[str], Any]) -> None:
        self.system, self.engine = system, system.engine
        self.mark = uuid.uuid4().hex
        self.phone = f"+49151{uuid.uuid4().int % 10**8:08}"
        self.contact = {"name": f"Anna {self.mark}", "email": f"{self.mark}@example.org", "phone": self.phone}
        found = self.engine.client("cloudformation").get_paginator("list_stack_resources")
        pages = found.paginate(StackName=system.stack.name)
        self.physical = {
            r["LogicalResourceId"]: r["PhysicalResourceId"] for p in pages for r in p["StackResourceSummaries"]
        }
        self.topic = subscribe(self.engine, system.stack.topic_arn, "personal-topic")
        self.bus = listen(self.engine, system.stack.event_bus, "personal-bus")
        self.door = Counting(free_port(), system.stack.api_target)
        self.call = call_to(self.door.url)
        self.webhooks: list[bytes] = []

    @property
    def secrets(self) -> set[str]:
        """The contact, in each way in which it could be written."""
        return {self.mark, self.phone[1:], f"0{self.phone[3:]}"}

    def has_secret(self, text: str) -> bool:
        return any(secret in text for secret in self.secrets)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.call(method, path, body)
        assert answer.status == status, (path, answer.body)
        return answer.body

    def until(self, what: str, found: Callable[[], Any]) -> Any:
        give_up_at = time.monotonic() + WITHIN
        while not (thing := found()):
            assert time.monotonic() < give_up_at, what
            time.sleep(0.3)
        return thing

    def play(self) -> None:
        with self.door, receiver() as there:
            hook = {"url": f"http://{HOST}:{there.port}/hook", "events": EVENTS}
            self.ask("PUT", f"/webhooks/hook-{self.mark[:8]}x", hook)
            self._book_and_change()
            self.until("the webhook hears", lambda: b"appointment.cancelled" in b"".join(there.requests))
            self.webhooks = there.requests

    def _book_and_change(self) -> None:
        person, doctor = f"person-{uuid.uuid4()}", f"doctor-{uuid.uuid4()}"
        self.ask("PUT", f"/calendars/{doctor}/contact", self.contact)
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=50)
        times = {"startTime": start.isoformat(), "endTime": (start + timedelta(minutes=20)).isoformat()}
        asked = {"userId": person, "resourceIds": [doctor], **times, "reminders": ["45m"], "contact": self.contact}
        booked = self.ask("POST", "/appointments", asked, 201)
        path = f"/appointments/{booked['appointmentId']}"
        link = self.until("the notice of the booking", self._link)
        self._follow(link)
        booking = sum("METHOD:REQUEST" in text for text in self._mail())
        self.ask("PATCH", path, {"contact": self.contact | {"locale": "de"}})
        self._remind(booked)
        later = {"startTime": (start + timedelta(hours=3)).isoformat()}
        self.ask("PATCH", path, later)
        search = urllib.parse.urlencode(
            {"contact": self.phone, "from": times["startTime"], "to": "2100-01-01T00:00:00Z"}
        )
        self.until("the search", lambda: self.ask("GET", f"/appointments?{search}")["appointments"])
        assert self.has_secret(json.dumps(self.ask("GET", f"/people/{person}")))
        self.until("the notice of the move", lambda: sum("METHOD:REQUEST" in text for text in self._mail()) > booking)
        self._fail()
        before = len(self._mail())
        self.ask("DELETE", path)
        # By SMS alone: the email has bounced.
        self.until("the notice of the end", lambda: len(self._mail()) > before)

    def _mail(self) -> list[str]:
        found = [m for m in Mailbox(self.engine.mail).messages() if self.mark in m.to or self.phone in m.to]
        parts = [part for m in found if m.mime for part in m.mime.walk() if not part.is_multipart()]
        return [str(part.get_content()) for part in parts] + [m.subject for m in found]

    def _link(self) -> str | None:
        found = [link for text in self._mail() for link in re.findall(r"https?://\S*?/l/([\w-]{43})", text)]
        return found[0] if found else None

    def _follow(self, token: str) -> None:
        """Open the page, and confirm."""
        url = f"{self.door.url}/l/{token}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            page = answer.read().decode()
        assert not self.has_secret(page), "the page names nobody"
        version = re.findall(r'name="version" value="(\d+)"', page)[0]
        form = urllib.parse.urlencode({"action": "confirm", "version": version}).encode()
        with urllib.request.urlopen(url, form, timeout=30) as answer:
            assert answer.status == 200

    def _remind(self, booked: dict[str, Any]) -> None:
        due = f"{datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"
        self.engine.client("dynamodb").update_item(
            TableName=self.system.stack.appointments_table,
            Key={"appointmentId": {"S": booked["appointmentId"]}},
            UpdateExpression="SET #r.#o.dueAt = :due",
            ExpressionAttributeNames={"#r": "reminders", "#o": "45m"},
            ExpressionAttributeValues={":due": {"S": due}},
        )
        event = {"appointmentId": booked["appointmentId"], "reminder": "45m", "dueAt": due}
        assert self._invoke("ReminderSenderFunction", event)

    def _fail(self) -> None:
        """What goes wrong with a contact in hand: it bounces, a record cannot be read, a message is none."""
        recipients = [{"emailAddress": f"Anna <{self.contact['email']}>"}]
        bounce = {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": recipients}}
        assert self._invoke("ReachFeedbackFunction", {"Records": [{"Sns": {"Message": json.dumps(bounce)}}]})
        assert not self._invoke("ReachFeedbackFunction", {"Records": [{"Sns": {"Message": self.mark}}]})
        item = {"details": {"S": "{}"}, "contact": {"S": json.dumps(self.contact)}}
        change = {"SequenceNumber": "1", "Keys": {"appointmentId": {"S": "x"}}, "NewImage": item}
        assert self._invoke("EventRelayFunction", {"Records": [{"eventSourceARN": "arn", "dynamodb": change}]})
        assert self._invoke("NoticeSenderFunction", {"Records": [{"messageId": "1", "body": self.phone}]})
        assert not self._invoke("ReminderSenderFunction", {"unknown": self.phone})

    def _invoke(self, function: str, event: Any) -> bool:
        payload = json.dumps(event).encode()
        answer = self.engine.client("lambda").invoke(FunctionName=self.physical[function], Payload=payload)
        return "FunctionError" not in answer

    # --- where it is looked for --------------------------------------------------------------------------

    def lines(self) -> list[str]:
        logs = self.engine.client("logs")
        groups = [name for logical, name in self.physical.items() if logical.endswith("LogGroup")]
        assert len(groups) > 5
        pages = (p for name in groups for p in logs.get_paginator("filter_log_events").paginate(logGroupName=name))
        return [event["message"] for page in pages for event in page["events"]]

    def messages(self, url: str) -> list[str]:
        """What lies in a queue. It stays there for others."""
        sqs = self.engine.client("sqs")
        found: dict[str, str] = {}
        for _ in range(5):
            batch = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
            found |= {one["MessageId"]: json.dumps(one) for one in batch.get("Messages", [])}
        return list(found.values())

    def dead_letters(self) -> list[str]:
        return [text for name in FAILED if name in self.physical for text in self.messages(self.physical[name])]

    def items(self) -> list[str]:
        """What the tables hold beside the field that contacts are kept in."""
        dynamodb, stack = self.engine.client("dynamodb"), self.system.stack
        pages = (
            page
            for table in (stack.appointments_table, stack.calendars_table)
            for page in dynamodb.get_paginator("scan").paginate(TableName=table)
        )
        items = [item for page in pages for item in page["Items"]]
        assert self.has_secret(json.dumps(items)), "it is there, and is found"
        return [json.dumps(item | {"contact": {}}) for item in items]

    def metrics(self) -> list[str]:
        pages = self.engine.client("cloudwatch").get_paginator("list_metrics").paginate()
        return [json.dumps(metric) for page in pages for metric in page["Metrics"]]

    def urls(self) -> list[str]:
        """What was asked for, save the search by a contact, which has it in its query."""
        return [one for one in self.door.asked if not one.startswith("GET /appointments?contact=")]


@pytest.fixture(scope="module")
def run(deployed_system: System, call_to: Callable[[str], Any]) -> Iterator[Run]:
    run = Run(deployed_system, call_to)
    run.play()
    yield run
    run.engine.client("sqs").delete_queue(QueueUrl=run.topic)
    run.engine.client("sqs").delete_queue(QueueUrl=run.bus)
    for name in FAILED:
        if name in run.physical:
            run.engine.client("sqs").purge_queue(QueueUrl=run.physical[name])  # or others find there what failed here


@pytest.mark.parametrize("where", ["lines", "topic", "bus", "webhooks", "dead_letters", "items", "urls", "metrics"])
def test_no_contact_is_where_it_has_no_business(run: Run, where: str) -> None:
    found: list[str] = {
        "lines": run.lines,
        "topic": lambda: run.messages(run.topic),
        "bus": lambda: run.messages(run.bus),
        "webhooks": lambda: [one.decode() for one in run.webhooks],
        "dead_letters": run.dead_letters,
        "items": run.items,
        "urls": run.urls,
        "metrics": run.metrics,
    }[where]()
    assert found or where == "metrics", "nothing to look through"  # the engine runs no filters
    assert [text for text in found if run.has_secret(urllib.parse.unquote(text))] == []


def test_the_person_got_what_is_about_them(run: Run) -> None:
    """Or there would have been nothing to find."""
    kinds = [m.kind for m in Mailbox(run.engine.mail).messages() if run.mark in m.to or run.phone in m.to]
    assert kinds.count("email") >= 3
    assert kinds.count("sms") >= 3
