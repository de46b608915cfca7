"""Queries of `GET /appointments?contact=`, from the request to checked values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.reader import Reader
from appointments.statuses import Status
from appointments.storage.contact_index import ContactQuery
from appointments.storage.lists import BEGIN_OF_TIME, END_OF_TIME
from conflict_detector.appointments.listing import DEFAULT_PAGE, MAX_PAGE, read_position
from conflict_detector.contacts.parsing import find_address

if TYPE_CHECKING:
    from appointments.reader import Query

_PARAMETERS = ("contact", "serviceId", "from", "to", "timeZone", "status", "limit", "cursor")


def parse_contact_query(query: Query) -> ContactQuery:
    """Check a query. Raises InvalidRequestError with every fault that it has."""
    reader = Reader.of_query(query, _PARAMETERS, required=("contact",))
    # A "+" that was not encoded arrives as a space, and no address begins with one.
    text = reader.text("contact") or ""
    address = find_address("+" + text[1:] if text.startswith(" ") else text)
    if address is None:
        reader.fault("contact", "must be an email address, or a phone number with + and the country; encode + as %2B")
    service_id, zone = reader.calendar_id("serviceId"), reader.zone()
    start, end = (reader.time(name, zone, exact=False) for name in ("from", "to"))
    if start and end and end <= start:
        reader.fault("to", "must be after from")
    first, before = start or BEGIN_OF_TIME, end or END_OF_TIME
    status = reader.choice("status", tuple(Status))
    limit = reader.whole("limit", 1, MAX_PAGE) or DEFAULT_PAGE
    after = read_position(reader, first, before)
    reader.raise_faults()
    return ContactQuery(address or "", first, before, Status(status) if status else None, limit, after, service_id)
