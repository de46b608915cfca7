"""The streams of the tables, as Lambda reads them: batches of records, given again from the first that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Record = dict[str, Any]

TABLES = ("AppointmentsTable", "CalendarsTable")


def open_streams(dynamodb: Any) -> None:
    """Switch the streams of both tables on, as the template has them."""
    for table in TABLES:
        view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        dynamodb.update_table(TableName=table, StreamSpecification=view)


def records_of(streams: Any, table: str) -> list[Record]:
    """Every record of a table's stream, in the form in which Lambda gives it."""
    (stream,) = streams.list_streams(TableName=table)["Streams"]
    found: list[Record] = []
    for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for record in streams.get_records(ShardIterator=iterator)["Records"]:
            at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
            change = record["dynamodb"] | {"ApproximateCreationDateTime": at}
            # Moto writes an update of an item that is not there as two: one of the key alone comes first.
            if change.get("NewImage") == change["Keys"]:
                continue
            if change.get("OldImage") == change["Keys"]:
                del change["OldImage"]
                record["eventName"] = "INSERT"
            found.append(record | {"eventSourceARN": stream["StreamArn"], "dynamodb": change})
    return found


def fed(relay: Callable[[Sequence[Record]], str | None], records: Sequence[Record], tries: int = 10) -> Iterator[str]:
    """Give a batch until nothing of it has to come again; the numbers from which it came again."""
    left = list(records)
    for _ in range(tries):
        failed = relay(left)
        if failed is None:
            return
        yield failed
        numbers = [record["dynamodb"]["SequenceNumber"] for record in left]
        left = left[numbers.index(failed) :]
    raise AssertionError(f"{len(left)} records still fail")
