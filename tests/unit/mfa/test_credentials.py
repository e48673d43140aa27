"""The record of an account, and that races over it have one winner."""

import asyncio
from datetime import UTC, datetime

from services.leads.auth.mfa import recovery
from services.leads.auth.mfa.credentials import Credentials, CredentialStore, Passkey, Totp
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
APP = Totp(secret="sealed", added_at=NOW, last_step=1)
KEY = Passkey(
    id="1", credential_id="abc", public_key="def", sign_count=0, name="Laptop", added_at=NOW
)


def test_what_is_offered_follows_from_what_is_there() -> None:
    both = Credentials(totp=APP, passkeys=(KEY,), recovery_codes=("hash",))
    assert both.methods == ("passkey", "otp", "recovery-code")
    assert both.without_totp().methods == ("passkey", "recovery-code")
    assert both.without_totp().without_passkey("1") == Credentials()
    assert both.without_passkey("other") == both


def test_a_secret_does_not_show_in_a_repr() -> None:
    shown = repr(Credentials(totp=APP, recovery_codes=("hash",)))
    assert "sealed" not in shown
    assert "hash" not in shown


async def test_one_recovery_code_used_many_times_at_once_works_once() -> None:
    store = CredentialStore(MemoryBucket())
    codes = recovery.new_codes()
    await store.change("a", lambda _: (recovery.with_codes(Credentials(totp=APP), codes), None))
    used = await asyncio.gather(
        *(store.change("a", lambda one: recovery.used(one, codes[0])) for _ in range(6))
    )
    assert sorted(used) == [False] * 5 + [True]
    assert len((await store.read("a")).recovery_codes) == 9


async def test_a_reset_says_whether_there_was_something() -> None:
    store = CredentialStore(MemoryBucket())
    assert await store.reset("a") is False
    await store.change("a", lambda one: (one.with_passkey(KEY), None))
    assert await store.reset("a") is True
    assert await store.read("a") == Credentials()
