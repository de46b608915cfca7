"""Calls to DynamoDB: retries, throttling, and the outcomes of a write that only a use case sees.

Limits, error codes and the words of conditions are known in this package alone.
"""

from __future__ import annotations

import random
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from appointments.errors import CalendarBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    Item = Mapping[str, Any]
    Entry = dict[str, Any]  # one element of TransactItems

Found = TypeVar("Found")

# DynamoDB's limits: keys in one BatchGetItem, items in one BatchWriteItem, actions in one TransactWriteItems.
BATCH_GET_KEYS = 100
BATCH_WRITE_ITEMS = 25
TRANSACTION_ACTIONS = 100
# Seconds at most before a call is repeated that a transaction holds up, or that was answered in part.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
# The codes of calls that come faster than DynamoDB takes them.
THROTTLES = ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
# The reasons of a cancelled transaction that say nothing about its conditions: it may succeed when tried again.
CONTENTION = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
# Not the generator of `random`: processes that start from one snapshot would share its state, and so their pauses.
_jitter = random.SystemRandom()


class NotWrittenError(Exception):
    """Base of the outcomes of a write that wrote nothing. A use case handles them; no caller of the API sees one."""


class ContentionError(NotWrittenError):
    """DynamoDB was working on another transaction over the same items, or throttled this one; it may be tried again.

    `in_doubt`, an attempt before this answer may have been carried out. Where it was `throttled`, the SDK has tried
    again, and nobody else should.
    """

    def __init__(self, *, in_doubt: bool = False, throttled: bool = False) -> None:
        super().__init__()
        self.in_doubt = in_doubt
        self.throttled = throttled


class ConditionFailedError(NotWrittenError):
    """The item is not as the condition of a single write asked for; `item` is as it is now, None where it is gone.

    Where the write was `repeated`, an attempt before this answer may have been carried out.
    """

    def __init__(self, item: Item | None, *, repeated: bool = False) -> None:
        super().__init__()
        self.item = item
        self.repeated = repeated


class TransactionFailedError(NotWrittenError):
    """Conditions of a transaction failed: each of `failed` is an action with its item as it is now."""

    def __init__(self, failed: Sequence[tuple[Entry, Item | None]]) -> None:
        super().__init__(f"{len(failed)} conditions failed")
        self.failed = failed


def pause(most: float) -> None:
    """Wait for up to so many seconds, each process for another time."""
    sleep(_jitter.uniform(0, most))


def error_code(error: ClientError) -> str:
    """DynamoDB's code for what went wrong."""
    return error.response["Error"]["Code"]


def unless_written(error: ContentionError, look: Callable[[], Found | None]) -> Found:
    """What `look` finds of a write that was refused for now: by an attempt whose answer got lost.

    Raises the error where there is no doubt, or where it finds nothing; CalendarBusyError for one that was throttled.
    """
    found = look() if error.in_doubt else None
    if found is not None:
        return found
    if error.throttled:
        raise CalendarBusyError from error
    raise error


def own_change(item: Item | None, own: str, over: int | None, name: str = "changeId") -> Item | None:
    """The item, if its last change has this id, and so is one whose answer got lost; None if it was not written.

    `over` is the version that it was made from, where it may have come more than once: where others have written more
    than once since, nobody can tell, which is CalendarBusyError.
    """
    if item and item.get(name) == {"S": own}:
        return item
    if over is not None and item and 0 <= over < int(item["version"]["N"]) - 1:
        raise CalendarBusyError(in_doubt=True)
    return None


def _repetitions(error: ClientError) -> int:
    """How often the SDK repeated a call before this answer."""
    return error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)


@contextmanager
def busy_where_crowded() -> Iterator[None]:
    """Raise CalendarBusyError where DynamoDB took a call neither at once nor when it was repeated."""
    try:
        yield
    except ContentionError as exc:
        raise CalendarBusyError(in_doubt=exc.in_doubt) from exc
    except ClientError as exc:
        if error_code(exc) in THROTTLES:
            raise CalendarBusyError from exc
        raise


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Database:
    """The calls that storage makes, over a client."""

    client: DynamoDBClient

    def get(self, table: str, key: Item) -> Item | None:
        """One item, strongly consistent."""
        return self.client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")

    def look(self, table: str, key: Item) -> Item | None:
        """One item, to see what became of a write of it. Raises CalendarBusyError, in doubt."""
        try:
            return self.get(table, key)
        except (ClientError, BotoCoreError) as exc:
            raise CalendarBusyError(in_doubt=True) from exc

    def query(self, **request: Any) -> Iterator[Item]:
        """The items that one query finds, in its order. A page is read when its first item is asked for."""
        while True:
            answer = self.client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def get_many(self, keys: Sequence[tuple[str, Item]]) -> Iterator[tuple[str, Item]]:
        """The items under keys, each with its table, strongly consistent; no snapshot.

        One call for up to 100 keys. What DynamoDB leaves out is asked for again. Raises CalendarBusyError.
        """
        pauses = iter(PAUSES)
        while keys:
            request: dict[str, Any] = {}
            for table, key in keys[:BATCH_GET_KEYS]:
                request.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"].append(key)
            answer = self.client.batch_get_item(RequestItems=request)
            yield from ((table, item) for table, items in answer["Responses"].items() for item in items)
            left_out = answer.get("UnprocessedKeys", {})
            unread = [(table, dict(key)) for table, left in left_out.items() for key in left["Keys"]]
            if unread:
                # Some is left out of a large answer, and all where the table takes no more reads for now.
                seconds = next(pauses, None)
                if seconds is None:
                    raise CalendarBusyError
                pause(seconds)
            keys = [*unread, *keys[BATCH_GET_KEYS:]]

    def put_many(self, table: str, items: Sequence[Item]) -> list[Item]:
        """Put items over whatever is there, as `write_many`; those that were not put are returned."""
        left = self.write_many(table, [{"PutRequest": {"Item": item}} for item in items])
        return [request["PutRequest"]["Item"] for request in left]

    def write_many(self, table: str, requests: Sequence[Any]) -> list[Any]:
        """Put and delete items, no two of one key; those that the table takes no more for now are returned.

        One call for up to 25 items. What DynamoDB leaves out is written again.
        """
        pauses = iter(PAUSES)
        waiting = [*requests]
        while waiting:
            answer = self.client.batch_write_item(RequestItems={table: waiting[:BATCH_WRITE_ITEMS]})
            left = answer.get("UnprocessedItems", {}).get(table, [])
            waiting = [*left, *waiting[BATCH_WRITE_ITEMS:]]
            if left:
                seconds = next(pauses, None)
                if seconds is None:
                    break
                pause(seconds)
        return waiting

    def update(self, **request: Any) -> Mapping[str, Any]:
        """One UpdateItem, answered with its `ReturnValues`. Raises ConditionFailedError, ContentionError."""
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            answer: Mapping[str, Any] = self._when_free(
                lambda: self.client.update_item(**request), "TransactionConflictException"
            )
        except ClientError as exc:
            if error_code(exc) != "ConditionalCheckFailedException":
                raise
            item: Any = exc.response.get("Item")
            raise ConditionFailedError(item, repeated=_repetitions(exc) > 0) from exc
        return answer

    def delete(self, table: str, key: Item, **condition: Any) -> None:
        """Delete an item, or what is not there. Raises ConditionFailedError, ContentionError."""
        request: Any = {"TableName": table, "Key": key, **condition}
        try:
            self._when_free(lambda: self.client.delete_item(**request), "TransactionConflictException")
        except ClientError as exc:
            if error_code(exc) != "ConditionalCheckFailedException":
                raise
            raise ConditionFailedError(None) from exc

    def transact(self, entries: Sequence[Entry]) -> None:
        """All of the writes, or none. Raises TransactionFailedError, ContentionError."""
        # A call that got no answer is repeated by the SDK, and may find itself at work still. By its token DynamoDB
        # knows it again, and answers how it went.
        request: Any = {"TransactItems": entries, "ClientRequestToken": str(uuid.uuid4())}
        try:
            self._when_free(lambda: self.client.transact_write_items(**request), "TransactionInProgressException")
        except ClientError as exc:
            if error_code(exc) != "TransactionCanceledException":
                raise
            reasons: Any = exc.response.get("CancellationReasons", [])
            failed = [
                (entry, reason.get("Item"))
                for entry, reason in zip(entries, reasons, strict=False)
                if reason.get("Code") == "ConditionalCheckFailed"
            ]
            if failed:
                raise TransactionFailedError(failed) from exc
            codes = {reason.get("Code") or "None" for reason in reasons} - {"None"}
            if codes <= CONTENTION:
                raise ContentionError(in_doubt=_repetitions(exc) > 0) from exc
            raise

    @staticmethod
    def _when_free(call: Callable[[], Any], refusal: str) -> Any:
        repetitions = 0
        for seconds in (*PAUSES, None):
            try:
                return call()
            except ClientError as exc:
                repetitions += _repetitions(exc)
                if error_code(exc) != refusal:
                    if repetitions:  # those of all calls: any of them may have been carried out
                        if error_code(exc) in THROTTLES:
                            raise ContentionError(in_doubt=True, throttled=True) from exc
                        answer: Any = exc.response
                        answer.setdefault("ResponseMetadata", {})["RetryAttempts"] = repetitions
                    raise
                at_work = refusal == "TransactionInProgressException"
                if seconds is None:
                    raise ContentionError(in_doubt=at_work or repetitions > 0) from exc
                pause(seconds)
        raise AssertionError("unreachable")


def texts(values: Iterable[str]) -> dict[str, Any]:
    """A list of strings as DynamoDB keeps it."""
    return {"L": [{"S": value} for value in values]}
