"""Send again what lies in the dead-letter queues: `make redrive STACK=appointments-prod`.

There are two queues of reminders, and a message of each is written in another way. EventBridge and Scheduler leave
what they could not deliver, Lambda leaves an envelope around what the sender failed on. Either way the event goes to
the sender once more, and out of the queue when Lambda has taken it. Running this twice, or half, does no harm: the
sender sends what is still to be sent, and nothing twice. What fails again comes back to the queue. Whatever it took and
did not send it gives back at its end, also when it is broken off.

A third holds deliveries to webhooks that were given up. They go back into the queue of deliveries, for another day.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from appointments.firing import Firing, parse_timer_name
from appointments.storage.store import Storage
from appointments.times import to_utc_text
from appointments.webhooks import Delivery
from ops.stack import NoStackError, Stack
from ops.terminal import BROKEN_OFF, working

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WEBHOOKS = "WebhookFailures"
QUEUES = ("ReminderDeliveryDeadLetterQueue", "ReminderExecutionDeadLetterQueue")
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


@dataclass(frozen=True)
class Redrive:
    """Sends again over collaborators that a test can bring along."""

    sqs: Any
    functions: Any
    storage: Storage
    sender_function: str
    # Long enough for SQS to ask all of its servers.
    wait_seconds: int = 1
    not_one: ClassVar[str] = "not an event of a reminder"

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
                    again = self._send_again(message, now)
                except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
                    done.left += 1
                    print(f"left, {self.not_one}: {message['MessageId']}", file=sys.stderr)
                    continue
                if again:
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

    def _send_again(self, message: Mapping[str, Any], now: datetime) -> bool:
        """Send a message again; False where nothing is to be sent any more. Raises as `_event` does."""
        event = self._event(message, now)
        if event is None:
            return False
        self.functions.invoke(
            FunctionName=self.sender_function, InvocationType="Event", Payload=json.dumps(event).encode()
        )
        return True

    def _event(self, message: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
        """The sender's event in a message; None where there is nothing to send any more.

        Raises AttributeError, IndexError, KeyError, TypeError or ValueError for what is none.
        """
        body = json.loads(message["Body"])
        event = body.get("requestPayload", body)  # Lambda's envelope around the event, or the event itself
        if "appointmentId" in event:
            firing = Firing.from_event(event)
            # What no timer of ours has sent would only fail again, and come back to the queue each time.
            if parse_timer_name(firing.timer_name) != (event["appointmentId"], event["reminder"]):
                raise ValueError("not a reminder of an appointment")
            if to_utc_text(firing.due_at) != event["dueAt"]:
                raise ValueError("not a time as timers send it")
            return dict(event)
        # A rule's own event, as EventBridge makes it before it puts the target's input in its place. It names the
        # rule and not the due time, which the appointment still knows.
        rule = message.get("MessageAttributes", {}).get("RULE_ARN", {}).get("StringValue") or event["resources"][0]
        appointment_id, offset = parse_timer_name(rule.rpartition("/")[2])
        appointment = self.storage.appointments.get(appointment_id)
        reminder = appointment.reminder(offset) if appointment else None
        if reminder is None or reminder.due_at > now:
            return None  # given up, or moved into the future, where a timer of its own waits
        return dict(Firing(appointment_id, offset, reminder.due_at).event())


@dataclass(frozen=True)
class WebhookRedrive(Redrive):
    """The same for deliveries to webhooks. The sender drops those whose webhook is off by now."""

    deliveries_url: str = ""
    not_one: ClassVar[str] = "not a delivery to a webhook"

    def _send_again(self, message: Mapping[str, Any], now: datetime) -> bool:  # noqa: ARG002 - as above
        Delivery.from_message(message["Body"])
        self.sqs.send_message(QueueUrl=self.deliveries_url, MessageBody=message["Body"])
        return True


def main() -> int:
    """Run the command line; 0 where every message was sent again."""
    parser = argparse.ArgumentParser(description="Send again what lies in the dead-letter queues.")
    parser.add_argument("stack", nargs="?", help="name of the stack; without one that of `make run`")
    try:
        stack = Stack.find(parser.parse_args().stack)
        variables = stack.environment("ConflictDetectorFunction")
        storage = Storage.of(stack.client("dynamodb"), variables["APPOINTMENTS_TABLE"], variables["CALENDARS_TABLE"])
        # As timers name it: by the alias, which has the retries and the queue for what fails again.
        sender = variables["REMINDER_SENDER_ARN"]
        redrive = Redrive(stack.client("sqs"), stack.client("lambda"), storage, sender)
        webhooks = WebhookRedrive(
            redrive.sqs, redrive.functions, storage, sender, deliveries_url=stack.resource("WebhookDeliveries")
        )
        redrives: dict[str, Redrive] = {**dict.fromkeys(QUEUES, redrive), WEBHOOKS: webhooks}
        remaining = sum([redrive_queue(one, queue, stack.resource(queue)) for queue, one in redrives.items()])
    except (NoStackError, BotoCoreError, ClientError) as problem:
        print(f"redrive: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("redrive: broken off; what was not sent again lies in its queue as before", file=sys.stderr)
        return BROKEN_OFF
    return 1 if remaining else 0


def redrive_queue(redrive: Redrive, name: str, url: str) -> int:
    """Send one queue again and say what became of it; how many messages it still holds."""
    done = Redriven()
    try:
        with working(f"sending {name} again"):
            redrive.queue(url, datetime.now(UTC), done)
    finally:
        print(f"{name}: {done}")
    return done.left + done.more


if __name__ == "__main__":
    sys.exit(main())
