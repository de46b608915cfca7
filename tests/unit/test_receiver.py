"""The demo's receiver believes what is signed as the Standard Webhooks specification says, and nothing else."""

from __future__ import annotations

import pytest

from local.receiver import verified

# The example of the specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SENT_AT = 1614265330
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(SENT_AT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_specifications_example_is_verified() -> None:
    assert verified(SECRET, HEADERS, BODY, SENT_AT)
    both = f"v1,bm9uZQ== {HEADERS['webhook-signature']}"
    assert verified(SECRET, HEADERS | {"webhook-signature": both}, BODY, SENT_AT)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_another"},
        {"webhook-timestamp": str(SENT_AT + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v2,")},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
    ],
)
def test_what_differs_is_not_believed(changed: dict[str, str]) -> None:
    assert not verified(SECRET, HEADERS | changed, BODY, SENT_AT)


def test_another_body_secret_or_hour_is_not_believed() -> None:
    assert not verified(SECRET, HEADERS, BODY + b" ", SENT_AT)
    assert not verified("whsec_bm9uZQ==", HEADERS, BODY, SENT_AT)
    assert not verified("", HEADERS, BODY, SENT_AT)
    assert not verified(SECRET, HEADERS, BODY, SENT_AT + 301)
