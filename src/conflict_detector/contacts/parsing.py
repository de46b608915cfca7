"""Contacts, from JSON to checked and normalized values. Only requests with a contact import this."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from appointments.contacts import ChannelName, Contact
from appointments.reader import Reader

if TYPE_CHECKING:
    from appointments.errors import Fault

CONTACT_FIELDS = ("name", "email", "phone", "locale", "timeZone", "channels")
MAX_NAME = 200
# RFC 5321, 4.5.3.1.3, without the angle brackets.
MAX_EMAIL = 254
_LOCALE = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{2}|[0-9]{3}))?", re.ASCII | re.IGNORECASE)
# As people write them; letters, which some libraries read as digits, and extensions are for nobody's phone here.
_PHONE = re.compile(r"\+[0-9 ()./-]{3,31}", re.ASCII)
# What is in no name and could make a text look like another: controls, separators of lines, directions of writing.
_NO_NAME = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NO_NAME_CATEGORIES = ("Cc", "Zl", "Zp")
_CHANNELS = {ChannelName.EMAIL: "email", ChannelName.SMS: "phone"}


def read_contact(reader: Reader) -> Contact | None:
    """The field `contact` of a request; None where it is at fault."""
    value = reader.body["contact"]
    if not isinstance(value, dict):
        reader.fault("contact", 'must be an object such as {"email": "anna@example.org"}')
        return None
    contact, faults = check_contact(value)
    for one in faults:
        reader.fault(f"contact.{one.field}" if one.field else "contact", one.message)
    return contact


def check_contact(body: dict[str, Any]) -> tuple[Contact | None, list[Fault]]:
    """A contact as it is kept, and every fault of a body; None where there is one."""
    reader = Reader(body, CONTACT_FIELDS)
    name, locale = _name(reader), _locale(reader)
    addresses = {"email": _email(reader), "phone": _phone(reader)}
    if not {"email", "phone"} & body.keys():
        reader.fault("", "must have an email or a phone")
    channels, zone = _channels(reader), reader.zone()
    if reader.faults:
        return None, reader.faults
    return Contact(name, addresses["email"], addresses["phone"], locale, channels, zone.key if zone else None), []


def find_address(text: str) -> str | None:
    """An email address or a phone number as contacts keep it; None where it is neither."""
    reader = Reader({"email": text, "phone": text}, CONTACT_FIELDS)
    return _email(reader) if "@" in text else _phone(reader)


def _name(reader: Reader) -> str | None:
    text = reader.text("name")
    if text is None:
        return None
    # A normal form is at most so much shorter: what is longer is not looked through.
    name = unicodedata.normalize("NFC", text.strip(" ")[: 4 * MAX_NAME + 1])
    odd = _NO_NAME.search(name) or any(unicodedata.category(letter) in _NO_NAME_CATEGORIES for letter in name)
    if odd or not 1 <= len(name) <= MAX_NAME:
        reader.fault("name", f"must be 1 to {MAX_NAME} characters, without control characters")
    return name


def _email(reader: Reader) -> str | None:
    text = reader.text("email")
    if text is None:
        return None
    if len(text) > MAX_EMAIL:  # the library looks through all of it
        reader.fault("email", f"must be an email address of at most {MAX_EMAIL} characters")
        return None
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError as exc:
        reader.fault("email", f"must be an email address such as anna@example.org: {exc}")
        return None


def _phone(reader: Reader) -> str | None:
    text = reader.text("phone")
    if text is None:
        return None
    number = None
    if _PHONE.fullmatch(text):
        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            number = None
    if number and phonenumbers.is_possible_number(number) and phonenumbers.is_valid_number(number):
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    reader.fault("phone", "must be an existing phone number with + and the country, such as +4915123456789")
    return None


def _locale(reader: Reader) -> str | None:
    text = reader.text("locale")
    if text is None:
        return None
    match = _LOCALE.fullmatch(text)
    if not match:
        reader.fault("locale", "must be a language such as de, or one with a region such as de-CH")
        return None
    language, region = match.groups()
    return f"{language.lower()}-{region.upper()}" if region else language.lower()


def _channels(reader: Reader) -> tuple[ChannelName, ...]:
    """The ways to reach the person that were asked for, or all that there are, each once and in one order."""
    if "channels" not in reader.body:
        return tuple(channel for channel, address in _CHANNELS.items() if address in reader.body)
    value = reader.body["channels"]
    if not isinstance(value, list) or not all(channel in tuple(ChannelName) for channel in value):
        reader.fault("channels", f"must be a list out of {', '.join(ChannelName)}")
        return ()
    if len(value) > len(set(value)):
        reader.fault("channels", "must name each channel once")
    for channel in dict.fromkeys(value):
        if (address := _CHANNELS[ChannelName(channel)]) not in reader.body:
            reader.fault("channels", f"{channel} needs a contact with {address}")
    return tuple(channel for channel in ChannelName if channel in value)
