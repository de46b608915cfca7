"""The event relay over the functional tests' world, and what came of it: entries of the history, events, messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from appointments.storage.contact_index import CONTACTS
from appointments.storage.dynamodb import Database
from appointments.storage.history import HISTORY, History
from event_relay.bus import Bus
from event_relay.failures import Failures
from event_relay.relay import Relay
from streams import fed, open_streams, records_of

if TYPE_CHECKING:
    from world import World

BUS = "appointments-test"


class Relaying:
    """A relay over a world's tables, whose events go to a queue by a rule, as those of others do."""

    def __init__(self, world: World) -> None:
        self.world = world
        open_streams(world.dynamodb)
        world.events.create_event_bus(Name=BUS)
        pattern = json.dumps({"source": ["appointments"]})
        world.events.put_rule(Name="all", EventBusName=BUS, EventPattern=pattern)
        self.heard_url, heard_arn = self._queue("heard")
        world.events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "heard", "Arn": heard_arn}])
        self.failures_url, _ = self._queue("failures")
        history = History(Database(world.dynamodb), "CalendarsTable")
        self.bus = Bus(world.events, BUS)
        self.failures = Failures(world.sqs, self.failures_url)
        self.relay = Relay(history, [self.bus], self.failures, world.contacts)

    def _queue(self, name: str) -> tuple[str, str]:
        url = self.world.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self.world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return url, attributes["QueueArn"]

    def records(self) -> list[dict[str, Any]]:
        """Both streams, without what the relay itself writes, which no filter lets through."""
        found = [r for table in ("AppointmentsTable", "CalendarsTable") for r in records_of(self.world.streams, table)]
        own = (HISTORY, CONTACTS)
        return [r for r in found if not r["dynamodb"]["Keys"].get("calendarId", {"S": ""})["S"].startswith(own)]

    def run(self) -> list[str]:
        return list(fed(self.relay.relay, self.records()))

    def messages(self, url: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while batch := self.world.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(json.loads(message["Body"]))
                self.world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def heard(self) -> list[dict[str, Any]]:
        """The details of what came to the queue since the last look, each with the envelope's type checked."""
        events = self.messages(self.heard_url)
        assert all(one["source"] == "appointments" and one["detail-type"] == one["detail"]["type"] for one in events)
        return [one["detail"] for one in events]

    def entries(self) -> dict[tuple[str, int], dict[str, Any]]:
        items = [item for item in self.world.items("CalendarsTable") if item["calendarId"]["S"].startswith(HISTORY)]
        return {(item["calendarId"]["S"].removeprefix(HISTORY), int(item["day"]["S"])): item for item in items}

    def versions(self) -> set[tuple[str, int]]:
        """Every version of every appointment that was ever committed."""
        items = self.world.items("AppointmentsTable")
        latest = {item["appointmentId"]["S"]: int(item["version"]["N"]) for item in items}
        return {(id_, version) for id_, last in latest.items() for version in range(1, last + 1)}
