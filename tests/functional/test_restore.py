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
