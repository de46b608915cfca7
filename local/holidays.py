"""Turn a country's public holidays into a calendar's `overrides`, ready for `PUT /calendars/{id}`.

    python -m local.holidays US --region NY --years 2030 2031

It prints `{"overrides": {"2030-01-01": [], …}}`. With `--into URL` it reads that calendar's settings, adds the
dates (what the calendar says of a date already is kept) and writes them back over the version it read. The
dates are worked out here, so that nothing of it runs when somebody books.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from typing import Any

import holidays


def closed_days(country: str, region: str | None, years: list[int]) -> dict[str, list[Any]]:
    """Every public holiday of a country, or of a region of it, as a closed day. Raises NotImplementedError."""
    days = holidays.country_holidays(country, subdiv=region, years=years)
    return {day.isoformat(): [] for day in sorted(days)}


def merge_into(url: str, overrides: dict[str, list[Any]]) -> int:
    """Add overrides to a calendar over HTTP; the number of dates that were new."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the user names the API
        settings, version = json.load(answer), answer.headers["ETag"]
    new = {day: hours for day, hours in overrides.items() if day not in settings["overrides"]}
    settings["overrides"] |= new
    headers = {"Content-Type": "application/json", "If-Match": version}
    request = urllib.request.Request(url, json.dumps(settings).encode(), headers, method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
    return len(new)


def main() -> int:
    """Run the command line; 0 when it did what it was asked."""
    parser = argparse.ArgumentParser(description="Public holidays as closed days of a calendar.")
    parser.add_argument("country", help="ISO 3166 code, such as US or DE")
    parser.add_argument("--region", help="subdivision of it, such as NY or BY")
    parser.add_argument("--years", type=int, nargs="+", required=True)
    parser.add_argument("--into", metavar="URL", help="calendar to add them to, such as <apiUrl>/calendars/dr-lee")
    arguments = parser.parse_args()
    try:
        overrides = closed_days(arguments.country, arguments.region, arguments.years)
    except NotImplementedError as exc:
        print(f"holidays: {exc}", file=sys.stderr)
        return 2
    if not arguments.into:
        print(json.dumps({"overrides": overrides}, indent=2))
        return 0
    try:
        print(f"{merge_into(arguments.into, overrides)} dates added to {arguments.into}")
    except urllib.error.URLError as exc:
        print(f"holidays: {arguments.into} answered: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
