"""The functional tests' world: all functions over one moto account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self

from moto.events.models import events_backends

import contract
from appointments.contact_digests import SOURCES, ContactDigests
from appointments.direct import Direct
from appointments.firing import Firing
from appointments.link_keys import LinkKeys
from appointments.rules import Rules
from appointments.schedules import Schedules
from appointments.storage.contact_index import ContactIndex
from appointments.storage.deliveries import Deliveries
from appointments.storage.hold_counts import HoldCounts
from appointments.storage.reminders import Reminders
from appointments.storage.store import Storage
from appointments.storage.webhooks import WebhookItems
from appointments.targets import Targets
from appointments.timers import ReminderTimers
from appointments.webhook_parts import WebhookParts
from appointments.webhook_queue import DeliveryQueue
from appointments.webhook_secrets import WebhookSecrets
from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from conflict_detector.visits import Visits
from reminder_sender.channels.topic import Topic
from reminder_sender.sender import ReminderSender
from reminder_sweep.sweep import Sweep
from support import api_event, create_tables

REGION = "us-east-1"
SENDER_ARN = f"arn:aws:lambda:{REGION}:123456789012:function:reminder-sender"
SCHEDULE_GROUP = "appointments"
SCHEDULER_ROLE_ARN = "arn:aws:iam::123456789012:role/scheduler"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:123456789012:dead-letters"
NOW = datetime(2029, 12, 1, 12, tzinfo=UTC)


class KilledError(BaseException):
    """The process is gone: no `except Exception` sees this."""


class Ground(NamedTuple):
    """What is there before the first request, beside the tables and the group of schedules."""

    topic_arn: str
    inbox_url: str

    @classmethod
    def made(cls, clients: dict[str, Any]) -> Self:
        create_tables(clients["dynamodb"])
        sns, sqs = clients["sns"], clients["sqs"]
        topic_arn = sns.create_topic(Name="reminders")["TopicArn"]
        inbox_url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        inbox = sqs.get_queue_attributes(QueueUrl=inbox_url, AttributeNames=["QueueArn"])["Attributes"]
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=inbox["QueueArn"])
        clients["scheduler"].create_schedule_group(Name=SCHEDULE_GROUP)
        return cls(topic_arn, inbox_url)


class World:
    """All functions over one account, a clock that the test owns, and a record of every AWS call."""

    def __init__(self, clients: dict[str, Any], ground: Ground | None = None) -> None:
        self.topic_arn, self.inbox_url = ground or Ground.made(clients)
        self.now = NOW
        self.calls: list[str] = []
        self.clients = clients
        self.dynamodb, self.events, self.scheduler = (clients[name] for name in ("dynamodb", "events", "scheduler"))
        self.sns, self.sqs = clients["sns"], clients["sqs"]
        self.streams: Any = clients.get("dynamodbstreams")
        self.storage = Storage.of(self.dynamodb, "AppointmentsTable", "CalendarsTable")
        self.reminders = Reminders(self.storage.database, "AppointmentsTable")
        self.timers = ReminderTimers(
            lambda: Rules(self.events, SENDER_ARN, QUEUE_ARN),
            lambda: Schedules(self.scheduler, SENDER_ARN, QUEUE_ARN, SCHEDULE_GROUP, SCHEDULER_ROLE_ARN),
            lambda: Direct(self, SENDER_ARN),  # type: ignore[arg-type]  # of the client, only `invoke` is used
        )
        self.api = self.api_for(Access(Auth.NONE))
        self.topic = Topic(self.sns, self.topic_arn)
        self.sender = ReminderSender(self.reminders, [self.topic], lambda: self.events, lambda: self.now, self.sleep)
        self.sweeper = Sweep(self.reminders, self.sender, self.timers, lambda: self.now, lambda: self.storage)
        self.bus_holds = 300
        # The events with which the sender was invoked directly, and which it has not got yet.
        self.invoked: list[dict[str, Any]] = []
        self._refused: dict[str, tuple[int, str]] = {}
        # The operation at which to die, whether after it or before, and at which call of it.
        self._deadly: tuple[str, bool, int] | None = None

    # Few tests are about webhooks.
    @cached_property
    def deliveries_url(self) -> str:
        return str(self.sqs.create_queue(QueueName="deliveries")["QueueUrl"])

    @cached_property
    def failures_url(self) -> str:
        return str(self.sqs.create_queue(QueueName="failures")["QueueUrl"])

    @cached_property
    def webhooks(self) -> WebhookParts:
        kms = self.clients["kms"]
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        return WebhookParts(
            WebhookItems(self.storage.database, "CalendarsTable"),
            Deliveries(self.storage.database, "CalendarsTable"),
            WebhookSecrets(kms, key),
            DeliveryQueue(self.sqs, self.deliveries_url, self.failures_url),
            Targets.PUBLIC,
        )

    @cached_property
    def contacts(self) -> ContactIndex:
        kms = self.clients["kms"]
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        digests = ContactDigests(kms, key)
        return ContactIndex(self.storage.database, "CalendarsTable", lambda: digests)

    @cached_property
    def links(self) -> LinkKeys:
        kms = self.clients["kms"]
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        return LinkKeys(kms, key, "https://api.example.org/prod")

    @cached_property
    def hold_counts(self) -> HoldCounts:
        kms = self.clients["kms"]
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        return HoldCounts(self.storage.database, "CalendarsTable", ContactDigests(kms, key, SOURCES))

    def api_for(self, access: Access, *, open_to_all: bool = False, holds_per_address: int = 30) -> Api:
        """The API under another kind of access, for members and for visitors."""
        return Api(
            self.storage,
            self.timers,
            access,
            clock=lambda: self.now,
            webhooks=lambda: self.webhooks,
            contacts=lambda: self.contacts,
            links=lambda: self.links,
            visits=Visits(open_to_all, holds_per_address, lambda: self.hold_counts),
        )

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def invoke(self, **request: Any) -> None:
        """Lambda's `Invoke` of the sender, which moto would want Docker for."""
        assert (request["FunctionName"], request["InvocationType"]) == (SENDER_ARN, "Event")
        self.calls.append("Invoke")
        left, code = self._refused.get("Invoke", (0, ""))
        if left:
            raise self.dynamodb.exceptions.from_code(code)({"Error": {"Code": code}}, "Invoke")
        self.invoked.append(json.loads(request["Payload"]))

    def deliver(self) -> None:
        """Let Lambda run the sender for each direct invocation."""
        while self.invoked:
            self.sender.send(Firing.from_event(self.invoked.pop(0)))

    def before_call(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        """Record a call, and refuse it where a test asked for that. Registered with botocore by the fixture."""
        self.calls.append(model.name)
        self._die_at(model.name, after=False)
        if model.name == "PutRule":
            self._refuse_on_a_full_bus(json.loads(params["body"])["Name"])
        left, code = self._refused.get(model.name, (0, ""))
        if left:
            self._refused[model.name] = (left - 1, code)
            refusal = self.dynamodb.exceptions.from_code(code)  # a ClientError, where DynamoDB has none of that name
            raise refusal({"Error": {"Code": code, "Message": "made to fail"}}, model.name)

    def _refuse_on_a_full_bus(self, name: str) -> None:
        """As EventBridge does: a new rule needs room, a changed one does not."""
        on_bus = events_backends["123456789012"][REGION].event_buses["default"].rules
        if name not in on_bus and len(on_bus) >= self.bus_holds:
            refusal = {
                "Error": {"Code": "LimitExceededException", "Message": "The requested resource exceeds the limit"}
            }
            raise self.events.exceptions.LimitExceededException(refusal, "PutRule")

    def after_call(self, model: Any, **_: Any) -> None:
        """Registered with botocore by the fixture."""
        self._die_at(model.name, after=True)

    def _die_at(self, operation: str, *, after: bool) -> None:
        if self._deadly is None or self._deadly[:2] != (operation, after):
            return
        left = self._deadly[2] - 1
        self._deadly = (operation, after, left) if left else None
        if not left:
            raise KilledError

    def dying(self, operation: str, *, after: bool, nth: int = 1) -> None:
        """Let the process die right before or right after the nth call of an operation from now."""
        self._deadly = (operation, after, nth)

    def sweep(self, seconds: float = 270) -> None:
        """One sweep, with so many seconds of the function's time left from first to last."""
        self.sweeper.run(lambda: seconds)

    def schedules(self) -> list[dict[str, Any]]:
        """Every one-time schedule, as EventBridge Scheduler describes it."""
        found = self.scheduler.list_schedules(GroupName=SCHEDULE_GROUP)["Schedules"]
        return [self.scheduler.get_schedule(Name=each["Name"], GroupName=SCHEDULE_GROUP) for each in found]

    def request(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, dict[str, Any], Any]:
        """Status, headers and parsed body of one API call, which are held to the contract."""
        response = self.api.handle(api_event(method, path, body, **more))
        contract.check(method, path, response)
        body = json.loads(response["body"]) if response["body"] else None
        return response["statusCode"], response["headers"], body

    def book(self, start: str, end: str, user: str = "C", **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and body of one booking. Times are RFC 3339, or `HH:MM` in UTC on 2030-01-15."""
        times = [f"2030-01-15T{text:0>5}:00Z" if len(text) <= 5 else text for text in (start, end)]
        status, _, body = self.request(
            "POST", "/appointments", {"userId": user, "startTime": times[0], "endTime": times[1]} | more
        )
        return status, body

    def fire(self, appointment: dict[str, Any], offset: str = "1h") -> None:
        """Let the rule of a reminder fire at its due time, as EventBridge would."""
        reminder = next(r for r in appointment["reminders"] if r["offset"] == offset)
        self.now = max(self.now, datetime.fromisoformat(reminder["dueAt"]))
        self.sender.send(Firing(appointment["appointmentId"], offset, datetime.fromisoformat(reminder["dueAt"])))

    def inbox(self) -> list[dict[str, Any]]:
        """Every message that the topic delivered since the last look."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(QueueUrl=self.inbox_url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in batch]
            for message in batch:
                self.sqs.delete_message(QueueUrl=self.inbox_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def rules(self) -> dict[str, str]:
        """The schedule of every rule by its name."""
        pages = self.events.get_paginator("list_rules").paginate()
        return {rule["Name"]: rule["ScheduleExpression"] for page in pages for rule in page["Rules"]}

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    @contextmanager
    def failing(self, operation: str, times: int = 10**6, code: str = "ThrottlingException") -> Iterator[None]:
        """Make the next `times` calls of an operation fail before they are sent."""
        self._refused[operation] = (times, code)
        yield
        del self._refused[operation]
