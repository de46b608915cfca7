"""Who may act for whom, decided from the claims that API Gateway passes on."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from appointments.errors import ForbiddenError
from appointments.reader import is_calendar_id
from conflict_detector.access import NOBODY, Access, Auth, Caller
from support import encoded

ANNA = "6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10"
BEN = "0a1b2c3d-0000-4000-8000-00000000beef"
CLAIMS = {"sub": ANNA, "token_use": "id", "aud": "our-client", "jti": "a-token"}
COGNITO = Access(Auth.COGNITO, "our-client")


def test_a_token_of_ours_is_its_person() -> None:
    assert COGNITO.caller(CLAIMS) == Caller(ANNA)


def arriving(groups: object, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """What comes of a token: its claims as API Gateway flattens them, and the header that it came in."""
    token = CLAIMS | {"cognito:groups": groups} | more
    flat = {name: ",".join(value) if isinstance(value, list) else value for name, value in token.items()}
    return flat, [f"Bearer {encoded(token)}"]


def test_schedulers_act_for_everyone() -> None:
    for groups in (["schedulers"], ["staff", "schedulers"], ["a,b", "schedulers", "[c]"]):
        claims, (header,) = arriving(groups)
        for sent in (header, header.removeprefix("Bearer "), header.replace("Bearer", "bearer"), f" {header} "):
            assert COGNITO.caller(claims, [sent]) == Caller(None)
    # The local engine flattens in another way.
    claims, headers = arriving(["staff", "schedulers"])
    assert COGNITO.caller(claims | {"cognito:groups": "[staff schedulers]"}, headers) == Caller(None)


@pytest.mark.parametrize(
    "groups",
    [[], ["staff"], ["schedulers-in-training"], ["xschedulers", "staff"], ["Schedulers"], ["[schedulers]"]]
    + [["staff,schedulers"], ["schedulers,"], ["a", "b,schedulers"], "schedulers", {"schedulers": 1}, None, [None]],
)
def test_other_groups_mean_nothing(groups: object) -> None:
    token = CLAIMS | {"cognito:groups": groups}
    for flat in ("schedulers", "staff,schedulers", "[schedulers]", None, "", [], ["schedulers"]):
        assert COGNITO.caller(CLAIMS | {"cognito:groups": flat}, [encoded(token)]) == Caller(ANNA)


def test_groups_are_those_of_the_token_that_was_checked() -> None:
    claims, header = arriving(["schedulers"])
    assert COGNITO.caller(claims, header) == Caller(None)
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    for other in ([], header * 2, ["Bearer"], ["Bearer x.y.z"], ["x.!.z"], [f"x.{nested}.z"], ["Bearer x.W10.z"]):
        assert COGNITO.caller(claims, other) == Caller(ANNA)
    for name in ("sub", "aud", "token_use", "jti"):
        assert COGNITO.caller(claims, arriving(["schedulers"], **{name: "another"})[1]) == Caller(ANNA)
    # A token without a group has none, whatever the header says.
    assert COGNITO.caller(CLAIMS, header) == Caller(ANNA)
    assert COGNITO.caller({**claims, "jti": ""}, arriving(["schedulers"], jti="")[1]) == Caller(ANNA)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": ANNA},
        CLAIMS | {"aud": "another-client"},
        CLAIMS | {"aud": ""},
        CLAIMS | {"sub": ""},
        CLAIMS | {"token_use": "access"},
        {"sub": ANNA, "token_use": "access", "client_id": "our-client", "cognito:groups": "[schedulers]"},
    ],
)
def test_other_claims_are_nobodys(claims: dict[str, str]) -> None:
    with pytest.raises(ForbiddenError):
        COGNITO.caller(claims)


@pytest.mark.parametrize("auth", [Auth.IAM, Auth.NONE])
def test_without_a_user_pool_claims_mean_nothing(auth: Auth) -> None:
    assert Access(auth).caller({}) == Access(auth).caller(CLAIMS) == Caller(None)


def test_a_person_may_book_resources_and_not_people() -> None:
    caller = Caller(ANNA)
    caller.occupy(["room-1", "dr-lee@example.org", ANNA])
    for other in (BEN, BEN.upper()):
        with pytest.raises(ForbiddenError):
            caller.occupy(["room-1", other])
    Caller(None).occupy([BEN])


def test_nobody_is_no_person_and_no_calendar() -> None:
    """Whoever comes by a link may do nothing in their own name."""
    assert NOBODY.is_person
    assert not is_calendar_id(NOBODY.user_id or "")
    with pytest.raises(ForbiddenError):
        NOBODY.act_for("anna")
    with pytest.raises(ForbiddenError):
        NOBODY.occupy([ANNA])
    with pytest.raises(ForbiddenError):
        NOBODY.configure("room-1")
    with pytest.raises(ForbiddenError):
        NOBODY.manage()
