"""The keys of booking links: services and an end, one spelling each, and nobody makes one without the key of KMS."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest

from appointments.booking_links import MAX_KEY, MAX_SERVICES, BookingLink, link_in
from appointments.contact_digests import SOURCES, ContactDigests
from appointments.errors import BookingLinkUnknownError, LinkNotFoundError
from appointments.link_keys import LinkKeys
from appointments.storage.hold_counts import home_of
from linking import Kms, keys

UNTIL = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
LINK = BookingLink(("check-up", "hair.cut:1@x+~|="), UNTIL)
ALPHABET = string.ascii_letters + string.digits + "-_"


def test_a_key_leads_back_to_its_link() -> None:
    key = keys().key_for(LINK)
    assert set(key) <= set(ALPHABET)
    assert keys().booking_link_of(key) == LINK
    assert keys().key_for(LINK) == key


def test_the_largest_link_has_a_key_that_is_taken() -> None:
    link = BookingLink(tuple(f"{number:0>128}" for number in range(MAX_SERVICES)), datetime(2199, 12, 31, tzinfo=UTC))
    key = keys().key_for(link)
    assert len(key) <= MAX_KEY
    assert keys().booking_link_of(key) == link


def test_what_is_signed_says_what_it_is_for() -> None:
    """No link to an appointment can be made into one to book, nor the other way round."""
    kms = Kms()
    LinkKeys(kms, "the-key").key_for(LINK)
    assert kms.messages == [LINK.signed]
    assert LINK.signed.startswith(b"booking link v1 ")
    token = keys().token_for("6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10")
    with pytest.raises(BookingLinkUnknownError):
        keys().booking_link_of(token)
    with pytest.raises(LinkNotFoundError):
        keys().appointment_of(keys().key_for(LINK))


def test_any_other_character_anywhere_makes_it_no_key() -> None:
    """Also a later end, another service, and the last one's spare bits, which base64 decodes to the same bytes."""
    key = keys().key_for(BookingLink(("a",), UNTIL))
    for place, char in enumerate(key):
        for other in ALPHABET.replace(char, "") + "=+/ ":
            with pytest.raises(BookingLinkUnknownError):
                keys().booking_link_of(key[:place] + other + key[place + 1 :])


@pytest.mark.parametrize(
    "key", ["", "A", "AAAA", "A" * 27, "A" * 28, "A" * 31, "=" * 40, "\u00fc" * 40, "A" * (MAX_KEY + 1)]
)
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(BookingLinkUnknownError):
        keys().booking_link_of(key)


def test_another_key_of_kms_makes_other_links() -> None:
    with pytest.raises(BookingLinkUnknownError):
        keys(b"another").booking_link_of(keys().key_for(LINK))


def test_the_end_and_the_services_are_signed() -> None:
    key = keys().key_for(LINK)
    told = link_in(key)
    assert told == LINK
    later = LINK._replace(until=UNTIL + timedelta(days=1))
    others = LINK._replace(services=("check-up",))
    assert len({keys().key_for(one)[-20:] for one in (LINK, later, others)}) == 3


@pytest.mark.parametrize(
    ("source", "home"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0db8:0001:0002::", "2001:db8:1:2::/64"),
        ("", ""),
        ("test-invoke-source-ip", "test-invoke-source-ip"),
    ],
)
def test_what_counts_as_one_address(source: str, home: str) -> None:
    assert home_of(source) == home


def test_digests_of_one_kind_say_nothing_of_the_other() -> None:
    kms = Kms()
    people, sources = ContactDigests(kms, "the-key"), ContactDigests(kms, "the-key", SOURCES)
    assert people.digest("203.0.113.7") != sources.digest("203.0.113.7")
    assert kms.messages == [b"contact digests", b"source digests"]
