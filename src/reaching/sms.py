"""SMS through SNS, to one phone number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from appointments.contacts import OPTED_OUT
from reaching.refusals import NOT_SENT, NotSentError, OptedOutError, RefusedError, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Texter:
    """Sends SMS, from a sender id such as `CLINIC`, a number that the account has, or what SNS chooses.

    The client must not repeat calls by itself, as with the topic.
    """

    sns: Callable[[], SNSClient]
    sender_id: str = ""

    def send(self, phone: str, text: str) -> str:
        """Send one SMS, once, and return its id. Raises NotSentError or RefusedError where nothing was sent."""
        attributes = {"AWS.SNS.SMS.SMSType": "Transactional"}
        if self.sender_id:
            number = self.sender_id.removeprefix("+").isdigit()
            attributes["AWS.MM.SMS.OriginationNumber" if number else "AWS.SNS.SMS.SenderID"] = self.sender_id
        try:
            answer = self.sns().publish(
                PhoneNumber=phone,
                Message=text,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
        except NOT_SENT as exc:
            raise _refusal(exc) from exc
        return answer["MessageId"]


def _refusal(error: Exception) -> NotSentError | RefusedError:
    """A refusal for good where it is of the phone number; of our settings or account it is not, and is repaired."""
    if isinstance(error, ClientError):
        code, words = words_of(error)
        if "opted out" in words.lower() or code.startswith("OptedOut"):
            return OptedOutError(OPTED_OUT)
        if "PhoneNumber" in words and code.startswith(("InvalidParameter", "ValidationException")):
            return RefusedError("no valid number")
        return NotSentError(code)
    return NotSentError(type(error).__name__)
