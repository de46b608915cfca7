"""What each recipient of an appointment was told on each channel: an item each in the calendars table.

An item says what was told last, and who is about to tell more. A sender that dies in between leaves its claim, and
nobody can know whether it told. So the next one keeps what it may have told beside what was, until something is told
for certain.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from appointments.contacts import ChannelName
from appointments.json_text import to_json
from appointments.notices import Known, known_body, known_from_body
from appointments.storage.dynamodb import ConditionFailedError
from appointments.times import from_utc_text, to_utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.storage.dynamodb import Database, Item

# Before an appointment's id, in the partition of its records.
NOTICES = "notices#"
# How long a record outlives the appointment.
KEPT_FOR = timedelta(days=30)


class Sending(NamedTuple):
    """A claim: what is about to be told, and until when nobody else may tell anything."""

    now: Known
    until: datetime


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """What a recipient was told of an appointment on one channel.

    `told` is what they know for certain, `perhaps` is what senders that died may have told since, the latest last.
    `refused` is the version whose notice was refused for good. `repeated` counts how often a sender died in between.
    `expires_at` is until when it is kept, in epoch seconds. `mark` names the write that made it what it is; empty where
    there is none yet.
    """

    appointment_id: str
    recipient: str
    channel: ChannelName
    told: Known | None = None
    perhaps: tuple[Known, ...] = ()
    sending: Sending | None = None
    refused: int = 0
    reason: str | None = None
    message_id: str | None = None
    repeated: int = 0
    expires_at: int = 0
    mark: str = field(default="", compare=False)

    @property
    def settled(self) -> int:
        """The version up to which there is nothing more to tell."""
        return max(self.told.version if self.told else 0, self.refused)

    def may_know(self) -> tuple[Known | None, ...]:
        """All that the recipient may have been told last, the likeliest first."""
        latest = (self.sending.now,) if self.sending else ()
        return (*latest, *reversed(self.perhaps), self.told)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Notices:
    """Reads and writes of records. Each write is on condition that the record is as it was read."""

    database: Database
    table: str

    def of(self, appointment_id: str) -> dict[tuple[str, ChannelName], NoticeRecord]:
        """The records of an appointment, strongly consistent."""
        items = self.database.query(
            TableName=self.table,
            KeyConditionExpression="calendarId = :id",
            ExpressionAttributeValues={":id": {"S": NOTICES + appointment_id}},
            ConsistentRead=True,
        )
        records = (_from_item(item) for item in items)
        return {(record.recipient, record.channel): record for record in records}

    def claim(self, record: NoticeRecord, now: Known, until: datetime) -> NoticeRecord | None:
        """Claim to tell what is now; None where somebody else was first. Whose claim ran out may have told."""
        perhaps = record.perhaps
        if record.sending:
            perhaps = (*(known for known in perhaps if known != record.sending.now), record.sending.now)
        claimed = replace(
            record,
            perhaps=perhaps,
            sending=Sending(now, until),
            repeated=record.repeated + (record.sending is not None),
            expires_at=max(record.expires_at, int((now.interval.end + KEPT_FOR).timestamp())),
        )
        return self._write(record, claimed)

    def give_back(self, claimed: NoticeRecord) -> bool:
        """Undo a claim under which nothing was sent."""
        return self._write(claimed, replace(claimed, sending=None)) is not None

    def record(self, claimed: NoticeRecord, message_id: str | None) -> bool:
        """Record that what was claimed was told, or that it is as good as told. False where the claim ran out."""
        assert claimed.sending is not None  # noqa: S101 - callers have claimed it
        told = replace(claimed, told=claimed.sending.now, perhaps=(), sending=None, reason=None, message_id=message_id)
        return self._write(claimed, told) is not None

    def refuse(self, claimed: NoticeRecord, reason: str) -> bool:
        """Record that what was claimed is never told, and why. False where the claim ran out."""
        assert claimed.sending is not None  # noqa: S101 - as above
        version = claimed.sending.now.version
        return self._write(claimed, replace(claimed, sending=None, refused=version, reason=reason)) is not None

    def _write(self, was: NoticeRecord, record: NoticeRecord) -> NoticeRecord | None:
        record = replace(record, mark=str(uuid.uuid4()))
        item = _to_item(record)
        gone = [name for name in _MAY_LACK if name not in item]
        names = {f"#{name}": name for name in (*item, *gone)} | {"#mark": "mark"}
        values = {f":{name}": value for name, value in item.items()}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in item)
        if gone:
            update += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        condition = "attribute_not_exists(#mark)"
        if was.mark:
            condition = "#mark = :was"
            values[":was"] = {"S": was.mark}
        try:
            self.database.update(
                TableName=self.table,
                Key={
                    "calendarId": {"S": NOTICES + record.appointment_id},
                    "day": {"S": f"{record.recipient}#{record.channel}"},
                },
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError as exc:
            # The SDK repeats a write whose answer got lost, and meets its own.
            if not exc.item or exc.item.get("mark") != {"S": record.mark}:
                return None
        return record


_MAY_LACK = ("told", "perhaps", "sending", "until", "refused", "reason", "messageId", "repeated")


def _to_item(record: NoticeRecord) -> dict[str, Any]:
    """The attributes of a record beside its key."""
    item: dict[str, Any] = {"mark": {"S": record.mark}, "expiresAt": {"N": str(record.expires_at)}}
    if record.told:
        item["told"] = _text(known_body(record.told))
    if record.perhaps:
        item["perhaps"] = _text([known_body(one) for one in record.perhaps])
    if record.sending:
        item["sending"] = _text(known_body(record.sending.now))
        item["until"] = {"S": to_utc_text(record.sending.until)}
    numbers = {"refused": record.refused, "repeated": record.repeated}
    item |= {name: {"N": str(number)} for name, number in numbers.items() if number}
    texts = {"reason": record.reason, "messageId": record.message_id}
    return item | {name: {"S": text} for name, text in texts.items() if text}


def _from_item(item: Item) -> NoticeRecord:
    """A record from its item."""
    recipient, _, channel = item["day"]["S"].rpartition("#")
    sending = None
    if "sending" in item:
        sending = Sending(known_from_body(_json(item, "sending")), from_utc_text(item["until"]["S"]))
    return NoticeRecord(
        appointment_id=item["calendarId"]["S"].removeprefix(NOTICES),
        recipient=recipient,
        channel=ChannelName(channel),
        told=known_from_body(_json(item, "told")) if "told" in item else None,
        perhaps=tuple(map(known_from_body, _json(item, "perhaps"))) if "perhaps" in item else (),
        sending=sending,
        refused=int(item["refused"]["N"]) if "refused" in item else 0,
        reason=item["reason"]["S"] if "reason" in item else None,
        message_id=item["messageId"]["S"] if "messageId" in item else None,
        repeated=int(item["repeated"]["N"]) if "repeated" in item else 0,
        expires_at=int(item["expiresAt"]["N"]),
        mark=item["mark"]["S"],
    )


def _text(value: Any) -> Mapping[str, str]:
    return {"S": to_json(value)}


def _json(item: Item, name: str) -> Any:
    return json.loads(item[name]["S"])
