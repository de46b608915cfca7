"""How the functions are put together from their settings: storage and timers over AWS clients. The one place."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from appointments.aws import client

if TYPE_CHECKING:
    from datetime import timedelta

    from appointments.direct import Direct
    from appointments.link_keys import LinkKeys
    from appointments.rules import Rules
    from appointments.schedules import Schedules
    from appointments.storage.contact_index import ContactIndex
    from appointments.storage.dynamodb import Database
    from appointments.storage.history import History
    from appointments.storage.hold_counts import HoldCounts
    from appointments.storage.reminders import Reminders
    from appointments.storage.store import Storage
    from appointments.storage.undeliverable import Undeliverable
    from appointments.timers import ReminderTimers, TimerSettings
    from appointments.webhook_parts import WebhookParts


# What one function needs and another does not is imported where it is made: a start waits for every import.


def storage_of(appointments_table: str, calendars_table: str, retention: timedelta) -> Storage:
    """Both tables, for whoever decides."""
    from appointments.storage.store import Storage  # noqa: PLC0415

    return Storage.of(client("dynamodb"), appointments_table, calendars_table, retention)


def reminders_of(appointments_table: str) -> Reminders:
    """The reminders alone, for whoever sends them."""
    from appointments.storage.dynamodb import Database  # noqa: PLC0415
    from appointments.storage.reminders import Reminders  # noqa: PLC0415

    return Reminders(Database(client("dynamodb")), appointments_table)


def history_of(calendars_table: str) -> History:
    """The history of appointments, for whoever writes it."""
    from appointments.storage.dynamodb import Database  # noqa: PLC0415
    from appointments.storage.history import History  # noqa: PLC0415

    return History(Database(client("dynamodb")), calendars_table)


def contact_index_of(database: Database, calendars_table: str, key_id: str) -> ContactIndex:
    """Who is found by an address. The client of KMS is made when an address is first written or looked for."""
    from appointments.contact_digests import ContactDigests  # noqa: PLC0415
    from appointments.storage.contact_index import ContactIndex  # noqa: PLC0415

    return ContactIndex(database, calendars_table, cache(lambda: ContactDigests(client("kms"), key_id)))


def undeliverable_of(database: Database, calendars_table: str, key_id: str) -> Undeliverable:
    """The addresses that nothing is sent to any more."""
    from appointments.contact_digests import ContactDigests  # noqa: PLC0415
    from appointments.storage.undeliverable import Undeliverable  # noqa: PLC0415

    return Undeliverable(database, calendars_table, ContactDigests(client("kms"), key_id))


def hold_counts_of(database: Database, calendars_table: str, key_id: str) -> HoldCounts:
    """How many times each source address has asked for."""
    from appointments.contact_digests import SOURCES, ContactDigests  # noqa: PLC0415
    from appointments.storage.hold_counts import HoldCounts  # noqa: PLC0415

    return HoldCounts(database, calendars_table, ContactDigests(client("kms"), key_id, SOURCES))


def timers_of(settings: TimerSettings, **patience: Any) -> ReminderTimers:
    """Timers over clients of their own, each made when it is first needed; `patience` is that of the clients."""
    from appointments.timers import ReminderTimers  # noqa: PLC0415

    backend, sender_arn, queue_arn, group, role_arn = settings

    def rules() -> Rules:
        from appointments.rules import Rules  # noqa: PLC0415

        return Rules(client("events", **patience), sender_arn, queue_arn)

    def schedules() -> Schedules:
        from appointments.schedules import Schedules  # noqa: PLC0415 - only a full bus, or its own backend, needs it

        return Schedules(client("scheduler", **patience), sender_arn, queue_arn, group, role_arn)

    def direct() -> Direct:
        from appointments.direct import Direct  # noqa: PLC0415 - few bookings need it

        return Direct(client("lambda", **patience), sender_arn)

    return ReminderTimers(cache(rules), cache(schedules), cache(direct), backend)


def webhooks_of(
    calendars_table: str, key_id: str, queue_url: str, targets: str, failures_url: str = ""
) -> WebhookParts:
    """Webhooks over clients of their own, for whoever configures them or sends to them."""
    from appointments.storage.deliveries import Deliveries  # noqa: PLC0415
    from appointments.storage.dynamodb import Database  # noqa: PLC0415
    from appointments.storage.webhooks import WebhookItems  # noqa: PLC0415
    from appointments.targets import Targets  # noqa: PLC0415
    from appointments.webhook_parts import WebhookParts  # noqa: PLC0415
    from appointments.webhook_queue import DeliveryQueue  # noqa: PLC0415
    from appointments.webhook_secrets import WebhookSecrets  # noqa: PLC0415

    database = Database(client("dynamodb"))
    return WebhookParts(
        WebhookItems(database, calendars_table),
        Deliveries(database, calendars_table),
        WebhookSecrets(client("kms"), key_id),
        DeliveryQueue(client("sqs"), queue_url, failures_url),
        Targets(targets),
    )


def links_of(key_id: str, base: str = "") -> LinkKeys:
    """Links over a client of their own. Whoever writes messages says what comes before them: `base`."""
    from appointments.link_keys import LinkKeys  # noqa: PLC0415

    return LinkKeys(client("kms"), key_id, base)
