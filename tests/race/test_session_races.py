"""The last seat of a session, and those who join it as it is cancelled or made smaller, all at once."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from appointments.clearing import clear
from appointments.errors import (
    CalendarBusyError,
    RefusalError,
    SessionClosedError,
    SessionFullError,
    SessionJoinedError,
)
from appointments.memory import Memory
from appointments.model import Appointment, Interval
from appointments.statuses import Status
from conflict_detector.appointments.changes import parse_change
from conflict_detector.booking import PLAIN, book, cancel, change
from conflict_detector.joining import join, left_after
from support import at_once, with_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.storage.store import Storage

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
# Over midnight, so that each who joins has an entry in two days.
SLOT = Interval(datetime(2031, 5, 5, 23, 30, tzinfo=UTC), datetime(2031, 5, 6, 0, 30, tzinfo=UTC))
CLIENTS = 32


def process(storage: Storage) -> Storage:
    """A process that has learned nothing yet."""
    return with_memory(storage, Memory())


def session(storage: Storage, seats: int) -> Appointment:
    made = Appointment(str(uuid.uuid4()), "dr-lee", SLOT, NOW, NOW, ("room",), reminders=(), session_seats=seats)
    return book(made, storage, NOW)


def joining(storage: Storage, of: Appointment, user: str, seats: int = 1) -> str:
    wanted = Appointment(
        str(uuid.uuid4()), user, Interval(NOW, NOW), NOW, NOW, places=seats, session_id=of.appointment_id, offsets=()
    )
    return outcome(lambda: join(wanted, process(storage), NOW, PLAIN))


def cancelling(storage: Storage, of: Appointment) -> str:
    def act() -> None:
        _, after = cancel(of.appointment_id, lambda _: None, process(storage), NOW)
        if after.clearing:
            clear(after, process(storage), lambda *_: None)

    return outcome(act)


def changing(storage: Storage, of: Appointment, body: dict[str, object]) -> str:
    mine = process(storage)

    def update(before: Appointment) -> Appointment:
        after = parse_change(body, before, NOW)
        left_after(before, after, mine, NOW)
        return after

    return outcome(lambda: change(of.appointment_id, update, mine, NOW))


def outcome(act: Callable[[], object]) -> str:
    """What a client is told who tries again where it was not decided in time, as `Retry-After` says."""
    for _ in range(20):
        with suppress(CalendarBusyError):
            return _outcome(act)
    return "busy"


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except CalendarBusyError:
        raise
    except SessionFullError:
        return "full"
    except SessionClosedError:
        return "closed"
    except SessionJoinedError:
        return "joined"
    except RefusalError as exc:
        return type(exc).__name__
    return "done"


def stored(storage: Storage) -> list[dict[str, dict[str, str]]]:
    return storage.database.client.scan(TableName="AppointmentsTable", ConsistentRead=True)["Items"]  # type: ignore[return-value]


def joined(storage: Storage) -> list[tuple[str, int]]:
    """Whoever takes seats, and how many, by the appointments."""
    return sorted(
        (item["appointmentId"]["S"], int(item.get("places", {"N": "1"})["N"]))
        for item in stored(storage)
        if "sessionId" in item and Status(item["status"]["S"]).occupies
    )


def entries(storage: Storage) -> list[tuple[str, int]]:
    """The same by the entries on the session's calendar, each of which has to be in both days."""
    found: list[tuple[str, int]] = []
    for item in storage.database.client.scan(TableName="CalendarsTable", ConsistentRead=True)["Items"]:
        if item["calendarId"]["S"].startswith("session#"):
            for name, value in item.items():
                if name.startswith("a#"):
                    places = value["S"].partition(";places=")[2]
                    found.append((name[2:], int(places or 1)))
    assert sorted(found) == sorted([*set(found), *set(found)])
    return sorted(set(found))


@pytest.mark.parametrize("seats", [1, 5])
def test_of_32_that_want_a_seat_as_many_get_one_as_there_are(storage: Storage, seats: int) -> None:
    class_ = session(storage, seats)
    answers = at_once([partial(joining, storage, class_, f"u{n}") for n in range(CLIENTS)])
    assert sorted(answers) == [*seats * ["done"], *(CLIENTS - seats) * ["full"]]
    assert joined(storage) == entries(storage)
    assert len(joined(storage)) == seats
    current = storage.appointments.get(class_.appointment_id)
    assert current
    assert storage.days.seats_left(current, NOW) == 0


def test_groups_never_take_a_seat_too_many(storage: Storage) -> None:
    class_ = session(storage, 10)
    answers = at_once([partial(joining, storage, class_, f"u{n}", 1 + n % 3) for n in range(CLIENTS)])
    taken = sum(seats for _, seats in joined(storage))
    assert taken == sum(1 + n % 3 for n, answer in enumerate(answers) if answer == "done")
    assert taken == 10  # a third of them want one seat, so none stays free
    assert joined(storage) == entries(storage)


@pytest.mark.parametrize("cancels", [1, 3])
def test_nobody_is_left_in_a_session_that_is_cancelled_as_they_join(storage: Storage, cancels: int) -> None:
    class_ = session(storage, 20)
    for n in range(4):
        assert joining(storage, class_, f"first{n}") == "done"
    joins = [partial(joining, storage, class_, f"u{n}") for n in range(CLIENTS - cancels)]
    answers = at_once([*joins[:10], *cancels * [partial(cancelling, storage, class_)], *joins[10:]])
    assert answers[10 : 10 + cancels] == cancels * ["done"]
    assert set(answers) <= {"done", "closed", "full"}
    assert (joined(storage), entries(storage)) == ([], [])
    assert all("clearing" not in item and "nextReminderAt" not in item for item in stored(storage))
    # Whoever was told that they are in had a place before it was cancelled.
    done = sum(answer == "done" for answer in answers) - cancels
    assert len(stored(storage)) == 1 + 4 + done


@pytest.mark.parametrize(
    "body", [{"session": {"seats": 3}}, {"startTime": "2031-05-05T20:00:00Z", "endTime": "2031-05-05T21:00:00Z"}]
)
def test_a_session_that_is_changed_as_others_join_is_as_they_found_it(
    storage: Storage, body: dict[str, object]
) -> None:
    class_ = session(storage, 12)
    joins = [partial(joining, storage, class_, f"u{n}") for n in range(CLIENTS - 2)]
    answers = at_once([*joins[:2], *2 * [partial(changing, storage, class_, body)], *joins[2:]])
    assert set(answers[2:4]) <= {"done", "joined"}
    current = storage.appointments.get(class_.appointment_id)
    assert current
    seats = current.session_seats or 0
    assert seats == (3 if "session" in body and "done" in answers[2:4] else 12)
    assert len(joined(storage)) == seats
    times = {(item["startTime"]["S"], item["endTime"]["S"]) for item in stored(storage)}
    assert len(times) == 1
    assert sum(answer == "done" for n, answer in enumerate(answers) if n not in (2, 3)) == seats


def test_a_seat_that_is_given_back_goes_to_one_other(storage: Storage) -> None:
    class_ = session(storage, 1)
    assert joining(storage, class_, "anna") == "done"
    ((anna, _),) = joined(storage)
    leave = partial(outcome, partial(cancel, anna, lambda _: None, process(storage), NOW + timedelta(seconds=1)))
    answers = at_once([*(partial(joining, storage, class_, f"u{n}") for n in range(CLIENTS - 1)), leave])
    assert answers[-1] == "done"
    assert answers.count("done") - 1 == len(joined(storage)) <= 1
    assert joining(storage, class_, "last") == ("full" if joined(storage) else "done")
