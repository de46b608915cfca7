"""Public holidays as closed days."""

from __future__ import annotations

import json

import pytest

from appointments.calendar_settings import parse_settings
from local import holidays
from local.holidays import GATEWAY, closed_days, main, signed


def test_a_region_has_its_own_holidays_and_they_are_settings() -> None:
    bavaria, hamburg = (closed_days("DE", region, [2030]) for region in ("BY", "HH"))
    assert bavaria["2030-12-25"] == hamburg["2030-12-25"] == []
    assert set(bavaria) - set(hamburg) >= {"2030-01-06", "2030-11-01"}
    assert len(parse_settings({"overrides": bavaria}).overrides) == len(bavaria)


def test_it_prints_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["US", "--years", "2030", "2031"]) == 0
    overrides = json.loads(capsys.readouterr().out)["overrides"]
    assert {"2030-07-04", "2031-07-04"} <= set(overrides)


@pytest.mark.parametrize("arguments", [["XX"], ["DE", "--region", "XX"]])
def test_an_unknown_country_or_region_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--years", "2030"]) == 2
    assert capsys.readouterr().err.startswith("holidays: ")


def test_only_what_is_new_is_written_and_over_the_version_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    stored = {"capacity": 2, "overrides": {"2030-12-25": [{"start": "10:00", "end": "12:00"}]}}

    def send(method: str, url: str, body: object = None, version: str | None = None, **how: object) -> object:
        sent.append((method, version, body, how["region"]))
        return stored, '"7"'

    monkeypatch.setattr(holidays, "send", send)
    url = "https://abc123.execute-api.eu-central-1.amazonaws.com/prod/calendars/dr-lee"
    assert main(["DE", "--years", "2030", "--into", url]) == 0
    (read, _, _, _), (write, version, body, region) = sent
    assert (read, write, version, region) == ("GET", "PUT", '"7"', "eu-central-1")
    assert body["capacity"] == 2  # type: ignore[index]
    assert body["overrides"]["2030-12-25"] == [{"start": "10:00", "end": "12:00"}]  # type: ignore[index]
    assert body["overrides"]["2030-10-03"] == []  # type: ignore[index]
    assert main(["DE", "--years", "2030", "--into", url]) == 0
    assert [method for method, *_ in sent[2:]] == ["GET"]  # nothing is new by now


def test_requests_to_api_gateway_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    url = "https://abc123.execute-api.eu-central-1.amazonaws.com/prod/calendars/dr-lee"
    headers = signed("PUT", url, b"{}", {"If-Match": '"1"'}, "eu-central-1")
    assert "/eu-central-1/execute-api/aws4_request" in headers["Authorization"]
    assert "if-match" in headers["Authorization"]  # it is among the signed headers
    assert (headers["X-Amz-Security-Token"], headers["If-Match"]) == ("session", '"1"')
    assert not GATEWAY.fullmatch("127.0.0.1")
    assert not GATEWAY.fullmatch("abc.execute-api.eu-central-1.amazonaws.com.example.org")
