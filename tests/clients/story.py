"""The README's story with the client that openapi-python-client makes of the contract: `python story.py URL PERSON`."""

from __future__ import annotations

import sys

from scheduler_client import Client
from scheduler_client.api.appointments import (
    book_appointment,
    cancel_appointment,
    change_appointment,
    get_appointment,
    list_appointments,
)
from scheduler_client.api.calendars import find_availability, get_calendar, put_calendar
from scheduler_client.models import (
    Appointment,
    AppointmentCancelledProblem,
    AppointmentPage,
    Availability,
    Booking,
    Calendar,
    CalendarSettings,
    Change,
    ConflictProblem,
    Details,
    InvalidRequestProblem,
    Status,
)


def tell(client: Client, person: str) -> None:
    """Book, be refused, take an alternative, move, cancel."""
    doctor, key = f"dr-{person}", f"key-{person}"
    details = Details(title="Check-up", location="Room 4")
    details["price"] = 12.5
    booking = Booking(
        user_id=person,
        start_time="2030-01-17T09:00",
        end_time="2030-01-17T09:30",
        time_zone="America/New_York",
        resource_ids=[doctor],
        details=details,
    )
    booked = book_appointment.sync(client=client, body=booking, idempotency_key=key)
    assert isinstance(booked, Appointment)
    assert booked.start_time == "2030-01-17T14:00:00Z"
    assert (booked.details.title, booked.details["price"]) == ("Check-up", 12.5)
    assert book_appointment.sync(client=client, body=booking, idempotency_key=key) == booked

    refused = book_appointment.sync(client=client, body=booking)
    assert isinstance(refused, ConflictProblem)
    assert [conflict.calendar_id for conflict in refused.conflicts] == [person, doctor]
    free = refused.alternatives[0]
    # A time of an answer is sent back as it is.
    second = book_appointment.sync(
        client=client, body=Booking(user_id=person, start_time=free.start_time, end_time=free.end_time)
    )
    assert isinstance(second, Appointment)

    path = booked.appointment_id
    clash = change_appointment.sync(path, client=client, body=Change(start_time=second.start_time))
    assert isinstance(clash, ConflictProblem)
    moved = change_appointment.sync(
        path, client=client, body=Change(start_time="2030-01-17T15:00:00Z"), if_match=f'"{booked.version}"'
    )
    assert isinstance(moved, Appointment)
    assert (moved.end_time, moved.version) == ("2030-01-17T15:30:00Z", 2)
    assert get_appointment.sync(path, client=client) == moved

    slots = find_availability.sync(
        client=client,
        calendar_ids=[person, doctor],
        from_="2030-01-17T14:00:00Z",
        to="2030-01-17T16:00:00Z",
        duration_minutes=30,
    )
    assert isinstance(slots, Availability)
    assert moved.start_time not in [slot.start_time for slot in slots.available]

    cancelled = cancel_appointment.sync(path, client=client)
    assert isinstance(cancelled, Appointment)
    assert cancelled.status is Status.CANCELLED
    final = change_appointment.sync(path, client=client, body=Change(start_time=booked.start_time))
    assert isinstance(final, AppointmentCancelledProblem)

    page = list_appointments.sync(client=client, user_id=person, status=Status.SCHEDULED)
    assert isinstance(page, AppointmentPage)
    assert page.appointments == [second]

    settings = put_calendar.sync(doctor, client=client, body=CalendarSettings(capacity=2))
    assert isinstance(settings, Calendar)
    assert get_calendar.sync(doctor, client=client) == settings
    fault = book_appointment.sync(client=client, body=Booking(user_id="", start_time="soon", end_time=""))
    assert isinstance(fault, InvalidRequestProblem)
    assert {error.field for error in fault.errors} == {"userId", "startTime", "endTime"}


if __name__ == "__main__":
    tell(Client(base_url=sys.argv[1]), sys.argv[2])
    print("told")
