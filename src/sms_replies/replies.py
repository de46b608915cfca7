"""The use case: confirm the appointment that a person answers `C` to, and send nothing more to who answers `STOP`.

Two-way SMS of AWS End User Messaging puts each answer on an SNS topic. SNS may bring it twice, or much later from the
queue of failures. So an answer is taken for what was there when it came: what was booked since is not meant by it, and
what was changed since is not confirmed. And it is an answer to a message: it confirms no time of which no reminder had
gone out by SMS. Who was reminded of one time, and was moved to another, has said yes to the first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from appointments.contacts import OPTED_OUT, ChannelName
from appointments.errors import CalendarBusyError, LinkEndedError, ProductError, RefusalError
from appointments.happened import Happened, happened
from appointments.model import Interval
from appointments.reminders import DeliveryState, due_at
from appointments.statuses import Status
from appointments.storage.lists import END_OF_TIME
from appointments.telemetry import EventType, logger
from appointments.times import InvalidTimeError, parse_time
from conflict_detector import booking
from conflict_detector.links.changing import Action, Asked, change_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from appointments.model import Appointment
    from appointments.storage.store import Storage

# Whoever answers means what they were reminded of: the longest reminders come two weeks before.
REACH = timedelta(days=14)
# What means yes, in the languages of the messages; in any case, and with or without a full stop.
CONFIRMING = frozenset({"c", "confirm", "yes", "ja", "oui", "sí", "si", "sì", "sim", "tak"})
# What AWS takes for the end of all SMS to a number, and for the contrary. It answers these itself and sends no more,
# but SNS goes on to take messages to such a number as if they were sent.
STOPPING = frozenset({"stop", "arret", "cancel", "end", "opt-out", "optout", "quit", "remove", "td", "unsubscribe"})
STARTING = frozenset({"start", "unstop"})
_MAY_HAVE_COME = (DeliveryState.SENT, DeliveryState.UNKNOWN)
_PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


class UnreadableReplyError(ProductError):
    """A message of the topic is no answer of a person."""


class Reply(NamedTuple):
    """An answer: the number that it came from, in E.164, its text, and when it came."""

    phone: str
    text: str
    at: datetime

    @property
    def word(self) -> str:
        """What it says, in lower case and without what stands around it."""
        return self.text.strip(" \t\r\n.!\"'").casefold()


class Finder(Protocol):
    """Finds people by where they are reached."""

    def reached_at(self, phone: str, within: Interval) -> Sequence[Appointment] | None:
        """The appointments that start in a time, of whoever is reached at a number, as they are now.

        None where they are too many to look at.
        """


class Marks(Protocol):
    """Which addresses nothing is sent to any more."""

    def mark(self, channel: ChannelName, address: str, reason: str, at: datetime) -> None:
        """Have nothing sent to an address."""

    def unmark(self, channel: ChannelName, address: str) -> None:
        """Have messages sent to it again."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Replies:
    """Does what answers say."""

    finder: Finder
    marks: Marks
    storage: Storage
    clock: Callable[[], datetime]

    def take(self, event: Mapping[str, Any]) -> None:
        """Do what each message of an SNS event says. What is no answer is named in the log, and passed."""
        for record in event["Records"]:
            try:
                reply = reply_of(record)
            except UnreadableReplyError:
                _skip("not an answer of a person")
                continue
            self._do(reply)

    def _do(self, reply: Reply) -> None:
        if reply.word in CONFIRMING:
            self.confirm(reply)
        elif reply.word in STOPPING:
            self.marks.mark(ChannelName.SMS, reply.phone, OPTED_OUT, self.clock())
            logger.warning(
                "Address undeliverable",
                event_type=EventType.ADDRESS_UNDELIVERABLE,
                channel=ChannelName.SMS,
                reason=OPTED_OUT,
            )
        elif reply.word in STARTING:
            self.marks.unmark(ChannelName.SMS, reply.phone)
            logger.info("Address deliverable again", channel=ChannelName.SMS)
        else:
            _skip("says nothing that is known")

    def confirm(self, reply: Reply) -> None:
        """Confirm what an answer means, unless it was changed meanwhile."""
        now = self.clock()
        one = self._meant(reply, now)
        if one is None:
            return
        asked = Asked(Action.CONFIRM, version=one.version)
        try:
            before, after = booking.change(one.appointment_id, change_of(asked, now), self.storage, now)
        except CalendarBusyError:
            raise  # Lambda repeats it
        except (LinkEndedError, RefusalError):
            _skip("came too late", appointment_id=one.appointment_id)
            return
        if after is not before and happened(before, after) is Happened.CONFIRMED:
            keys = {"appointment_id": after.appointment_id, "user_id": after.user_id}
            logger.info("Appointment confirmed", event_type=EventType.APPOINTMENT_CONFIRMED, extra=keys)

    def _meant(self, reply: Reply, now: datetime) -> Appointment | None:
        """The one appointment of a number that waited for the answer. Of several, nobody knows which is meant."""
        # What has begun since the answer was given may be what it meant, and so may what was moved far away since.
        found = self.finder.reached_at(reply.phone, Interval(min(reply.at, now), END_OF_TIME))
        waited = [one for one in found if _may_be_meant(one, reply.at, now)] if found else []
        if found is None or len(waited) > 1:
            _skip("several wait for it")
        elif not waited:
            _skip("nothing waits for it")
        elif waited[0].updated_at > reply.at:
            _skip("came too late", appointment_id=waited[0].appointment_id)
        elif not _was_reminded_of(waited[0], reply.at):
            _skip("answers no reminder of its time", appointment_id=waited[0].appointment_id)
        else:
            return waited[0]
        return None


def reply_of(record: Mapping[str, Any]) -> Reply:
    """The answer in a record of an SNS event. Raises UnreadableReplyError."""
    try:
        message = json.loads(record["Sns"]["Message"])
        phone, text = message["originationNumber"], message["messageBody"]
        at = parse_time(record["Sns"]["Timestamp"], None)
    except (KeyError, TypeError, ValueError, InvalidTimeError) as exc:
        raise UnreadableReplyError from exc
    if not (isinstance(phone, str) and isinstance(text, str) and _PHONE.fullmatch(phone)):
        raise UnreadableReplyError
    return Reply(phone, text, at)


def _may_be_meant(one: Appointment, at: datetime, now: datetime) -> bool:
    """Whether an appointment waits to be confirmed, or perhaps did when the answer came: it was changed since."""
    waits = one.status is Status.SCHEDULED and one.confirmed_at is None and one.interval.start < now + REACH
    return one.created_at <= at < one.interval.start and (waits or one.updated_at > at)


def _was_reminded_of(one: Appointment, at: datetime) -> bool:
    """Whether a reminder of the time that the appointment has now had gone out by SMS, or may have."""
    return any(
        made.channel == ChannelName.SMS and made.state in _MAY_HAVE_COME and made.at <= at
        for reminder in one.reminders
        if reminder.due_at == due_at(one.interval.start, reminder.offset, one.time_zone, one.quiet)
        for made in reminder.deliveries
    )


def _skip(reason: str, **about: str) -> None:
    """One line on an answer that changes nothing. It holds neither the number nor the text."""
    logger.info("Answer left aside", event_type=EventType.SMS_REPLY_SKIPPED, reason=reason, extra=about)
