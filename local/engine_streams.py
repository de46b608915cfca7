"""Streams of DynamoDB tables as AWS has them, where the engine (1.5.33) differs.

The engine invokes the functions of all streams one after the other, repeats a failing batch for ever, forgets the
records when it stops but not the positions, and deletes by TTL without a record. `install` replaces these parts. As
`engine_process.py`, this file runs in the engine's environment and imports nothing else of this project.
"""

from __future__ import annotations

import copy
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ministack.core import responses
from ministack.core.arn import parse_arn
from ministack.core.concurrency import esm_wake
from ministack.services import dynamodb, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

# A failing function is asked again after this long, then after twice as long, and so on.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
SHARD = "shardId-00000000000000000000-00000000"
# How the engine names the thread that deletes what has expired.
REAPER = "dynamodb-ttl-reaper"
DELETED_BY_TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
FOREVER = -1

_get_state_as_shipped = dynamodb.get_state
_load_state_as_shipped = dynamodb.load_persisted_state
_remove_item_as_shipped = dynamodb._remove_item  # noqa: SLF001 - there is no public way in
_build_record_as_shipped = dynamodb._build_change_record  # noqa: SLF001 - there is no public way in


@contextmanager
def scope(account: str, region: str) -> Iterator[None]:
    """Work in an account and region, as a request to them does."""
    account_token = responses._request_account_id.set(account)  # noqa: SLF001
    region_token = responses._request_region.set(region)  # noqa: SLF001
    try:
        yield
    finally:
        responses._request_account_id.reset(account_token)  # noqa: SLF001
        responses._request_region.reset(region_token)  # noqa: SLF001


@dataclass
class Part:
    """Records that are tried together, each with its position in the stream, and how that went."""

    records: Sequence[tuple[int, Mapping[str, Any]]]
    failures: int = 0
    pause: float = FIRST_PAUSE

    def wait(self) -> None:
        """Wait before the next try, longer each time."""
        time.sleep(self.pause)
        self.pause = min(2 * self.pause, LONGEST_PAUSE)

    @property
    def first(self) -> Mapping[str, Any]:
        return self.records[0][1]["dynamodb"]  # type: ignore[no-any-return]

    @property
    def last(self) -> Mapping[str, Any]:
        return self.records[-1][1]["dynamodb"]  # type: ignore[no-any-return]

    @property
    def age(self) -> float:
        """Seconds since the oldest of the records was written."""
        return time.time() - float(self.first["ApproximateCreationDateTime"])

    def halves(self) -> tuple[Part, Part]:
        middle = (len(self.records) + 1) // 2
        return Part(self.records[:middle]), Part(self.records[middle:])


class Reader:
    """Reads the stream of one mapping in order, and invokes its function until each record is done or given up."""

    def __init__(self, mapping: dict[str, Any]) -> None:
        self._mapping = mapping
        self._id: str = mapping["UUID"]
        self._table: str = mapping["EventSourceArn"].partition("/stream/")[0].rpartition("/")[2]

    @property
    def _batch_size(self) -> int:
        return int(self._mapping.get("BatchSize", 100))

    def has_work(self) -> bool:
        """Whether the stream holds records that the function has not had."""
        return self._is_on() and self._position() < dynamodb.stream_end_position(self._table)

    def run(self) -> None:
        """Work until there is nothing left, or the mapping is switched off."""
        while self.has_work():
            start = self._position()
            if dynamodb.stream_end_position(self._table) - start < self._batch_size:
                time.sleep(int(self._mapping.get("MaximumBatchingWindowInSeconds") or 0))
            records = dynamodb.stream_records_since(self._table, start, self._batch_size)
            end = start + len(records)
            wanted = {id(r) for r in lambda_svc._apply_filter_criteria(records, self._mapping)}  # noqa: SLF001
            kept = [(start + n, record) for n, record in enumerate(records) if id(record) in wanted]
            parts = deque([Part(kept)] if kept else [])
            while parts and self._is_on():
                if not self._try(parts) and parts:
                    parts[0].wait()
            if not parts:
                self._move_to(end)

    def _try(self, parts: deque[Part]) -> bool:
        """Invoke the function with the first part. What is left of the part stays first. Whether all of it is done."""
        part = parts[0]
        if self._exceeds("MaximumRecordAgeInSeconds", part.age):
            self._give_up(parts, "MaxRecordAgeExceeded", None)
            return True
        function, config = lambda_svc._get_func_record_for_qualifier(  # noqa: SLF001
            self._mapping["FunctionName"], self._mapping.get("Qualifier")
        )
        if function is None:
            return False
        answer = lambda_svc._execute_function(  # noqa: SLF001
            function, {"Records": [copy.deepcopy(record) for _, record in part.records]}
        )
        if answer.get("throttle"):
            return False  # the function was not reached, which is no failure of it
        failed = 0 if answer.get("error") else self._first_failure(answer.get("body"), part)
        if failed is None:
            self._done(parts, len(part.records))
            self._mapping["LastProcessingResult"] = "OK"
            return True
        self._mapping["LastProcessingResult"] = "FAILED"
        if failed:
            self._done(parts, failed)
            return False
        part.failures += 1
        if self._mapping.get("BisectBatchOnFunctionError") and len(part.records) > 1:
            parts.popleft()
            parts.extendleft(reversed(part.halves()))
        elif self._exceeds("MaximumRetryAttempts", part.failures):
            self._give_up(parts, "RetryAttemptsExhausted", answer | {"version": config["Version"]})
        return False

    def _first_failure(self, body: Any, part: Part) -> int | None:
        """Which record the function names as the first that failed; None where it names none.

        A stream goes on from the lowest one. An answer that Lambda does not understand fails the whole part.
        """
        if "ReportBatchItemFailures" not in (self._mapping.get("FunctionResponseTypes") or []):
            return None
        try:
            named = (json.loads(body) if isinstance(body, str) else body) or {}
            failures = [failure["itemIdentifier"] for failure in named.get("batchItemFailures") or []]
        except (ValueError, AttributeError, KeyError, TypeError):
            return 0
        numbers = [record["dynamodb"]["SequenceNumber"] for _, record in part.records]
        if any(failure not in numbers for failure in failures):
            return 0
        return min((numbers.index(failure) for failure in failures), default=None)

    def _done(self, parts: deque[Part], count: int) -> None:
        """The first ``count`` records of the first part need no further try."""
        part = parts.popleft()
        self._move_to(part.records[count - 1][0] + 1)
        if part.records[count:]:
            parts.appendleft(Part(part.records[count:]))

    def _give_up(self, parts: deque[Part], why: str, answer: Mapping[str, Any] | None) -> None:
        """Go on behind the first part, and tell the destination of failures which records it was."""
        part = parts[0]
        destination = ((self._mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        if destination:
            send(destination, self._told(part, why, answer))
        self._done(parts, len(part.records))

    def _told(self, part: Part, why: str, answer: Mapping[str, Any] | None) -> dict[str, Any]:
        """What AWS writes to the destination: where the records are, and not what they are."""
        told: dict[str, Any] = {
            "requestContext": {
                "requestId": responses.new_uuid(),
                "functionArn": self._mapping["FunctionArn"],
                "condition": why,
                "approximateInvokeCount": part.failures,
            },
            "version": "1.0",
            "timestamp": moment(time.time()),
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": part.first["SequenceNumber"],
                "endSequenceNumber": part.last["SequenceNumber"],
                "approximateArrivalOfFirstRecord": moment(part.first["ApproximateCreationDateTime"]),
                "approximateArrivalOfLastRecord": moment(part.last["ApproximateCreationDateTime"]),
                "batchSize": len(part.records),
                "streamArn": self._mapping["EventSourceArn"],
            },
        }
        if answer is not None:
            told["responseContext"] = {
                "statusCode": 200,
                "executedVersion": answer["version"],
                "functionError": (answer.get("function_error") or "Unhandled") if answer.get("error") else None,
            }
        return told

    def _exceeds(self, limit: str, value: float) -> bool:
        allowed = self._mapping.get(limit)
        return allowed is not None and int(allowed) != FOREVER and value > int(allowed)

    def _is_on(self) -> bool:
        """Whether the mapping still exists, is enabled, and its stream is the table's."""
        table = dynamodb._tables.get(self._table) or {}  # noqa: SLF001
        return (
            lambda_svc._esms.get(self._id) is self._mapping  # noqa: SLF001
            and bool(self._mapping.get("Enabled", True))
            and table.get("LatestStreamArn") == self._mapping["EventSourceArn"]
        )

    def _position(self) -> int:
        """Where the mapping goes on: not before what the stream still has, and not behind its end.

        A saved position can lie behind the end, as positions and records are not saved at the same moment.
        """
        start, end = dynamodb.stream_start_position(self._table), dynamodb.stream_end_position(self._table)
        with lambda_svc._dynamodb_stream_positions_lock:  # noqa: SLF001
            positions = lambda_svc._dynamodb_stream_positions  # noqa: SLF001
            if self._id not in positions:
                positions[self._id] = start if self._mapping.get("StartingPosition") == "TRIM_HORIZON" else end
            positions[self._id] = min(max(positions[self._id], start), end)
            return int(positions[self._id])

    def _move_to(self, position: int) -> None:
        with lambda_svc._dynamodb_stream_positions_lock:  # noqa: SLF001
            if self._id in lambda_svc._dynamodb_stream_positions:  # noqa: SLF001
                lambda_svc._dynamodb_stream_positions[self._id] = position  # noqa: SLF001


def moment(seconds: float) -> str:
    """A time as AWS writes it here."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(seconds)))


def send(queue_arn: str, told: Mapping[str, Any]) -> None:
    """Put a message into a queue, in the form that the engine keeps; for nobody's account, as Lambda itself does."""
    queue = sqs._queue_by_arn(queue_arn)  # noqa: SLF001
    if queue is None:
        return
    body, now = json.dumps(told), time.time()
    queue["messages"].append(
        {
            "id": responses.new_uuid(),
            "body": body,
            "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            "md5_attrs": "",
            "receipt_handle": None,
            "sent_at": now,
            "visible_at": now + sqs.queue_delay(queue),
            "receive_count": 0,
            "first_receive_at": None,
            "message_attributes": {},
            "sys": {"SenderId": responses.get_account_id(), "SentTimestamp": str(int(now * 1000))},
            "group_id": None,
            "dedup_id": None,
            "dedup_cache_key": None,
            "seq": None,
        }
    )
    esm_wake.set()


def poll() -> bool:
    """Start a thread for each mapping that has work and none yet, so that no function keeps another's waiting."""
    for account, region, mapping in lambda_svc._iter_all_esms():  # noqa: SLF001
        arn = parse_arn(mapping["EventSourceArn"])
        if arn.service != "dynamodb" or lambda_svc._esm_inflight.get(mapping["UUID"]):  # noqa: SLF001
            continue
        with scope(account, region):
            reader = Reader(mapping)
            if reader.has_work():
                lambda_svc._dispatch_esm_batch(mapping["UUID"], reader.run)  # noqa: SLF001
    return False


def get_state() -> dict[str, Any]:
    """What DynamoDB saves, and what its streams hold: a mapping's position is a number of records."""
    return {
        **_get_state_as_shipped(),
        "stream_records": copy.deepcopy(dynamodb._stream_records),  # noqa: SLF001
        "stream_trimmed": copy.deepcopy(dynamodb._stream_trimmed),  # noqa: SLF001
    }


def load_state(data: Mapping[str, Any]) -> None:
    """Restore what `get_state` saved."""
    _load_state_as_shipped(data)
    dynamodb._stream_records.update(data.get("stream_records") or {})  # noqa: SLF001
    dynamodb._stream_trimmed.update(data.get("stream_trimmed") or {})  # noqa: SLF001


def is_reaper() -> bool:
    """Whether this is the thread that deletes what has expired."""
    return threading.current_thread().name == REAPER


def remove_item(table: dict[str, Any], partition: Any, sort: Any) -> Any:
    """Remove an item. Other callers than the reaper write the stream's record themselves."""
    removed = _remove_item_as_shipped(table, partition, sort)
    if removed is not None and is_reaper():
        arn = parse_arn(table["TableArn"])
        with scope(arn.account_id, arn.region):
            dynamodb._emit_stream_event(table["TableName"], "REMOVE", removed, None)  # noqa: SLF001
    return removed


def build_record(*what: Any) -> dict[str, Any]:
    """A stream's record, which says so where it was TTL that deleted the item."""
    record: dict[str, Any] = _build_record_as_shipped(*what)
    return {**record, "userIdentity": DELETED_BY_TTL} if is_reaper() else record


def with_ttl(shipped: Any) -> Any:
    """Create or update a table, and then switch its TTL on or off as the template says."""

    def provision(*what: Any, **named: Any) -> Any:
        name, attributes = shipped(*what, **named)
        # create(logical_id, properties, stack), update(physical_id, old properties, properties, stack, logical_id)
        properties = [part for part in what if isinstance(part, dict)][-1]
        declared = properties.get("TimeToLiveSpecification")
        if declared:
            enabled = str(declared.get("Enabled")).lower() == "true"
            specification = {"AttributeName": declared.get("AttributeName"), "Enabled": enabled}
            answer = dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification})  # noqa: SLF001
            if answer[0] >= 400:
                raise ValueError(f"TimeToLiveSpecification: {answer[2]!r}")
        else:
            dynamodb._ttl_settings.pop(name, None)  # noqa: SLF001
        return name, attributes

    return provision


def install() -> None:
    """Replace the engine's parts by these."""
    lambda_svc._poll_dynamodb_streams = poll  # noqa: SLF001
    dynamodb.get_state = get_state
    dynamodb.load_persisted_state = load_state
    dynamodb._remove_item = remove_item  # noqa: SLF001
    dynamodb._build_change_record = build_record  # noqa: SLF001
    table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]  # noqa: SLF001
    table |= {"create": with_ttl(table["create"]), "update": with_ttl(table["update"])}
