"""The use case: confirm the appointment that a person answers `C` to.

Two-way SMS of AWS End User Messaging puts each answer on an SNS topic. SNS may bring it twice, which changes nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from appointments.errors import CalendarBusyError, LinkEndedError, ProductError, RefusalError
from appointments.happened import Happened, happened
from appointments.model import Interval
from appointments.statuses import Status
from appointments.telemetry import EventType, logger
from conflict_detector import booking
from conflict_detector.links.acting import Action, Asked, change_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.storage.store import Storage

# Whoever answers means what they were reminded of: the longest reminders come two weeks before.
REACH = timedelta(days=14)
# What means yes, in the languages of the messages; in any case, and with or without a full stop.
CONFIRMING = frozenset({"c", "confirm", "yes", "ja", "oui", "sí", "si", "sì", "sim", "tak"})
_PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


class UnreadableReplyError(ProductError):
    """A message of the topic is no answer of a person."""


class Reply(NamedTuple):
    """An answer: the number that it came from, in E.164, and its text."""

    phone: str
    text: str

    @property
    def confirms(self) -> bool:
        """Whether it says yes, and nothing else."""
        return self.text.strip(" \t\r\n.!\"'").casefold() in CONFIRMING


class Finder(Protocol):
    """Finds people by where they are reached."""

    def reached_at(self, phone: str, within: Interval) -> Iterable[Appointment]:
        """The appointments that start in a time, of whoever is reached at a number, as they are now."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Replies:
    """Does what answers say."""

    finder: Finder
    storage: Storage
    clock: Callable[[], datetime]

    def take(self, event: Mapping[str, Any]) -> None:
        """Do what each message of an SNS event says. What is no answer is named in the log, and passed."""
        for record in event["Records"]:
            try:
                reply = reply_of(record)
            except UnreadableReplyError:
                logger.warning("Answer not read")
                continue
            if reply.confirms:
                self.confirm(reply.phone)
            else:
                logger.info("Answer says nothing that is known")

    def confirm(self, phone: str) -> None:
        """Confirm the one appointment of a number that waits for it. Of several, nobody knows which is meant."""
        now = self.clock()
        found = self.finder.reached_at(phone, Interval(now, now + REACH))
        waiting = [one for one in found if _waits(one, now)]
        if len(waiting) != 1:
            logger.info("Answer left aside", waiting=len(waiting))
            return
        [one] = waiting
        # What was changed since is not what was answered to.
        asked = Asked(Action.CONFIRM, version=one.version)
        try:
            before, after = booking.change(one.appointment_id, change_of(asked, now), self.storage, now)
        except CalendarBusyError:
            raise  # Lambda repeats it
        except (LinkEndedError, RefusalError):
            logger.info("Answer came too late", appointment_id=one.appointment_id)
            return
        if after is not before and happened(before, after) is Happened.CONFIRMED:
            keys = {"appointment_id": after.appointment_id, "user_id": after.user_id}
            logger.info("Appointment confirmed", event_type=EventType.APPOINTMENT_CONFIRMED, extra=keys)


def reply_of(record: Mapping[str, Any]) -> Reply:
    """The answer in a record of an SNS event. Raises UnreadableReplyError."""
    try:
        message = json.loads(record["Sns"]["Message"])
        phone, text = message["originationNumber"], message["messageBody"]
    except (KeyError, TypeError, ValueError) as exc:
        raise UnreadableReplyError from exc
    if not (isinstance(phone, str) and isinstance(text, str) and _PHONE.fullmatch(phone)):
        raise UnreadableReplyError
    return Reply(phone, text)


def _waits(appointment: Appointment, now: datetime) -> bool:
    ahead = appointment.interval.start > now
    return ahead and appointment.status is Status.SCHEDULED and appointment.confirmed_at is None
