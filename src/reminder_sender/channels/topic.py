"""The SNS topic: one message per reminder, for every subscriber."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from appointments.aws import client
from reaching.refusals import NOT_SENT, NotSentError
from reminder_sender import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sns import SNSClient

    from appointments.model import Appointment
    from appointments.reminders import Reminder
    from reaching.recipients import Person


@dataclass(frozen=True, slots=True)
class Topic:
    """Publishes to the topic.

    The client must not repeat calls by itself: one that got no answer may have published, and its repetition would
    be a second message that nobody knows of.
    """

    name: ClassVar[str] = "topic"
    sns: SNSClient
    arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> list[Topic]:
        return [cls(client("sns", attempts=1), env["NOTIFICATION_TOPIC_ARN"])]

    def recipients(self, _appointment: Appointment, _person: Person) -> tuple[str, ...]:
        """SNS knows the subscribers; to the sender they are one."""
        return ("subscribers",)

    def send(self, appointment: Appointment, reminder: Reminder, _recipient: str, _person: Person) -> str:
        attributes = {
            "userId": appointment.user_id,
            "appointmentId": appointment.appointment_id,
            "reminderType": reminder.offset,
        }
        try:
            answer = self.sns.publish(
                TopicArn=self.arn,
                Subject=message.subject(appointment),
                Message=message.body(appointment, reminder),
                MessageStructure="json",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
        except NOT_SENT as exc:
            raise NotSentError(type(exc).__name__) from exc
        return answer["MessageId"]
