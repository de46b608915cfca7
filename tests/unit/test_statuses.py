"""The one table that says what a status means."""

from __future__ import annotations

import json

import pytest

from appointments.statuses import REMINDING, Status
from contract import contract


def test_what_each_status_means() -> None:
    table = {status: (status.occupies, status.reminds, status.expires, status.becomes) for status in Status}
    assert table == {
        "held": (True, False, True, ("scheduled", "cancelled")),
        "requested": (True, False, True, ("scheduled", "declined", "cancelled")),
        "scheduled": (True, True, False, ("arrived", "completed", "no_show", "cancelled")),
        "arrived": (True, False, False, ("completed", "scheduled", "cancelled")),
        "completed": (True, False, False, ("arrived", "scheduled")),
        "no_show": (True, False, False, ("arrived", "scheduled")),
        "cancelled": (False, False, False, ()),
        "declined": (False, False, False, ()),
        "expired": (False, False, False, ()),
    }
    assert REMINDING == (Status.SCHEDULED,)


def test_a_status_of_another_version_takes_its_time_and_is_left_alone() -> None:
    offered = Status.stored("offered")
    assert (offered, str(offered), json.dumps(offered), offered.value) == ("offered", "offered", '"offered"', "offered")
    assert (offered.occupies, offered.reminds, offered.expires, offered.becomes) == (True, False, False, ())
    assert not any(offered.may_become(other) or other.may_become(offered) for other in Status)
    assert all(Status.stored(status.value) is status and status.is_known for status in Status)
    assert not offered.is_known
    with pytest.raises(ValueError, match="offered"):
        Status("offered")


def test_every_transition_leads_to_a_status() -> None:
    assert all(Status(name) for status in Status for name in status.becomes)
    assert Status.SCHEDULED.may_become(Status.CANCELLED)
    assert not Status.CANCELLED.may_become(Status.SCHEDULED)


def test_nothing_that_reminds_leaves_its_time_free() -> None:
    assert all(status.occupies for status in Status if status.reminds)


def test_the_contract_lists_every_status() -> None:
    assert contract()["components"]["schemas"]["Status"]["enum"] == list(Status)
