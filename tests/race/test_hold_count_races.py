"""Visitors of one address who ask for times at the same moment: as many get through as may, and no more."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from appointments.contact_digests import SOURCES, ContactDigests
from appointments.errors import TooManyHoldsError
from appointments.storage.hold_counts import HoldCounts
from linking import Kms
from support import at_once

if TYPE_CHECKING:
    from appointments.storage.store import Storage

NOW = datetime(2031, 5, 5, 9, 30, tzinfo=UTC)
MOST = 5


@pytest.mark.parametrize("homes", [1, 3])
def test_no_address_gets_more_than_it_may(storage: Storage, homes: int) -> None:
    counts = HoldCounts(storage.database, "CalendarsTable", ContactDigests(Kms(), "the-key", SOURCES))

    def ask(number: int) -> str:
        home = number % homes
        try:
            # In IPv6 a home has many addresses.
            counts.count(f"2001:db8:0:{home}::{number:x}", MOST, NOW)
        except TooManyHoldsError:
            return "refused"
        return f"home {home}"

    answered = Counter(at_once([lambda number=number: ask(number) for number in range(24)]))  # type: ignore[misc]
    assert answered == {f"home {home}": MOST for home in range(homes)} | {"refused": 24 - homes * MOST}
