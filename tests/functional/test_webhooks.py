"""Webhooks on moto: what is stored, versioned, told once, queued and refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments.events import EVENT_TYPES as TYPES
from appointments.events import Event
from appointments.storage.deliveries import KEPT_FOR, State
from appointments.storage.versioned import SettingsChangedError
from appointments.storage.webhooks import Breaker
from appointments.webhook_queue import MOST_BYTES
from appointments.webhooks import MAX_WEBHOOKS, Delivery
from conflict_detector.access import Access, Auth
from contract import contract
from event_relay.fan_out import FanOut
from support import ROOT, api_event

if TYPE_CHECKING:
    from world import World

BODY = {"url": "https://crm.example.com/in", "events": ["appointment.*"]}
TIME = datetime(2029, 12, 1, 11, tzinfo=UTC)


def put(world: World, webhook_id: str = "crm", body: Any = BODY, match: str = "*") -> tuple[int, dict[str, Any]]:
    status, headers, answer = world.request("PUT", f"/webhooks/{webhook_id}", body, headers={"If-Match": match})
    if status == 200:
        assert headers["ETag"] == f'"{answer["version"]}"'
    return status, answer


def get(world: World) -> dict[str, Any]:
    status, _, answer = world.request("GET", "/webhooks/crm")
    assert status == 200
    assert isinstance(answer, dict)
    return answer


def event(number: int = 1, kind: str = "appointment.booked", **more: Any) -> Event:
    return Event(f"a.{number}", kind, TIME, {"eventId": f"a.{number}", **more})


def queued(world: World) -> list[dict[str, Any]]:
    found = []
    while batch := world.sqs.receive_message(QueueUrl=world.deliveries_url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in batch]
    return found


# --- configure ---------------------------------------------------------------------------------------------


def test_the_secret_is_told_once_and_what_was_sent_comes_back(world: World) -> None:
    status, made = put(world)
    assert status == 200
    secret = made.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    expected = BODY | {"webhookId": "crm", "active": True, "version": 1, "updatedAt": "2029-12-01T12:00:00Z"}
    assert made == get(world) == expected
    assert world.request("GET", "/webhooks")[2] == {"webhooks": [expected]}
    # What was read, and the first answer too, can be sent back.
    again = put(world, body=made | {"secret": secret})[1]
    assert again == expected | {"version": 2}
    assert put(world, body={"url": BODY["url"]})[1]["events"] == ["*"]
    assert secret not in repr(world.items("CalendarsTable"))


def test_the_contract_names_every_type_of_event() -> None:
    listed = contract()["components"]["schemas"]["WebhookSettings"]["properties"]["events"]
    groups = {f"{name.partition('.')[0]}.*" for name in TYPES}
    assert set(listed["items"]["enum"]) == {"*", *groups, *TYPES}
    assert listed["maxItems"] == len(listed["items"]["enum"])


def test_who_changed_a_webhook_last_is_kept(world: World) -> None:
    for method, path in (("PUT", ""), ("POST", "/secret"), ("DELETE", "")):
        context = api_event(method, "/webhooks/crm")["requestContext"] | {
            "identity": {"userArn": f"arn:{method}{path}"}
        }
        world.api = world.api_for(Access(Auth.IAM))
        body = BODY if method == "PUT" else None
        assert world.request(method, f"/webhooks/crm{path}", body, requestContext=context)[0] == 200
        (item,) = world.items("CalendarsTable")
        assert item["by"] == {"S": f"arn:{method}{path}"}


def test_the_data_model_lists_every_attribute(world: World) -> None:
    put(world)
    seen = world.webhooks.items.get("crm")
    assert seen is not None
    world.webhooks.items.turn(seen, Breaker.of(world.now, timedelta(seconds=5)))
    world.request("POST", "/webhooks/crm/secret")
    made = Delivery("crm", "a.1", "appointment.booked", TIME, {})
    world.webhooks.deliveries.keep(made, world.now)
    world.webhooks.deliveries.record(made, State.RETRYING, world.now, "500")
    stored = world.items("CalendarsTable")
    current = world.webhooks.items.get("crm")
    assert current is not None
    assert world.webhooks.items.switch_off(current, world.now)
    stored += world.items("CalendarsTable")
    world.request("DELETE", "/webhooks/crm")
    text = (ROOT / "docs" / "data-model.md").read_text()
    rows = {kind: re.findall(rf"^\| {kind} \|.*$", text, re.MULTILINE) for kind in KINDS.values()}
    for item in [*stored, *world.items("CalendarsTable")]:
        (row,) = rows[KINDS[item["day"]["S"].partition("#")[0]]]
        assert item.keys() <= {*re.findall(r"`(\w+)`", row), "calendarId", "day"}


# How the items of webhooks are called there, by how their sort keys begin.
KINDS = {"webhook": "webhook", "event": "event of a delivery", "2029-12-01T11:00:00Z": "delivery"}


def test_a_webhook_is_replaced_only_over_the_versions_named(world: World) -> None:
    answers = [put(world, match=match)[0] for match in ('"1"', '"0"', '"0"', '"1"', '"x"', "*", '"2", "3"')]
    assert answers == [412, 200, 412, 200, 412, 200, 200]


def test_two_who_make_it_at_the_same_time_are_not_both_told_a_secret(world: World) -> None:
    items = world.webhooks.items
    put(world)
    with pytest.raises(SettingsChangedError):
        items.put("crm", BODY, world.now, 0, "another")
    stored = items.put("crm", BODY, world.now, None, "another")
    assert stored.nonce != "another"


def test_every_fault_is_named_and_nothing_is_written(world: World) -> None:
    status, answer = put(world, body={"url": "https://10.0.0.1/", "events": ["*", "x"], "active": "yes", "events2": 1})
    assert status == 422
    assert {fault["field"] for fault in answer["errors"]} == {"url", "events[1]", "active", "events2"}
    assert put(world, "a%20b")[1]["errors"][0]["field"] == "webhookId"
    assert [put(world, body=text)[0] for text in ("", "{", "[]", "null")] == [400, 400, 422, 422]
    assert world.items("CalendarsTable") == []


def test_there_are_fifty_at_most(world: World) -> None:
    for number in range(MAX_WEBHOOKS):
        assert put(world, f"w{number}")[0] == 200
    status, answer = put(world, "one-more")
    assert (status, answer["errors"][0]["field"]) == (422, "webhookId")
    assert put(world, "w7")[0] == 200
    assert world.request("DELETE", "/webhooks/w7")[0] == 200
    assert put(world, "one-more")[0] == 200
    assert len(world.request("GET", "/webhooks")[2]["webhooks"]) == MAX_WEBHOOKS


def test_a_deleted_webhook_is_gone_and_a_new_one_has_another_secret(world: World) -> None:
    first = put(world)[1]["secret"]
    status, _, deleted = world.request("DELETE", "/webhooks/crm", headers={"If-Match": '"7"'})
    assert status == 412
    status, _, deleted = world.request("DELETE", "/webhooks/crm")
    assert (status, deleted["version"], deleted["active"]) == (200, 2, False)
    assert world.request("DELETE", "/webhooks/crm")[2] == deleted
    for method, path in (("GET", ""), ("POST", "/secret"), ("POST", "/test"), ("GET", "/deliveries")):
        status, _, answer = world.request(method, f"/webhooks/crm{path}")
        assert (status, answer["type"]) == (404, "/docs#webhook-not-found")
    assert world.request("GET", "/webhooks")[2] == {"webhooks": []}
    status, again = put(world)
    assert (status, again["version"]) == (200, 3)
    assert again["secret"] != first
    assert world.request("DELETE", "/webhooks/nothing")[0] == 404


def test_a_replaced_secret_is_valid_for_a_day(world: World) -> None:
    first = put(world)[1]["secret"]
    status, headers, answer = world.request("POST", "/webhooks/crm/secret")
    assert (status, headers["ETag"], answer["oldSecretUntil"]) == (200, '"2"', "2029-12-02T12:00:00Z")
    second = answer["secret"]

    def valid() -> list[str]:
        stored = world.webhooks.items.get("crm")
        assert stored is not None
        return world.webhooks.secrets.all_of("crm", stored.nonces(world.now))

    assert valid() == [second, first]
    assert "secret" not in put(world)[1]  # and it changes none of them
    assert valid() == [second, first]
    world.now += timedelta(hours=24)
    assert valid() == [second]
    assert "oldSecretUntil" not in get(world)
    # The one before the last is not valid any more: two are, and never three.
    third = world.request("POST", "/webhooks/crm/secret")[2]["secret"]
    fourth = world.request("POST", "/webhooks/crm/secret")[2]["secret"]
    assert valid() == [fourth, third]
    assert world.request("POST", "/webhooks/crm/secret", headers={"If-Match": '"1"'})[0] == 412
    assert world.request("POST", "/webhooks/crm/secret", headers={"If-Match": '"5"'})[0] == 200


def test_a_webhook_may_be_named_like_settings_and_is_no_calendar(world: World) -> None:
    put(world, "settings")
    assert world.request("GET", "/calendars")[2] == {"calendars": []}
    assert world.request("GET", "/services")[2] == {"services": []}


# --- the breaker -------------------------------------------------------------------------------------------


def test_of_several_senders_one_alone_turns_the_breaker(world: World) -> None:
    put(world)
    items = world.webhooks.items
    seen = items.get("crm")
    assert seen is not None
    first, second = (Breaker.of(world.now + timedelta(seconds=5), timedelta(seconds=5)) for _ in range(2))
    opened = items.turn(seen, first)
    assert opened == items.get("crm") == seen._replace(breaker=first)
    assert items.turn(seen, second) is None
    assert get(world)["pausedUntil"] == "2029-12-01T12:00:05Z"
    assert items.turn(opened, second) is not None
    assert items.turn(opened, None) is None
    assert items.turn(opened._replace(breaker=second), None) == seen
    assert "pausedUntil" not in get(world)


def test_a_breaker_that_was_written_with_a_lost_answer_is_the_senders_own(world: World) -> None:
    put(world)
    items = world.webhooks.items
    seen = items.get("crm")
    assert seen is not None
    breaker = Breaker.of(world.now, timedelta(seconds=5))
    assert items.turn(seen, breaker) is not None
    assert items.turn(seen, breaker) == seen._replace(breaker=breaker)


def test_what_is_put_anew_is_tried_at_once_and_an_old_sender_changes_nothing(world: World) -> None:
    put(world)
    items = world.webhooks.items
    seen = items.get("crm")
    assert seen is not None
    paused = items.turn(seen, Breaker.of(world.now + timedelta(hours=1), timedelta(hours=1)))
    assert paused is not None
    put(world)
    assert "pausedUntil" not in get(world)
    for old in (seen, paused):
        assert items.turn(old, Breaker.of(world.now, timedelta(seconds=5))) is None
        assert not items.switch_off(old, world.now)
    assert get(world)["active"]


def test_a_webhook_that_was_switched_off_says_so_until_it_is_put_again(world: World) -> None:
    put(world)
    seen = world.webhooks.items.get("crm")
    assert seen is not None
    assert world.webhooks.items.switch_off(seen, world.now)
    off = get(world)
    assert (off["active"], off["switchedOffAt"], off["version"]) == (False, "2029-12-01T12:00:00Z", 2)
    on = put(world, body=off | {"active": True})[1]
    assert on["active"]
    assert "switchedOffAt" not in on


# --- test, deliveries, send again --------------------------------------------------------------------------


def test_a_test_event_goes_to_this_webhook_alone(world: World) -> None:
    put(world)
    put(world, "other")
    status, _, answer = world.request("POST", "/webhooks/crm/test")
    assert status == 202
    (message,) = queued(world)
    assert message["webhookId"] == "crm"
    assert message["event"]["id"] == answer["eventId"] == message["event"]["detail"]["eventId"]
    assert message["event"]["type"] == "webhook.test"
    put(world, body=BODY | {"active": False})
    status, _, answer = world.request("POST", "/webhooks/crm/test")
    assert (status, answer["type"]) == (409, "/docs#webhook-inactive")


def test_deliveries_are_listed_newest_first_and_paged(world: World) -> None:
    put(world)
    records = world.webhooks.deliveries
    for number in range(5):
        made = Delivery("crm", f"a.{number}", "appointment.booked", TIME + timedelta(minutes=number), {})
        records.keep(made, world.now)
        records.record(made, State.DELIVERED, world.now, "200")
    status, _, page = world.request("GET", "/webhooks/crm/deliveries", queryStringParameters={"limit": "3"})
    assert status == 200
    assert [one["eventId"] for one in page["deliveries"]] == ["a.4", "a.3", "a.2"]
    assert page["deliveries"][0] == {
        "eventId": "a.4",
        "type": "appointment.booked",
        "time": "2029-12-01T11:04:00Z",
        "state": "delivered",
        "attempts": 1,
        "lastAt": "2029-12-01T12:00:00Z",
        "outcome": "200",
    }
    query = {"cursor": page["nextCursor"]}
    rest = world.request("GET", "/webhooks/crm/deliveries", queryStringParameters=query)[2]
    assert [one["eventId"] for one in rest["deliveries"]] == ["a.1", "a.0"]
    assert "nextCursor" not in rest
    for wrong in ("x", "WyJ4Il0", "WzFd"):
        status, _, answer = world.request(
            "GET", "/webhooks/crm/deliveries", queryStringParameters={"cursor": wrong, "limit": "0"}
        )
        assert (status, [fault["field"] for fault in answer["errors"]]) == (422, ["limit", "cursor"])
    world.now += KEPT_FOR
    assert world.request("GET", "/webhooks/crm/deliveries")[2] == {"deliveries": []}


def test_a_delivery_that_succeeded_is_not_made_to_have_failed_by_a_repetition(world: World) -> None:
    records, made = world.webhooks.deliveries, Delivery("crm", "a.1", "appointment.booked", TIME, {})
    assert records.record(made, State.RETRYING, world.now, "500") == 1
    assert records.record(made, State.DELIVERED, world.now, "204") == 2
    for state in (State.RETRYING, State.FAILED, State.DROPPED):
        assert records.record(made, state, world.now, "500") is None
    ((record,), _) = records.page("crm", world.now, 10)
    assert (record.state, record.attempts, record.outcome) == (State.DELIVERED, 2, "204")


def test_one_event_is_sent_again_by_its_id(world: World) -> None:
    put(world)
    records, made = world.webhooks.deliveries, Delivery("crm", "a.1", "appointment.booked", TIME, {"eventId": "a.1"})
    records.keep(made, world.now)
    records.record(made, State.DELIVERED, world.now, "200")
    assert world.request("POST", "/webhooks/crm/deliveries/a.1")[0] == 202
    assert queued(world) == [json.loads(made.message)]
    (record,) = world.request("GET", "/webhooks/crm/deliveries")[2]["deliveries"]
    assert (record["state"], record["attempts"]) == ("queued", 1)
    for unknown in ("a.2", "x" * 300, "%F0%9F%98%80", "a%20b"):
        status, _, answer = world.request("POST", f"/webhooks/crm/deliveries/{unknown}")
        assert (status, answer["type"]) == (404, "/docs#delivery-not-found")
    world.now += KEPT_FOR
    assert world.request("POST", "/webhooks/crm/deliveries/a.1")[0] == 404


def test_a_refused_request_about_a_webhook_is_no_rejected_booking(
    world: World, events_of: Callable[[], list[dict[str, Any]]]
) -> None:
    world.request("POST", "/webhooks/a%20b/test")
    assert [line for line in events_of() if "event_type" in line] == []


# --- the fan-out -------------------------------------------------------------------------------------------


def fan_out(world: World) -> FanOut:
    return FanOut(world.webhooks.items, world.webhooks.queue)


def test_each_webhook_gets_what_it_wants(world: World) -> None:
    put(world)
    put(world, "all", {"url": BODY["url"]})
    put(world, "off", BODY | {"active": False})
    put(world, "gone")
    world.request("DELETE", "/webhooks/gone")
    events = [event(number, kind) for number, kind in enumerate(TYPES)]
    world.calls.clear()
    assert fan_out(world).send(events) == set()
    assert world.calls.count("Query") == 1
    messages = queued(world)
    of_crm = [message["event"]["id"] for message in messages if message["webhookId"] == "crm"]
    assert len(of_crm) == len([kind for kind in TYPES if kind.startswith("appointment.")])
    assert len([message for message in messages if message["webhookId"] == "all"]) == len(TYPES)
    assert {message["webhookId"] for message in messages} == {"crm", "all"}
    assert world.calls.count("SendMessageBatch") == -(-len(messages) // 10)


def test_a_delivery_knows_which_webhook_of_its_id_it_is_for(world: World) -> None:
    put(world)
    put(world)  # changed, which makes no other of it
    world.request("POST", "/webhooks/crm/test")
    world.request("DELETE", "/webhooks/crm")
    put(world)
    put(world)
    world.request("POST", "/webhooks/crm/test")
    assert fan_out(world).send([event()]) == set()
    assert sorted(message["made"] for message in queued(world)) == [1, 4, 4]


def test_without_events_and_without_webhooks_little_is_called(world: World) -> None:
    sending = fan_out(world)
    world.calls.clear()
    assert sending.send([]) == set()
    assert world.calls == []
    assert sending.send([event()]) == set()
    assert world.calls == ["Query"]


def test_large_events_go_in_several_calls(world: World) -> None:
    put(world)
    events = [event(number, text="x" * (MOST_BYTES // 3)) for number in range(7)]
    assert fan_out(world).send(events) == set()
    assert len(queued(world)) == 7
    assert world.calls.count("SendMessageBatch") == 4


def test_what_the_queue_does_not_take_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world)
    put(world, "two")
    events = [event(number) for number in range(8)]
    with world.failing("SendMessageBatch", times=1, code="ServiceUnavailable"):
        assert fan_out(world).send(events) == {f"a.{number}" for number in range(5)}
    with world.failing("Query"):
        assert fan_out(world).send(events) == {f"a.{number}" for number in range(8)}
    queued(world)
    send = world.sqs.send_message_batch

    def all_but_one(**request: Any) -> Any:
        request["Entries"] = request["Entries"][1:]
        return send(**request) | {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}

    monkeypatch.setattr(world.sqs, "send_message_batch", all_but_one)
    assert fan_out(world).send(events[:2]) == {"a.0"}
    assert len(queued(world)) == 3
