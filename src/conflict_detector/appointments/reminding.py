"""The timers of an appointment's reminders, made and removed after it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.telemetry import EventType, log_arming, logger, timer_keys

if TYPE_CHECKING:
    from appointments.model import Appointment
    from conflict_detector.request import Call


def arm(call: Call, appointment: Appointment) -> None:
    """Make the timers of the reminders that are to come.

    The booking stands whatever happens here, so a failure is only logged: the due index knows the reminder.
    """
    if not any(reminder.is_open for reminder in appointment.reminders):
        return
    for outcome in call.timers.arm(appointment, call.now, correlation_id=call.request.id):
        log_arming(outcome, call.timers.backend)


def disarm(call: Call, before: Appointment, after: Appointment) -> None:
    """Remove the timers of reminders that were to come and are not any more.

    A failure is only logged: a timer that still fires sends nothing, and goes then.
    """
    wanted = {reminder.offset for reminder in after.reminders if reminder.is_open}
    gone = [reminder for reminder in before.reminders if reminder.is_open and reminder.offset not in wanted]
    if not gone:
        return
    for outcome in call.timers.disarm(before, gone):
        keys = timer_keys(outcome)
        if outcome.error is None:
            logger.info("Rule removed", event_type=EventType.RULE_CLEANED, extra=keys)
        else:
            logger.error(
                "Rule not removed",
                event_type=EventType.REMINDER_SCHEDULE_ERROR,
                exc_info=outcome.error,
                extra=keys,
            )
