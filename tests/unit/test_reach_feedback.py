"""What SES tells of email: which addresses are marked."""

from __future__ import annotations

from typing import Any

import pytest

from reach_feedback.feedback import Unreachable, bare, unreachable


def bounce(kind: str = "Permanent", *addresses: str) -> dict[str, Any]:
    recipients = [{"emailAddress": address} for address in addresses or ("anna@example.org",)]
    return {"eventType": "Bounce", "bounce": {"bounceType": kind, "bouncedRecipients": recipients}}


def complaint(**more: Any) -> dict[str, Any]:
    return {
        "eventType": "Complaint",
        "complaint": {"complainedRecipients": [{"emailAddress": "anna@example.org"}], **more},
        "mail": {"messageId": "m-1"},
    }


def test_a_permanent_bounce_marks_each_of_its_addresses() -> None:
    told = bounce("Permanent", "anna@example.org", "Ben Lee <ben@Example.ORG>") | {"mail": {"messageId": "m-1"}}
    assert list(unreachable(told)) == [
        Unreachable("anna@example.org", "bounced", "m-1"),
        Unreachable("ben@example.org", "bounced", "m-1"),
    ]


def test_a_complaint_marks_the_address() -> None:
    marked = [Unreachable("anna@example.org", "complained", "m-1")]
    assert list(unreachable(complaint())) == marked
    assert list(unreachable(complaint(complaintFeedbackType="abuse"))) == marked


@pytest.mark.parametrize(
    "told",
    [
        bounce("Transient"),
        bounce("Undetermined"),
        complaint(complaintFeedbackType="not-spam"),
        {"eventType": "Delivery", "delivery": {}},
        {"notificationType": "AmazonSnsSubscriptionSucceeded"},
        {},
    ],
)
def test_nothing_else_marks_an_address(told: dict[str, Any]) -> None:
    """A full mailbox is a transient bounce, and `not-spam` is somebody who took an email out of the spam folder."""
    assert list(unreachable(told)) == []


def test_a_notification_of_an_identity_is_understood_too() -> None:
    told = bounce()
    assert list(unreachable(told | {"notificationType": told.pop("eventType")}))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("anna@example.org", "anna@example.org"),
        ("Anna@Example.ORG", "Anna@example.org"),
        ("<anna@example.org>", "anna@example.org"),
        ('"Lee, Anna" <anna@example.org>', "anna@example.org"),
        ('"a@b"@example.org', '"a@b"@example.org'),
    ],
)
def test_an_address_is_as_contacts_have_it(address: str, expected: str) -> None:
    assert bare(address) == expected
