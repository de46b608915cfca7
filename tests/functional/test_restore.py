"""The tables are put back to a moment, and the history keeps what happened by then."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ops.restore import Restore
from relaying import Relaying

if TYPE_CHECKING:
    from world import World


def test_what_was_told_late_stays_and_what_came_after_goes(world: World) -> None:
    dynamodb, table = world.dynamodb, "CalendarsTable"
    empty = f"{table}-restored"
    dynamodb.create_table(
        TableName=empty,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("calendarId", "day")],
        KeySchema=dynamodb.describe_table(TableName=table)["Table"]["KeySchema"],
    )
    relaying = Relaying(world)
    _, mine = world.book("9:00", "9:30")
    at = world.now
    world.now += timedelta(seconds=1)
    world.request("DELETE", f"/appointments/{mine['appointmentId']}")
    relaying.run()
    Restore(dynamodb).make_equal(table, empty, at)
    left = dynamodb.scan(TableName=table)["Items"]
    assert [(item["calendarId"]["S"], item["day"]["S"]) for item in left] == [
        (f"history#{mine['appointmentId']}", "000001")
    ]


def test_versions_that_come_again_after_a_restore_have_events_of_other_ids(world: World) -> None:
    relaying = Relaying(world)
    _, mine = world.book("9:00", "9:30", reminders=[])
    path = f"/appointments/{mine['appointmentId']}"
    (before,) = world.items("AppointmentsTable")
    assert world.request("PATCH", path, {"startTime": "2030-01-15T11:00:00Z"})[0] == 200
    relaying.run()
    world.now += timedelta(hours=1)
    world.dynamodb.put_item(TableName="AppointmentsTable", Item=before)  # as a restore does
    assert world.request("PATCH", path, {"startTime": "2030-01-15T14:00:00Z"})[0] == 200
    relaying.run()
    relaying.run()
    ids = {event["eventId"]: event["changes"]["startTime"]["to"] for event in relaying.heard()}
    assert sorted(ids.values()) == ["2030-01-15T09:00:00Z", "2030-01-15T11:00:00Z", "2030-01-15T14:00:00Z"]
    assert all(id_.startswith(mine["appointmentId"]) for id_ in ids)


def test_what_a_redrive_brings_after_a_restore_replaces_nothing_of_what_happened_since(world: World) -> None:
    relaying = Relaying(world)
    _, mine = world.book("9:00", "9:30", reminders=[])
    path, version = f"/appointments/{mine['appointmentId']}", (mine["appointmentId"], 2)
    (before,) = world.items("AppointmentsTable")
    assert world.request("PATCH", path, {"startTime": "2030-01-15T11:00:00Z"})[0] == 200
    undone = [record for record in relaying.records() if "appointmentId" in record["dynamodb"]["Keys"]][-1:]
    world.dynamodb.put_item(TableName="AppointmentsTable", Item=before)  # as a restore does
    world.now += timedelta(hours=1)
    assert world.request("PATCH", path, {"startTime": "2030-01-15T14:00:00Z"})[0] == 200
    relaying.run()
    relaying.run()
    entry = relaying.entries()[version]
    assert relaying.relay.relay(undone, late=True) is None
    assert relaying.entries()[version] == entry
    # What is not on record yet is written, and once more changes nothing.
    world.dynamodb.delete_item(TableName="CalendarsTable", Key={name: entry[name] for name in ("calendarId", "day")})
    for _ in range(2):
        assert relaying.relay.relay(undone, late=True) is None
    assert int(relaying.entries()[version]["at"]["N"]) < int(entry["at"]["N"])
    relaying.run()
    assert relaying.entries()[version] == entry
