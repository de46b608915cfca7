"""Whatever arrives, in whatever part of a request, is answered as the contract says, and never with 500."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import contract
from support import api_event

if TYPE_CHECKING:
    from world import World

oddities = st.sampled_from(["", "x" * 3000, "\0", "..", "%", "%2F", "💇", "é", "\u2028", "\u0661", "null"])
texts = st.sampled_from(["anna", "dr-lee"]) | oddities | st.text(max_size=20)
times = st.sampled_from(
    [
        "2030-01-15T09:00:00Z",
        "2030-01-15T10:00+00:00",
        "2030-01-15T11:00",
        "2030-01-15T12:00 01:00",
        "2030-03-10T02:30",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2199-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
    ]
)
numbers = st.sampled_from(["0", "1", "30", "100", "101", "44640", "1.0", "-1", "9" * 400])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | times,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
hours = st.fixed_dictionaries(
    {"start": st.sampled_from(["09:00", "23:30"]), "end": st.sampled_from(["17:00", "24:00"])}
)
days = st.sampled_from(["monday", "2030-01-15", "2030-02-30"])
appointment_fields = {
    "userId": st.just("anna") | texts,
    "startTime": times | json_values,
    "endTime": times | json_values,
    "timeZone": st.sampled_from(["America/New_York", "UTC", "Mars/Olympus", "../etc"]) | json_values,
    "resourceIds": st.lists(texts, max_size=3) | json_values,
    "anyOf": st.lists(texts, max_size=3) | json_values,
    "details": json_values,
    "reminders": st.lists(st.sampled_from(["1h", "24h", "60m", "99999d"]), max_size=3) | json_values,
}
calendar_fields = {
    "timeZone": appointment_fields["timeZone"],
    "workingHours": st.dictionaries(days, st.lists(hours, max_size=2), max_size=2) | json_values,
    "overrides": st.dictionaries(days, st.lists(hours, max_size=2), max_size=2) | json_values,
    "bufferMinutes": st.just({"before": 5}) | json_values,
    **dict.fromkeys(
        ["capacity", "minNoticeMinutes", "horizonDays", "minDurationMinutes", "maxDurationMinutes"],
        st.integers(0, 100) | json_values,
    ),
    "reminders": appointment_fields["reminders"],
}
bodies = (
    st.fixed_dictionaries({}, optional=appointment_fields).map(json.dumps)
    | st.fixed_dictionaries({}, optional=calendar_fields).map(json.dumps)
    | json_values.map(json.dumps)
    | texts
    | st.none()
)
parameters = st.sampled_from(
    "userId from to status limit cursor dryRun calendarIds durationMinutes stepMinutes mode timeZone".split()  # noqa: SIM905
)
queries = st.dictionaries(
    parameters | texts,
    st.lists(
        texts | times | numbers | st.sampled_from(["true", "any", "scheduled", "UTC", "WyIiLCAiIl0"]),
        min_size=1,
        max_size=2,
    ),
    max_size=5,
)
good_queries = st.sampled_from(
    [
        {},
        {"dryRun": ["true"]},
        {"userId": ["anna"]},
        {
            "calendarIds": ["anna,dr-lee"],
            "from": ["2030-01-15T09:00Z"],
            "to": ["2030-01-16T09:00Z"],
            "durationMinutes": ["30"],
        },
    ]
)
headers = st.dictionaries(
    st.sampled_from(["If-Match", "Idempotency-Key", "Content-Type"]),
    st.sampled_from(['"1"', "*", 'W/"1"', '"999999999999999"', "key"]) | texts,
    max_size=2,
)


class Target(NamedTuple):
    method: str
    path: str


targets = st.sampled_from([Target(method.upper(), path) for path, method, _ in contract.operations()])
strange = st.builds(
    Target,
    st.sampled_from(["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]),
    st.sampled_from(sorted(contract.contract()["paths"])) | st.lists(texts, max_size=3).map("/".join),
)


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(targets | strange, st.none() | texts, good_queries | queries, headers, bodies)
def _send(  # noqa: PLR0917 - hypothesis hands over the last five
    world: World,
    statuses: set[int],
    booked: str,
    target: Target,
    id_: str | None,
    query: Any,
    headers: Any,
    body: Any,
) -> None:
    """`id_` stands in the path, None for an appointment that is there."""
    method, path = target
    path = re.sub(r"\{\w+\}", lambda _: booked if id_ is None else id_, path)
    response = world.api.handle(api_event(method, path, body, multiValueQueryStringParameters=query, headers=headers))
    statuses.add(response["statusCode"])
    assert response["statusCode"] != 500
    json.dumps(response, ensure_ascii=False, allow_nan=False).encode()  # no lone surrogate has come through
    if method != "HEAD" and not path.startswith("/docs/"):
        contract.check(method, path, response)


def test_any_request(world: World) -> None:
    _, appointment = world.book("2030-02-01T09:00:00Z", "2030-02-01T10:00:00Z", user="anna")
    statuses: set[int] = set()
    _send(world, statuses, appointment["appointmentId"])
    assert {200, 400, 404, 405, 422} <= statuses  # it went in, and not only as far as the first check
