"""Give to the event relay again what it, or Lambda for it, has left in the queue of records that were not relayed.

A message names records by their stream and numbers: those between two numbers of a shard, or one, whose shard Lambda
tells no function. The stream keeps them for a day. They are relayed as at first, under the same ids, so that nobody who
heard of some of them hears of anything new. What the relay cannot read comes back to the queue, and stays there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from botocore.exceptions import ClientError, ParamValidationError

from appointments.batches import batches
from ops.emptying import Emptying, LeftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

# Lambda takes 6 MB of a synchronous invocation.
MAX_BYTES = 4_000_000
# A shard may answer so many times that nothing is there yet.
MOST_READS = 100
_GONE = ("TrimmedDataAccessException", "ResourceNotFoundException", "ValidationException")


class Found(NamedTuple):
    """Records of a stream, and whether they are all that were asked for."""

    records: list[Mapping[str, Any]]
    complete: bool


@dataclass(frozen=True)
class Unrelayed(Emptying):
    """Relays again over collaborators that a test can bring along."""

    what: ClassVar[str] = "the name of a record"

    sqs: Any
    functions: Any
    streams: Any
    relay_function: str
    wait_seconds: int = 1
    # What this run has relayed, by stream and numbers.
    done: set[tuple[str, str, str]] = field(default_factory=set)

    def again(self, message: Mapping[str, Any], now: datetime) -> bool:  # noqa: ARG002 - of the base class
        """Give the records that a message names to the relay."""
        info = json.loads(message["Body"])["DDBStreamBatchInfo"]
        which = info["streamArn"], info["startSequenceNumber"], info["endSequenceNumber"]
        if which in self.done:
            raise LeftError("which this version cannot read either")
        self.done.add(which)
        try:
            found = self._records(*which, info.get("shardId"))
        except ParamValidationError as exc:
            raise LeftError("which names no place in a stream") from exc
        records = [_as_lambda_gives_it(record, info["streamArn"]) for record in found.records]
        for batch in batches(((record, len(record.encode())) for record in records), MAX_BYTES):
            self._relay(batch)
        if not found.complete:
            raise LeftError("of whose records not all are in the stream any more; the others are relayed")
        return True

    def _relay(self, records: list[str]) -> None:
        """Relay some records, and raise LeftError where not all of them got through."""
        payload = f'{{"late": true, "Records": [{", ".join(records)}]}}'.encode()
        answer = self.functions.invoke(
            FunctionName=self.relay_function, InvocationType="RequestResponse", Payload=payload
        )
        text = answer["Payload"].read()
        if answer.get("FunctionError") or json.loads(text)["batchItemFailures"]:
            raise LeftError("which the relay failed on again; its log says why")

    def _records(self, arn: str, first: str, last: str, shard_id: str | None) -> Found:
        """The records between two numbers. Raises LeftError where they are gone.

        The stream loses the oldest first, so where the first one is gone the others may be there.
        """
        for shard in [shard_id] if shard_id else self._shards(arn, first):
            found = list(self._from(arn, shard, last, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=first))
            if found and _number(found[0]) == int(first):
                return Found(found, _number(found[-1]) == int(last))
        if shard_id and first != last:
            left = self._from(arn, shard_id, last, ShardIteratorType="TRIM_HORIZON")
            if found := [record for record in left if _number(record) > int(first)]:
                return Found(found, complete=False)
        raise LeftError("whose records are older than a day, and gone from the stream")

    def _shards(self, arn: str, number: str) -> Iterator[str]:
        """The shards of a stream that may hold a record."""
        request: dict[str, Any] = {"StreamArn": arn}
        while True:
            description = self.streams.describe_stream(**request)["StreamDescription"]
            for shard in description["Shards"]:
                span = shard["SequenceNumberRange"]
                end = span.get("EndingSequenceNumber")
                if int(span["StartingSequenceNumber"]) <= int(number) and (end is None or int(number) <= int(end)):
                    yield shard["ShardId"]
            if not (last := description.get("LastEvaluatedShardId")):
                return
            request["ExclusiveStartShardId"] = last

    def _from(self, arn: str, shard: str, last: str, **where: str) -> Iterator[Mapping[str, Any]]:
        """The records of a shard from somewhere on, up to a number; none where that place is gone."""
        try:
            iterator = self.streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **where)["ShardIterator"]
        except ClientError as exc:
            if exc.response["Error"]["Code"] in _GONE:
                return
            raise
        for _ in range(MOST_READS):
            answer = self.streams.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                if _number(record) <= int(last):
                    yield record
                if _number(record) >= int(last):
                    return
            iterator = answer.get("NextShardIterator")
            if not iterator:
                return


def _number(record: Mapping[str, Any]) -> int:
    return int(record["dynamodb"]["SequenceNumber"])


def _as_lambda_gives_it(record: Mapping[str, Any], arn: str) -> str:
    at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    change = record["dynamodb"] | {"ApproximateCreationDateTime": at}
    return json.dumps({**record, "eventSourceARN": arn, "dynamodb": change}, ensure_ascii=False)
