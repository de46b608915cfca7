"""The settings of calendars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.bodies import calendar_body
from appointments.calendar_settings import check_settings
from appointments.reader import check_calendar_id
from appointments.telemetry import logger
from conflict_detector.appointments.cursors import encode_texts
from conflict_detector.paging import parse_page
from conflict_detector.responses import json_response
from conflict_detector.versions import over_allowed_version

if TYPE_CHECKING:
    from appointments.storage.calendar_settings import StoredSettings
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

# What an answer has beside the settings. It may be sent back, and is ignored.
READ_ONLY = ("calendarId", "version", "updatedAt")


def get(call: Call, calendar_id: str) -> Response:
    """`GET /calendars/{id}`: 200, also for a calendar that nobody configured."""
    call.request.refuse_parameters()
    check_calendar_id(calendar_id)
    call.caller.occupy([calendar_id])
    return _settings_response(calendar_id, call.storage.settings.get(calendar_id))


def find(call: Call) -> Response:
    """`GET /calendars`: 200. Calendars that nobody configured are not listed."""
    call.caller.manage()
    limit, after = parse_page(call.request.query, with_time=True)
    page, go_on_after = call.storage.settings.page(limit, after)
    more = {"nextCursor": encode_texts(*go_on_after)} if go_on_after else {}
    return json_response({"calendars": [calendar_body(id_, stored) for id_, stored in page.items()], **more})


def put(call: Call, calendar_id: str) -> Response:
    """`PUT /calendars/{id}`: 200. Existing appointments stay as they are."""
    call.request.refuse_parameters()
    check_calendar_id(calendar_id)
    call.caller.configure(calendar_id)
    body = {name: value for name, value in call.request.json().items() if name not in READ_ONLY}
    check_settings(body)
    settings, by = call.storage.settings, call.caller.by
    stored = over_allowed_version(call.request, lambda over: settings.put(calendar_id, body, call.now, over, by))
    logger.info("Calendar configured", calendar_id=calendar_id, version=stored.version)
    return _settings_response(calendar_id, stored)


def _settings_response(calendar_id: str, stored: StoredSettings) -> Response:
    """200 with a calendar's settings and their version as `ETag`."""
    return json_response(calendar_body(calendar_id, stored), stored.version)
