"""Email through SES: one message to one address, whole as RFC 5322 has it, because an invitation goes with some."""

from __future__ import annotations

import re
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


# What is sent as it is: text that no reader takes for encoded words, and names without what has a meaning in addresses.
_PLAIN = re.compile(r"(?!.*=\?)[ -~]{0,65}", re.ASCII)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 '-]{0,60}", re.ASCII)
ONE_LINE, FOLD = 65, "\r\n "
_ADDRESS = re.compile(r"[!-;=?-~]+", re.ASCII)
# Controls, which are in no header, and halves of characters, which are in no text.
_BEYOND_HEADERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
        from email.message import EmailMessage  # noqa: PLC0415 - few reminders go to people
        from email.policy import SMTP  # noqa: PLC0415

        message = EmailMessage(policy=SMTP)
        # RFC 3834: nobody's "out of office" answers it.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text, cte="quoted-printable")
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        if letter.invitation:
            method, text = letter.invitation
            # As an alternative mail programs show it with buttons; as a file others can open it.
            message.add_alternative(text, subtype="calendar", cte="base64", params={"method": method})
            message.add_attachment(text.encode(), maintype="application", subtype="ics", filename="invite.ics")
        return self._heads(letter) + message.as_bytes()

    def _heads(self, letter: Letter) -> bytes:
        """The headers that free text is in. `EmailMessage` would decode what looks encoded, line ends and all."""
        heads = [
            f"From: {_mailbox(self.sender_name, self.sender)}",
            f"To: {_mailbox(letter.name or '', letter.to)}",
            f"Subject: {_encoded(letter.subject, _PLAIN)}",
        ]
        return "".join(f"{head}\r\n" for head in heads).encode("ascii")

    def _refusal(self, error: Exception) -> NotSentError | RefusedError:
        """A refusal for good, unless it is of our own address or account: that is repaired, and nothing is lost."""
        if isinstance(error, ClientError):
            code, words = words_of(error)
            ours = self.sender in words or f"@{self.sender.rpartition('@')[2]}" in words
            if code in _FOR_GOOD and not ours:
                return RefusedError("not verified" if "not verified" in words else code)
            return NotSentError(code)
        return NotSentError(type(error).__name__)


def _mailbox(name: str, address: str) -> str:
    """A name with its address, as headers have them. Raises RefusedError for an address that none can hold."""
    from email.errors import MessageError  # noqa: PLC0415 - few reminders go to people
    from email.headerregistry import Address  # noqa: PLC0415

    try:
        plain = Address(addr_spec=address).addr_spec
    except (MessageError, ValueError, IndexError) as exc:
        raise RefusedError("no valid address") from exc
    if plain != address or not _ADDRESS.fullmatch(address):
        raise RefusedError("no valid address")
    phrase = _encoded(name, _PLAIN_NAME)
    if not phrase:
        return address
    one_line = "\r\n" not in phrase and len(phrase) + len(address) <= ONE_LINE
    return f"{phrase}{' ' if one_line else FOLD}<{address}>"


def _encoded(text: str, plain: re.Pattern[str]) -> str:
    """A text as it stands in a header: as it is where it is plain and short, else in the encoded words of RFC 2047."""
    from email.header import Header  # noqa: PLC0415 - few reminders go to people

    line = " ".join(_BEYOND_HEADERS.sub(" ", text).split())
    return line if plain.fullmatch(line) else Header(line, "utf-8", header_name="Subject").encode(linesep="\r\n")
