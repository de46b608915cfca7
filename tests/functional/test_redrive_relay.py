"""What the event relay failed on, relayed again: named by Lambda or by the relay itself, and what cannot be."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from event_relay.relay import Relay
from ops.emptying import Redriven
from ops.unrelayed import Unrelayed
from relaying import Relaying

if TYPE_CHECKING:
    from world import World


class Functions:
    """Lambda, as far as a redrive needs it: the relay gets the records as they come over the wire."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.sizes: list[int] = []
        self.crashes = False

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert (request["FunctionName"], request["InvocationType"]) == ("relay", "RequestResponse")
        if self.crashes:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "MemoryError"}')}
        event = json.loads(request["Payload"])
        records = event["Records"]
        self.sizes.append(len(records))
        failed = self.relay.relay(records, late=event["late"])
        answer = {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def relaying(world: World) -> Relaying:
    """Three bookings and their cancellations that nobody has heard of."""
    relaying = Relaying(world)
    for hour in (9, 10, 11):
        _, booked = world.book(f"{hour}:00", f"{hour}:30", reminders=[])
        world.request("DELETE", f"/appointments/{booked['appointmentId']}")
    return relaying


def named(relaying: Relaying, first: int, last: int, **shard: str) -> dict[str, Any]:
    """The message of Lambda about records of the appointments, by their places in the stream."""
    records = [record for record in relaying.records() if "appointmentId" in record["dynamodb"]["Keys"]]
    info = {
        "streamArn": records[first]["eventSourceARN"],
        "startSequenceNumber": records[first]["dynamodb"]["SequenceNumber"],
        "endSequenceNumber": records[last]["dynamodb"]["SequenceNumber"],
        "batchSize": last - first + 1,
    }
    return {"requestContext": {"condition": "RetryAttemptsExhausted"}, "DDBStreamBatchInfo": info | shard}


def redriven(relaying: Relaying, functions: Functions, streams: Any = None) -> Redriven:
    redrive = Unrelayed(relaying.world.sqs, functions, streams or relaying.world.streams, "relay", wait_seconds=0)
    return redrive.queue(relaying.failures_url, relaying.world.now)


def shard_of(relaying: Relaying) -> str:
    streams = relaying.world.streams
    (stream,) = streams.list_streams(TableName="AppointmentsTable")["Streams"]
    (shard,) = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    return str(shard["ShardId"])


@pytest.mark.parametrize("known", [True, False])
def test_the_records_between_two_numbers_are_relayed(relaying: Relaying, known: bool) -> None:
    message = named(relaying, 1, 4, **({"shardId": shard_of(relaying)} if known else {}))
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=json.dumps(message))
    functions = Functions(relaying.relay)
    assert redriven(relaying, functions) == Redriven(sent=1)
    assert functions.sizes == [4]
    expected = ["cancelled", "booked", "cancelled", "booked"]
    assert sorted(event["type"] for event in relaying.heard()) == sorted(f"appointment.{name}" for name in expected)
    assert len(relaying.entries()) == 4
    assert relaying.messages(relaying.failures_url) == []


def test_what_the_relay_noted_itself_is_relayed_by_a_version_that_can_read_it(relaying: Relaying) -> None:
    records = relaying.records()
    poison = json.loads(json.dumps(records[0]))
    del poison["dynamodb"]["NewImage"]["userId"]
    assert relaying.relay.relay([poison, *records[1:]]) is None
    heard = len(relaying.heard())
    assert redriven(relaying, Functions(relaying.relay)) == Redriven(sent=1)
    assert len(relaying.heard()) == 1
    assert heard == 5
    assert relaying.entries().keys() == relaying.versions()


def test_a_version_that_comes_after_a_later_one_is_kept_as_long(relaying: Relaying) -> None:
    """The first version could not be read; the second, by which the appointment lies a year later, could."""
    world = relaying.world
    _, mine = world.book("12:00", "12:30", reminders=[])
    path = f"/appointments/{mine['appointmentId']}"
    for day in ("2031-01-15", "2030-01-16"):
        assert world.request("PATCH", path, {"startTime": f"{day}T09:00:00Z"})[0] == 200
    records = [record for record in relaying.records() if "appointmentId" in record["dynamodb"]["Keys"]]
    (first,) = [json.loads(json.dumps(one)) for one in records if one["eventName"] == "INSERT"][-1:]
    del first["dynamodb"]["NewImage"]["userId"]
    ours = [one for one in records if one["dynamodb"]["Keys"] == first["dynamodb"]["Keys"]]
    assert relaying.relay.relay([first, *ours[1:]]) is None
    assert redriven(relaying, Functions(relaying.relay)) == Redriven(sent=1)
    kept = {version: int(item["expiresAt"]["N"]) for (_, version), item in relaying.entries().items()}
    assert kept.keys() == {1, 2, 3}
    assert kept[1] == kept[2] > kept[3]


def test_what_cannot_be_read_is_tried_once_and_stays(relaying: Relaying, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: Any) -> Any:
        raise KeyError("attribute of another version")

    monkeypatch.setattr("event_relay.relay.read", unreadable)
    assert relaying.relay.relay(relaying.records()[:1]) is None
    functions = Functions(relaying.relay)
    done = redriven(relaying, functions)
    assert (done.sent, done.left, functions.sizes) == (1, 1, [1])
    assert len(relaying.messages(relaying.failures_url)) == 1


def test_what_fails_again_stays(relaying: Relaying, capsys: pytest.CaptureFixture[str]) -> None:
    message = json.dumps(named(relaying, 0, 0))
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=message)
    functions = Functions(relaying.relay)
    with relaying.world.failing("PutEvents"):
        assert redriven(relaying, functions) == Redriven(left=1)
    functions.crashes = True
    assert redriven(relaying, functions) == Redriven(left=1)
    assert capsys.readouterr().err.count("left, which the relay failed on again; its log says why") == 2
    functions.crashes = False
    assert redriven(relaying, functions) == Redriven(sent=1)


class Trimmed:
    """A stream that has lost its records."""

    def __init__(self, streams: Any) -> None:
        self.describe_stream = streams.describe_stream

    def get_shard_iterator(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "TrimmedDataAccessException", "Message": "gone"}}, "GetShardIterator")


def test_what_is_gone_from_the_stream_stays_and_is_told(relaying: Relaying, capsys: pytest.CaptureFixture[str]) -> None:
    message = json.dumps(named(relaying, 0, 0))
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=message)
    assert redriven(relaying, Functions(relaying.relay), Trimmed(relaying.world.streams)) == Redriven(left=1)
    assert "left, whose records are older than a day, and gone from the stream" in capsys.readouterr().err


class FirstTrimmed:
    """A stream that has lost its first records."""

    def __init__(self, streams: Any, lost: int) -> None:
        self.streams, self.lost = streams, lost

    def get_shard_iterator(self, **where: Any) -> Any:
        if where["ShardIteratorType"] != "TRIM_HORIZON":
            raise ClientError({"Error": {"Code": "TrimmedDataAccessException", "Message": "gone"}}, "GetShardIterator")
        return self.streams.get_shard_iterator(**where)

    def get_records(self, **request: Any) -> Any:
        answer = self.streams.get_records(**request)
        return answer | {"Records": answer["Records"][self.lost :]}


def test_what_is_left_in_the_stream_of_a_batch_is_relayed(
    relaying: Relaying, capsys: pytest.CaptureFixture[str]
) -> None:
    message = json.dumps(named(relaying, 0, 4, shardId=shard_of(relaying)))
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=message)
    functions = Functions(relaying.relay)
    assert redriven(relaying, functions, FirstTrimmed(relaying.world.streams, 2)) == Redriven(left=1)
    assert functions.sizes == [3]
    assert len(relaying.heard()) == 3
    assert "left, of whose records not all are in the stream any more" in capsys.readouterr().err


def test_a_batch_that_could_not_be_read_to_its_end_stays(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.unrelayed.MOST_READS", 1)
    message = json.dumps(named(relaying, 0, 4, shardId=shard_of(relaying)))
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=message)
    streams = relaying.world.streams
    get_records = streams.get_records
    monkeypatch.setattr(streams, "get_records", lambda **request: get_records(**request, Limit=2))
    assert redriven(relaying, Functions(relaying.relay)) == Redriven(left=1)
    assert "the others are relayed" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["not JSON", "{}", "[]", '{"DDBStreamBatchInfo": {"streamArn": 7}}'])
def test_what_names_no_record_stays(relaying: Relaying, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=text)
    assert redriven(relaying, Functions(relaying.relay)) == Redriven(left=1)
    assert "left, not the name of a record" in capsys.readouterr().err


def test_what_names_no_stream_stays_and_the_others_go(relaying: Relaying, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = named(relaying, 0, 0)
    nowhere["DDBStreamBatchInfo"]["streamArn"] = "arn"
    for message in (nowhere, named(relaying, 0, 5)):
        relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=json.dumps(message))
    assert redriven(relaying, Functions(relaying.relay)) == Redriven(sent=1, left=1)
    assert "left, which names no place in a stream" in capsys.readouterr().err


def test_a_large_range_goes_in_several_invocations(relaying: Relaying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.unrelayed.MAX_BYTES", 4000)
    message = json.dumps(named(relaying, 0, 5))
    relaying.world.sqs.send_message(QueueUrl=relaying.failures_url, MessageBody=message)
    functions = Functions(relaying.relay)
    assert redriven(relaying, functions) == Redriven(sent=1)
    assert len(functions.sizes) > 1
    assert sum(functions.sizes) == 6
    assert relaying.entries().keys() == relaying.versions()
