"""What SES tells of an email: which addresses it will never reach, or must not be reached by. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Unreachable(NamedTuple):
    """An address that nothing is to be sent to any more, why, and the message that showed it."""

    address: str
    reason: str
    message_id: str


def unreachable(told: Mapping[str, Any]) -> Iterator[Unreachable]:
    """The addresses of an event: all of a permanent bounce and of a complaint; none of anything else.

    A mailbox that is full, or a server that is away, is a transient bounce: the next email may arrive.
    """
    message_id = told.get("mail", {}).get("messageId", "")
    # Event publishing names the type so, and notifications of an identity so.
    kind = told.get("eventType") or told.get("notificationType")
    if kind == "Bounce" and told["bounce"].get("bounceType") == "Permanent":
        reason, recipients = "bounced", told["bounce"]["bouncedRecipients"]
    elif kind == "Complaint" and told["complaint"].get("complaintFeedbackType") != "not-spam":
        reason, recipients = "complained", told["complaint"]["complainedRecipients"]
    else:
        return
    for recipient in recipients:
        yield Unreachable(bare(recipient["emailAddress"]), reason, message_id)


def bare(address: str) -> str:
    """An address without a name, its domain in lower case as in contacts: of `Anna <anna@Example.org>`, what counts."""
    local, _, domain = address.rpartition("<")[2].partition(">")[0].strip().rpartition("@")
    return f"{local}@{domain.lower()}"
