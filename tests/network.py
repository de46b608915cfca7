"""The way between the SDK and AWS, as bad as a seed makes it: below the SDK's own repetitions, above the wire.

`microburst`, a proxy for such faults, was looked at first. It refuses, delays and cuts connections in AWS's own
formats, but draws from an unseeded generator, delivers nothing twice, and its delays pass in real time. Here a
fault hangs on the seed, the operation, the appointment and how often that call was made: the order in which threads
get their turn changes nothing. A delay moves the test's clock and costs no time.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from world import KilledError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Appointment ids that come from idempotency keys are UUIDs of version 5; claims and tokens are of version 4.
_APPOINTMENT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_REST = {"POST": "CreateSchedule", "PUT": "UpdateSchedule", "DELETE": "DeleteSchedule", "GET": "GetSchedule"}
# What reaches people: of SNS, a message to a phone counts apart from one to the topic.
TO_PEOPLE = ("SendEmail", "PublishSms")
READ_TIMEOUT = timedelta(seconds=3)


class Fault(StrEnum):
    """What can happen to a call."""

    THROTTLED = "throttled"
    FAILED = "failed with 500"
    DELAYED = "delayed"
    LOST_REQUEST = "request dropped"
    LOST_ANSWER = "answer dropped"
    DUPLICATED = "delivered twice"
    DIED_BEFORE = "caller died before it"
    DIED_AFTER = "caller died after it"
    HELD = "held by a transaction"
    OUTAGE = "refused in an outage"


class Outage(NamedTuple):
    """A span in which every call of some operations is throttled."""

    operations: frozenset[str]
    begins: datetime
    ends: datetime


class Published(NamedTuple):
    """A message that the topic took, or SES or SNS for a person."""

    at: datetime
    appointment_id: str
    offset: str
    due_at: str
    message_id: str
    channel: str = "topic"


@dataclass
class Network:
    """Carries calls from any number of clients; `rates` says how likely each fault is, call by call."""

    seed: int
    now: Callable[[], datetime]
    advance: Callable[[timedelta], None]
    rates: Mapping[Fault, float]
    outages: tuple[Outage, ...] = ()
    bus_holds: int = 300
    until: datetime | None = None  # no faults from then on
    enabled: bool = False
    dead: bool = False  # the process that makes the calls was killed, and makes no more
    deaths_spread: bool = True  # whether a death ends all threads, or only the one that it met
    calls: Counter[str] = field(default_factory=Counter)
    repetitions: int = 0
    faults: Counter[tuple[Fault, str]] = field(default_factory=Counter)
    published: list[Published] = field(default_factory=list)
    # Of which reminder a thread's message to a person is, since it does not say so itself: id, offset and time.
    about: Any = field(default_factory=threading.local)
    # The phones to which SNS sends nothing.
    opted_out: frozenset[str] = frozenset()
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: set[str] = field(default_factory=set)
    _made: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attach(self, client: Any) -> None:
        """Carry this client's calls from now on."""
        session = client._endpoint.http_session
        original = session.send
        session.send = lambda request: self._send(original, request)

    def _send(self, deliver: Callable[[Any], Any], request: Any) -> Any:
        operation = operation_of(request)
        if not self.enabled:
            return self._deliver(deliver, request, operation)
        with self._lock:
            if self.dead:
                raise KilledError
            self.calls[operation] += 1
            self.repetitions += "attempt=1" not in _text(request.headers.get("amz-sdk-request", "attempt=1"))
            fault, chance = self._fault(operation, request)
            if fault:
                self.faults[fault, operation] += 1
        return self._carry(deliver, request, operation, fault, chance)

    def _carry(
        self,
        deliver: Callable[[Any], Any],
        request: Any,
        operation: str,
        fault: Fault | None,
        chance: random.Random,
    ) -> Any:
        match fault:
            case Fault.THROTTLED | Fault.OUTAGE:
                return refusal(request, 400, "ThrottlingException")
            case Fault.HELD:
                return refusal(request, 400, "TransactionConflictException")
            case Fault.FAILED:
                return refusal(request, 500, "InternalFailure")
            case Fault.DELAYED:
                self.advance(READ_TIMEOUT * chance.random())
            case Fault.LOST_REQUEST:
                raise ConnectionClosedError(endpoint_url=request.url)
            case Fault.LOST_ANSWER:
                self._deliver(deliver, request, operation)
                self.advance(READ_TIMEOUT)
                raise ReadTimeoutError(endpoint_url=request.url)
            case Fault.DUPLICATED:
                self._deliver(deliver, request, operation)
            case Fault.DIED_BEFORE:
                self._die()
            case Fault.DIED_AFTER:
                self._deliver(deliver, request, operation)
                self._die()
        return self._deliver(deliver, request, operation)

    def _die(self) -> None:
        self.dead = self.deaths_spread
        raise KilledError

    def _fault(self, operation: str, request: Any) -> tuple[Fault | None, random.Random]:
        # What is made of keys in KMS differs from run to run.
        keyed = operation in (*TO_PEOPLE, "GenerateMac") or b"undeliverable#" in _bytes(request.body)
        about = str(getattr(self.about, "which", "")) if keyed else _identity(request)
        self._made[operation, about] += 1
        chance = random.Random(f"{self.seed} {operation} {about} {self._made[operation, about]}")
        if self.until and self.now() >= self.until:
            return None, chance
        for outage in self.outages:
            if operation in outage.operations and outage.begins <= self.now() < outage.ends:
                return Fault.OUTAGE, chance
        drawn = chance.random()
        for fault, rate in self.rates.items():
            drawn -= rate
            if drawn < 0:
                # Nothing that we use delivers a publish twice, and nobody could notice if it did. A transaction says of
                # itself what holds it up; of the calls that are none, those that write are refused.
                none = fault is Fault.DUPLICATED and operation in ("Publish", *TO_PEOPLE)
                none |= fault is Fault.HELD and operation != "UpdateItem"
                return (None if none else fault), chance
        return None, chance

    def _deliver(self, deliver: Callable[[Any], Any], request: Any, operation: str) -> Any:
        if operation == "PutRule":
            name = json.loads(request.body)["Name"]
            with self._lock:
                if name not in self.rules and len(self.rules) >= self.bus_holds:
                    return refusal(request, 400, "LimitExceededException")
                self.rules.add(name)
        if operation == "PublishSms" and parse_qs(_text(request.body))["PhoneNumber"][0] in self.opted_out:
            return refusal(request, 400, "InvalidParameter", "PhoneNumber Reason: is opted out")
        answer = deliver(request)
        if answer.status_code < 300:
            self._observe(operation, request, answer)
        return answer

    def _to_person(self, message_id: str, channel: str) -> None:
        appointment_id, offset, due_at = self.about.which
        self.published.append(Published(self.now(), appointment_id, offset, due_at, message_id, channel))

    def _observe(self, operation: str, request: Any, answer: Any) -> None:
        """Remember what EventBridge and the topic were told, for those who play them."""
        match operation:
            case "DeleteRule":
                self.rules.discard(json.loads(request.body)["Name"])
            case "CreateSchedule" | "UpdateSchedule":
                self.schedules[_schedule_name(request)] = json.loads(request.body)
            case "DeleteSchedule":
                self.schedules.pop(_schedule_name(request), None)
            case "SendEmail":
                self._to_person(json.loads(answer.text)["MessageId"], "email")
            case "PublishSms":
                found = re.search(r"<MessageId>(.*?)</MessageId>", answer.text)
                assert found
                self._to_person(found[1], "sms")
            case "Publish":
                message = json.loads(json.loads(parse_qs(_text(request.body))["Message"][0])["default"])
                found = re.search(r"<MessageId>(.*?)</MessageId>", answer.text)
                assert found
                self.published.append(
                    Published(self.now(), message["appointmentId"], message["reminder"], message["dueAt"], found[1])
                )


def operation_of(request: Any) -> str:
    """The operation's name, from whichever of the protocols the request is written in."""
    target = request.headers.get("X-Amz-Target")
    if target:
        return _text(target).rpartition(".")[2]
    path = urlsplit(request.url).path
    if path == "/v2/email/outbound-emails":
        return "SendEmail"
    if path.startswith("/schedules/"):
        return _REST[request.method]
    form = parse_qs(_text(request.body))
    if "PhoneNumber" in form:
        return "PublishSms"
    return form["Action"][0] if "Action" in form else path


class Raw:
    """The body of an answer, as botocore reads it from a connection."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self) -> list[bytes]:
        return [self.body]


def refusal(request: Any, status: int, code: str, words: str = "injected") -> AWSResponse:
    """An error in the words of the service that the request is for."""
    if request.headers.get("X-Amz-Target") or "/schedules/" in request.url or "/v2/email/" in request.url:
        body = json.dumps({"__type": code, "message": words}).encode()
    else:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>".encode()
    headers: Any = {"x-amzn-errortype": code}
    return AWSResponse(request.url, status, headers, Raw(body))


def _identity(request: Any) -> str:
    text = unquote(request.url) + _text(request.body)
    found = _APPOINTMENT.search(text)
    return found[0] if found else text


def _schedule_name(request: Any) -> str:
    return str(urlsplit(request.url).path.rpartition("/")[2])


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray) else str(value or "").encode()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes | bytearray) else value or ""
