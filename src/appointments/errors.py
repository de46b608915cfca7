"""Every way in which a request can fail, one class each. `conflict_detector.problems` maps them to HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appointments.model import Conflict


class SchedulerError(Exception):
    """Base of everything that this system raises on purpose."""


class BadRequestError(SchedulerError):
    """The body cannot be read as JSON at all, so no field can be blamed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: the field it is about, and what to send instead."""

    field: str
    message: str


class InvalidRequestError(SchedulerError):
    """The request was read and has faults; `faults` lists all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.message}" for fault in faults))
        self.faults = tuple(faults)


class ConflictError(SchedulerError):
    """Other appointments are in the way; `conflicts` says where and when, not whose."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(f"{len(conflicts)} conflicts")
        self.conflicts = tuple(conflicts)


class AppointmentNotFoundError(SchedulerError):
    """No appointment has this id."""


class RouteNotFoundError(SchedulerError):
    """The API has no such path."""


class MethodNotAllowedError(SchedulerError):
    """The path exists, the method does not; `allowed` lists those that do."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = tuple(allowed)


class CalendarBusyError(SchedulerError):
    """So many bookings fought over the same quarter hours that this one was not decided in time.

    Nothing was written; the caller may try again at once.
    """
