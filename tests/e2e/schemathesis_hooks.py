"""What schemathesis is told of this API by tests/e2e/test_contract.py, which runs it."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st

# One line of JSON for each answer, for the test to look at.
ANSWERS = Path(os.environ["SCHEMATHESIS_ANSWERS"])
NEXT_MONTH = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=30)

# On few quarter hours, so that requests meet; not so near that reminders fall due while other tests run.
ahead = st.integers(0, 3 * 96).map(lambda n: (NEXT_MONTH + n * timedelta(minutes=15)).isoformat())
schemathesis.openapi.format("date-time-or-local", ahead)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put start and end in order: two independent times are not, in every other case."""
    if isinstance(body, dict) and isinstance(body.get("startTime"), str) and isinstance(body.get("endTime"), str):
        start, end = sorted((body["startTime"], body["endTime"]))
        return {**body, "startTime": start, "endTime": end}
    return body


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Record what was answered, and where something was left behind."""
    seen = {
        "call": f"{case.method} {case.path}",
        "status": response.status_code,
        "path": case.formatted_path,
        "location": response.headers.get("location", [None])[0],
    }
    with ANSWERS.open("a") as file:
        file.write(json.dumps(seen) + "\n")


@schemathesis.check
def what_was_booked_is_found(context: Any, response: Any, case: Any) -> None:
    """The schemathesis check of this kind also looks for what a dry run did not book."""
    if response.status_code == 201 and case.path == "/appointments":
        here = response.request.url.partition("/appointments")[0]
        found = requests.get(here + response.headers["location"][0], timeout=60)
        assert (found.status_code, found.json()["userId"]) == (200, response.json()["userId"])


# What a schema cannot say, and the contract lists with the 422: the only refusals of requests that the schemas accept.
EXPLAINED = re.compile(
    r"lies in the past|must be after|must be at most \d+ days after|happens twice in|does not exist in|"
    r"is not a known IANA time zone|must lie in the years|is not a valid date and time: |is the same span as|"
    r"must not name calendars that the appointment takes anyway|and the days make \d+ calendar days|"
    r"makes over \d+ slots|must be at most \d+ bytes of JSON|must be nested at most|must not overlap one another|"
    r"must not be less than minDurationMinutes|is not a nextCursor of this (?:list|history)|is sent more than once|"
    r"was used before|"
    r"is required, or else calendarId, serviceId or status=requested|is sent beside calendarId|"
    r"must have a calendar for each|must not stand on the last step|must not be less than min|"
    r"must take at most \d+ calendars|must name at most \d+ calendars|must be at most \d+ days long together|"
    r"calendar days and settings to check|"
    r"is not the id of a session|is a session that has begun|"
    r"are places of the calendars in resourceIds or anyOf|is not for a session|cannot be added to an appointment|"
    r"is that of the session|is unknown; the query parameters are sessionId|"
    r"is decided by the service |is about days with more than \d+ |is no service that can be booked|"
    r"must not be sent beside serviceId: |must not be sent without serviceId: |"
    r"cannot be changed where the status is |"
    r"must begin with https://|must have port 443|must not contain a user name|must not have a fragment|is not a URL; |"
    r"must name a host on the public internet|must be ASCII without spaces|would be one too many: |"
    r"must have an email or a phone|must be an email address|must be an existing phone number|"
    r"(?:email|sms) needs a contact|must be 1 to 200 characters, without control|"
    r"is unknown; the query parameters are (?:contact|calendarIds)|"
    r"must be a random UUID|must be like .*, and the two must differ"
)
# A local time without any zone, where a schema cannot see the other parameter, or the zone of the appointment.
WITHOUT_ZONE = "has no offset: "


@schemathesis.check
def what_is_refused_is_explained(context: Any, response: Any, case: Any) -> None:
    """The schemathesis check of this kind takes no refusal at all of what the schemas accept."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    assert response.status_code != 400, response.json()
    assert response.status_code != 412 or "If-Match" in case.headers, response.json()
    if response.status_code == 422:
        for fault in response.json()["errors"]:
            zone = fault["message"].startswith(WITHOUT_ZONE) and case.method != "POST"
            # A schema cannot require one parameter for the sake of another.
            field, query = fault["field"], case.query or {}
            span = field in ("from", "to") and ("calendarId" in query or "calendarIds" in query)
            span |= field in ("calendarIds", "durationMinutes") and case.path.startswith("/availability")
            assert "rule" in fault or zone or span or EXPLAINED.match(fault["message"]), fault
