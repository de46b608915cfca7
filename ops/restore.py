"""Put a stack's tables back to what they were: `make restore STACK=appointments-prod AT=2026-11-24T10:00:00Z`.

DynamoDB restores into new tables, and a stack keeps the tables that it has. So both are restored beside them, to the
same second, while the stack goes on; then it is halted, the stack's tables are made equal to the restored ones, item by
item, and it goes on again. What was booked after that second is gone from them, and still in a backup until it expires.
Timers need no care: the sweep makes those that are missing and removes the dead, and a timer that fires for what is no
more sends nothing. The restored tables stay, for you to look at and delete. It is safe to run this again.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from appointments.storage.history import HISTORY
from appointments.times import InvalidTimeError, has_offset, parse_time, to_utc_text
from ops.stack import NoStackError, Stack, StillHaltedError
from ops.terminal import BROKEN_OFF, confirmed, working

if TYPE_CHECKING:
    from collections.abc import Iterator

# As what it halts a stack.
OPERATION = "restore"
TABLES = ("AppointmentsTable", "CalendarsTable")
# Bookings stop first, and begin again when reminders are sent.
FUNCTIONS = (
    "ConflictDetectorFunction",
    "ReminderSweepFunction",
    "ReminderSenderFunction",
    "WebhookSenderFunction",
    "NoticeSenderFunction",
    "SmsRepliesFunction",
)
BATCH = 25  # the most that one BatchWriteItem takes


@dataclass(frozen=True)
class Restore:
    """The steps, over a client that a test can bring along."""

    dynamodb: Any

    def beside(self, table: str, at: datetime) -> str:
        """Restore a table as it was at a moment into a new one, and return that one's name."""
        name = f"{table}-{at:%Y%m%d-%H%M%S}"
        with suppress(self.dynamodb.exceptions.TableAlreadyExistsException):  # from an earlier run
            self.dynamodb.restore_table_to_point_in_time(
                SourceTableName=table, TargetTableName=name, RestoreDateTime=at, BillingModeOverride="PAY_PER_REQUEST"
            )
        # A large table takes hours.
        self.dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 20, "MaxAttempts": 3 * 60 * 12}
        )
        return name

    def make_equal(self, table: str, restored: str, at: datetime) -> tuple[int, int]:
        """Make a table's items those of the restored one; how many were written and how many removed.

        The history is written after what it tells of. So entries of what happened by `at` stay, restored or not.
        """
        names = [key["AttributeName"] for key in self.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
        wanted = set()
        puts = []
        for item in self._items(restored):
            wanted.add(_key(item, names))
            puts.append({"PutRequest": {"Item": item}})
            if len(puts) == BATCH:
                self._write(table, puts)
                puts = []
        self._write(table, puts)
        gone = [
            key
            for item in self._items(table)
            if (key := _key(item, names)) not in wanted and not _tells_of_before(item, at)
        ]
        for start in range(0, len(gone), BATCH):
            keys = [dict(zip(names, key, strict=True)) for key in gone[start : start + BATCH]]
            self._write(
                table, [{"DeleteRequest": {"Key": {name: {"S": text} for name, text in key.items()}}} for key in keys]
            )
        return len(wanted), len(gone)

    def _write(self, table: str, requests: list[dict[str, Any]]) -> None:
        while requests:
            answer = self.dynamodb.batch_write_item(RequestItems={table: requests})
            requests = answer.get("UnprocessedItems", {}).get(table, [])
            if requests:
                time.sleep(1)  # the table takes no more for now

    def _items(self, table: str) -> Iterator[dict[str, Any]]:
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from page["Items"]


def _tells_of_before(item: dict[str, Any], at: datetime) -> bool:
    """Whether an item is an entry of the history, of what happened by a moment."""
    return item.get("calendarId", {}).get("S", "").startswith(HISTORY) and int(item["at"]["N"]) <= at.timestamp()


def _key(item: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    """The keys of both tables are texts."""
    return tuple(item[name]["S"] for name in names)


def moment(text: str) -> datetime:
    """The moment that an argument names. Raises InvalidTimeError, in words that fit the command."""
    if not has_offset(text):
        raise InvalidTimeError(f"AT={text} is not a time with its offset; give it as AT=2026-11-24T10:00:00Z")
    try:
        return parse_time(text, None).astimezone(UTC)
    except InvalidTimeError as exc:
        raise InvalidTimeError(f"AT={text} {exc}") from exc


def main() -> int:
    """Restore the stack that the arguments name."""
    parser = argparse.ArgumentParser(prog="make restore", description="Put a stack's tables back to a moment.")
    parser.add_argument("stack", help="such as appointments-prod")
    parser.add_argument("at", help="the moment, such as 2026-11-24T10:00:00Z; up to 35 days ago")
    parser.add_argument("--wait", type=int, default=300, help="seconds, as long as a sweep may take")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    stack = Stack(arguments.stack)
    try:
        at = moment(arguments.at)
        question = f"Put {stack.name} back to {to_utc_text(at)} and lose what came after? Type its name: "
        if not arguments.yes and not confirmed(question, stack.name):
            print("Nothing was changed.")
            return 1
        restore = Restore(stack.client("dynamodb"))
        restored = {}
        for table in TABLES:
            with working(f"restoring {table} beside the stack's own"):
                restored[table] = restore.beside(stack.resource(table), at)
            print(f"restored: {restored[table]}")
        with stack.halted(*FUNCTIONS, by=OPERATION):
            print(f"halted; waiting {arguments.wait} s for what is under way")
            with working("waiting"):
                time.sleep(arguments.wait)
            for table in TABLES:
                with working(f"writing {table}"):
                    written, removed = restore.make_equal(stack.resource(table), restored[table], at)
                print(f"{table}: {written} items written, {removed} removed")
    except (
        NoStackError,
        StillHaltedError,
        ClientError,
        BotoCoreError,
        WaiterError,
        InvalidTimeError,
        KeyError,
    ) as problem:
        print(f"restore: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("restore: broken off", file=sys.stderr)
        return BROKEN_OFF
    return 0


if __name__ == "__main__":
    sys.exit(main())
