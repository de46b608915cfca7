"""Settings of calendars on moto: what is stored, versioned and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from appointments.memory import Memory
from calendars import NINE_TO_FIVE, available, configure
from support import with_memory

if TYPE_CHECKING:
    from world import World


def test_settings_come_back_with_defaults_and_a_version(world: World) -> None:
    assert world.request("GET", "/calendars/C") == (
        200,
        {"Content-Type": "application/json", "Cache-Control": "no-store", "ETag": '"0"'},
        {
            "calendarId": "C",
            "timeZone": "UTC",
            "overrides": {},
            "bufferMinutes": {"before": 0, "after": 0},
            "capacity": 1,
            "minNoticeMinutes": 0,
            "version": 0,
        },
    )
    sent = NINE_TO_FIVE | {"bufferMinutes": {"after": 10}, "overrides": {"2030-12-25": []}, "reminders": ["2h"]}
    status, headers, body = world.request("PUT", "/calendars/C", sent)
    assert (status, headers["ETag"], body["version"]) == (200, '"1"', 1)
    assert body | sent == body | {"bufferMinutes": {"after": 10}}
    assert body["bufferMinutes"] == {"before": 0, "after": 10}
    assert world.request("GET", "/calendars/C")[2] == body
    assert world.request("PUT", "/calendars/C", body)[0] == 200  # what was read can be sent back


def test_settings_are_replaced_only_over_the_version_named(world: World) -> None:
    def put(header: str) -> int:
        return world.request("PUT", "/calendars/C", {"capacity": 2}, headers={"If-Match": header})[0]

    assert [put(header) for header in ('"1"', '"0"', '"0"', '"1"', '"x"', "*")] == [412, 200, 412, 200, 412, 200]
    assert world.request("GET", "/calendars/C")[2]["version"] == 3


def test_bad_settings_write_nothing(world: World) -> None:
    status, _, body = world.request("PUT", "/calendars/C", {"capacity": 0, "timeZone": "Mars/Olympus"})
    assert (status, {error["field"] for error in body["errors"]}) == (422, {"capacity", "timeZone"})
    assert world.items("CalendarsTable") == []
    assert world.request("PUT", "/calendars/a%20b", {})[0] == 422
    assert world.request("PUT", "/calendars/a%40b", {})[0] == 200
    assert world.request("DELETE", "/calendars/C")[0] == 405
    assert [world.request("PUT", "/calendars/C", text)[0] for text in ("", "{", "[]", "null")] == [400, 400, 422, 422]


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(world: World) -> None:
    """JSON Schema takes 2.0 for an integer."""
    assert world.request("PUT", "/calendars/C", {"capacity": 2.0, "bufferMinutes": {"after": 0.0}})[0] == 200
    for number in (2.5, 1001.0, 1e300, -1.0, True):
        assert world.request("PUT", "/calendars/C", {"capacity": number})[0] == 422
    assert [world.book("10:00", "11:00", user=user, resourceIds=["C"])[0] for user in "abc"] == [201, 201, 409]


def test_whatever_was_sent_comes_back(world: World) -> None:
    sent = {
        "title": "Dr Ada Lee",
        "timeZone": "Australia/Lord_Howe",
        "workingHours": {"saturday": [{"start": "22:00", "end": "02:00"}], "sunday": []},
        "overrides": {"2030-12-25": [], "2030-12-31": [{"start": "10:00", "end": "24:00"}]},
        "bufferMinutes": {"before": 5, "after": 10},
        "capacity": 12,
        "minNoticeMinutes": 90,
        "horizonDays": 365,
        "minDurationMinutes": 15,
        "maxDurationMinutes": 120,
        "reminders": ["2h", "15m"],
    }
    answered = configure(world, **sent)
    more = {"calendarId": "C", "version": 1, "updatedAt": "2029-12-01T12:00:00Z"}
    assert answered == world.request("GET", "/calendars/C")[2] == sent | more
    # A PUT replaces: what it leaves out is back at its default.
    assert configure(world)["capacity"] == 1
    assert "workingHours" not in world.request("GET", "/calendars/C")[2]


def test_a_title_has_at_most_200_characters_and_decides_nothing(world: World) -> None:
    assert configure(world, title="ü" * 200)["title"] == "ü" * 200
    (listed,) = world.request("GET", "/calendars")[2]["calendars"]
    assert listed["title"] == "ü" * 200
    for title, message in (("x" * 201, "must have at most 200 characters"), (7, "must be a string")):
        status, _, body = world.request("PUT", "/calendars/C", {"title": title})
        assert (status, body["errors"]) == (422, [{"field": "title", "message": message}])
    assert [world.book("10:00", "11:00", user=user, resourceIds=["C"])[0] for user in "ab"] == [201, 409]
    assert "title" not in configure(world)  # a PUT without it takes it away


def test_the_largest_settings_are_stored_and_larger_ones_refused(world: World) -> None:
    days = [(date(2030, 1, 1) + timedelta(days=n)).isoformat() for n in range(1000)]
    hours = [{"start": "09:00", "end": "17:00"}]
    configure(world, overrides=dict.fromkeys(days, hours))
    assert world.book("2030-01-15T09:00:00Z", "2030-01-15T10:00:00Z")[0] == 201
    many = [{"start": f"{n:02}:00", "end": f"{n:02}:59"} for n in range(24)]
    status, _, body = world.request("PUT", "/calendars/C", {"overrides": dict.fromkeys(days, many)})
    assert (status, [error["field"] for error in body["errors"]]) == (422, [""])
    assert world.request("GET", "/calendars/C")[2]["version"] == 1


def test_a_calendar_whose_zone_is_not_known_any_more_is_named_and_the_request_not_blamed(world: World) -> None:
    configure(world)
    world.dynamodb.update_item(
        TableName="CalendarsTable",
        Key={"calendarId": {"S": "C"}, "day": {"S": "settings"}},
        UpdateExpression="SET settings = :lost",
        ExpressionAttributeValues={":lost": {"S": json.dumps(NINE_TO_FIVE | {"timeZone": "America/Atlantis"})}},
    )
    world.api = replace(world.api, storage=with_memory(world.storage, Memory()))
    status, _, stored = world.request("GET", "/calendars/C")
    assert (status, stored["timeZone"]) == (200, "America/Atlantis")

    local = {"startTime": "2030-01-15T10:00", "endTime": "2030-01-15T11:00", "timeZone": "America/New_York"}
    for query in ({}, {"dryRun": "true"}):
        body = {"userId": "anna", "resourceIds": ["C"]} | local
        status, _, refusal = world.request("POST", "/appointments", body, queryStringParameters=query)
        (fault,) = refusal["errors"]
        assert (status, fault["field"], fault["rule"], fault["calendarId"]) == (422, "startTime", "timeZone", "C")
        assert fault["message"] == (
            "breaks timeZone of calendar C, which is not known any more: that calendar has to be configured anew"
        )
        assert "nearest" not in fault
    span = {"from_": "2030-01-15T00:00:00Z", "to": "2030-01-16T00:00:00Z", "durationMinutes": "60"}
    assert available(world, calendarIds="C", **span) == []
    status, booked = world.book("10:00", "11:00", user="anna", anyOf=["C", "other"])
    assert (status, booked["assignedCalendarId"]) == (201, "other")

    def put(settings: object, header: str = "*") -> int:
        return world.request("PUT", "/calendars/C", settings, headers={"If-Match": header})[0]

    assert [put(stored), put(NINE_TO_FIVE, '"7"'), put(NINE_TO_FIVE, '"1"')] == [422, 412, 200]
    assert world.book("15:00", "16:00", user="anna", resourceIds=["C"])[0] == 201


def test_a_stale_version_of_a_calendar_is_named(world: World) -> None:
    configure(world)
    status, _, body = world.request("PUT", "/calendars/C", {}, headers={"If-Match": '"7"'})
    assert (status, body["detail"]) == (412, "The current version is 1. Read it again before you change it.")


def test_settings_are_replaced_over_any_of_the_versions_named(world: World) -> None:
    def put(*headers: str) -> tuple[int, int | None]:
        many = {"multiValueHeaders": {"If-Match": [*headers]}}
        status, _, body = world.request("PUT", "/calendars/C", {"capacity": 2}, **many)
        return status, body.get("version")

    assert put('"0", "1"') == (200, 1)
    assert put('"0", "1"') == (200, 2)
    assert put('"0", "1"') == (412, None)
    assert put('"0"', 'W/"3", "7","2"') == (200, 3)  # two lines are one list (RFC 9110, 5.3)
    for other in ('"03"', 'W/"3"', '"3,"', '"1,"3', "3", '"3', '"3 "', '"+3"', '"\u0663"'):
        assert put(other) == (412, None), other
