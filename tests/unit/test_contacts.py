"""Contacts: what is accepted, how it is kept, and what is said of faults."""

from __future__ import annotations

from typing import Any

import pytest

from appointments.contacts import ChannelName, Contact, contact_body, contact_from_body
from appointments.errors import InvalidRequestError
from appointments.reader import Reader
from conflict_detector.contacts.parsing import check_contact, find_address, read_contact

ANNA: dict[str, Any] = {"email": "anna@example.org"}


def parsed(body: dict[str, Any]) -> Contact:
    contact, faults = check_contact(body)
    assert faults == []
    assert contact is not None
    return contact


def faults_of(body: object) -> list[tuple[str, str]]:
    reader = Reader({"contact": body}, ("contact",))
    assert read_contact(reader) is None
    with pytest.raises(InvalidRequestError) as refusal:
        reader.raise_faults()
    return [(fault.field, fault.message) for fault in refusal.value.faults]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("anna@example.org", "anna@example.org"),
        ("Anna.B+x@EXAMPLE.org", "Anna.B+x@example.org"),
        ("anna@Bücher.example", "anna@xn--bcher-kva.example"),
    ],
)
def test_an_email_is_kept_with_its_domain_in_lower_case_and_ascii(sent: str, kept: str) -> None:
    assert parsed({"email": sent}).email == kept
    assert find_address(sent) == kept


@pytest.mark.parametrize(
    "sent",
    ["", "anna", "anna@", "@example.org", "anna@localhost", "Änna@example.org", "Anna <a@example.org>", "a b@c.de"],
)
def test_what_is_no_email_is_refused(sent: str) -> None:
    ((field, message),) = faults_of({"email": sent})
    assert field == "contact.email"
    assert message.startswith("must be an email address such as anna@example.org: ")


@pytest.mark.parametrize("sent", ["+4915123456789", "+49 151 23456789", "+49 (151) 234-567.89"])
def test_a_phone_is_kept_in_e164(sent: str) -> None:
    assert parsed({"phone": sent}).phone == "+4915123456789"
    assert find_address(sent) == "+4915123456789"


@pytest.mark.parametrize(
    "sent",
    # No country; too short; no number of its country; letters; an extension; digits of another script.
    ["015123456789", "+491", "+15551234567", "+1800FLOWERS", "+4915123456789;ext=3", "+٤٩١٥١٢٣٤٥٦٧٨٩", "+" + "1" * 40],
)
def test_what_is_no_phone_is_refused(sent: str) -> None:
    message = "must be an existing phone number with + and the country, such as +4915123456789"
    assert faults_of({"phone": sent}) == [("contact.phone", message)]
    assert find_address(sent) is None


@pytest.mark.parametrize(("sent", "kept"), [("de", "de"), ("DE_ch", "de-CH"), ("es-419", "es-419"), ("fil", "fil")])
def test_a_locale_is_a_language_or_one_with_a_region(sent: str, kept: str) -> None:
    assert parsed(ANNA | {"locale": sent}).locale == kept


@pytest.mark.parametrize("sent", ["", "german", "de-", "de-Latn-DE", "de-CHE", "d", "*"])
def test_what_is_no_locale_is_refused(sent: str) -> None:
    message = "must be a language such as de, or one with a region such as de-CH"
    assert faults_of(ANNA | {"locale": sent}) == [("contact.locale", message)]


def test_a_name_is_one_line_of_at_most_200_characters() -> None:
    assert parsed(ANNA | {"name": " Anna \u0627\u200c\u0628 "}).name == "Anna \u0627\u200c\u0628"
    assert parsed(ANNA | {"name": "u\u0308" * 200}).name == "ü" * 200
    for name in ("", " ", "x" * 201, "Anna\nBcc: ben", "Anna\u0000", "Anna\u2028", "\u202eannA", "Anna\u0085"):
        message = "must be 1 to 200 characters, without control characters"
        assert faults_of(ANNA | {"name": name}) == [("contact.name", message)]


def test_without_channels_a_person_is_reached_wherever_there_is_an_address() -> None:
    both = ANNA | {"phone": "+4915123456789"}
    assert parsed(ANNA).channels == (ChannelName.EMAIL,)
    assert parsed({"phone": "+4915123456789"}).channels == (ChannelName.SMS,)
    assert parsed(both).channels == (ChannelName.EMAIL, ChannelName.SMS)
    assert parsed(both | {"channels": ["sms", "email"]}).channels == (ChannelName.EMAIL, ChannelName.SMS)
    silent = parsed(both | {"channels": []})
    assert [silent.address(channel) for channel in ChannelName] == [None, None]


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("email", "must be a list out of email, sms"),
        (["fax"], "must be a list out of email, sms"),
        ([["email"]], "must be a list out of email, sms"),
        (["email", "email"], "must name each channel once"),
        (["sms"], "sms needs a contact with phone"),
    ],
)
def test_faults_of_channels(channels: object, message: str) -> None:
    assert faults_of(ANNA | {"channels": channels}) == [("contact.channels", message)]


def test_every_fault_is_named() -> None:
    faults = faults_of(
        {"name": 7, "phone": 49, "locale": None, "timeZone": "Mars/Base", "colour": "red", "channels": ["email"]}
    )
    assert [field for field, _ in faults] == [
        "contact.colour",
        "contact.name",
        "contact.locale",
        "contact.phone",
        "contact.channels",
        "contact.timeZone",
    ]


@pytest.mark.parametrize("body", [{}, {"name": "Anna"}, {"channels": []}])
def test_a_contact_has_an_address(body: dict[str, Any]) -> None:
    assert faults_of(body) == [("contact", "must have an email or a phone")]


@pytest.mark.parametrize("body", [None, [], "anna@example.org", 7])
def test_a_contact_is_an_object(body: object) -> None:
    assert faults_of(body) == [("contact", 'must be an object such as {"email": "anna@example.org"}')]


def test_what_is_kept_reads_as_it_was_and_is_valid_again() -> None:
    full = parsed(ANNA | {"phone": "+4915123456789", "name": "Anna", "locale": "de-CH", "channels": ["sms"]})
    full = parsed(contact_body(full) | {"timeZone": "America/New_York"})
    assert full.time_zone == "America/New_York"
    for contact in (full, parsed(ANNA), parsed(ANNA | {"channels": []})):
        assert contact_from_body(contact_body(contact)) == contact == parsed(contact_body(contact))
