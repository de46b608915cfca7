"""Tells people what happened: to each recipient, on each channel, the difference to what they were told last.

A message of the queue says that an appointment has a new version. What is told is what is now, so of a version that is
not the latest nothing is told: the message of the later one comes. To tell is to claim, to look whether it is still the
latest, to send, and to record. A sender that dies between the claim and the record may have told; this is on record
before anybody tells again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from appointments.notices import PERSON, Known, NoticeKind, difference, known_of
from appointments.statuses import Status
from appointments.storage.notices import NoticeRecord
from appointments.telemetry import EventType, logger
from reaching.refusals import NotSentError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from appointments.contacts import ChannelName, Contact
    from appointments.model import Appointment, Interval
    from appointments.notices import Change
    from appointments.storage.notices import Notices

# How long a claim keeps others away. An invocation ends before: see the function's Timeout.
LEASE = timedelta(seconds=45)
# Somebody who was told nothing of an appointment so old knows of it from elsewhere: it was booked before notices were
# on, or told by someone else.
LONG_KNOWN = timedelta(hours=1)


class Notice(NamedTuple):
    """What is to be told to a recipient: of the appointment as it is now, and of how it was, where they knew it so.

    `with_whom` are the names of the others, as far as contacts tell them.
    """

    kind: NoticeKind
    appointment: Appointment
    recipient: str
    interval: Interval
    was: Interval | None = None
    with_whom: tuple[str, ...] = ()


class Messenger(Protocol):
    """Sends one notice on one channel."""

    def send(self, contact: Contact, channel: ChannelName, notice: Notice) -> str:
        """Send a notice once and return the message's id. Raises NotSentError, RefusedError.

        After any other error nobody knows whether it was sent.
        """


class Appointments(Protocol):
    """Where appointments are read."""

    def get(self, appointment_id: str) -> Appointment | None:
        """An appointment, strongly consistent."""


class Contacts(Protocol):
    """Where the contacts are read that are kept for calendars."""

    def of(self, calendar_ids: Collection[str]) -> Mapping[str, Contact]:
        """The contacts of those calendars that have one."""


class Told(NamedTuple):
    """One recipient on one channel: where they are reached, what there is to know, and what they were told."""

    contact: Contact
    with_whom: tuple[str, ...]
    now: Known
    record: NoticeRecord


class Missing(NamedTuple):
    """What one recipient has still to be told, and what they know; of no `kind` where it is only to be noted."""

    kind: NoticeKind | None
    was: Known | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoticeSender:
    """Tells over collaborators that a test can replace.

    `channels` are those that are on.
    """

    appointments: Appointments
    contacts: Contacts
    notices: Notices
    messenger: Messenger
    channels: tuple[ChannelName, ...]
    clock: Callable[[], datetime]

    def tell(self, change: Change) -> bool:
        """Tell everybody of a change what they do not know. False where the message has to come again."""
        appointment = self.appointments.get(change.appointment_id)
        if appointment is None or appointment.version != change.version:
            return _skip(change.appointment_id, "not the latest version")
        records = self.notices.of(change.appointment_id)
        done = True
        for told in self._recipients(appointment, records):
            try:
                done &= self._tell_one(change, appointment, told)
            except Exception:  # noqa: BLE001 - the others are told, and this one when the message comes again
                logger.exception("Notice failed", event_type=EventType.NOTICE_ERROR, extra=_about(told.record))
                done = False
        return done

    def _recipients(
        self, appointment: Appointment, records: Mapping[tuple[str, ChannelName], NoticeRecord]
    ) -> Iterable[Told]:
        """Everybody who is reached, on each channel: also the resources that were told and are left out by now."""
        recipients = [PERSON]
        if appointment.session_id is None:  # the resources of a session hear of it, and not of each who joins
            recipients += dict.fromkeys(appointment.resource_ids)
        recipients += dict.fromkeys(name for name, _ in records if name not in recipients)
        contacts = self._contacts(appointment, recipients)
        others = [name for name in (PERSON, *appointment.resource_ids) if name in contacts]
        for name in recipients:
            contact = contacts.get(name)
            if contact is None:
                continue
            with_whom = tuple(whom for other in others if other != name and (whom := contacts[other].name))
            for channel in self.channels:
                if contact.address(channel):
                    record = records.get((name, channel)) or NoticeRecord(appointment.appointment_id, name, channel)
                    yield Told(contact, with_whom, known_of(appointment, name), record)

    def _contacts(self, appointment: Appointment, recipients: Iterable[str]) -> dict[str, Contact]:
        """Where recipients and resources are reached; the person by what the appointment says, before what is kept."""
        names = dict.fromkeys((*recipients, *appointment.resource_ids))
        own = {PERSON: appointment.contact} if appointment.contact else {}
        asked = {name: appointment.user_id if name == PERSON else name for name in names if name not in own}
        kept = self.contacts.of(asked.values()) if asked else {}
        return own | {name: kept[calendar_id] for name, calendar_id in asked.items() if calendar_id in kept}

    def _tell_one(self, change: Change, appointment: Appointment, told: Told) -> bool:
        """Tell one recipient on one channel. False where the message has to come again."""
        record, now = told.record, told.now
        if record.settled >= now.version:
            return True
        if record.sending and self.clock() < record.sending.until:
            return False  # another sender is at it; should it die, nobody else would know
        missing = self._missing(change, appointment, told)
        if missing is None:
            return True
        claimed = self.notices.claim(record, now, self.clock() + LEASE)
        if claimed is None:
            return False
        if claimed.repeated > record.repeated:
            logger.warning("Notice repeated", event_type=EventType.NOTICE_RECOVERED, extra=_about(record))
        if missing.kind not in _kinds(change, appointment):
            missing = missing._replace(kind=None)
        return self._tell_claimed(appointment, told, missing, claimed)

    def _missing(self, change: Change, appointment: Appointment, told: Told) -> Missing | None:
        """What one recipient has still to be told."""
        now, known = told.now, list(told.record.may_know())
        if known == [None]:
            known = [self._presumed(change, appointment, told)]
        for was in known:
            if kind := difference(was, now):
                return Missing(kind, was) if self._is_ahead(now, was) else None
        # Of a request nothing is told, but it is to be known later on that there was one.
        noted = known == [None] and now.status is Status.REQUESTED
        return Missing(None, None) if noted and self._is_ahead(now, None) else None

    def _tell_claimed(self, appointment: Appointment, told: Told, missing: Missing, claimed: NoticeRecord) -> bool:
        """Tell what was claimed, where it is still the latest: who handled a later version may be done already."""
        latest = self.appointments.get(appointment.appointment_id)
        if latest is None or latest.version != appointment.version:
            self.notices.give_back(claimed)
            return _skip(appointment.appointment_id, "not the latest version")
        kind, was = missing
        if kind is None:
            self.notices.record(claimed, None)
            return _skip(appointment.appointment_id, "of no kind that is told")
        return self._send(told.contact, _notice(kind, appointment, told, was), claimed)

    def _presumed(self, change: Change, appointment: Appointment, told: Told) -> Known | None:
        """What a recipient knew of whom there is no record."""
        presumed = change.presumed(told.record.recipient, told.now)
        if presumed is None or presumed.status is Status.REQUESTED:
            return presumed
        return presumed if self.clock() - appointment.created_at >= LONG_KNOWN else None

    def _is_ahead(self, now: Known, was: Known | None) -> bool:
        """Whether it has not ended, neither where it is nor where it was: of what is past nothing is told."""
        return any(self.clock() < one.interval.end for one in (now, was) if one)

    def _send(self, contact: Contact, notice: Notice, claimed: NoticeRecord) -> bool:
        about = {**_about(claimed), "kind": notice.kind.value, "version": notice.appointment.version}
        try:
            message_id = self.messenger.send(contact, claimed.channel, notice)
        except NotSentError as exc:  # without what caused it: a service's words can hold an address
            logger.error("Notice not sent", event_type=EventType.NOTICE_ERROR, reason=str(exc), extra=about)
            self.notices.give_back(claimed)
            return False
        except RefusedError as exc:
            self.notices.refuse(claimed, str(exc))
            logger.warning("Notice refused", event_type=EventType.MESSAGE_REFUSED, reason=str(exc), extra=about)
            return True
        recorded = self.notices.record(claimed, message_id)
        late = max(self.clock() - notice.appointment.updated_at, timedelta()) // timedelta(milliseconds=1)
        logger.info(
            "Notice sent",
            event_type=EventType.NOTICE_SENT,
            message_id=message_id,
            recorded=recorded,
            lateness_ms=late,
            extra=about,
        )
        return True


def _kinds(change: Change, appointment: Appointment) -> Collection[str]:
    """Of which kinds people are told."""
    own = json.loads(appointment.service.body).get("notices") if appointment.service else None
    return change.kinds if own is None else own


def _notice(kind: NoticeKind, appointment: Appointment, told: Told, was: Known | None) -> Notice:
    """What is told: of what is over, the time at which the recipient expected it."""
    interval, before = told.now.interval, None
    if was and told.now.is_over:
        interval = was.interval
    elif was and kind is NoticeKind.MOVED and was.interval != interval:
        before = was.interval
    return Notice(kind, appointment, told.record.recipient, interval, before, told.with_whom)


def _skip(appointment_id: str, reason: str) -> bool:
    """One line on what is not told. The message is done with."""
    logger.info("Notice skipped", event_type=EventType.NOTICE_SKIPPED, reason=reason, appointment_id=appointment_id)
    return True


def _about(record: NoticeRecord) -> dict[str, str]:
    """What every line about a notice tells: ids, and nothing of where it goes."""
    recipient = "person" if record.recipient == PERSON else record.recipient
    return {"appointment_id": record.appointment_id, "recipient": recipient, "channel": record.channel.value}
