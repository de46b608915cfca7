"""What the deployed functions really log: every metric filter counts what happened, and nothing personal is in it.

One stack of its own, so that nobody else's lines are counted, and one story in which everything happens that the
filters know. To make AWS refuse something, a statement is taken out of a role for a moment: the engine enforces it.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.contacts import ChannelName
from appointments.model import Interval
from appointments.notices import PERSON, Change, Known
from appointments.reminders import Delivery, DeliveryState, Reminder, ReminderState
from appointments.statuses import Status
from appointments.storage.appointment_items import appointment_from_item, appointment_to_item
from appointments.storage.dynamodb import Database
from appointments.storage.notices import NoticeRecord, Notices
from log_filters import values
from receivers import OK, receiver
from support import ROOT, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.deploy import Stack
    from local.engine import Engine

MARK = f"zebra{uuid.uuid4().hex}"
PERSONAL = {"title": f"Title {MARK}", "contact": f"{MARK}@example.org", "description": MARK, "location": MARK}
BEGUN = {"startTime": {"S": "2020-01-01T00:00:00Z"}}
FILTERS = resources("AWS::Logs::MetricFilter")
# The engine's bus is never full: tests/functional/test_full_bus.py has these.
NEED_A_FULL_BUS = {"ReminderOverflowMetric", "ReminderOverflowInSweepMetric"}


class Clinic:
    """A stack in use. `happened` counts, by a filter's name, what its metric should come to."""

    def __init__(self, engine: Engine, stack: Stack) -> None:
        self.engine, self.stack = engine, stack
        self.happened: Counter[str] = Counter()
        self.traced = ""  # the appointment that one query shall follow
        self.hour = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=10)
        resources_ = engine.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
        self.physical = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources_}

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {MARK}", "X-Note": MARK}
        request = urllib.request.Request(self.stack.api_target + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, json.loads(answer.read())

    def body(self, **more: Any) -> dict[str, Any]:
        times = {"startTime": self.hour.isoformat(), "endTime": (self.hour + timedelta(minutes=30)).isoformat()}
        return {"userId": "anna", "details": PERSONAL, "reminders": ["1h"]} | times | more

    def book(self, timer: str = "ReminderScheduledMetric") -> dict[str, Any]:
        """Book the next free hour with one reminder."""
        self.hour += timedelta(hours=1)
        booked: dict[str, Any]
        status, booked = self.call("POST", "/appointments", self.body())
        assert status == 201, booked
        self.happened.update(["BookingSuccessMetric", timer])
        return booked

    def timer_input(self, booked: dict[str, Any]) -> str:
        """What the rule of the appointment's reminder tells the sender, but to be sent before it is due."""
        rule = f"appointment-reminder-1h-{booked['appointmentId']}"
        (target,) = self.engine.client("events").list_targets_by_rule(Rule=rule)["Targets"]
        return json.dumps(json.loads(target["Input"]) | {"early": True})

    def shift(self, booked: dict[str, Any], due: timedelta, **item: dict[str, str]) -> dict[str, str]:
        """Let the reminder be due so long from now, behind the back of all code; the input of a timer for that."""
        due_at = (datetime.now(UTC) + due).strftime("%Y-%m-%dT%H:%M:%SZ")
        reminder = {"dueAt": {"S": due_at}, "state": {"S": "pending"}, "attempts": {"N": "0"}}
        reminder |= {name: value for name, value in item.items() if name in ("state", "leaseUntil", "claim")}
        fields = {"nextReminderAt": {"S": due_at}, "reminders": {"M": {"1h": {"M": reminder}}}}
        fields |= {name: value for name, value in item.items() if name in ("startTime", "status")}
        self.engine.client("dynamodb").update_item(
            TableName=self.stack.appointments_table,
            Key={"appointmentId": {"S": booked["appointmentId"]}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            ExpressionAttributeValues={f":{name}": value for name, value in fields.items()},
        )
        return {"appointmentId": booked["appointmentId"], "reminder": "1h", "dueAt": due_at}

    def reach(self, booked: dict[str, Any]) -> dict[str, Any]:
        """Give an appointment a contact, behind the back of all code; the address is the one that bounced."""
        contact = json.dumps({"name": MARK, "email": f"{MARK}@example.org", "channels": ["email"]})
        self.engine.client("dynamodb").update_item(
            TableName=self.stack.appointments_table,
            Key={"appointmentId": {"S": booked["appointmentId"]}},
            UpdateExpression="SET contact = :contact",
            ExpressionAttributeValues={":contact": {"S": contact}},
        )
        return booked

    def invoke(self, function: str, event: Any) -> bool:
        """Invoke a function; whether it succeeded."""
        text = event if isinstance(event, str) else json.dumps(event)
        return "FunctionError" not in self.engine.client("lambda").invoke(FunctionName=function, Payload=text)

    def send(self, event: Any) -> bool:
        return self.invoke(self.stack.reminder_sender, event)

    def sweep(self) -> bool:
        return self.invoke(f"{self.stack.name}-reminder-sweep", {})

    def rules(self) -> int:
        pages = self.engine.client("events").get_paginator("list_rules").paginate(NamePrefix="appointment-reminder-")
        return sum(len(page["Rules"]) for page in pages)

    @contextmanager
    def without(self, role: str, sid: str) -> Iterator[None]:
        """Take one statement out of a role's policy for a while."""
        iam, name = self.engine.client("iam"), self.physical[role]
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        left = [statement for statement in document["Statement"] if statement["Sid"] != sid]
        assert len(left) == len(document["Statement"]) - 1
        narrowed = json.dumps(document | {"Statement": left})
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=narrowed)
        yield
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

    def lines(self, group: str) -> list[str]:
        """Every line of a log group."""
        name = self.physical[group]
        pages = self.engine.client("logs").get_paginator("filter_log_events").paginate(logGroupName=name)
        return [event["message"] for page in pages for event in page["events"]]


@pytest.fixture(scope="session")  # the tests of this file may be spread, and its stack is there once per process
def clinic(engine: Engine, first_stack: Stack) -> Clinic:
    clinic = Clinic(engine, first_stack)
    book_change_and_cancel(clinic)
    hear_of_a_bounce(clinic)
    send(clinic)
    hold_ask_and_arrive(clinic)
    sweep(clinic)
    tell_webhooks(clinic)
    tell_people(clinic)
    answer_by_sms(clinic, engine.client("sns").create_topic(Name="sms-replies")["TopicArn"])  # the stack's
    relay(clinic)
    return clinic


def relay(clinic: Clinic) -> None:
    """A record of an item that no version can read; those that can be read leave no line."""
    change = {"SequenceNumber": "1", "Keys": {"appointmentId": {"S": "x"}}, "NewImage": {"details": {"S": MARK}}}
    assert clinic.invoke(
        f"{clinic.stack.name}-event-relay", {"Records": [{"eventSourceARN": "arn", "dynamodb": change}]}
    )
    clinic.happened.update(["EventRelayErrorMetric"])


def book_change_and_cancel(clinic: Clinic) -> None:
    happened = clinic.happened
    first = clinic.book()
    assert clinic.call("POST", "/appointments", clinic.body())[0] == 409
    assert clinic.call("POST", "/appointments", clinic.body(startTime=MARK))[0] == 422
    assert clinic.call("POST", "/appointments", clinic.body(**{MARK: 1}, details=MARK))[0] == 422
    assert clinic.call("POST", "/appointments", b'{"details": "' + MARK.encode())[0] == 400
    happened.update({"BookingConflictMetric": 1, "BookingRejectedMetric": 3})
    path = f"/appointments/{first['appointmentId']}"
    moved = (clinic.hour + timedelta(hours=100)).isoformat()
    status, changed = clinic.call("PATCH", path, {"startTime": moved, "details": PERSONAL | {"note": MARK}})
    assert status == 200, changed
    happened.update(["AppointmentRescheduledMetric", "ReminderScheduledMetric"])
    assert clinic.call("DELETE", path)[1]["details"]["note"] == MARK
    happened.update(["AppointmentCancelledMetric", "RuleCleanedOnChangeMetric"])
    with clinic.without("ConflictDetectorRole", "ReadAndWriteCalendarDays"):
        assert clinic.call("POST", "/appointments", clinic.body(userId="ben"))[0] == 500
    happened.update(["BookingErrorMetric", "BookingErrorByVersionMetric"])
    with clinic.without("ConflictDetectorRole", "CreateAndRemoveReminderRules"):
        clinic.book(timer="ReminderScheduleErrorMetric")


def hear_of_a_bounce(clinic: Clinic) -> None:
    recipients = [{"emailAddress": f"{MARK}@example.org"}]
    bounce = {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": recipients}}
    told = {"Records": [{"Sns": {"Message": json.dumps(bounce)}}]}
    with clinic.without("ReachFeedbackRole", "MarkAddresses"):
        assert not clinic.invoke(f"{clinic.stack.name}-reach-feedback", told)
    assert clinic.invoke(f"{clinic.stack.name}-reach-feedback", told)
    clinic.happened.update(["ReachFeedbackErrorMetric", "AddressUndeliverableMetric"])


def send(clinic: Clinic) -> None:
    happened = clinic.happened
    # By the event of its real timer, before it is due.
    booked = clinic.book()
    clinic.traced = booked["appointmentId"]
    event = clinic.timer_input(booked)
    assert clinic.send(event)
    happened.update(["ReminderSentMetric", "RuleCleanedMetric"])
    assert clinic.send(event)
    happened.update(["ReminderSkippedMetric"])  # its rule is gone already
    # Late by seven minutes, then after a sender that fell silent, then after the appointment began.
    assert clinic.send(clinic.shift(clinic.book(), -timedelta(minutes=7)))
    happened.update(["ReminderSentMetric", "ReminderLatenessMetric", "RuleCleanedMetric"])
    # To an address that bounced.
    assert clinic.send(clinic.shift(clinic.reach(clinic.book()), -timedelta(minutes=8)))
    happened.update(["ReminderSentMetric", "ReminderLatenessMetric", "RuleCleanedMetric", "MessageRefusedMetric"])
    held = {"state": {"S": "sending"}, "claim": {"S": "x"}, "leaseUntil": {"S": "2020-01-01T00:00:00Z"}}
    assert clinic.send(clinic.shift(clinic.book(), -timedelta(minutes=1), **held))
    happened.update(["ReminderSentMetric", "ReminderLatenessMetric", "ReminderRecoveredMetric", "RuleCleanedMetric"])
    assert clinic.send(clinic.shift(clinic.book(), -timedelta(hours=2), **BEGUN))
    happened.update(["ReminderMissedMetric", "RuleCleanedMetric"])
    with clinic.without("ReminderSenderRole", "PublishReminders"):
        assert not clinic.send(clinic.timer_input(clinic.book()))
    assert not clinic.send({"unknown": MARK})
    happened.update({"ReminderErrorMetric": 2})


def hold_ask_and_arrive(clinic: Clinic) -> None:
    happened = clinic.happened

    def post(**more: Any) -> str:
        """The path of what is posted for the next free hour, without reminders."""
        clinic.hour += timedelta(hours=1)
        status, posted = clinic.call("POST", "/appointments", clinic.body(reminders=[], **more))
        assert status == 201, posted
        return f"/appointments/{posted['appointmentId']}"

    def patch(path: str, **change: Any) -> None:
        assert clinic.call("PATCH", path, change)[0] == 200

    patch(post(hold={"minutes": 5}), status="scheduled")
    happened.update(["AppointmentHeldMetric", "BookingSuccessMetric"])
    assert clinic.call("PUT", "/calendars/dr-lee", {"approval": True})[0] == 200
    patch(post(resourceIds=["dr-lee"]), status="scheduled")
    patch(post(resourceIds=["dr-lee"]), status="declined")
    # Nobody answers this one, which every sweep tells.
    clinic.engine.client("dynamodb").update_item(
        TableName=clinic.stack.appointments_table,
        Key={"appointmentId": {"S": post(resourceIds=["dr-lee"]).removeprefix("/appointments/")}},
        UpdateExpression="SET createdAt = :past",
        ExpressionAttributeValues={":past": {"S": "2020-01-01T00:00:00Z"}},
    )
    happened.update({"AppointmentRequestedMetric": 3, "AppointmentApprovedMetric": 1, "AppointmentDeclinedMetric": 1})
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    here = post(userId="ben", startTime=begins.isoformat(), endTime=(begins + timedelta(minutes=30)).isoformat())
    patch(here, confirmed=True)
    patch(here, status="arrived")
    patch(here, status="scheduled")
    time.sleep(max((begins - datetime.now(UTC)).total_seconds(), 0) + 1)
    patch(here, status="completed")
    patch(here, status="scheduled")
    patch(here, status="no_show")
    happened.update(["BookingSuccessMetric", "AppointmentConfirmedMetric", "AppointmentArrivedMetric"])
    happened.update(["AppointmentCompletedMetric", "AppointmentNoShowMetric"])
    times = {name: clinic.body()[name] for name in ("startTime", "endTime")}
    status, block = clinic.call("POST", "/calendars/dr-kim/blocks", times)
    assert status == 201
    assert clinic.call("DELETE", f"/calendars/dr-kim/blocks/{block['blockId']}")[0] == 200
    happened.update(["CalendarBlockedMetric", "BlockRemovedMetric"])
    # The sweep that follows finds it expired.
    path = post(hold={"minutes": 5})
    clinic.engine.client("dynamodb").update_item(
        TableName=clinic.stack.appointments_table,
        Key={"appointmentId": {"S": path.removeprefix("/appointments/")}},
        UpdateExpression="SET heldUntil = :past, nextReminderAt = :past",
        ExpressionAttributeValues={":past": {"S": "2020-01-01T00:00:00Z"}},
    )
    happened.update(["AppointmentHeldMetric", "AppointmentExpiredMetric"])
    # As if whoever cancelled the session had died at once: the sweep cancels who joined.
    session_id = post(session={"seats": 2}, resourceIds=["studio"]).removeprefix("/appointments/")
    joining = {"userId": "carla", "sessionId": session_id, "reminders": []}
    assert clinic.call("POST", "/appointments", joining)[0] == 201
    clinic.engine.client("dynamodb").update_item(
        TableName=clinic.stack.appointments_table,
        Key={"appointmentId": {"S": session_id}},
        UpdateExpression="SET #status = :cancelled, clearing = :past, nextReminderAt = :past",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":past": {"S": "2020-01-01T00:00:00Z"}, ":cancelled": {"S": "cancelled"}},
    )
    happened.update({"BookingSuccessMetric": 2, "AppointmentCancelledInSweepMetric": 1})


def sweep(clinic: Clinic) -> None:
    happened = clinic.happened
    # Everything at once, then what fails.
    clinic.shift(clinic.book(), -timedelta(minutes=9))
    happened.update(["ReminderSentInSweepMetric", "ReminderLatenessInSweepMetric"])
    happened.update(["ReminderRecoveredInSweepMetric", "RuleCleanedInSweepMetric"])
    clinic.shift(clinic.reach(clinic.book()), -timedelta(minutes=10))
    happened.update(["ReminderSentInSweepMetric", "ReminderLatenessInSweepMetric", "MessageRefusedInSweepMetric"])
    happened.update(["ReminderRecoveredInSweepMetric", "RuleCleanedInSweepMetric"])
    clinic.shift(clinic.book(), -timedelta(hours=2), **BEGUN)
    happened.update(["ReminderMissedInSweepMetric", "RuleCleanedInSweepMetric"])
    clinic.shift(clinic.book(), -timedelta(minutes=9), status={"S": "cancelled"})
    happened.update(["ReminderSkippedInSweepMetric"])
    clinic.shift(clinic.book(), timedelta(minutes=8))
    happened.update(["ReminderScheduledInSweepMetric"])
    dead = {"Name": f"appointment-reminder-1h-{uuid.uuid4()}", "ScheduleExpression": "cron(0 9 1 1 ? 2020)"}
    clinic.engine.client("events").put_rule(**dead)
    happened.update(["RuleCleanedInSweepMetric"])
    before = clinic.rules()
    assert clinic.sweep()
    # Three are overdue: what is cancelled is not. Their rules are gone when the bus is listed.
    happened.update({"SweepOverdueMetric": 3, "ReminderRulesMetric": before - 3})
    clinic.shift(clinic.book(), -timedelta(minutes=9))
    with clinic.without("ReminderSweepRole", "PublishReminders"):
        before = clinic.rules()
        assert not clinic.sweep()
    happened.update({"ReminderErrorInSweepMetric": 1, "SweepOverdueMetric": 1, "ReminderRulesMetric": before})
    # What was refused then is sent now, while no rule can be made.
    happened.update(["ReminderSentInSweepMetric", "ReminderLatenessInSweepMetric", "ReminderRecoveredInSweepMetric"])
    clinic.shift(clinic.book(), timedelta(minutes=7))
    before = clinic.rules()
    with clinic.without("ReminderSweepRole", "CreateAndRemoveReminderRules"):
        assert not clinic.sweep()
    happened.update({"SweepOverdueMetric": 1, "ReminderRulesMetric": before, "ReminderScheduleErrorInSweepMetric": 1})
    happened.update(["ReminderErrorInSweepMetric"])  # the rule of what was sent could not be removed either
    happened.update({"RequestsWaitingMetric": 3})  # one in each of three sweeps


def tell_webhooks(clinic: Clinic) -> None:
    answers = {"good": OK, "gone": b"HTTP/1.1 410 Gone\r\n\r\n", "bad": b"HTTP/1.1 500 No\r\n\r\n", "lost": OK}

    def until(event_type: str) -> None:
        for _ in range(300):
            if any(event_type in line for line in clinic.lines("WebhookSenderLogGroup")):
                return
            time.sleep(0.1)
        raise AssertionError(f"no {event_type}")

    def told(name: str, event_type: str) -> None:
        assert clinic.call("POST", f"/webhooks/{name}/test")[0] == 202
        until(event_type)

    with ExitStack() as stack:
        for name, answer in answers.items():
            port = stack.enter_context(receiver(answer)).port
            # A type that does not happen here: what the relay has yet to tell of the above is not counted.
            webhook = {"url": f"http://127.0.0.1:{port}/{MARK}", "events": ["service.configured"]}
            assert clinic.call("PUT", f"/webhooks/{name}", webhook)[0] == 200
        told("good", "WEBHOOK_DELIVERED")
        told("gone", "WEBHOOK_GONE")
        # Deleted at once, so that what is tried again is dropped and not counted.
        told("bad", "WEBHOOK_FAILED")
        assert clinic.call("DELETE", "/webhooks/bad")[0] == 200
        with clinic.without("WebhookSenderRole", "ReadWebhooksAndRecordDeliveries"):
            told("lost", "WEBHOOK_ERROR")
        assert clinic.call("DELETE", "/webhooks/lost")[0] == 200
        clinic.engine.client("sqs").send_message(QueueUrl=clinic.physical["WebhookDeliveries"], MessageBody=MARK)
        until("WEBHOOK_GIVEN_UP")
    names = ("Delivered", "Lateness", "Gone", "Failed", "Error", "GivenUp")
    clinic.happened.update(f"Webhook{name}Metric" for name in names)


def tell_people(clinic: Clinic) -> None:
    """What the queue brings comes later by itself, and finds all of this told."""

    def tell(message: str) -> Any:
        event = {"Records": [{"messageId": "1", "body": message}]}
        answer = clinic.engine.client("lambda").invoke(
            FunctionName=clinic.physical["NoticeSenderFunction"], Payload=json.dumps(event)
        )
        return json.loads(answer["Payload"].read())

    def booked(**contact: Any) -> Change:
        appointment_id = clinic.book()["appointmentId"]
        contact = contact or {"name": MARK, "phone": "+4915123456789", "channels": ["sms"]}
        clinic.engine.client("dynamodb").update_item(
            TableName=clinic.stack.appointments_table,
            Key={"appointmentId": {"S": appointment_id}},
            UpdateExpression="SET contact = :contact",
            ExpressionAttributeValues={":contact": {"S": json.dumps(contact)}},
        )
        return Change(appointment_id, 1, f"{appointment_id}.1")

    done: dict[str, Any] = {"batchItemFailures": []}
    first, second, third = booked(), booked(), booked()
    assert tell(first.message) == done
    assert tell(replace(first, version=2).message) == done
    with clinic.without("NoticeSenderRole", "SendSmsToPhoneNumbers"):
        assert tell(second.message) != done
    assert tell(second.message) == done
    # As if a sender had died after it claimed.
    interval = Interval(clinic.hour, clinic.hour + timedelta(minutes=30))
    notices = Notices(Database(clinic.engine.client("dynamodb")), clinic.physical["CalendarsTable"])
    record = NoticeRecord(third.appointment_id, PERSON, ChannelName.SMS)
    assert notices.claim(record, Known(1, Status.SCHEDULED, interval), datetime.now(UTC) - timedelta(seconds=1))
    assert tell(third.message) == done
    assert tell(MARK) != done
    assert tell(booked(email=f"{MARK} no address", channels=["email"]).message) == done
    clinic.happened.update({"NoticeSentMetric": 3, "NoticeLatenessMetric": 3, "NoticeErrorMetric": 2})
    clinic.happened.update(["NoticeSkippedMetric", "NoticeRecoveredMetric", "MessageRefusedInNoticesMetric"])


def reminded_by_sms(clinic: Clinic, appointment_id: str) -> None:
    """As if a reminder had gone out, which is what people answer to."""
    database, table = clinic.engine.client("dynamodb"), clinic.physical["AppointmentsTable"]
    key = {"appointmentId": {"S": appointment_id}}
    one = appointment_from_item(database.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"])
    now = datetime.now(UTC)
    made = Delivery(ChannelName.SMS, PERSON, DeliveryState.SENT, now)
    sent = Reminder("1h", one.interval.start - timedelta(hours=1), ReminderState.SENT, 1, deliveries=(made,))
    item = appointment_to_item(replace(one, reminders=(sent,)), timedelta(days=30))
    database.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET reminders = :sent",
        ExpressionAttributeValues={":sent": item["reminders"]},
    )


def answer_by_sms(clinic: Clinic, topic: str) -> None:
    """By the topic itself, as End User Messaging puts an answer on it."""
    phone = f"+49151{uuid.uuid4().int % 10**8:08}"
    clinic.hour += timedelta(hours=1)
    asked = clinic.body(contact={"name": MARK, "phone": phone}, reminders=[])
    status, booked = clinic.call("POST", "/appointments", asked)
    assert status == 201, booked
    clinic.happened.update(["BookingSuccessMetric"])
    path = f"/appointments/{booked['appointmentId']}"
    reminded_by_sms(clinic, booked["appointmentId"])
    sns = clinic.engine.client("sns")

    def answer(text: str) -> None:
        said = {"originationNumber": phone, "destinationNumber": "+4915112345678", "messageBody": text}
        sns.publish(TopicArn=topic, Message=json.dumps(said))

    def until(event_type: str) -> bool:
        for _ in range(300):
            if any(event_type in line for line in clinic.lines("SmsRepliesLogGroup")):
                return True
            time.sleep(0.1)
        return False

    # The relay makes it known by its number within moments.
    found = f"/appointments?contact={phone.replace('+', '%2B')}&from={booked['startTime']}&to={booked['endTime']}"
    for _ in range(100):
        if clinic.call("GET", found)[1]["appointments"]:
            break
        time.sleep(0.1)
    answer(f"no {MARK}")
    assert until("SMS_REPLY_SKIPPED")
    with clinic.without("SmsRepliesRole", "FindByContact"):
        event = {"Records": [{"Sns": {"Message": json.dumps({"originationNumber": phone, "messageBody": "C"})}}]}
        event["Records"][0]["Sns"]["Timestamp"] = datetime.now(UTC).isoformat()
        assert not clinic.invoke(clinic.physical["SmsRepliesFunction"], event)
    answer("C")
    assert until("APPOINTMENT_CONFIRMED")
    assert clinic.call("GET", path)[1]["confirmedAt"]
    answer("STOP")
    assert until("ADDRESS_UNDELIVERABLE")
    answer("Start")
    assert until("deliverable again")
    clinic.happened.update(["SmsReplySkippedMetric", "SmsReplyErrorMetric", "AppointmentConfirmedInRepliesMetric"])
    clinic.happened.update(["AddressUndeliverableInRepliesMetric"])


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - NEED_A_FULL_BUS))
def test_each_filter_counts_what_happened(clinic: Clinic, name: str) -> None:
    assert clinic.happened[name]
    found = values(FILTERS[name], clinic.lines(FILTERS[name]["Properties"]["LogGroupName"]["Ref"]))
    if "Notice" in name:  # those of the others too, whose changes come through the queue
        assert len(found) >= clinic.happened[name]
    elif "Lateness" in name:
        assert len(found) == clinic.happened[name]
    else:
        assert sum(found) == clinic.happened[name]


def test_an_error_is_counted_for_the_version_that_met_it(clinic: Clinic) -> None:
    """A gradual deployment is taken back by the errors of the new version, whatever the one before meets."""
    (transformation,) = FILTERS["BookingErrorByVersionMetric"]["Properties"]["MetricTransformations"]
    ((key, field),) = [(d["Key"], d["Value"].removeprefix("$.")) for d in transformation["Dimensions"]]
    lines = [json.loads(line) for line in clinic.lines("ConflictDetectorLogGroup") if line.startswith("{")]
    alias = clinic.engine.client("lambda").get_alias(FunctionName=clinic.stack.conflict_detector, Name="live")
    errors = [line for line in lines if line.get("event_type") == "BOOKING_ERROR"]
    assert (key, {line[field] for line in errors}) == ("Version", {alias["FunctionVersion"]})


def test_lateness_is_measured_and_what_is_sent_early_is_not_late(clinic: Clinic) -> None:
    late = sorted(values(FILTERS["ReminderLatenessMetric"], clinic.lines("ReminderSenderLogGroup")))
    assert 60_000 <= late[0] < 90_000
    assert 7 * 60_000 <= late[1] < 7 * 60_000 + 30_000
    sent = values(FILTERS["ReminderSentMetric"], clinic.lines("ReminderSenderLogGroup"))
    assert len(sent) == len(late) + 1


def test_nothing_personal_is_in_any_line(clinic: Clinic) -> None:
    # It went all the way: stored, read back, and given to the topic.
    kept = clinic.call("GET", f"/appointments/{clinic.traced}")[1]
    assert kept["details"] == PERSONAL
    assert kept["reminders"][0]["state"] == "sent"
    groups = sorted(resources("AWS::Logs::LogGroup"))
    lines = {group: clinic.lines(group) for group in groups}
    assert all(lines.values())
    for group, found in lines.items():
        assert not [line for line in found if MARK in line], group
    # Every group that there is, not only those that the template knows.
    pages = clinic.engine.client("logs").get_paginator("describe_log_groups").paginate()
    named = {
        group["logGroupName"] for page in pages for group in page["logGroups"] if "appointments-logs" in str(group)
    }
    assert named == {clinic.physical[group] for group in groups}


def test_one_query_follows_an_appointment(clinic: Clinic) -> None:
    """From the request, through the rule's input, to the sender: by appointment, or by the request's id."""
    lines = [
        json.loads(line)
        for group in ("ConflictDetectorLogGroup", "ReminderSenderLogGroup")
        for line in clinic.lines(group)
        if line.startswith("{")
    ]
    about = [line for line in lines if line.get("appointment_id") == clinic.traced]
    assert [line["message"] for line in about] == [
        "Appointment booked",
        "Reminder scheduled",
        "Reminder sent",
        "Rule removed",
        "Reminder skipped",
    ]
    (request_id,) = {line["correlation_id"] for line in about}
    assert [line for line in lines if line.get("correlation_id") == request_id] == about


RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
QUERIES = [q for q in re.findall(r"\n([^\n]+)\n\n```\n(.*?)```", RUNBOOK, re.DOTALL) if "filter" in q[1]]


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title[:30] for title, _ in QUERIES])
def test_every_query_of_the_runbook_finds_something(clinic: Clinic, title: str, query: str) -> None:
    """Run by the engine's Logs Insights over the lines of this story; placeholders are filled in."""
    lines = [json.loads(line) for line in clinic.lines("ConflictDetectorLogGroup") if line.startswith("{")]
    booked = next(line for line in lines if line.get("appointment_id") == clinic.traced)
    query = query.replace("APPOINTMENT_ID", clinic.traced).replace("<id>", clinic.traced)
    query = query.replace("REQUEST_ID", booked["correlation_id"])
    logs = clinic.engine.client("logs")
    groups = [clinic.physical[group] for group in sorted(resources("AWS::Logs::LogGroup"))]
    now = int(datetime.now(UTC).timestamp())
    started = logs.start_query(logGroupNames=groups, startTime=now - 3600, endTime=now + 60, queryString=query)
    for _ in range(50):
        answer = logs.get_query_results(queryId=started["queryId"])
        if answer["status"] not in ("Scheduled", "Running"):
            break
        time.sleep(0.1)
    assert answer["status"] == "Complete", answer
    if "refused" in title:
        return  # nobody is, with Auth=none
    assert answer["results"], query
    asked = re.search(r"fields (.*)", query)
    if asked:  # each field is in some line, or it is misspelt
        found = {cell["field"] for row in answer["results"] for cell in row}
        assert set(re.split(r", ?", asked[1])) <= found
