"""What people got by email and SMS, as pages of the local front door: nothing on this machine leaves it."""

from __future__ import annotations

import email.policy
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

# The newest that the list shows.
MOST = 200
EMAIL, SMS = "email", "sms"
ENDINGS = {".eml": EMAIL, ".sms.json": SMS}
# An email is another's page: it runs no script, loads nothing, and knows nothing of what lies beside it.
SHUT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; }
ol { list-style: none; padding: 0; }
li { border-bottom: 1px solid #8886; }
li a { display: grid; grid-template-columns: 6rem 3.5rem minmax(0, 14rem) 1fr; gap: .75rem; padding: .5rem 0;
  color: inherit; text-decoration: none; }
li a:hover { background: #8882; }
li a * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
iframe { border: 1px solid #8886; background: #fff; width: 100%; height: 34rem; }
pre, .sms { border: 1px solid #8886; border-radius: .5rem; padding: 1rem; }
pre, .sms { white-space: pre-wrap; overflow-wrap: anywhere; }
.sms { max-width: 22rem; }
@media (max-width: 40rem) { li a { grid-template-columns: 5rem 3rem 1fr; } li a :last-child { grid-column: 1 / -1; } }
"""


@dataclass(frozen=True)
class Message:
    """One message that was sent. ``mime`` is an email; of an SMS, ``subject`` is its text."""

    name: str
    kind: str
    at: datetime
    to: str
    subject: str
    sender: str
    mime: EmailMessage | None = None


class Mailbox:
    """Reads the folder in which the engine keeps what was sent."""

    def __init__(self, folder: Path) -> None:
        """``folder`` need not be there before the first message."""
        self._folder = folder

    def names(self) -> list[str]:
        """The names of all messages, the oldest first."""
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(path.name for path in found if path.name.endswith(tuple(ENDINGS)))

    def message(self, name: str) -> Message | None:
        """One message, None where there is none of that name."""
        if name not in self.names():
            return None
        raw = (self._folder / name).read_bytes()
        at = datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, UTC)
        if name.endswith(".eml"):
            mime = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(raw)
            return Message(name, EMAIL, at, str(mime["To"]), str(mime["Subject"]), str(mime["From"]), mime)
        sms = json.loads(raw)
        told = sms["attributes"]
        sender = told.get("AWS.SNS.SMS.SenderID") or told.get("AWS.MM.SMS.OriginationNumber") or ""
        return Message(name, SMS, at, sms["to"], sms["text"], sender)

    def messages(self) -> Iterator[Message]:
        """The newest messages, the newest first."""
        return (message for name in self.names()[-MOST:][::-1] if (message := self.message(name)))

    # --- pages -----------------------------------------------------------------------------------------

    async def listed(self, _request: web.Request) -> web.Response:
        """All that was sent."""
        lines = [
            f'<li><a href="/mailbox/{quote(m.name)}"><time datetime="{m.at.isoformat()}">{m.at.astimezone():%H:%M:%S}'
            f"</time><span>{m.kind}</span><span>{_text(m.to)}</span><span>{_text(m.subject)}</span></a></li>"
            for m in self.messages()
        ]
        what = f"<ol>{''.join(lines)}</ol>" if lines else "<p>Nothing was sent yet.</p>"
        return _page("Email and SMS", f"{what}<p>Nothing of this left the machine. Reload the page for newer ones.</p>")

    async def shown(self, request: web.Request) -> web.Response:
        """One message."""
        message = self._asked_for(request)
        sender = f"<dt>From</dt><dd>{_text(message.sender)}</dd>" if message.sender else ""
        head = f"<p><a href='/mailbox'>All messages</a></p><dl>{sender}<dt>To</dt><dd>{_text(message.to)}</dd>"
        head += f"<dt>At</dt><dd>{message.at.astimezone():%a %d %b %Y %H:%M:%S}</dd></dl>"
        if message.mime is None:
            return _page("SMS", f"{head}<p class='sms'>{_text(message.subject)}</p>")
        here = f"/mailbox/{quote(message.name)}"
        plain = message.mime.get_body(("plain",))
        parts = [
            f'<li><a href="{here}/{number}">{_text(part.get_filename() or part.get_content_type())}</a></li>'
            for number, part in enumerate(message.mime.iter_attachments())
        ]
        body = f'<iframe title="The email" sandbox="allow-popups" src="{here}/html"></iframe>'
        body += f"<h2>Attachments</h2><ol>{''.join(parts)}</ol>" if parts else ""
        body += f"<h2>As plain text</h2><pre>{_text(plain.get_content() if plain else '')}</pre>"
        body += f'<p><a href="{here}/raw">The whole file</a></p>'
        return _page(message.subject, head + body)

    async def part(self, request: web.Request) -> web.Response:
        """The HTML of an email, one of its attachments by number, or all of it as `raw`."""
        message, which = self._asked_for(request), request.match_info["part"]
        headers = {"Content-Security-Policy": SHUT, "X-Content-Type-Options": "nosniff"}
        if message.mime is None:
            raise web.HTTPNotFound
        if which == "raw":
            return web.Response(body=message.mime.as_bytes(), content_type="text/plain", headers=headers)
        if which == "html":
            found = message.mime.get_body(("html", "plain"))
            content = str(found.get_content()) if found else ""
            if found and found.get_content_type() != "text/html":
                content = f"<pre>{_text(content)}</pre>"
            return web.Response(text=content, content_type="text/html", headers=headers)
        attached = list(message.mime.iter_attachments())
        if not which.isdecimal() or int(which) >= len(attached):
            raise web.HTTPNotFound
        name = attached[int(which)].get_filename() or "attachment"
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        inside = attached[int(which)].get_content()
        body = inside if isinstance(inside, bytes) else str(inside).encode()
        return web.Response(body=body, content_type="application/octet-stream", headers=headers)

    def _asked_for(self, request: web.Request) -> Message:
        message = self.message(request.match_info["name"])
        if message is None:
            raise web.HTTPNotFound
        return message


def _text(text: object) -> str:
    return html.escape(str(text))


def _page(title: str, body: str) -> web.Response:
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>
<body><h1>{_text(title)}</h1>{body}</body></html>"""
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store"}
    return web.Response(text=page, content_type="text/html", headers=headers)
