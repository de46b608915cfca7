"""Who may act for whom, decided from the claims that API Gateway passes on."""

from __future__ import annotations

import pytest

from appointments.errors import ForbiddenError
from conflict_detector.access import Access, Auth, Caller

ANNA = "6f9b1f0e-3c1d-4a55-9f1e-0c2d7f8a9b10"
BEN = "0a1b2c3d-0000-4000-8000-00000000beef"
CLAIMS = {"sub": ANNA, "token_use": "id", "aud": "our-client"}
COGNITO = Access(Auth.COGNITO, "our-client")


def test_a_token_of_ours_is_its_person() -> None:
    assert COGNITO.caller(CLAIMS) == Caller(ANNA)


@pytest.mark.parametrize(
    "groups",
    ["schedulers", "[schedulers]", "[staff schedulers]", "staff,schedulers", "a, schedulers", ["staff", "schedulers"]],
)
def test_schedulers_act_for_everyone(groups: str | list[str]) -> None:
    assert COGNITO.caller(CLAIMS | {"cognito:groups": groups}) == Caller(None)


@pytest.mark.parametrize(
    "groups", ["", "[]", "staff", "[schedulers-in-training]", "[xschedulers staff]", "Schedulers", ["staff"]]
)
def test_other_groups_mean_nothing(groups: str | list[str]) -> None:
    assert COGNITO.caller(CLAIMS | {"cognito:groups": groups}) == Caller(ANNA)


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
