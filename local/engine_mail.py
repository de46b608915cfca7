"""Email and SMS as AWS has them, where the engine (1.5.33) differs.

The engine keeps of an email what it parsed, and tells nobody what became of it. `install` keeps each email whole, as a
file, and each SMS beside it, and publishes the events of a configuration set to its topic. Addresses of the mailbox
simulator bounce and complain as those of AWS do. As `engine_process.py`, this file runs in the engine's environment
and imports nothing else of this project.
"""

from __future__ import annotations

import base64
import contextvars
import email.policy
import email.utils
import json
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from ministack.core import responses
from ministack.services import ses_v2, sns

# In the engine's working folder, where its state lies too.
MAIL = Path("mail")
SIMULATOR = "simulator.amazonses.com"
SENDING = ("POST", "/v2/email/outbound-emails")

_handle_ses_as_shipped = ses_v2.handle_request
_publish_as_shipped = sns._publish  # noqa: SLF001 - there is no public way in
# Whom the email that is being authorized is sent from, for conditions of policies.
from_address: contextvars.ContextVar[str | None] = contextvars.ContextVar("from_address", default=None)
logger = logging.getLogger("mail")


def identity_of(method: str, path: str, body: bytes, region: str, account: str) -> str | None:
    """The identity that a call sends from, against which AWS authorizes it; None where it sends nothing."""
    if (method, path.rstrip("/")) != SENDING:
        return None
    sender = email.utils.parseaddr(json.loads(body or b"{}").get("FromEmailAddress", ""))[1]
    from_address.set(sender)
    return f"arn:aws:ses:{region}:{account}:identity/{sender}"


def action_of(method: str, path: str, body: bytes, action: str | None) -> str | None:
    """The action that a send is authorized as: AWS asks for another one where the email is given whole."""
    raw = (method, path.rstrip("/")) == SENDING and "Raw" in json.loads(body or b"{}").get("Content", {})
    return "ses:SendRawEmail" if raw else action


async def handle_ses(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """Handle a call of SES v2, and keep what was sent."""
    answer = await _handle_ses_as_shipped(method, path, headers, body, query)
    if (method, path.rstrip("/")) == SENDING and answer[0] == 200:
        try:
            sent(json.loads(body), json.loads(answer[2])["MessageId"])
        except Exception:
            logger.exception("An email was sent and not kept")
    return answer


def sent(request: Mapping[str, Any], message_id: str) -> None:
    """Keep an email, and tell the topics of its configuration set what became of it."""
    keep(message_id.partition("@")[0], ".eml", whole(request, message_id))
    name = request.get("ConfigurationSetName")
    found = ses_v2._config_sets.get(name) if name else None  # noqa: SLF001
    for event in events(request, message_id):
        for destination in ((found or {}).get("EventDestinations") or {}).values():
            topic = (destination.get("SnsDestination") or {}).get("TopicArn")
            if topic and event["eventType"].upper() in destination["MatchingEventTypes"]:
                sns._fanout(topic, responses.new_uuid(), json.dumps(event), "Amazon SES Email Event Notification")  # noqa: SLF001


def whole(request: Mapping[str, Any], message_id: str) -> bytes:
    """The email as its reader gets it, with the headers that SES adds."""
    content = request["Content"]
    if "Raw" in content:
        message = BytesParser(EmailMessage, policy=email.policy.SMTP).parsebytes(
            base64.b64decode(content["Raw"]["Data"])
        )
    else:
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = request.get("FromEmailAddress", "")
        message["To"] = ", ".join(request.get("Destination", {}).get("ToAddresses", []))
        simple = content.get("Simple", {})
        message["Subject"] = simple.get("Subject", {}).get("Data", "")
        message.set_content(simple.get("Body", {}).get("Text", {}).get("Data", ""))
        if "Html" in simple.get("Body", {}):
            message.add_alternative(simple["Body"]["Html"]["Data"], subtype="html")
    if "Date" not in message:
        message["Date"] = datetime.now(UTC)
    if "Message-ID" not in message:
        message["Message-ID"] = f"<{message_id}>"
    return message.as_bytes()


def events(request: Mapping[str, Any], message_id: str) -> Iterator[dict[str, Any]]:
    """What SES tells of an email to each of its addresses."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    addresses = request.get("Destination", {}).get("ToAddresses", [])
    mail = {"timestamp": now, "source": request.get("FromEmailAddress"), "messageId": message_id}
    mail |= {"destination": addresses}
    yield {"eventType": "Send", "mail": mail, "send": {}}
    for address in addresses:
        whom = [{"emailAddress": address}]
        local, _, domain = email.utils.parseaddr(address)[1].partition("@")
        case = local.partition("+")[0] if domain == SIMULATOR else "success"
        if case in ("bounce", "suppressionlist"):
            bounce = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": whom}
            yield {"eventType": "Bounce", "mail": mail, "bounce": bounce | {"timestamp": now}}
            continue
        yield {"eventType": "Delivery", "mail": mail, "delivery": {"timestamp": now, "recipients": [address]}}
        if case == "complaint":
            complaint = {"complainedRecipients": whom, "complaintFeedbackType": "abuse", "timestamp": now}
            yield {"eventType": "Complaint", "mail": mail, "complaint": complaint}


def publish(params: Mapping[str, Any]) -> Any:
    """Publish, and keep what went to a phone."""
    answer = _publish_as_shipped(params)
    phone = sns._p(params, "PhoneNumber")  # noqa: SLF001
    if phone and answer[0] == 200:
        told = {name: value.get("StringValue") for name, value in sns._parse_message_attributes(params).items()}  # noqa: SLF001
        sms = {"at": datetime.now(UTC).isoformat(), "to": phone, "text": sns._p(params, "Message"), "attributes": told}  # noqa: SLF001
        keep(responses.new_uuid(), ".sms.json", json.dumps(sms).encode())
    return answer


def keep(name: str, ending: str, content: bytes) -> None:
    """Write a message into the folder; its name begins with the time, and it is there whole or not at all."""
    MAIL.mkdir(exist_ok=True)
    path = MAIL / f"{time.time_ns()}-{name}{ending}"
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.rename(path)


def install() -> None:
    """Replace the engine's parts by these."""
    ses_v2.handle_request = handle_ses
    sns._publish = publish  # noqa: SLF001
