"""One API Gateway event, as far as the routes need it."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from appointments.errors import BadRequestError, InvalidRequestError, PayloadTooLargeError, PreconditionFailedError
from appointments.reader import Reader, read_object
from conflict_detector.responses import base_url, route_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from appointments.contacts import Contact
    from appointments.errors import Fault
    from appointments.link_keys import LinkKeys
    from appointments.reader import Query
    from appointments.storage.contact_index import ContactIndex
    from appointments.storage.store import Storage
    from appointments.timers import ReminderTimers
    from appointments.webhook_parts import WebhookParts
    from conflict_detector.access import Caller
    from conflict_detector.settings import PageSettings
    from conflict_detector.visits import Visits

    # Headers by name in lower case, each with every value that was sent for it.
    Headers = Mapping[str, Sequence[str]]

# Far more than any request needs, and far less than API Gateway accepts.
MAX_BODY_BYTES = 1024 * 1024

# An opaque tag may contain commas, so a list of tags is not split at them.
# Compiled at their first use: a start waits for none that few requests need.
_ENTITY_TAG = r'(?:W/)?"[^"]*"'
_VERSION_TAG = r'"(0|[1-9][0-9]{0,14})"'


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Request:
    """Method, path, query, headers, claims and body. Header names are in lower case.

    `source` is the address that it came from. Nobody logs or keeps it.
    """

    id: str
    method: str
    path: list[str]
    query: Query
    headers: Headers
    claims: Mapping[str, Any]
    principal: str | None
    source: str
    base: str
    raw_body: str | None
    is_base64: bool

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """From the payload format 1.0 of a REST API; events written by hand may come without a context."""
        context = event.get("requestContext") or {}
        query = event.get("multiValueQueryStringParameters") or {
            name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
        }
        headers: dict[str, list[str]] = {}
        sent = event.get("multiValueHeaders") or {n: [value] for n, value in (event.get("headers") or {}).items()}
        for name, values in sent.items():
            headers.setdefault(name.lower(), []).extend(values)
        return cls(
            id=context.get("requestId") or str(uuid.uuid4()),
            method=event["httpMethod"],
            path=[unquote(segment) for segment in route_path(event).removeprefix("/").split("/")],
            query=query,
            headers=headers,
            claims=(context.get("authorizer") or {}).get("claims") or {},
            principal=(context.get("identity") or {}).get("userArn"),
            source=(context.get("identity") or {}).get("sourceIp") or "",
            base=base_url(event),
            raw_body=event.get("body"),
            is_base64=bool(event.get("isBase64Encoded")),
        )

    def json(self, most: int = MAX_BODY_BYTES) -> dict[str, Any]:
        """The body as an object. Raises PayloadTooLargeError, BadRequestError, InvalidRequestError."""
        return read_object(self.text(most))

    def text(self, most: int = MAX_BODY_BYTES) -> str | None:
        """The body, of at most so many bytes. Raises PayloadTooLargeError, BadRequestError."""
        if self.raw_body is None:
            return None
        try:
            sent = base64.b64decode(self.raw_body) if self.is_base64 else self.raw_body.encode()
            if len(sent) > most:
                raise PayloadTooLargeError(most)
            return sent.decode()
        except ValueError as exc:
            raise BadRequestError("The body is not UTF-8 text.") from exc

    def unknown_parameters(self) -> list[Fault]:
        """The faults of the query of a call that takes no parameters."""
        return Reader.of_query(self.query, ()).faults

    def refuse_parameters(self) -> None:
        """Raises InvalidRequestError: an ignored parameter such as `dryRun` could mean a lot to its sender."""
        if faults := self.unknown_parameters():
            raise InvalidRequestError(faults)

    def versions(self) -> frozenset[int] | None:
        """The versions that `If-Match` allows; None where it allows any.

        A weak tag, and one that is not written as `ETag` is, match no version (RFC 9110, 13.1.1 and 8.8.3.2).
        """
        tags = ",".join(self.headers.get("if-match", ("*",)))
        if "*" in (rest.strip() for rest in re.sub(_ENTITY_TAG, "", tags).split(",")):
            return None
        return frozenset(int(tag[1:-1]) for tag in re.findall(_ENTITY_TAG, tags) if re.fullmatch(_VERSION_TAG, tag))

    def check_version(self, version: int) -> None:
        """Raises PreconditionFailedError if `If-Match` does not allow this version."""
        allowed = self.versions()
        if allowed is not None and version not in allowed:
            raise PreconditionFailedError(version)


class Call(NamedTuple):
    """What a handler works with: the request, who sent it, when, and what the function is made of.

    Few requests are about webhooks, look for a contact or come by a link, so what these need is made when it is called
    for.
    """

    request: Request
    caller: Caller
    now: datetime
    storage: Storage
    timers: ReminderTimers
    webhooks: Callable[[], WebhookParts]
    contacts: Callable[[], ContactIndex]
    links: Callable[[], LinkKeys]
    visits: Visits
    pages: PageSettings

    def undeliverable(self, contact: Contact) -> dict[str, Any]:
        """What an answer with a contact tells of its addresses: why nothing is sent to those that are marked."""
        from appointments.storage.undeliverable import Undeliverable  # noqa: PLC0415 - few requests read contacts

        marks = Undeliverable(self.storage.database, self.storage.days.table, self.contacts().digests())
        reasons = marks.of(contact, self.now)
        return {"undeliverable": reasons} if reasons else {}
