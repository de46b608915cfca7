"""Send again what lies in the queues of what failed: `make redrive STACK=appointments-prod`.

Of reminders there are two queues, and a message of each is written in another way. EventBridge and Scheduler leave what
they could not deliver, Lambda leaves an envelope around what the sender failed on. Either way the event goes to the
sender once more, and out of the queue when Lambda has taken it. Running this twice, or half, does no harm: the sender
sends what is still to be sent, and nothing twice. What fails again comes back to the queue. Whatever it took
and did not send it gives back at its end, also when it is broken off. What the event relay failed on is in
`ops.unrelayed`. Deliveries to webhooks that were given up go back into their queue, for another day, and so do changes
of which people were not told. Answers by SMS go to their function once more.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from appointments.firing import Firing, parse_timer_name
from appointments.notices import Change
from appointments.storage.store import Storage
from appointments.times import to_utc_text
from appointments.webhooks import Delivery
from ops.emptying import Emptying, Redriven
from ops.stack import NoStackError, Stack
from ops.terminal import BROKEN_OFF, working
from ops.unrelayed import Unrelayed

if TYPE_CHECKING:
    from collections.abc import Mapping

WEBHOOKS, NOTICES, REPLIES = "WebhookFailures", "NoticeFailures", "SmsRepliesFailures"
QUEUES = ("ReminderDeliveryDeadLetterQueue", "ReminderExecutionDeadLetterQueue")


@dataclass(frozen=True)
class Redrive(Emptying):
    """Sends reminders again over collaborators that a test can bring along."""

    what: ClassVar[str] = "an event of a reminder"

    sqs: Any
    functions: Any
    storage: Storage
    sender_function: str
    # Long enough for SQS to ask all of its servers.
    wait_seconds: int = 1

    def again(self, message: Mapping[str, Any], now: datetime) -> bool:
        """Give the event in a message to the sender."""
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
class PutBack(Emptying):
    """The same for what goes back, as it is, into the queue from which it came."""

    kind: ClassVar[type[Delivery | Change]]

    sqs: Any
    queue_url: str
    wait_seconds: int = 1

    def again(self, message: Mapping[str, Any], now: datetime) -> bool:  # noqa: ARG002 - as above
        """Put a message back into its queue."""
        self.kind.from_message(message["Body"])  # raises for what is none
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=message["Body"])
        return True


class WebhookRedrive(PutBack):
    """Deliveries to webhooks. The sender drops those whose webhook is off by now."""

    what = "a delivery to a webhook"
    kind = Delivery


class NoticeRedrive(PutBack):
    """Changes of which people were not told. The sender tells what they do not know by then."""

    what = "a change of an appointment"
    kind = Change


@dataclass(frozen=True)
class ReplyRedrive(Emptying):
    """Answers by SMS. The function takes each for what was there when it came."""

    what: ClassVar[str] = "an answer by SMS"

    sqs: Any
    functions: Any
    function: str
    wait_seconds: int = 1

    def again(self, message: Mapping[str, Any], now: datetime) -> bool:  # noqa: ARG002 - as above
        """Give the answer in a message to the function."""
        event = json.loads(message["Body"])["requestPayload"]
        for record in event["Records"]:
            record["Sns"]["Message"]  # raises for what is none
        payload = json.dumps(event).encode()
        self.functions.invoke(FunctionName=self.function, InvocationType="Event", Payload=payload)
        return True


def main() -> int:
    """Run the command line; 0 where every message was sent again."""
    parser = argparse.ArgumentParser(description="Send again what lies in the queues of what failed.")
    parser.add_argument("stack", nargs="?", help="name of the stack; without one that of `make run`")
    try:
        stack = Stack.find(parser.parse_args().stack)
        variables = stack.environment("ConflictDetectorFunction")
        storage = Storage.of(stack.client("dynamodb"), variables["APPOINTMENTS_TABLE"], variables["CALENDARS_TABLE"])
        # As timers name it: by the alias, which has the retries and the queue for what fails again.
        sender = variables["REMINDER_SENDER_ARN"]
        sqs, functions = stack.client("sqs"), stack.client("lambda")
        redrive = Redrive(sqs, functions, storage, sender)
        remaining = sum([redrive_queue(redrive, queue, stack.resource(queue)) for queue in QUEUES])
        relay = f"{stack.resource('EventRelayFunction')}:live"
        unrelayed = Unrelayed(sqs, functions, stack.client("dynamodbstreams"), relay)
        remaining += redrive_queue(unrelayed, "RelayFailures", stack.resource("RelayFailures"))
        webhooks = WebhookRedrive(sqs, stack.resource("WebhookDeliveries"))
        remaining += redrive_queue(webhooks, WEBHOOKS, stack.resource(WEBHOOKS))
        if stack.has(NOTICES):  # where people are reached
            notices = NoticeRedrive(sqs, stack.resource("NoticeChanges"))
            remaining += redrive_queue(notices, NOTICES, stack.resource(NOTICES))
        if stack.has(REPLIES):
            replies = ReplyRedrive(sqs, functions, f"{stack.resource('SmsRepliesFunction')}:live")
            remaining += redrive_queue(replies, REPLIES, stack.resource(REPLIES))
    except (NoStackError, BotoCoreError, ClientError) as problem:
        print(f"redrive: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("redrive: broken off; what was not sent again lies in its queue as before", file=sys.stderr)
        return BROKEN_OFF
    return 1 if remaining else 0


def redrive_queue(redrive: Emptying, name: str, url: str) -> int:
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
