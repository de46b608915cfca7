"""What people are told of changes: the difference between what they were told last and what is now. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from appointments.json_text import to_json
from appointments.model import Interval
from appointments.statuses import Status
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from appointments.events import Event
    from appointments.model import Appointment

# Who an appointment's person is in records. The other recipients are resources, and no calendar's id has this sign.
PERSON = "#person"


class NoticeKind(StrEnum):
    """What a notice tells."""

    BOOKED = "booked"
    MOVED = "moved"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    APPROVED = "approved"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Known:
    """What a recipient knows of an appointment. `resource_ids` are in the order of their names.

    It is of a version; two that differ in nothing else are no difference to anybody.
    """

    version: int
    status: Status
    interval: Interval
    resource_ids: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the appointment takes place no more."""
        return not self.status.occupies

    @property
    def waits(self) -> bool:
        """Whether it is still to be confirmed or approved."""
        return self.status.expires


def known_of(appointment: Appointment, recipient: str) -> Known:
    """What there is to know of an appointment now: of a resource, its own steps, and nothing once it is left out."""
    if recipient == PERSON:
        resource_ids = tuple(sorted(appointment.resource_ids))
        return Known(appointment.version, appointment.status, appointment.interval, resource_ids)
    steps = [step.interval for step in appointment.steps if recipient in step.resource_ids]
    interval = appointment.interval
    if steps:
        interval = Interval(min(start for start, _ in steps), max(end for _, end in steps))
    status = appointment.status if recipient in appointment.resource_ids else Status.CANCELLED
    return Known(appointment.version, status, interval)


def difference(told: Known | None, now: Known) -> NoticeKind | None:
    """What has to be told to somebody who was told `told` last, or nothing at all; None where it is nothing.

    Nobody hears of a hold, nor of what came and went before they heard of it. That a request waits is not told, but
    who knows that it did is told what becomes of it.
    """
    if now.waits:
        return None
    if now.is_over:
        return _ending(told, now)
    if told is None or told.waits or told.is_over:
        return NoticeKind.APPROVED if _asked(told) else NoticeKind.BOOKED
    same = (told.interval, told.resource_ids) == (now.interval, now.resource_ids)
    return None if same else NoticeKind.MOVED


def _ending(told: Known | None, now: Known) -> NoticeKind | None:
    if told is not None and told.is_over:
        return None
    if now.status is Status.DECLINED:  # only a request is, so whoever asked hears of it
        return NoticeKind.DECLINED
    heard = told is not None and (_asked(told) or not told.waits)
    return NoticeKind(now.status.value) if heard else None


def _asked(told: Known | None) -> bool:
    return told is not None and told.status is Status.REQUESTED


@dataclass(frozen=True, slots=True)
class Change:
    """A version of an appointment, as the relay hands it to the notice sender. `was` is what it was before.

    `kinds` are those of which people are told, unless the appointment's service names others.
    """

    appointment_id: str
    version: int
    event_id: str
    kinds: tuple[str, ...] = tuple(NoticeKind)
    was: Known | None = None

    @classmethod
    def of(cls, event: Event, kinds: tuple[str, ...]) -> Change:
        """The change that an event of an appointment tells."""
        detail = event.detail
        now, changes = detail["appointment"], detail["changes"]

        def before(name: str) -> Any:
            return changes[name]["from"] if name in changes else now.get(name)

        was = None
        if detail["version"] > 1:
            interval = Interval(from_utc_text(before("startTime")), from_utc_text(before("endTime")))
            resource_ids = tuple(sorted(before("resourceIds") or ()))
            was = Known(detail["version"] - 1, Status.stored(before("status")), interval, resource_ids)
        return cls(detail["appointmentId"], detail["version"], event.event_id, kinds, was)

    @property
    def message(self) -> str:
        """As it lies in the queue. It names nobody who is reached."""
        body: dict[str, Any] = {
            "appointmentId": self.appointment_id,
            "version": self.version,
            "eventId": self.event_id,
            "kinds": list(self.kinds),
        }
        if self.was:
            body["was"] = known_body(self.was)
        return to_json(body)

    @classmethod
    def from_message(cls, text: str) -> Change:
        """The inverse of `message`. Raises KeyError, TypeError or ValueError for what is none."""
        body = json.loads(text)
        was = known_from_body(body["was"]) if "was" in body else None
        return cls(body["appointmentId"], int(body["version"]), body["eventId"], tuple(body["kinds"]), was)

    def presumed(self, recipient: str, now: Known) -> Known | None:
        """What somebody knew before who was told nothing, but knew of the appointment: as it was before this change."""
        if self.was is None or recipient == PERSON:
            return self.was
        return replace(now, version=self.was.version, status=self.was.status)


def known_body(known: Known) -> dict[str, Any]:
    """What is known, as JSON."""
    body: dict[str, Any] = {
        "version": known.version,
        "status": known.status.value,
        "startTime": to_utc_text(known.interval.start),
        "endTime": to_utc_text(known.interval.end),
    }
    return body | ({"resourceIds": list(known.resource_ids)} if known.resource_ids else {})


def known_from_body(body: dict[str, Any]) -> Known:
    """The inverse of `known_body`."""
    interval = Interval(from_utc_text(body["startTime"]), from_utc_text(body["endTime"]))
    return Known(body["version"], Status.stored(body["status"]), interval, tuple(body.get("resourceIds", ())))
