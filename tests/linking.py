"""What tests of links share: a key, and a browser without JavaScript, as far as a page of plain forms needs one."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import contract
from appointments.link_keys import LinkKeys
from support import api_event

if TYPE_CHECKING:
    from world import World


class Kms:
    """A key of the kind HMAC_256, in the process of the test."""

    def __init__(self, key: bytes = b"k") -> None:
        self.key = key
        self.messages: list[bytes] = []

    def generate_mac(self, **request: Any) -> dict[str, Any]:
        assert (request["KeyId"], request["MacAlgorithm"]) == ("the-key", "HMAC_SHA_256")
        self.messages.append(request["Message"])
        return {"Mac": hmac.digest(self.key, request["Message"], hashlib.sha256)}


def keys(key: bytes = b"k", base: str = "https://api.example.org/prod") -> LinkKeys:
    return LinkKeys(Kms(key), "the-key", base)


@dataclass
class Form:
    """A form of a page: what it sends beside the button that is pressed, and its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Page(HTMLParser):
    """An answer, read as a browser reads it."""

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__()
        self.status: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.html: str = response["body"]
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.roles: dict[str, str] = {}
        self.text = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given["action"], given["method"]))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given["value"]
        elif tag == "button":
            sent = {given["name"]: given["value"]} if "name" in given else {}
            self.forms[-1].buttons.append(("", sent))
        elif tag == "a":
            self.links.append(("", given["href"]))
        if tag not in ("meta", "input"):
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._open]
        if "style" in tags:
            return
        self.text += data + "\n"
        for _, given in self._open:
            if "role" in given:
                self.roles[given["role"]] = self.roles.get(given["role"], "") + data
        if "button" in tags:
            text, sent = self.forms[-1].buttons[-1]
            self.forms[-1].buttons[-1] = (text + data, sent)
        elif "a" in tags:
            text, href = self.links[-1]
            self.links[-1] = (text + data, href)

    @property
    def offered(self) -> list[str]:
        """The starts that can be chosen."""
        return [sent["startTime"] for form in self.forms for _, sent in form.buttons if "startTime" in sent]

    @property
    def actions(self) -> list[str]:
        return [form.fields["action"] for form in self.forms]


class Holder:
    """Whoever has the link of an appointment, and a browser that knows no JavaScript."""

    def __init__(self, world: World, appointment_id: str, language: str = "") -> None:
        self.world = world
        self.path = f"/l/{world.links.token_for(appointment_id)}"
        self.headers = {"Accept-Language": language} if language else {}

    def open(self, href: str = "", method: str = "GET") -> Page:
        query = dict(parse_qsl(urlsplit(href).query))
        more: dict[str, Any] = {"queryStringParameters": query} if query else {}
        return self._send(method, None, **more)

    def press(self, page: Page, label: str) -> Page:
        """Press the button of this label, or that with this start."""
        [(form, sent)] = [
            (form, sent) for form in page.forms for text, sent in form.buttons if label in (text, sent.get("startTime"))
        ][:1]
        assert (form.method, form.action) == ("post", "?")
        return self.post(**form.fields, **sent)

    def post(self, **fields: Any) -> Page:
        return self._send("POST", urlencode(fields))

    def _send(self, method: str, body: str | None, **more: Any) -> Page:
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        token = self.path.removeprefix("/l/")
        event = api_event(method, self.path, body, headers=self.headers | kind, **more)
        event |= {"resource": "/l/{token}", "pathParameters": {"token": token}}
        response = self.world.api.handle(event)
        if method != "HEAD":
            contract.check(method, self.path, response)
        return Page(response)
