"""Services on moto: what is stored, versioned, listed, deleted and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from appointments.memory import MAX_REMEMBERED, KnownService
from appointments.services import MAX_BYTES
from appointments.storage.dynamodb import ConditionFailedError, Database, TransactionFailedError
from appointments.storage.versioned import SettingsChangedError

if TYPE_CHECKING:
    from world import World

STEPS: dict[str, Any] = {"steps": [{"durationMinutes": 30, "resourceIds": ["room-1"]}]}
FULL: dict[str, Any] = {
    "title": "Check-up",
    "description": "Blood test, then the doctor.",
    "steps": [
        {"durationMinutes": 10, "resourceIds": ["lab"], "gapMinutes": {"min": 5, "max": 20}},
        {"durationMinutes": 20, "pools": [{"anyOf": ["dr-kim", "dr-lee"], "assign": "inOrder"}]},
    ],
    "bufferMinutes": {"before": 5, "after": 10},
    "stepMinutes": 15,
    "strictSteps": True,
    "minNoticeMinutes": 60,
    "horizonDays": 90,
    "maxPerPersonPerDay": 1,
    "approval": True,
    "holdMinutes": 10,
    "reminders": ["1d", "2h"],
    "cancelUntilMinutes": 1440,
    "moveUntilMinutes": 720,
    "quietHours": {"start": "21:00", "end": "08:00"},
    "notices": ["moved", "cancelled"],
}


def put(world: World, service_id: str = "S", body: Any = STEPS, match: str = "*") -> tuple[int, dict[str, Any]]:
    status, headers, answer = world.request("PUT", f"/services/{service_id}", body, headers={"If-Match": match})
    if status == 200:
        assert headers["ETag"] == f'"{answer["version"]}"'
    return status, answer


def delete(world: World, match: str = "*") -> tuple[int, dict[str, Any]]:
    status, _, body = world.request("DELETE", "/services/S", headers={"If-Match": match})
    return status, body


def listed(world: World, **query: str) -> Any:
    return world.request("GET", "/services", queryStringParameters=query)


def test_whatever_was_sent_comes_back(world: World) -> None:
    status, answered = put(world, body=FULL)
    assert status == 200
    assert answered == FULL | {"serviceId": "S", "version": 1, "updatedAt": "2029-12-01T12:00:00Z"}
    assert world.request("GET", "/services/S")[2] == answered
    assert put(world, body=answered)[1] == answered | {"version": 2}  # what was read can be sent back


def test_defaults_are_filled_in(world: World) -> None:
    answered = put(world, body=STEPS | {"bufferMinutes": 5})[1]
    assert answered == STEPS | {
        "serviceId": "S",
        "bufferMinutes": {"before": 0, "after": 5},
        "strictSteps": False,
        "minNoticeMinutes": 0,
        "approval": False,
        "version": 1,
        "updatedAt": "2029-12-01T12:00:00Z",
    }
    # A PUT replaces: what it leaves out is back at its default.
    assert put(world)[1]["bufferMinutes"] == {"before": 0, "after": 0}


def test_a_service_is_replaced_only_over_the_versions_named(world: World) -> None:
    answers = [put(world, match=match)[0] for match in ('"1"', '"0"', '"0"', '"1"', '"x"', "*", '"2", "3"')]
    assert answers == [412, 200, 412, 200, 412, 200, 200]
    assert put(world, match='"7"')[1]["detail"] == "The current version is 4. Read it again before you change it."


def test_every_fault_is_named_and_nothing_is_written(world: World) -> None:
    body = {
        "titel": "",
        "title": 7,
        "steps": [{"durationMinutes": 0, "pools": [{"anyOf": [], "assign": "random"}]}, {"resourceIds": ["a b"]}, 3],
        "bufferMinutes": {"before": -1},
        "stepMinutes": 0,
        "strictSteps": "yes",
        "minNoticeMinutes": 1.5,
        "horizonDays": 0,
        "maxPerPersonPerDay": 0,
        "approval": 1,
        "holdMinutes": 61,
        "reminders": ["soon"],
        "cancelUntilMinutes": -5,
        "moveUntilMinutes": "1",
        "quietHours": {"start": "21:00"},
        "notices": ["moved", "reminded", {}, "moved"],
    }
    status, answer = put(world, body=body)
    assert status == 422
    assert {fault["field"] for fault in answer["errors"]} == {
        "titel",
        "title",
        "steps[0].durationMinutes",
        "steps[0].pools[0].anyOf",
        "steps[0].pools[0].assign",
        "steps[1].durationMinutes",
        "steps[1].resourceIds[0]",
        "steps[2]",
        "bufferMinutes.before",
        "stepMinutes",
        "strictSteps",
        "minNoticeMinutes",
        "horizonDays",
        "maxPerPersonPerDay",
        "approval",
        "holdMinutes",
        "reminders[0]",
        "cancelUntilMinutes",
        "moveUntilMinutes",
        "quietHours",
        "notices[1]",
        "notices[2]",
        "notices[3]",
    }
    assert [fault["field"] for fault in put(world, body={})[1]["errors"]] == ["steps"]
    assert put(world, "a%20b")[1]["errors"][0]["field"] == "serviceId"
    assert [put(world, body=text)[0] for text in ("", "{", "[]", "null")] == [400, 400, 422, 422]
    assert world.items("CalendarsTable") == []


def test_a_service_that_is_too_large_is_refused(world: World) -> None:
    """Its description alone fits, in the letters that take the most bytes."""
    ids = [f"{'x' * 120}{number}" for number in range(50)]
    pools = [{"anyOf": ids[start : start + 10]} for start in range(0, 50, 10)]
    large = {"description": "\U0001f600" * 2000, "steps": [{"durationMinutes": 30, "pools": pools}]}
    assert put(world, body=large)[0] == 200
    status, answer = put(world, body=large | {"description": "\U0001f600" * 4000})
    assert (status, answer["errors"][0]["field"]) == (422, "")
    assert str(MAX_BYTES) in answer["errors"][0]["message"]


def test_a_deleted_service_is_gone_and_its_versions_do_not_return(world: World) -> None:
    assert [delete(world)[0], world.request("GET", "/services/S")[0]] == [404, 404]
    put(world)
    assert delete(world, '"7"')[0] == 412
    status, deleted = delete(world, '"1"')
    assert (status, deleted["version"], deleted["deletedAt"]) == (200, 2, "2029-12-01T12:00:00Z")
    assert delete(world) == delete(world, '"1"') == (200, deleted)  # again and again
    status, _, answer = world.request("GET", "/services/S")
    assert (status, answer["type"]) == (404, "/docs#service-not-found")
    assert listed(world)[2] == {"services": []}
    assert put(world, match='"1"')[0] == 412
    status, again = put(world)
    assert (status, again["version"], "deletedAt" in again) == (200, 3, False)
    assert world.request("GET", "/services/S")[2] == again


def test_a_service_that_returns_while_it_is_deleted_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world)
    delete(world)
    services = world.storage.services
    read = Database.get
    reads: list[str] = []

    def get(self: Database, table: str, key: Any) -> Any:
        reads.append(table)
        if len(reads) == 2:  # after the write that found it deleted
            monkeypatch.undo()
            services.put("S", STEPS, world.now)
        return read(self, table, key)

    monkeypatch.setattr(Database, "get", get)
    status, deleted = delete(world)
    assert (status, deleted["version"]) == (200, 4)


def test_services_are_listed_by_id_in_pages(world: World) -> None:
    for service_id in ("b", "A", "c", "a", "d"):
        put(world, service_id)
    world.request("DELETE", "/services/b")
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        status, _, page = listed(world, limit="2", **cursor)
        assert status == 200
        pages.append([service["serviceId"] for service in page["services"]])
        if "nextCursor" not in page:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert pages == [["A", "a"], ["c", "d"]]
    assert page["services"][0] == world.request("GET", "/services/c")[2]


def test_bad_parameters_of_the_list_are_named(world: World) -> None:
    put(world)
    for cursor in ("x", "eyJhIjoxfQ", "WzFd", "WyJhIGIiXQ", "WyJhIl0=", "x" * 300, "W10"):
        status, _, answer = listed(world, limit="51", cursor=cursor, order="title")
        assert status == 422
        assert {fault["field"] for fault in answer["errors"]} == {"limit", "cursor", "order"}, cursor


def test_services_are_no_calendars(world: World) -> None:
    """They share a table, under a key that no calendar can have."""
    put(world, "settings")
    put(world, "2030-01-15")
    assert {item["calendarId"]["S"] for item in world.items("CalendarsTable")} == {"services#"}
    assert world.request("GET", "/calendars/services%23")[0] == 422


def test_a_transaction_holds_only_over_the_version_that_was_read(world: World) -> None:
    put(world)
    services = world.storage.services
    known = services.known("S")
    assert (known.version, known.service is not None) == (1, True)
    world.storage.database.transact([services.checking(known)])
    put(world)
    with pytest.raises(TransactionFailedError):
        world.storage.database.transact([services.checking(known)])
    delete(world)
    known = services.known("S")
    assert (known.version, known.service, known.body) == (3, None, "")
    assert services.known("other") == KnownService("other")


def test_a_write_whose_answer_got_lost_is_known_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK repeats it, and finds its own version."""
    services = world.storage.services
    update = type(services.database).update

    def lost(self: Any, **request: Any) -> Any:
        item = update(self, **request)["Attributes"]
        raise ConditionFailedError(item)

    monkeypatch.setattr(type(services.database), "update", lost)
    assert services.put("S", STEPS, world.now, 0).version == 1
    deleted = services.delete("S", world.now, 1)
    assert deleted is not None
    assert (deleted.version, deleted.deleted_at) == (2, world.now)
    monkeypatch.undo()
    with pytest.raises(SettingsChangedError) as caught:
        services.put("S", STEPS, world.now, 1)
    assert caught.value.version == 2


def test_the_memory_of_services_is_bounded(world: World) -> None:
    memory = world.storage.memory
    for number in range(MAX_REMEMBERED + 1):
        memory.learn_service(KnownService(str(number)))
    assert [*memory.services] == [str(MAX_REMEMBERED)]


def test_a_deleted_or_unknown_service_is_not_booked(world: World) -> None:
    put(world)
    body = {"userId": "anna", "serviceId": "S", "startTime": "2030-01-15T09:00:00Z"}
    assert world.request("POST", "/appointments", body)[0] == 201
    delete(world)
    for service_id in ("S", "other"):
        later = body | {"serviceId": service_id, "startTime": "2030-01-15T10:00:00Z"}
        status, _, answer = world.request("POST", "/appointments", later)
        assert (status, [fault["field"] for fault in answer["errors"]]) == (422, ["serviceId"])
    assert len(world.items("AppointmentsTable")) == 1
