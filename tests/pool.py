"""The people of a user pool on the engine, and the tokens that they get from it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from local.deploy import Stack

# Of a page elsewhere, which a stack with a pool lets in.
ORIGIN = "https://booking.example.org"
PASSWORD = "Correct-horse-7-battery"


@dataclass
class People:
    """A user pool's people, and the tokens that they get from it."""

    cognito: Any
    pool_id: str
    client_id: str

    def join(self, name: str, *, scheduler: bool = False) -> str:
        """Add a person and return their `sub`."""
        user = {"UserPoolId": self.pool_id, "Username": f"{name}@example.org"}
        self.cognito.admin_create_user(**user, MessageAction="SUPPRESS", TemporaryPassword=PASSWORD)
        self.cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
        if scheduler:
            self.cognito.admin_add_user_to_group(**user, GroupName="schedulers")
        attributes = self.cognito.admin_get_user(**user)["UserAttributes"]
        return str(next(a["Value"] for a in attributes if a["Name"] == "sub"))

    def tokens(self, name: str, client_id: str | None = None) -> dict[str, str]:
        tokens: dict[str, str] = self.cognito.admin_initiate_auth(
            UserPoolId=self.pool_id,
            ClientId=client_id or self.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": f"{name}@example.org", "PASSWORD": PASSWORD},
        )["AuthenticationResult"]
        return tokens

    def another_client(self, **more: Any) -> str:
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        made = self.cognito.create_user_pool_client(
            UserPoolId=self.pool_id, ClientName=f"c-{uuid.uuid4()}", ExplicitAuthFlows=flows, **more
        )
        return str(made["UserPoolClient"]["ClientId"])


class Clinic(NamedTuple):
    """A stack with a user pool, and the address at which people open its pages."""

    stack: Stack
    url: str
    people: People
