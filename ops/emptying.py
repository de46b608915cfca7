"""Empty a queue of what failed: whatever is sent again is gone from it, and what is not lies there as before."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

# How long a message is kept from a second redrive at the same time.
HELD_SECONDS = 120
# How often the queue is asked at the end, until it does not count any more what was just deleted.
MOST_COUNTS = 60


@dataclass
class Redriven:
    """What became of a queue's messages, by their number."""

    sent: int = 0
    over: int = 0
    left: int = 0
    # What the queue holds beside those at the end: new ones, and those in the hands of another redrive.
    more: int = 0

    def __str__(self) -> str:
        more = f", {self.more} more are new or held elsewhere: run this again in {HELD_SECONDS} s" if self.more else ""
        return f"{self.sent} sent again, {self.over} no longer wanted, {self.left} left{more}"


class LeftError(ValueError):
    """Why a message is left in its queue, in words for whoever runs this."""


class Emptying:
    """Sends again what lies in a queue, whatever it is."""

    # What a message should be.
    what: ClassVar[str]
    sqs: Any
    wait_seconds: int

    def again(self, message: Mapping[str, Any], now: datetime) -> bool:
        """Send what is in a message again; False where nothing is left to send.

        Raises AttributeError, IndexError, KeyError, RecursionError, TypeError or ValueError for a message to be left.
        """
        raise NotImplementedError

    def queue(self, url: str, now: datetime, done: Redriven | None = None) -> Redriven:
        """Send again every message that a queue holds at this moment.

        ``done`` is counted up on the way, for whoever is there to tell when this is broken off.
        """
        done = Redriven() if done is None else done
        held: dict[str, str] = {}
        counts = 1
        try:
            for message in self._messages(url, held):
                try:
                    sent = self.again(message, now)
                except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as exc:
                    done.left += 1
                    why = exc if isinstance(exc, LeftError) else f"not {self.what}"
                    print(f"left, {why}: {message['MessageId']}", file=sys.stderr)
                    continue
                if sent:
                    done.sent += 1
                else:
                    done.over += 1
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                del held[message["MessageId"]]
            counts = MOST_COUNTS
        finally:
            # As they were: the next redrive finds them at once.
            for receipt in held.values():
                with suppress(ClientError):  # it is back already, or will be when its time is over
                    self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
            done.more = self._more(url, done.left, counts)
        return done

    def _messages(self, url: str, held: dict[str, str]) -> Iterator[Mapping[str, Any]]:
        """Every message once; those that come back while this goes on are for the next redrive.

        ``held`` gets the receipt of each by its id, from the moment that the queue hides it. Those that come back may
        hide others, so only an empty answer is the end, or that all have come back with nothing else among them.
        """
        seen: set[str] = set()
        again = 0
        while again <= len(seen):
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=self.wait_seconds,
                MessageAttributeNames=["All"],
            )
            taken = {message["MessageId"]: message for message in answer.get("Messages", ())}
            held |= {id_: message["ReceiptHandle"] for id_, message in taken.items()}
            fresh = [message for id_, message in taken.items() if id_ not in seen]
            if not taken:
                return
            again = 0 if fresh else again + len(taken)
            seen |= taken.keys()
            yield from fresh

    def _more(self, url: str, left: int, counts: int) -> int:
        """How many messages a queue holds beside those that were left. SQS counts approximately, and late."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while True:
            attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            more = sum(int(attributes[name]) for name in names) - left
            counts -= 1
            if more <= 0 or not counts:
                return max(more, 0)
            time.sleep(self.wait_seconds)
