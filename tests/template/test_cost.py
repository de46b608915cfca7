"""The cost script's own arithmetic, and that docs/cost.md says what the template sets up."""

from __future__ import annotations

import pytest

from bench.cost import PERSON_MONTH, fixed_per_month, option_row, options, provisioned_per_month
from bench.units import read_units, size, write_units
from support import ROOT, template

TEXT = (ROOT / "docs" / "cost.md").read_text()


def test_sizes_are_those_that_dynamodb_charges_for() -> None:
    # Names and values in UTF-8; a number has a byte for two digits and one more; a map or list three and one for each.
    assert size({"id": {"S": "é"}}) == 2 + 2
    assert size({"n": {"N": "-1234"}}) == 1 + 3
    assert size({"m": {"M": {"a": {"S": "xy"}}}}) == 1 + 3 + 1 + 3
    assert size({"l": {"L": [{"S": "x"}, {"BOOL": True}]}}) == 1 + 3 + 2 + 2


@pytest.mark.parametrize(("length", "writes", "reads"), [(0, 1, 1), (1022, 1, 1), (1023, 2, 1), (4095, 5, 2)])
def test_units_are_begun_kilobytes(length: int, writes: int, reads: int) -> None:
    item = {"ab": {"S": "x" * length}} if length else {}
    assert (write_units(size(item)), read_units(size(item))) == (writes, reads)


@pytest.mark.parametrize(("line", "dollars"), fixed_per_month().items())
def test_what_is_always_there_stands_in_the_document(line: str, dollars: float) -> None:
    """An alarm more makes this fail: `make cost` prints the new table."""
    assert f"| {line} | | {dollars:,.2f} | {dollars:,.2f} |" in TEXT


@pytest.mark.parametrize("name", options())
def test_what_a_parameter_adds_stands_in_the_document(name: str) -> None:
    assert option_row(name) in TEXT


@pytest.mark.parametrize("tier", template()["Parameters"]["UserPoolTier"]["AllowedValues"])
def test_what_people_who_sign_in_cost_stands_in_the_document(tier: str) -> None:
    assert f"${1000 * PERSON_MONTH[tier]:.2f} with `{tier}`" in " ".join(TEXT.split())


def test_provisioned_capacity_stands_in_the_document() -> None:
    assert f"${provisioned_per_month():,.2f}" in TEXT
