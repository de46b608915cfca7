"""The alphabet of SMS, and what comes nearest to what it lacks."""

from __future__ import annotations

# One SMS has 160 places for the alphabet of GSM 03.38, some of whose characters take two. With any other character in
# it, it holds 70 units of UTF-16. What is longer is sent, and paid, as several.
SMS_PLACES = 160
SMS_UNITS = 70
GSM_TWO_PLACES = frozenset("^{}\\[~]|€")
GSM = GSM_TWO_PLACES | frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# The nearest that the alphabet has for what keyboards put into texts, where Unicode's own decompositions name none.
GSM_NEAREST = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2022\u00b7", "*")
    | dict(zip("łŁđĐðÐ\u0131\u00d7", "lLdDdDix", strict=True))
    | {"…": "...", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th", "ẞ": "SS", "½": " 1/2", "¼": " 1/4", "¾": " 3/4"}
)


def in_gsm(text: str) -> str | None:
    """The text in the alphabet of GSM; None where that would cost a letter, as of another script.

    Typographic characters and accents become the nearest that there is; emojis and other symbols are left out.
    """
    if GSM.issuperset(text):
        return text
    import unicodedata  # noqa: PLC0415 - few texts need it

    found: list[str] = []
    for character in unicodedata.normalize("NFC", text).translate(GSM_NEAREST):
        plain = character
        if character not in GSM:
            decomposed = unicodedata.normalize("NFKD", character)
            plain = "".join(part for part in decomposed if not unicodedata.combining(part))
        if GSM.issuperset(plain):
            found.append(plain)
        elif unicodedata.category(character)[0] in "LN":
            return None
    return " ".join("".join(found).split())


def excess(text: str) -> int:
    """By how many places a text is too long for one SMS; at most 0 where it fits."""
    if GSM.issuperset(text):
        return len(text) + sum(character in GSM_TWO_PLACES for character in text) - SMS_PLACES
    return len(text.encode("utf-16-le")) // 2 - SMS_UNITS
