"""The mailbox of the local front door: what was sent as people see it, and nothing of it that runs or loads."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.feed import posted
from local.front_door import FrontDoor
from local.mailbox import Mailbox
from reaching.email import Letter, Mailer
from texts.invitation import Invitation

if TYPE_CHECKING:
    from collections.abc import Iterator

EML, SMS = "1893456000000000000-a.eml", "1893456001000000000-b.sms.json"
LETTER = Letter("anna@example.org", "Anna", "Hi <b>", "Plain <i>", "<p>Hello</p><script>x</script>")


def raw(letter: Letter) -> bytes:
    def unused() -> None:
        raise AssertionError

    return Mailer(unused, "clinic@example.com", "Clinic").written(letter)  # type: ignore[arg-type]


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    invited = LETTER._replace(invitation=Invitation("REQUEST", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"))
    (tmp_path / EML).write_bytes(raw(invited))
    sms = {"to": "+4915123456789", "text": "At <10>", "attributes": {"AWS.SNS.SMS.SenderID": "CLINIC"}}
    (tmp_path / SMS).write_text(json.dumps(sms))
    (tmp_path / "2-c.part").write_text("half of one")
    return Mailbox(tmp_path)


@pytest.fixture
def url(mailbox: Mailbox) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with FrontDoor(port, "http://127.0.0.1:9/stage", mailbox) as door:
        yield door.url


def get(url: str) -> tuple[str, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode(), dict(answer.headers)


def test_messages_are_read_the_newest_first(mailbox: Mailbox) -> None:
    sms, email = mailbox.messages()
    assert (sms.kind, sms.to, sms.subject, sms.sender) == ("sms", "+4915123456789", "At <10>", "CLINIC")
    assert (email.kind, email.to, email.subject) == ("email", "Anna <anna@example.org>", "Hi <b>")
    assert posted(email).text == "to Anna <anna@example.org>: Hi <b>"
    assert mailbox.message("../secret") is mailbox.message("2-c.part") is None


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert list(Mailbox(tmp_path / "mail").messages()) == []


def test_the_list_and_the_messages_are_shown_and_run_nothing(url: str) -> None:
    page, headers = get(f"{url}/mailbox")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.index("At &lt;10&gt;") < page.index("Hi &lt;b&gt;")
    email, _ = get(f"{url}/mailbox/{EML}")
    assert "Plain &lt;i&gt;" in email
    assert "<script" not in email
    assert f'sandbox="allow-popups" src="/mailbox/{EML}/html"' in email
    assert "At &lt;10&gt;" in get(f"{url}/mailbox/{SMS}")[0]


def test_the_html_of_an_email_is_shut_in(url: str) -> None:
    page, headers = get(f"{url}/mailbox/{EML}/html")
    assert "<p>Hello</p>" in page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy


def test_attachments_are_files(url: str) -> None:
    text, headers = get(f"{url}/mailbox/{EML}/0")
    assert text == "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''invite.ics"
    whole, headers = get(f"{url}/mailbox/{EML}/raw")
    assert whole.startswith("From: Clinic <clinic@example.com>")
    assert headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["x", f"{EML}/7", f"{EML}/x", f"{SMS}/html", "..%2F..%2Fetc%2Fpasswd"])
def test_what_is_not_there_is_not_found(url: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        get(f"{url}/mailbox/{path}")
    with raised.value:
        assert raised.value.code == 404
