"""Who may act for whom. This is the one place that decides it.

| `Auth`    | who gets through API Gateway                          | may act for                           |
|-----------|-------------------------------------------------------|---------------------------------------|
| `iam`     | whom an IAM policy lets invoke the API: your services | everyone                              |
| `cognito` | people with an ID token of the stack's user pool      | themselves; in `schedulers`, everyone |
| `none`    | whoever reaches it; for the local engine              | everyone                              |

API Gateway has checked signature, issuer and expiry when a token's claims arrive here, but not which app client
the token was made for: that is checked here.

Resources are there to be booked by everyone who is signed in, and people are not. A calendar whose id has the
form of a user's id, which in a user pool is a UUID, is a person's; every other id names a resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from appointments.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Its members act for everyone; the template makes the group.
SCHEDULERS = "schedulers"

_USER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Auth(StrEnum):
    """The template's parameter of this name."""

    IAM = "iam"
    COGNITO = "cognito"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `user_id` is the one person whom they may act for, None where that is everyone."""

    user_id: str | None = None

    def act_for(self, user_id: str) -> None:
        """Raises ForbiddenError where this person's appointments are not the caller's to see or to change."""
        if self.user_id not in (None, user_id):
            raise ForbiddenError

    def occupy(self, calendar_ids: Iterable[str]) -> None:
        """Raises ForbiddenError where one of these calendars may not be read, nor be booked beside the caller's own."""
        if self.user_id and any(_USER_ID.fullmatch(id_) and id_ != self.user_id for id_ in calendar_ids):
            raise ForbiddenError

    def configure(self, calendar_id: str) -> None:
        """Raises ForbiddenError where the settings of this calendar are not the caller's to change."""
        self.act_for(calendar_id)


@dataclass(frozen=True, slots=True)
class Access:
    """How callers are told apart. `client_id` is the app client whose tokens count, where there are any."""

    auth: Auth
    client_id: str = ""

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """Who the claims of a token say is calling. Raises ForbiddenError where they say it to somebody else."""
        if self.auth is not Auth.COGNITO:
            return Caller()
        if not (claims.get("sub") and claims.get("token_use") == "id" and claims.get("aud") == self.client_id):
            raise ForbiddenError
        # A list in the token; API Gateway makes one text of it, "[a b]" or "a,b".
        groups = claims.get("cognito:groups", "")
        if isinstance(groups, str):
            groups = re.split(r"[\s,]+", groups.strip("[]"))
        return Caller() if SCHEDULERS in groups else Caller(claims["sub"])
