"""Reminders: rules armed per second, the sender's calls for one, and how late those of one minute are.

Of these there are 200 to the topic alone, and 500 that go to a person by email and SMS too.

The sender runs in this process, on threads, as rules fire; the engine fires them every 10 seconds.
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from appointments.contact_digests import ContactDigests
from appointments.contacts import ChannelName, Contact
from appointments.direct import Direct
from appointments.firing import Firing
from appointments.link_keys import LinkKeys
from appointments.model import Appointment, Interval
from appointments.reminders import ReminderState, reminders_ahead
from appointments.rules import Rules
from appointments.schedules import Schedules
from appointments.storage.reminders import Reminders
from appointments.storage.store import Storage
from appointments.storage.undeliverable import Undeliverable
from appointments.telemetry import logger
from appointments.timers import ReminderTimers
from bench.measure import Row, table
from conflict_detector.booking import book
from local.engine import REGION, Engine
from reaching.email import Mailer
from reaching.messenger import Messenger
from reaching.recipients import Recipients
from reaching.sms import Texter
from reminder_sender.channels.person import People
from reminder_sender.channels.topic import Topic
from reminder_sender.sender import ReminderSender
from support import create_tables
from texts.writing import Texts

ROUNDS = 7
AT_ONCE = 200
TO_PEOPLE = 500
# EventBridge wants a rule before its minute begins, and so does the engine.
AHEAD = timedelta(seconds=25)
MINUTE = timedelta(minutes=1)


def booked(storage: Storage, start: datetime, offsets: tuple[str, ...], contact: Contact | None = None) -> Appointment:
    """An appointment of somebody new."""
    now = datetime.now(UTC)
    interval = Interval(start, start + timedelta(minutes=30))
    reminders = reminders_ahead(start, offsets, now)
    wanted = Appointment(str(uuid.uuid4()), str(uuid.uuid4()), interval, now, now, offsets=offsets, reminders=reminders)
    return book(replace(wanted, contact=contact), storage, now)


def booked_now(storage: Storage, appointment_id: str) -> Appointment:
    """An appointment as it is stored now."""
    found = storage.appointments.get(appointment_id)
    if found is None:
        raise RuntimeError(f"{appointment_id} is gone")
    return found


def main() -> None:
    """Measure and print."""
    level = logger.log_level
    logger.setLevel("CRITICAL")
    try:
        measure()
    finally:
        logger.setLevel(level)  # whoever comes after this may count what is logged


def measure() -> None:
    """All three."""
    with Engine() as engine:
        dynamodb = engine.client("dynamodb", max_pool_connections=64)
        create_tables(dynamodb)
        events, sns, sqs = (engine.client(name, max_pool_connections=64) for name in ("events", "sns", "sqs"))
        topic = sns.create_topic(Name="reminders")["TopicArn"]
        queue = sqs.create_queue(QueueName="fired")["QueueUrl"]
        queue_arn = f"arn:aws:sqs:{REGION}:000000000000:fired"
        storage = Storage.of(dynamodb, "AppointmentsTable", "CalendarsTable")
        # The rules' target is a queue here, which tells when they fired; the sender then runs on what it holds.
        timers = ReminderTimers(
            lambda: Rules(events, queue_arn, queue_arn),
            lambda: Schedules(engine.client("scheduler"), queue_arn, queue_arn, "none", "none"),
            lambda: Direct(engine.client("lambda"), "none"),  # hardly any is due at once
        )
        sender = ReminderSender(
            Reminders(storage.database, "AppointmentsTable"),
            [Topic(sns, topic)],
            lambda: events,
            lambda: datetime.now(UTC),
        )
        arming(storage, timers)
        calls_of_one(storage, timers, sender, [dynamodb, events, sns])
        due = Due(storage, timers, sqs, queue)
        lateness(due, sender, AT_ONCE)
        lateness(due, reaching(sender, engine, sns), TO_PEOPLE)


def reaching(sender: ReminderSender, engine: Engine, sns: Any) -> ReminderSender:
    """The sender with both channels to people on, put together as in the function."""
    ses, kms = (engine.client(name, max_pool_connections=64) for name in ("sesv2", "kms"))
    ses.create_email_identity(EmailIdentity="clinic@example.com")
    made = [kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC") for _ in range(2)]
    contact_key, link_key = (one["KeyMetadata"]["KeyId"] for one in made)
    database = sender.reminders.database
    marks = Undeliverable(database, "CalendarsTable", ContactDigests(kms, contact_key))
    messenger = Messenger(Mailer(lambda: ses, "clinic@example.com", "Clinic"), Texter(lambda: sns), Texts, "Clinic")
    links = LinkKeys(kms, link_key, "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/prod")
    people = Recipients(database, "CalendarsTable", marks, messenger.channels, lambda: datetime.now(UTC))
    channels = [*sender.channels, *People.over(messenger, links.link_for)]
    return replace(sender, channels=channels, people=people.of)


class Due(NamedTuple):
    """Where reminders lie, what fires them, and the queue that it fires into."""

    storage: Storage
    timers: ReminderTimers
    sqs: Any
    queue: str


def arming(storage: Storage, timers: ReminderTimers) -> None:
    """Two rules a booking, as the conflict detector makes them."""
    far = datetime.now(UTC) + timedelta(days=30)
    rates = []
    for _ in range(ROUNDS):
        made = [booked(storage, far, ("24h", "1h")) for _ in range(20)]
        began = time.perf_counter()
        outcomes = [outcome for one in made for outcome in timers.arm(one, datetime.now(UTC))]
        rates.append(len(outcomes) / (time.perf_counter() - began))
        if any(outcome.error for outcome in outcomes):
            raise RuntimeError(outcomes)
        for one in made:
            timers.disarm(one, one.reminders)
    print(f"Rules armed: {statistics.median(rates):.0f} a second from one process, two at a time.\n")


def calls_of_one(storage: Storage, timers: ReminderTimers, sender: ReminderSender, clients: list[Any]) -> None:
    """What sending one reminder asks of AWS."""
    one = booked(storage, datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2), ("1h",))
    timers.arm(one, datetime.now(UTC))
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    for client in clients:
        client.meta.events.register("before-call", note)
    sender.send(Firing(one.appointment_id, "1h", one.reminders[0].due_at, early=True))
    for client in clients:
        client.meta.events.unregister("before-call", note)
    print(f"The sender's calls for one reminder: {', '.join(calls)}.\n")


def lateness(where: Due, sender: ReminderSender, count: int) -> None:
    """Arm so many for one minute, and see when each is sent on its last channel."""
    storage, timers, sqs, queue = where
    several = len(sender.channels) > 1
    # What is armed in the minute before is armed in time.
    due = (datetime.now(UTC) + AHEAD + timedelta(seconds=count / 20)).replace(second=0, microsecond=0) + MINUTE
    for number in range(count):
        contact = Contact(
            "Anna", f"person-{number}@example.org", f"+49151{20000000 + number}", "de", tuple(ChannelName)
        )
        one = booked(storage, due + timedelta(hours=1), ("1h",), contact if several else None)
        timers.arm(one, datetime.now(UTC))
    pool = ThreadPoolExecutor(16)
    sent: dict[str, list[float]] = {}
    duplicates: Counter[str] = Counter()

    def send(event: dict[str, str]) -> None:
        fired = datetime.now(UTC)
        sender.send(Firing.from_event(event))
        late = [(moment - due).total_seconds() for moment in (fired, datetime.now(UTC))]
        if sent.setdefault(event["appointmentId"], late) is not late:
            duplicates.update([event["appointmentId"]])

    futures = []
    deadline = due + timedelta(seconds=110)
    while len(sent) < count and datetime.now(UTC) < deadline:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            futures.append(pool.submit(send, json.loads(message["Body"])))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    pool.shutdown()
    for future in futures:
        future.result()
    reminders = [reminder for id_ in sent for reminder in booked_now(storage, id_).reminders]
    states = Counter(reminder.state for reminder in reminders)
    if states != {ReminderState.SENT: count}:
        raise RuntimeError(f"not all were sent: {states}")
    records = Counter(f"{one.channel} {one.state}" for reminder in reminders for one in reminder.deliveries)
    if several and records != dict.fromkeys((f"{channel.name} sent" for channel in sender.channels), count):
        raise RuntimeError(f"not all were sent on each channel: {records}")
    print(table([_row(count, name, index, sent, duplicates) for index, name in enumerate(("fired", "sent"))]))
    print(f"\nOn each of: {', '.join(channel.name for channel in sender.channels)}.\n")


def _row(count: int, name: str, index: int, sent: dict[str, list[float]], duplicates: Counter[str]) -> Row:
    late = sorted(times[index] for times in sent.values())
    return Row(
        {
            f"of {count} due in one minute": name,
            "count": len(late),
            "first s": f"{late[0]:.1f}",
            "median s": f"{statistics.median(late):.1f}",
            "p99 s": f"{late[int(len(late) * 0.99)]:.1f}",
            "last s": f"{late[-1]:.1f}",
            "twice": sum(duplicates.values()),
        }
    )
