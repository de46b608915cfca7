"""Public holidays as closed days."""

from __future__ import annotations

import pytest

from appointments.calendar_settings import parse_settings
from local.holidays import closed_days


def test_a_region_has_its_own_holidays_and_they_are_settings() -> None:
    bavaria, hamburg = (closed_days("DE", region, [2030]) for region in ("BY", "HH"))
    assert bavaria["2030-12-25"] == hamburg["2030-12-25"] == []
    assert set(bavaria) - set(hamburg) >= {"2030-01-06", "2030-11-01"}
    assert len(parse_settings({"overrides": bavaria}).overrides) == len(bavaria)


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(NotImplementedError):
        closed_days("XX", None, [2030])
