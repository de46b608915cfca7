"""Email through SES: one message to one address, whole as RFC 5322 has it, because an invitation goes with some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from reaching.refusals import NOT_SENT, NotSentError, RefusedError, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sesv2 import SESV2Client

    from texts.invitation import Invitation

# What SES says of a message that it will not take, whoever is to get it and however often it is sent.
_FOR_GOOD = ("MessageRejected", "BadRequestException")


class Letter(NamedTuple):
    """One email: to whom, and what it says, the same as plain text and as HTML."""

    to: str
    name: str | None
    subject: str
    text: str
    html: str
    invitation: Invitation | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Mailer:
    """Sends email from one address.

    The client must not repeat calls by itself, as with the topic. SES gives the message its Date and Message-ID.
    """

    ses: Callable[[], SESV2Client]
    sender: str
    sender_name: str = ""
    configuration_set: str = ""

    def send(self, letter: Letter) -> str:
        """Send one email, once, and return its id. Raises NotSentError or RefusedError where nothing was sent."""
        raw = self.written(letter)
        more = {"ConfigurationSetName": self.configuration_set} if self.configuration_set else {}
        try:
            answer = self.ses().send_email(
                FromEmailAddress=self.sender,
                Destination={"ToAddresses": [letter.to]},
                Content={"Raw": {"Data": raw}},
                **more,  # type: ignore[arg-type]  # of a dictionary mypy knows no keys
            )
        except NOT_SENT as exc:
            raise self._refusal(exc) from exc
        return answer["MessageId"]

    def written(self, letter: Letter) -> bytes:
        """The email as it is sent. Raises RefusedError for an address that no header can hold."""
        from email.errors import MessageError  # noqa: PLC0415 - few reminders go to people
        from email.headerregistry import Address  # noqa: PLC0415
        from email.message import EmailMessage  # noqa: PLC0415
        from email.policy import SMTP  # noqa: PLC0415

        message = EmailMessage(policy=SMTP)
        try:
            message["From"] = Address(_line(self.sender_name), addr_spec=self.sender)
            message["To"] = Address(_line(letter.name or ""), addr_spec=letter.to)
        except (MessageError, ValueError, IndexError) as exc:
            raise RefusedError("no valid address") from exc
        message["Subject"] = _line(letter.subject)
        # RFC 3834: nobody's "out of office" answers it.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text, cte="quoted-printable")
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        if letter.invitation:
            method, text = letter.invitation
            # As an alternative mail programs show it with buttons; as a file others can open it.
            message.add_alternative(text, subtype="calendar", cte="base64", params={"method": method})
            message.add_attachment(text.encode(), maintype="application", subtype="ics", filename="invite.ics")
        return message.as_bytes()

    def _refusal(self, error: Exception) -> NotSentError | RefusedError:
        """A refusal for good, unless it is of our own address or account: that is repaired, and nothing is lost."""
        if isinstance(error, ClientError):
            code, words = words_of(error)
            ours = self.sender in words or f"@{self.sender.rpartition('@')[2]}" in words
            if code in _FOR_GOOD and not ours:
                return RefusedError("not verified" if "not verified" in words else code)
            return NotSentError(code)
        return NotSentError(type(error).__name__)


def _line(text: str) -> str:
    """A text on one line: a header that held two would be two headers."""
    return " ".join(text.split())
