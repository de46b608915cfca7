"""The queue of deliveries: what waits for the webhook sender, and the dead letters of what it gave up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from appointments.batches import batches
from appointments.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from appointments.webhooks import Delivery

# SQS's limits: entries of one call, and bytes of all of them together.
MOST_ENTRIES = 10
MOST_BYTES = 256 * 1024
# The name of the message attribute that says why a dead letter is one.
REASON = "Reason"


class Written(Protocol):
    """What can be put into a queue: it says how it lies there."""

    @property
    def message(self) -> str:
        """The body of its message."""


Queued = TypeVar("Queued", bound=Written)


@dataclass(frozen=True, slots=True)
class DeliveryQueue:
    """Both queues. Whoever only sends needs no `failures_url`."""

    sqs: SQSClient
    url: str
    failures_url: str = ""

    def send(self, delivery: Delivery) -> None:
        """Put one delivery into the queue."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=delivery.message)

    def send_all(self, things: Iterable[Queued]) -> list[Queued]:
        """Put deliveries, or what else lies in such a queue, into it in few calls; those that it did not take."""
        left: list[Queued] = []
        messages = ((thing, thing.message) for thing in things)
        sized = ((each, len(each[1].encode())) for each in messages)
        for chunk in batches(sized, MOST_BYTES, MOST_ENTRIES):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "MessageBody": message} for number, (_, message) in enumerate(chunk)
            ]
            try:
                answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            except (BotoCoreError, ClientError):
                logger.warning("Messages not queued", exc_info=True)
                left += [thing for thing, _ in chunk]
            else:
                left += [chunk[int(failed["Id"])][0] for failed in answer.get("Failed", ())]
        return left

    def put_back(self, seconds: Mapping[str, int]) -> None:
        """Hide messages for so many seconds each, by their receipts. One that is not comes back by itself, later."""
        receipts = list(seconds)
        for start in range(0, len(receipts), MOST_ENTRIES):
            chunk = receipts[start : start + MOST_ENTRIES]
            try:
                self.sqs.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds[receipt]}
                        for number, receipt in enumerate(chunk)
                    ],
                )
            except (BotoCoreError, ClientError):
                logger.warning("Messages not put back", exc_info=True)

    def give_up(self, message: str, reason: str) -> None:
        """Put a message among the dead letters, with the reason."""
        self.sqs.send_message(
            QueueUrl=self.failures_url,
            MessageBody=message,
            MessageAttributes={REASON: {"DataType": "String", "StringValue": reason}},
        )
