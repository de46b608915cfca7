"""The queue of records that were not relayed. Lambda writes to it too: it names records, which stay in their stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from event_relay.records import sequence_number

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from event_relay.records import Record


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Failures:
    """Notes records in the queue."""

    client: SQSClient
    queue_url: str

    def note(self, record: Record, reason: str) -> None:
        """Note a record. Lambda tells no function the shard, so that has to be found by the number."""
        number = sequence_number(record)
        info = {
            "streamArn": record["eventSourceARN"],
            "startSequenceNumber": number,
            "endSequenceNumber": number,
            "batchSize": 1,
        }
        self.client.send_message(
            QueueUrl=self.queue_url, MessageBody=json.dumps({"DDBStreamBatchInfo": info, "reason": reason})
        )
