"""Free text, fit to be read by people."""

from __future__ import annotations

import re

# What ends a line or steers a terminal, or is no character.
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# What nobody sees: all that turns the direction of what follows (UAX #9), what only breaks or fills a line, and what is
# for programs. A flag that is written with tags is kept, and so is what chooses the look of the character before it.
# Joiners are kept behind letters of scripts that need them, from Arabic to Mongolian, and behind emojis.
_INVISIBLE = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)"
    "|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    "|[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
    "|(?<!\\S)[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
    "|(?<![\u0600-\u061b\u061d-\u115e\u1161-\u17b3\u17b6-\u180a\u1810-\u1cff\u2190-\u2bff\u3030\u303d\u3297\u3299\ua800-\uabff"
    "\ufb50-\ufdff\ufe0f\ufe70-\ufefc\U00010a00-\U0001bc9f\U0001f000-\U0001faff])[\u200c\u200d]"
)
_LINE_END = re.compile("\r\n|[\n\r\u2028\u2029]")


def one_line(value: object, most: int) -> str | None:
    """A text on one line, of at most so many characters; None where nothing of it can be read."""
    text = readable(value)
    return shortened(text, most) if text else None


def readable(value: object) -> str | None:
    """A text on one line, of any length; None where nothing of it can be read."""
    if not isinstance(value, str):
        return None
    # What is free of both is most of it.
    seen = _UNREADABLE.sub(" ", value) if value.isascii() else _INVISIBLE.sub(_kept, _UNREADABLE.sub(" ", value))
    return " ".join(seen.split()) or None


def _kept(match: re.Match[str]) -> str:
    return match[1] or ""


def lines(value: object, most: int) -> list[str]:
    """The lines of a text that are not empty, of at most so many characters together."""
    if not isinstance(value, str):
        return []
    found = (one_line(line, most) for line in _LINE_END.split(value[:most]))
    return [line for line in found if line]


def shortened(text: str, most: int, end: str = "…") -> str:
    """The text, or what fits of it with an ellipsis."""
    return text if len(text) <= most else text[: max(most - len(end), 0)].rstrip(" ,.;:-") + end
