"""What the API of accounts takes and gives."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.leads.auth.accounts import MAX_NAME, Account
from services.leads.auth.password_rules import MAX_LENGTH, MIN_LENGTH
from services.leads.auth.permissions import Role
from services.leads.models import Strict

MAX_EMAIL = 254
MAX_TOKEN = 200


class AccountView(BaseModel):
    """An account, as administrators see it."""

    id: str
    email: str
    name: str
    role: Role
    assigned_only: bool = Field(description="Whether it sees only leads assigned to it.")
    status: Literal["invited", "active", "deactivated"]
    created_at: datetime


class AccountList(BaseModel):
    """Every account, oldest first."""

    items: list[AccountView]


class Invitation(Strict):
    """Somebody who should get an account."""

    email: str = Field(min_length=3, max_length=MAX_EMAIL)
    name: str = Field(min_length=1, max_length=MAX_NAME)
    role: Role = Role.ATTORNEY
    assigned_only: bool = False


class AccountChange(Strict):
    """What is named is changed; the rest stays."""

    name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    role: Role | None = None
    assigned_only: bool | None = None


class NewPassword(Strict):
    """A password, and the token of a link that came by mail."""

    token: str = Field(min_length=1, max_length=MAX_TOKEN, description="What follows the #.")
    password: str = Field(
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
        description="Long, not a common one, not made of one's own name or address.",
    )


class ResetRequest(Strict):
    """Whose password was lost."""

    email: str = Field(min_length=1, max_length=MAX_EMAIL)


def view_of(account: Account) -> AccountView:
    """Show an account."""
    status: Literal["invited", "active", "deactivated"] = "active"
    if not account.active:
        status = "deactivated"
    elif account.invited:
        status = "invited"
    return AccountView(
        id=account.id,
        email=account.email,
        name=account.name,
        role=account.role,
        assigned_only=account.assigned_only,
        status=status,
        created_at=account.created_at,
    )
