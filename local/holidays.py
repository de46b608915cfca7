"""Turn a country's public holidays into a calendar's `overrides`, ready for `PUT /calendars/{id}`.

    python -m local.holidays US --region NY --years 2030 2031

It prints `{"overrides": {"2030-01-01": [], …}}`. With `--into URL` it reads that calendar's settings, adds the
dates (what the calendar says of a date already is kept) and writes them back over the version it read. Where the
API is one of API Gateway's own addresses, or `--sign REGION` says so, the requests are signed with the AWS
credentials of the environment; `--token` sends an ID token in place of that.

The dates are worked out here, so that nothing of it runs when somebody books.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import holidays

GATEWAY = re.compile(r"[^.]+\.execute-api\.([^.]+)\.amazonaws\.com(?:\.cn)?")


def closed_days(country: str, region: str | None, years: list[int]) -> dict[str, list[Any]]:
    """Every public holiday of a country, or of a region of it, as a closed day. Raises NotImplementedError."""
    days = holidays.country_holidays(country, subdiv=region, years=years)
    return {day.isoformat(): [] for day in sorted(days)}


def merge_into(
    url: str, overrides: dict[str, list[Any]], *, region: str | None = None, token: str | None = None
) -> int:
    """Add overrides to a calendar over HTTP; the number of dates that were new."""
    settings, version = send("GET", url, region=region, token=token)
    new = {day: hours for day, hours in overrides.items() if day not in settings["overrides"]}
    if new:
        settings["overrides"] |= new
        send("PUT", url, settings, version, region=region, token=token)
    return len(new)


def send(
    method: str,
    url: str,
    body: object = None,
    version: str | None = None,
    *,
    region: str | None = None,
    token: str | None = None,
) -> tuple[Any, str]:
    """The body and the `ETag` of the answer. Raises URLError; SystemExit where it cannot sign."""
    headers = {"Content-Type": "application/json"} | ({"If-Match": version} if version else {})
    data = None if body is None else json.dumps(body).encode()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif region:
        headers = signed(method, url, data, headers, region)
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the user names the API
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer), answer.headers["ETag"]


def signed(method: str, url: str, data: bytes | None, headers: dict[str, str], region: str) -> dict[str, str]:
    """The headers with an AWS signature, version 4."""
    # Only these few requests need it, and it takes longer to import than they take to send.
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    credentials = Session().get_credentials()
    if credentials is None:
        raise SystemExit("holidays: no AWS credentials to sign with; see `aws configure`")
    request = AWSRequest(method, url, headers, data or b"")
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    return dict(request.headers.items())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when it did what it was asked."""
    parser = argparse.ArgumentParser(description="Public holidays as closed days of a calendar.")
    parser.add_argument("country", help="ISO 3166 code, such as US or DE")
    parser.add_argument("--region", help="subdivision of it, such as NY or BY")
    parser.add_argument("--years", type=int, nargs="+", required=True)
    parser.add_argument("--into", metavar="URL", help="calendar to add them to, such as <apiUrl>/calendars/dr-lee")
    parser.add_argument("--sign", metavar="REGION", help="sign for an API with Auth=iam under a domain of your own")
    parser.add_argument("--token", help="ID token for an API with Auth=cognito")
    asked = parser.parse_args(arguments)
    try:
        overrides = closed_days(asked.country, asked.region, asked.years)
    except NotImplementedError as exc:
        print(f"holidays: {exc}", file=sys.stderr)
        return 2
    if not asked.into:
        print(json.dumps({"overrides": overrides}, indent=2))
        return 0
    if urlsplit(asked.into).scheme not in ("http", "https"):
        parser.error("--into takes an http or https URL")
    gateway = GATEWAY.fullmatch(urlsplit(asked.into).hostname or "")
    region = asked.sign or (gateway[1] if gateway else None)
    try:
        added = merge_into(asked.into, overrides, region=region, token=asked.token)
    except urllib.error.HTTPError as exc:
        with exc:
            print(f"holidays: {asked.into} answered {exc.code}: {exc.read().decode()}", file=sys.stderr)
        return 1
    except urllib.error.URLError as exc:
        print(f"holidays: {asked.into}: {exc.reason}", file=sys.stderr)
        return 1
    print(f"{added} of {len(overrides)} dates added to {asked.into}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
