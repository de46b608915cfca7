"""Tokens that are renewed, as Cognito renews them.

A renewed token of the engine (1.5.33) says that its person has just signed in, and leaves their groups out. OpenID
Connect has `auth_time` stay what it was (Core 1.0, 12.2), and clients refuse what differs.

This file runs in the engine's environment and may import nothing of this project but what lies beside it.
"""

from __future__ import annotations

from typing import Any

from ministack.services import cognito

# When each session began, by what its tokens have in common. A session of before a restart begins anew.
_began: dict[str, int] = {}

_signed_jwt_as_shipped = cognito._signed_jwt  # noqa: SLF001 - there is no public way in


def signed_jwt(claims: dict[str, Any], pool_id: str = "", use: str = "") -> str:
    """A token over the claims, with those that a renewal keeps."""
    session, now = claims.get("origin_jti"), claims.get("auth_time")
    if session and now:
        claims = claims | {"auth_time": _began.setdefault(session, now)}
        user = cognito._user_pools[pool_id]["_users"].get(claims.get("cognito:username", claims.get("username")))  # noqa: SLF001
        groups = (user or {}).get("_groups")
        if groups:
            claims.setdefault("cognito:groups", list(groups))
    token: str = _signed_jwt_as_shipped(claims, pool_id, use)
    return token


def install() -> None:
    """Let the engine sign tokens by this."""
    cognito._signed_jwt = signed_jwt  # noqa: SLF001
