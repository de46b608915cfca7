"""The feedback function: what SES tells over the topic ends as a mark, and the next reminder is not sent there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from appointments.contact_digests import ContactDigests
from appointments.contacts import ChannelName
from appointments.storage.undeliverable import MARKED_FOR, Undeliverable
from reach_feedback import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

    LogLines = Callable[[], list[dict[str, Any]]]

CONTEXT: Any = SimpleNamespace(
    function_name="reach-feedback", memory_limit_in_mb=256, invoked_function_arn="arn", aws_request_id="r"
)
ADDRESS = "anna@example.org"


def sns(*told: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [{"Sns": {"Message": json.dumps(one)}} for one in told]}


def bounced(address: str = ADDRESS) -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": address}]},
        "mail": {"messageId": "m-1", "destination": [address]},
    }


@pytest.fixture
def marks(world: World, monkeypatch: pytest.MonkeyPatch) -> Undeliverable:
    kms = world.clients["kms"]
    key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    monkeypatch.setenv("CALENDARS_TABLE", "CalendarsTable")
    monkeypatch.setenv("CONTACT_KEY_ID", key)
    monkeypatch.setattr(app, "client", world.clients.__getitem__)
    monkeypatch.setattr("reaching.parts.client", world.clients.__getitem__)
    monkeypatch.setattr("appointments.wiring.client", world.clients.__getitem__)
    app._undeliverable.cache_clear()
    # As another process, which derives the key by itself.
    return Undeliverable(world.storage.database, "CalendarsTable", ContactDigests(kms, key))


def marked(marks: Undeliverable, world: World) -> dict[ChannelName, str]:
    (item,) = world.items("CalendarsTable") or [{"expiresAt": {"N": "0"}}]
    at = datetime.fromtimestamp(int(item["expiresAt"]["N"]), UTC) - MARKED_FOR
    return marks.reasons({ChannelName.EMAIL: ADDRESS, ChannelName.SMS: "+4915123456789"}, at)


def test_a_bounce_marks_the_address_for_the_senders(world: World, marks: Undeliverable, events_of: LogLines) -> None:
    app.lambda_handler(sns({"eventType": "Send"}, bounced()), CONTEXT)
    assert marked(marks, world) == {ChannelName.EMAIL: "bounced"}
    lines = events_of()
    (line,) = [line for line in lines if line.get("event_type") == "ADDRESS_UNDELIVERABLE"]
    assert (line["channel"], line["reason"], line["message_id"]) == ("email", "bounced", "m-1")
    assert "anna" not in json.dumps(lines)


def test_told_twice_it_is_marked_once_and_the_last_reason_counts(world: World, marks: Undeliverable) -> None:
    complained = {"eventType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": ADDRESS}]}}
    app.lambda_handler(sns(bounced(), bounced(), complained), CONTEXT)
    assert marked(marks, world) == {ChannelName.EMAIL: "complained"}


@pytest.mark.parametrize(("told", "asked"), [("Anna@Example.ORG", "anna@example.org"), (ADDRESS, "ANNA@example.org")])
def test_an_address_is_marked_in_any_case_of_its_letters(
    world: World, marks: Undeliverable, told: str, asked: str
) -> None:
    app.lambda_handler(sns(bounced(told)), CONTEXT)
    assert len(world.items("CalendarsTable")) == 1
    assert marks.reasons({ChannelName.EMAIL: asked}, datetime.now(UTC)) == {ChannelName.EMAIL: "bounced"}


def test_a_mark_that_was_made_while_case_counted_still_counts(world: World, marks: Undeliverable) -> None:
    key = {"calendarId": {"S": "undeliverable#" + marks.digests.digest("Anna@example.org")}, "day": {"S": "email"}}
    until = int((datetime.now(UTC) + MARKED_FOR).timestamp())
    world.storage.database.client.put_item(
        TableName="CalendarsTable", Item={**key, "reason": {"S": "bounced"}, "expiresAt": {"N": str(until)}}
    )
    asked = {ChannelName.EMAIL: "Anna@example.org"}
    assert marks.reasons(asked, datetime.now(UTC)) == {ChannelName.EMAIL: "bounced"}
    marks.unmark(ChannelName.EMAIL, "Anna@example.org")
    assert marks.reasons(asked, datetime.now(UTC)) == {}


def test_what_cannot_be_recorded_is_raised_for_lambda_to_repeat(
    world: World, marks: Undeliverable, events_of: LogLines
) -> None:
    with world.failing("UpdateItem", code="InternalServerError"), pytest.raises(Exception, match="made to fail"):
        app.lambda_handler(sns(bounced()), CONTEXT)
    assert world.items("CalendarsTable") == []
    assert [line["event_type"] for line in events_of() if "event_type" in line] == ["REACH_FEEDBACK_ERROR"]
    app.lambda_handler(sns(bounced()), CONTEXT)
    assert marked(marks, world) == {ChannelName.EMAIL: "bounced"}
