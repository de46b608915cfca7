"""The tokens of links: one appointment each, one spelling each, and nobody makes one without the key."""

from __future__ import annotations

import hashlib
import hmac
import string
import uuid

import pytest

from appointments.errors import LinkNotFoundError
from appointments.link_keys import LinkKeys
from appointments.links import TOKEN_LENGTH, appointment_in, is_token_of, mac_message, token_of
from linking import Kms, keys

ID = "6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10"
OTHER = "0a1b2c3d-0000-4000-8000-00000000beef"
ALPHABET = string.ascii_letters + string.digits + "-_"


def test_a_link_leads_back_to_its_appointment() -> None:
    link = keys().link_for(ID)
    base, _, token = link.rpartition("/")
    assert (base, len(token)) == ("https://api.example.org/prod/l", TOKEN_LENGTH)
    assert set(token) <= set(ALPHABET)
    assert keys().appointment_of(token) == ID
    assert keys(base="https://x.example/").link_for(ID) == f"https://x.example/l/{token}"


def test_what_is_signed_says_what_it_is_for() -> None:
    kms = Kms()
    LinkKeys(kms, "the-key").token_for(ID)
    assert kms.messages == [mac_message(ID)] == [b"link v1 " + uuid.UUID(ID).bytes]


def test_any_other_character_anywhere_makes_it_no_link() -> None:
    """Among them the last one's spare bits, which base64 decodes to the same bytes."""
    token = keys().token_for(ID)
    for place, char in enumerate(token):
        for other in ALPHABET:
            if other != char:
                with pytest.raises(LinkNotFoundError):
                    keys().appointment_of(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("token", ["", "=", "x" * 42, "x" * 44, "é" * 43, "!" * 43, "x" * 42 + "=", "x" * 42 + "\n"])
def test_what_is_no_token_is_not_even_signed(token: str) -> None:
    kms = Kms()
    with pytest.raises(LinkNotFoundError):
        LinkKeys(kms, "the-key").appointment_of(token)
    assert kms.messages == []


def test_the_token_of_one_appointment_is_no_other_ones() -> None:
    mine, others = keys().token_for(ID), keys().token_for(OTHER)
    mixed = token_of(OTHER, hmac.digest(b"k", mac_message(ID), hashlib.sha256))
    assert (appointment_in(mine), appointment_in(mixed)) == (ID, OTHER)
    assert mixed not in (mine, others)
    with pytest.raises(LinkNotFoundError):
        keys().appointment_of(mixed)
    with pytest.raises(LinkNotFoundError):
        keys(b"another key").appointment_of(mine)
    assert is_token_of(ID, hmac.digest(b"k", mac_message(ID), hashlib.sha256), mine)
    assert not is_token_of(ID, hmac.digest(b"k", mac_message(ID), hashlib.sha256), others)
