"""The reminder sweep: the Lambda function that one rule starts every five minutes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from appointments.start import finish
from appointments.telemetry import EventType, logger
from appointments.wiring import reminders_of, storage_of, timers_of
from reminder_sender.channels import channels_from, people_from
from reminder_sender.sender import ReminderSender
from reminder_sweep.settings import Settings
from reminder_sweep.sweep import Sweep, SweepIncompleteError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Sweep once. Fails where anything in it failed, after everything else was done."""
    try:
        _sweep().run(lambda: context.get_remaining_time_in_millis() / 1000)
    except SweepIncompleteError:
        raise  # its failures are logged, each by itself
    except Exception:
        logger.exception("Sweep failed", event_type=EventType.REMINDER_ERROR)
        raise


@cache
def _sweep() -> Sweep:
    env = os.environ
    settings = Settings.from_env(env)
    reminders = reminders_of(settings.appointments_table)
    timers = timers_of(settings.timers)

    def clock() -> datetime:
        return datetime.now(UTC)

    events, people = (lambda: timers.rules().client), people_from(env, clock)
    sender = ReminderSender(reminders, channels_from(env), events, clock, people=people)
    storage = cache(partial(storage_of, settings.appointments_table, settings.calendars_table, settings.retention))
    return Sweep(reminders, sender, timers, clock, storage)


finish()
