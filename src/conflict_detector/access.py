"""Who may act for whom. This is the one place that decides it.

| `Auth`    | who gets through API Gateway                          | may act for                           |
|-----------|-------------------------------------------------------|---------------------------------------|
| `iam`     | whom an IAM policy lets invoke the API: your services | everyone                              |
| `cognito` | people with an ID token of the stack's user pool      | themselves; in `schedulers`, everyone |
| `none`    | whoever reaches it; for the local engine              | everyone                              |

API Gateway has checked signature, issuer and expiry when a token's claims arrive here, but not which app client
the token was made for: that is checked here.

It hands claims over as texts. A list of groups becomes "a,b" on AWS, where a group may itself be named "a,b", so
groups are read from the token that it checked. Where that token cannot be told for certain, there are no groups.

A service of yours that acts for everyone may say in whose name it acts, in the header `X-Acting-For`. Such a request is
that person's: it may do what the person may, and the limits of services bind it.

Resources are there to be booked by everyone who is signed in, and people are not. A calendar whose id has the
form of a user's id, which in a user pool is a UUID, is a person's; every other id names a resource.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from appointments.errors import Fault, ForbiddenError, InvalidRequestError, TooLateError
from appointments.model import LINK, SYSTEM
from appointments.reader import CALENDAR_ID_RULE, is_calendar_id
from appointments.statuses import Status
from appointments.times import to_utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from appointments.model import Appointment

# Its members act for everyone; the template makes the group.
SCHEDULERS = "schedulers"

_USER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

# As API Gateway takes it from the header: header, claims and signature. Group 1 is the claims.
_TOKEN = re.compile(r"(?:Bearer +)?[\w-]+\.([\w-]+)\.[\w-]+", re.ASCII | re.IGNORECASE)
# What tells one token from another; all of them are texts.
_SAME_TOKEN = ("sub", "aud", "token_use", "jti")


class Auth(StrEnum):
    """The template's parameter of this name."""

    IAM = "iam"
    COGNITO = "cognito"
    NONE = "none"


@dataclass(frozen=True, slots=True, repr=False)
class Caller:
    """Who sent a request. `user_id` is the one person whom they may act for, None where that is everyone.

    `by` names them in what they change, in whosever name they act.
    """

    user_id: str | None = None
    by: str = field(default=SYSTEM, compare=False)

    @property
    def is_person(self) -> bool:
        """Whether the caller is one person, whom the rules that services have for people bind."""
        return self.user_id is not None

    def act_for(self, user_id: str) -> None:
        """Raises ForbiddenError where this person's appointments are not the caller's to see or to change."""
        if self.user_id not in (None, user_id):
            raise ForbiddenError

    def occupy(self, calendar_ids: Iterable[str]) -> None:
        """Raises ForbiddenError where one of these calendars may not be read, nor be booked beside the caller's own."""
        if self.user_id and any(_USER_ID.fullmatch(id_) and id_ != self.user_id for id_ in calendar_ids):
            raise ForbiddenError

    def turn(self, before: Status, after: Status) -> None:
        """Raises ForbiddenError where the caller may not give their own appointment this status.

        A person confirms a hold and cancels; all else is the desk's to say.
        """
        by_person = before is after or after is Status.CANCELLED or (before, after) == (Status.HELD, Status.SCHEDULED)
        if self.user_id and not by_person:
            raise ForbiddenError

    def waive(self, *, notice: bool) -> None:
        """Raises ForbiddenError where a person asks to book without the notice that a calendar or a service wants."""
        if notice and self.is_person:
            raise ForbiddenError

    def keep_limits(self, before: Appointment, now: datetime, *, cancels: bool) -> None:
        """Raises TooLateError where the service, as it was booked, does not let a person cancel, or move, any more.

        What was never promised can be given up at any time: a hold, and a request.
        """
        if not self.is_person or before.service is None or not before.status.reminds:
            return
        name, what = ("cancelUntilMinutes", "cancelled") if cancels else ("moveUntilMinutes", "moved")
        minutes = json.loads(before.service.body).get(name)
        if minutes is not None and now > (until := before.interval.start - timedelta(minutes=minutes)):
            raise TooLateError(what, to_utc_text(until))

    def configure(self, calendar_id: str) -> None:
        """Raises ForbiddenError where the settings of this calendar are not the caller's to change."""
        self.act_for(calendar_id)

    def manage(self) -> None:
        """Raises ForbiddenError where the caller may not do what is the desk's: services, and lists of everyone."""
        if self.is_person:
            raise ForbiddenError


# Who comes by a link has not signed in, and may act for no one: no calendar can have this id.
NOBODY = Caller("(nobody)", LINK)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Access:
    """How callers are told apart. The ids are of the app clients whose tokens count, where there are any."""

    auth: Auth
    client_id: str = ""
    desk_client_id: str = ""

    def caller(
        self,
        claims: Mapping[str, Any],
        authorization: Sequence[str] = (),
        acting_for: Sequence[str] = (),
        principal: str | None = None,
    ) -> Caller:
        """Who is calling, or in whose name. Raises ForbiddenError where that is not theirs, and InvalidRequestError.

        `authorization` and `acting_for` are every value of the headers `Authorization` and `X-Acting-For`. `principal`
        is that of IAM, where a request was signed by one.
        """
        caller = self._signed_in(claims, authorization, principal)
        if not acting_for:
            return caller
        if len(acting_for) > 1 or not is_calendar_id(acting_for[0]):
            raise InvalidRequestError([Fault("X-Acting-For", f"is the id of one person and {CALENDAR_ID_RULE}")])
        caller.act_for(acting_for[0])
        return Caller(acting_for[0], caller.by)

    def _signed_in(self, claims: Mapping[str, Any], authorization: Sequence[str], principal: str | None) -> Caller:
        """Who the claims of a token say is calling. Raises ForbiddenError where they say it to somebody else."""
        if self.auth is not Auth.COGNITO:
            return Caller(None, principal or SYSTEM) if self.auth is Auth.IAM else Caller()
        for_us = claims.get("aud") and claims["aud"] in (self.client_id, self.desk_client_id)
        if not (claims.get("sub") and claims.get("token_use") == "id" and for_us):
            raise ForbiddenError
        sub = claims["sub"]
        return Caller(None if SCHEDULERS in _groups(claims, authorization) else sub, sub)


def _groups(claims: Mapping[str, Any], authorization: Sequence[str]) -> list[Any]:
    """The groups in the one token of a request, if it is the token of these claims."""
    if not claims.get("cognito:groups") or len(authorization) != 1:
        return []
    match = _TOKEN.fullmatch(authorization[0].strip())
    if match is None:
        return []
    try:
        token = json.loads(base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)))
    except (ValueError, RecursionError):
        return []
    if not isinstance(token, dict) or not all(
        token.get(name) and token[name] == claims.get(name) for name in _SAME_TOKEN
    ):
        return []
    groups = token.get("cognito:groups")
    return groups if isinstance(groups, list) else []
