"""The engine's streams, as `local/engine_streams.py` runs them: retries, bisecting, partial answers, TTL, restarts.

The functions here are a few lines each. They write what they were given to a file, and do what the items say.
"""

from __future__ import annotations

import io
import json
import subprocess
import time
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from local.engine import Engine
from local.places import ENGINE_PYTHON, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

# Writes each call as a line: the names of its records. An item says in `does` what becomes of a call that holds it.
FUNCTION = """
import json, os, time

def handler(event, context):
    names, failed = [], []
    for record in event["Records"]:
        item = record["dynamodb"].get("NewImage") or record["dynamodb"]["OldImage"]
        names.append(item["name"]["S"])
        does = item.get("does", {}).get("S")
        if does == "hang":
            time.sleep(20)
        if does in ("fail", "report"):
            failed.append((does, record["dynamodb"]["SequenceNumber"]))
        if does == "fail once" and not os.path.exists(os.environ["CALLS"] + ".once"):
            open(os.environ["CALLS"] + ".once", "w").close()
            failed.append(("fail", None))
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(json.dumps([event["Records"][0]["eventName"], names]) + "\\n")
    if any(does == "fail" for does, _ in failed):
        raise ValueError("as the item says")
    return {"batchItemFailures": [{"itemIdentifier": number} for _, number in failed]}
"""
ROLE_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Streaming:
    """A table with a stream, and a function that is invoked for it."""

    def __init__(self, engine: Engine, folder: Path, **mapping: Any) -> None:
        self.name = f"streams-{uuid.uuid4().hex[:12]}"
        self.calls_file = folder / f"{self.name}.calls"
        self.engine = engine
        self.dynamodb, self.sqs, self.functions = (engine.client(name) for name in ("dynamodb", "sqs", "lambda"))
        stream = self.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]["LatestStreamArn"]
        self.stream: str = stream
        self.failures = self.sqs.create_queue(QueueName=f"{self.name}-failures")["QueueUrl"]
        queue = self.sqs.get_queue_attributes(QueueUrl=self.failures, AttributeNames=["QueueArn"])["Attributes"]
        self.failures_arn: str = queue["QueueArn"]
        function(engine, self.name, FUNCTION, {"CALLS": str(self.calls_file)})
        self.mapping = mapping

    def begin(self) -> str:
        """Start to invoke the function: from the beginning of the stream."""
        mapping: str = self.functions.create_event_source_mapping(
            EventSourceArn=self.stream,
            FunctionName=self.name,
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": self.failures_arn}},
            **self.mapping,
        )["UUID"]
        return mapping

    def put(self, name: str, does: str | None = None, **more: Any) -> None:
        item = {"name": {"S": name}} | ({"does": {"S": does}} if does else {})
        self.dynamodb.put_item(TableName=self.name, Item=item | more)

    def calls(self) -> list[list[str]]:
        """The names of the records of each call up to now."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [json.loads(line)[1] for line in lines]

    def given_up(self) -> list[dict[str, Any]]:
        messages = self.sqs.receive_message(QueueUrl=self.failures, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]

    def records(self) -> list[dict[str, Any]]:
        """What is in the stream, as its API tells it."""
        streams = self.engine.client("dynamodbstreams")
        (shard,) = streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=self.stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator)["Records"]
        return found


def function(engine: Engine, name: str, code: str, variables: dict[str, str]) -> None:
    iam = engine.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ROLE_POLICY))["Role"]["Arn"]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("code.py", code)
    engine.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=role,
        Handler="code.handler",
        Code={"ZipFile": content.getvalue()},
        Timeout=30,
        Environment={"Variables": variables},
    )


def until(true: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def flat(calls: Iterable[Sequence[str]]) -> list[str]:
    return [name for call in calls for name in call]


def test_a_failing_batch_is_bisected_until_its_poison_stands_alone(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(engine, tmp_path, BatchSize=10, MaximumRetryAttempts=2, BisectBatchOnFunctionError=True)
    for number in range(6):
        streaming.put(f"n{number}", "fail" if number == 3 else None)
    streaming.begin()
    until(lambda: ["n5"] in streaming.calls())

    calls = streaming.calls()
    assert calls[0] == ["n0", "n1", "n2", "n3", "n4", "n5"]
    assert calls.count(["n3"]) == 3  # a try, and the two repetitions that the mapping allows
    assert flat(call for call in calls if "n3" not in call) == ["n0", "n1", "n2", "n4", "n5"]
    (told,) = streaming.given_up()
    number = streaming.records()[3]["dynamodb"]["SequenceNumber"]
    where = told["DDBStreamBatchInfo"]
    assert (where["startSequenceNumber"], where["endSequenceNumber"], where["batchSize"]) == (number, number, 1)
    assert where["streamArn"] == streaming.stream
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["requestContext"]["functionArn"].endswith(f":function:{streaming.name}")
    assert told["responseContext"]["functionError"] == "Unhandled"


def test_without_bisecting_the_whole_batch_is_given_up(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(engine, tmp_path, BatchSize=3, MaximumRetryAttempts=1)
    for number in range(4):
        streaming.put(f"n{number}", "fail" if number == 1 else None)
    streaming.begin()
    until(lambda: ["n3"] in streaming.calls())
    assert streaming.calls() == [["n0", "n1", "n2"], ["n0", "n1", "n2"], ["n3"]]
    (told,) = streaming.given_up()
    assert told["DDBStreamBatchInfo"]["batchSize"] == 3


def test_a_partial_answer_goes_on_from_the_lowest_record_that_it_names(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(
        engine, tmp_path, BatchSize=10, MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
    )  # fmt: skip
    for number in range(5):
        streaming.put(f"n{number}", "report" if number in (2, 3) else None)
    streaming.begin()
    until(lambda: len(streaming.given_up()) == 2 and streaming.calls()[-1] == ["n4"])
    calls = streaming.calls()
    assert calls[:2] == [["n0", "n1", "n2", "n3", "n4"], ["n2", "n3", "n4"]]
    assert not {"n0", "n1"} & set(flat(calls[1:]))
    assert {told["responseContext"]["functionError"] for told in streaming.given_up()} == {None}


def test_without_a_limit_a_failure_is_repeated_until_it_gets_through(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(engine, tmp_path)
    streaming.put("n0", "fail once")
    streaming.put("n1")
    streaming.begin()
    until(lambda: len(streaming.calls()) == 2)
    assert streaming.calls() == [["n0", "n1"]] * 2
    assert streaming.given_up() == []


def test_a_batch_waits_for_what_comes_within_its_window(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(engine, tmp_path, BatchSize=3, MaximumBatchingWindowInSeconds=2)
    streaming.begin()
    for number in range(4):
        streaming.put(f"n{number}")
        time.sleep(0.2)
    until(lambda: len(flat(streaming.calls())) == 4)
    assert [len(call) for call in streaming.calls()] == [3, 1]


def test_records_that_are_too_old_are_given_up(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(engine, tmp_path, BatchSize=1, MaximumRecordAgeInSeconds=60)
    mapping = streaming.begin()
    streaming.functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    streaming.put("n0", "fail")
    # 60 s is the least that AWS accepts; the engine takes what comes, and nobody has to wait.
    streaming.functions.update_event_source_mapping(UUID=mapping, MaximumRecordAgeInSeconds=1, Enabled=True)
    until(streaming.given_up)
    (told,) = streaming.given_up()
    assert told["requestContext"]["condition"] == "MaxRecordAgeExceeded"


def test_a_filter_lets_only_its_records_through_and_the_position_goes_on(engine: Engine, tmp_path: Path) -> None:
    pattern = {"dynamodb": {"Keys": {"name": {"S": [{"prefix": "wanted"}]}}}}
    streaming = Streaming(engine, tmp_path, FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    streaming.begin()
    for name in ("other", "wanted-1", "another", "wanted-2", "last"):
        streaming.put(name)
    until(lambda: len(flat(streaming.calls())) == 2)
    assert flat(streaming.calls()) == ["wanted-1", "wanted-2"]


def test_a_function_that_hangs_keeps_no_other_mapping_waiting(engine: Engine, tmp_path: Path) -> None:
    slow, quick = Streaming(engine, tmp_path), Streaming(engine, tmp_path)
    slow.begin()
    quick.begin()
    quick.put("start")  # its function's process has to be started first
    until(quick.calls)
    slow.put("n0", "hang")
    time.sleep(0.5)  # the other one hangs by then
    for number in range(3):
        before = time.monotonic()
        quick.put(f"n{number}")
        until(lambda name=f"n{number}": name in flat(quick.calls()), seconds=5)  # type: ignore[misc]
        assert time.monotonic() - before < 2
    assert slow.calls() == []


def test_a_transaction_writes_a_record_with_both_images_per_item(engine: Engine, tmp_path: Path) -> None:
    streaming = Streaming(engine, tmp_path)
    streaming.put("old", does="nothing")
    streaming.put("gone")
    key: Callable[[str], Any] = lambda name: {"TableName": streaming.name, "Key": {"name": {"S": name}}}  # noqa: E731
    streaming.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": streaming.name, "Item": {"name": {"S": "new"}}}},
            {
                "Update": {
                    **key("old"),
                    "UpdateExpression": "SET does = :does",
                    "ExpressionAttributeValues": {":does": {"S": "something"}},
                }
            },
            {"Delete": key("gone")},
            {"ConditionCheck": {**key("other"), "ConditionExpression": "attribute_not_exists(#n)",
                                "ExpressionAttributeNames": {"#n": "name"}}},
        ]
    )  # fmt: skip
    told = [
        (r["eventName"], r["dynamodb"].get("OldImage"), r["dynamodb"].get("NewImage")) for r in streaming.records()[2:]
    ]
    old = {"name": {"S": "old"}}
    assert told == [
        ("INSERT", None, {"name": {"S": "new"}}),
        ("MODIFY", old | {"does": {"S": "nothing"}}, old | {"does": {"S": "something"}}),
        ("REMOVE", {"name": {"S": "gone"}}, None),
    ]


def test_a_restart_swallows_nothing_and_repeats_only_what_was_not_done(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Engine(state=state) as engine:
        streaming = Streaming(engine, tmp_path, BatchSize=2)
        mapping = streaming.begin()
        streaming.put("before")
        until(streaming.calls)
        streaming.functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        for number in range(3):
            streaming.put(f"n{number}")
        numbers = [record["dynamodb"]["SequenceNumber"] for record in streaming.records()]
    with Engine(port=engine.port, state=state) as engine:
        streaming.functions.update_event_source_mapping(UUID=mapping, Enabled=True)
        until(lambda: len(flat(streaming.calls())) == 4)
        streaming.put("after")
        until(lambda: "after" in flat(streaming.calls()))
        assert flat(streaming.calls()) == ["before", "n0", "n1", "n2", "after"]
        assert [record["dynamodb"]["SequenceNumber"] for record in streaming.records()][:4] == numbers


# --- the template's types ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def typed(engine: Engine) -> dict[str, str]:
    """A small stack of what the launcher adds to the engine. Its outputs."""
    template = {
        "Resources": {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "typed"}},
            "Archive": {
                "Type": "AWS::Events::Archive",
                "Properties": {
                    "SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]},
                    "RetentionDays": 3,
                    "EventPattern": {"source": ["appointments"]},
                },
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
                },
            },
            "Key": {
                "Type": "AWS::KMS::Key",
                "Properties": {
                    "KeySpec": "HMAC_256",
                    "KeyUsage": "GENERATE_VERIFY_MAC",
                    "KeyPolicy": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                                "Action": "kms:*",
                                "Resource": "*",
                            }
                        ],
                    },
                },
            },
        },
        "Outputs": {
            "Archive": {"Value": {"Ref": "Archive"}},
            "ArchiveArn": {"Value": {"Fn::GetAtt": ["Archive", "Arn"]}},
            "Table": {"Value": {"Ref": "Table"}},
            "Key": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}},
        },
    }
    cloudformation = engine.client("cloudformation")
    cloudformation.create_stack(StackName="typed", TemplateBody=json.dumps(template))
    until(lambda: "IN_PROGRESS" not in cloudformation.describe_stacks(StackName="typed")["Stacks"][0]["StackStatus"])
    (stack,) = cloudformation.describe_stacks(StackName="typed")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", cloudformation.describe_stack_events(StackName="typed")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_an_archive_of_the_template_keeps_and_replays_what_matches(engine: Engine, typed: dict[str, str]) -> None:
    events = engine.client("events")
    described = events.describe_archive(ArchiveName=typed["Archive"])
    assert described["ArchiveArn"] == typed["ArchiveArn"]
    assert described["RetentionDays"] == 3
    for source in ("appointments", "others"):
        events.put_events(
            Entries=[{"EventBusName": "typed", "Source": source, "DetailType": "appointment.booked", "Detail": "{}"}]
        )
    assert events.describe_archive(ArchiveName=typed["Archive"])["EventCount"] == 1


def test_a_table_of_the_template_has_its_ttl(engine: Engine, typed: dict[str, str]) -> None:
    described = engine.client("dynamodb").describe_time_to_live(TableName=typed["Table"])["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}


def test_ttl_deletes_with_a_record_that_says_so() -> None:
    """In a process of the engine's Python: its reaper comes once a minute, and here sleeps no second time."""
    script = f"""
import sys
sys.path.insert(0, {str(ROOT / "local")!r})
import json, threading, time
import engine_streams
from ministack.services import dynamodb
engine_streams.install()
dynamodb._create_table({{
    "TableName": "expiring",
    "KeySchema": [{{"AttributeName": "name", "KeyType": "HASH"}}],
    "AttributeDefinitions": [{{"AttributeName": "name", "AttributeType": "S"}}],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {{"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}},
}})
dynamodb._update_ttl({{"TableName": "expiring",
                       "TimeToLiveSpecification": {{"AttributeName": "expiresAt", "Enabled": True}}}})
for name, at in (("old", 1), ("young", 9999999999)):
    dynamodb._put_item({{"TableName": "expiring", "Item": {{"name": {{"S": name}}, "expiresAt": {{"N": str(at)}}}}}})
slept = []
class Clock:
    time = staticmethod(time.time)
    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            raise SystemExit
dynamodb.time = Clock
reaper = threading.Thread(target=dynamodb._ttl_reaper, name=engine_streams.REAPER)
reaper.start()
reaper.join()
print(json.dumps([[r["eventName"], r["dynamodb"]["Keys"]["name"]["S"], "OldImage" in r["dynamodb"],
                   r.get("userIdentity")] for r in dynamodb.stream_live_records("expiring")]))
"""
    done = subprocess.run([str(ENGINE_PYTHON), "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["INSERT", "old", False, None],
        ["INSERT", "young", False, None],
        ["REMOVE", "old", True, {"type": "Service", "principalId": "dynamodb.amazonaws.com"}],
    ]


# --- what IAM looks at ---------------------------------------------------------------------------------


def user(engine: Engine, name: str, *statements: dict[str, Any]) -> Callable[[str], Any]:
    """Clients of a user who may do what the statements say, and nothing else."""
    iam = engine.client("iam")
    iam.create_user(UserName=name)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def client(service: str) -> Any:
        import boto3

        return boto3.client(  # type: ignore[call-overload]
            service, region_name="us-east-1", endpoint_url=engine.url,
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
        )  # fmt: skip

    return client


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    from botocore.exceptions import ClientError

    try:
        call(**arguments)
    except ClientError as problem:
        assert "AccessDenied" in problem.response["Error"]["Code"], problem  # noqa: PT017
        return True
    return False


def test_leading_keys_limit_what_may_be_written(engine: Engine, typed: dict[str, str]) -> None:
    table = typed["Table"]
    allowed = {
        "Effect": "Allow",
        "Action": ["dynamodb:PutItem", "dynamodb:BatchWriteItem", "dynamodb:Query"],
        "Resource": "*",
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["history#*"]}},
    }
    dynamodb = user(engine, "historian", allowed)("dynamodb")
    mine, other = {"name": {"S": "history#1"}}, {"name": {"S": "anna"}}
    put: Callable[..., Any] = lambda item: {"PutRequest": {"Item": item}}  # noqa: E731
    assert not refused(dynamodb.put_item, TableName=table, Item=mine)
    assert refused(dynamodb.put_item, TableName=table, Item=other)
    assert not refused(dynamodb.batch_write_item, RequestItems={table: [put(mine)]})
    assert refused(dynamodb.batch_write_item, RequestItems={table: [put(mine), put(other)]})
    query = {"TableName": table, "KeyConditionExpression": "#n = :n", "ExpressionAttributeNames": {"#n": "name"}}
    assert not refused(dynamodb.query, **query, ExpressionAttributeValues={":n": {"S": "history#1"}})
    assert refused(dynamodb.query, **query, ExpressionAttributeValues={":n": {"S": "anna"}})


def test_a_mac_is_made_by_whom_the_policy_allows_it(engine: Engine, typed: dict[str, str]) -> None:
    message = {"KeyId": typed["Key"], "Message": b"webhook 1", "MacAlgorithm": "HMAC_SHA_256"}
    allowed = {"Effect": "Allow", "Action": "kms:GenerateMac", "Resource": typed["Key"]}
    mine = user(engine, "signer", allowed)("kms").generate_mac(**message)["Mac"]
    assert mine == engine.client("kms").generate_mac(**message)["Mac"]
    assert refused(user(engine, "nobody")("kms").generate_mac, **message)


def test_a_batch_of_messages_is_sent_by_whom_the_policy_lets_send_one(engine: Engine) -> None:
    name = f"batches-{uuid.uuid4().hex[:12]}"
    queue = engine.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    allowed = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": f"arn:aws:sqs:us-east-1:*:{name}"}
    sqs = user(engine, name, allowed)("sqs")
    assert not refused(sqs.send_message_batch, QueueUrl=queue, Entries=[{"Id": "1", "MessageBody": "one"}])
    assert refused(sqs.delete_message_batch, QueueUrl=queue, Entries=[{"Id": "1", "ReceiptHandle": "none"}])
