"""What an account can prove itself with besides its password: one record per account.

All of it stands in one entry of the bucket CREDENTIALS, so that a single compare-and-set
decides which of two simultaneous uses of the same code counts.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from libs.chassis.buckets import KeyExists, WrongRevision
from services.leads.auth.accounts import Bucket

CREDENTIALS: Final = "CREDENTIALS"
Method = Literal["otp", "passkey", "recovery-code"]
T = TypeVar("T")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Totp(_Record):
    """An authenticator app.

    Attributes:
        secret: The shared secret, as `sealing` keeps it.
        added_at: When its first code was confirmed (UTC).
        last_step: The time step of the newest code that was taken; none is taken twice.
        failures: Wrong codes in a row.
        free_at: Until when no code is looked at (UTC).
    """

    secret: str = Field(repr=False)
    added_at: datetime
    last_step: int
    failures: int = 0
    free_at: datetime | None = None


class Passkey(_Record):
    """A public key of the account.

    Attributes:
        id: Names it in this API.
        credential_id: Names it at the authenticator (base64url).
        public_key: COSE key (base64url).
        sign_count: The authenticator's counter at its last use; 0 where there is none.
        name: What the owner calls it.
        added_at: UTC.
        last_used_at: UTC; None before the first use.
        transports: How the browser may reach it.
        synced: Whether it can be on several devices.
    """

    id: str
    credential_id: str
    public_key: str
    sign_count: int
    name: str
    added_at: datetime
    last_used_at: datetime | None = None
    transports: tuple[str, ...] = ()
    synced: bool = False


class Credentials(_Record):
    """Everything one account has.

    Attributes:
        totp: The authenticator app.
        recovery_codes: Hashes of the codes that are left.
        passkeys: Oldest first.
    """

    totp: Totp | None = None
    recovery_codes: tuple[str, ...] = Field((), repr=False)
    passkeys: tuple[Passkey, ...] = ()

    @property
    def has_factor(self) -> bool:
        """Whether there is a second factor; recovery codes are only its spare."""
        return self.totp is not None or bool(self.passkeys)

    @property
    def methods(self) -> tuple[Method, ...]:
        """The ways to pass the second step, the best one first."""
        if not self.has_factor:
            return ()
        offered: list[Method] = ["passkey"] if self.passkeys else []
        offered += ["otp"] if self.totp else []
        offered += ["recovery-code"] if self.recovery_codes else []
        return tuple(offered)

    def with_passkey(self, passkey: Passkey) -> "Credentials":
        """Return them with this passkey, in the place of the one with its id if there is one."""
        others = tuple(one for one in self.passkeys if one.id != passkey.id)
        both = sorted((*others, passkey), key=lambda one: (one.added_at, one.id))
        return self.model_copy(update={"passkeys": tuple(both)})

    def without_passkey(self, passkey_id: str) -> "Credentials":
        """Return them without it; with the last factor its spare codes go too."""
        left = tuple(one for one in self.passkeys if one.id != passkey_id)
        return _tidied(self.model_copy(update={"passkeys": left}))

    def without_totp(self) -> "Credentials":
        """Return them without the app; with the last factor its spare codes go too."""
        return _tidied(self.model_copy(update={"totp": None}))


def _tidied(credentials: Credentials) -> Credentials:
    return credentials if credentials.has_factor else Credentials()


class CredentialStore:
    """The bucket CREDENTIALS.

    Every call may raise StoreUnavailable.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def read(self, account_id: str) -> Credentials:
        """Return what an account has; nothing is an empty record."""
        entry = await self._bucket.get(account_id)
        return Credentials() if entry is None else Credentials.model_validate_json(entry.value)

    async def change(
        self, account_id: str, edit: Callable[[Credentials], tuple[Credentials, T]]
    ) -> T:
        """Change a record, deciding again from its newest state if somebody was faster.

        Args:
            account_id: Whose.
            edit: Returns the new record and what to answer; may raise, and then nothing is
                written.
        """
        while True:
            entry = await self._bucket.get(account_id)
            before = (
                Credentials() if entry is None else Credentials.model_validate_json(entry.value)
            )
            after, answer = edit(before)
            if after == before:
                return answer
            value = after.model_dump_json().encode()
            try:
                if entry is None:
                    await self._bucket.create(account_id, value)
                else:
                    await self._bucket.update(account_id, value, entry.revision)
            except (KeyExists, WrongRevision):
                continue
            return answer

    async def reset(self, account_id: str) -> bool:
        """Take everything away; returns whether there was a factor."""
        return await self.change(account_id, lambda before: (Credentials(), before.has_factor))
