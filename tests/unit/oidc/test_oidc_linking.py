"""Whose account it is: one person's at the provider, however addresses are given to others."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.leads.auth import accounts
from services.leads.auth.accounts import Account, AccountUnknown, account_key, plan_invited
from services.leads.auth.oidc.flow import Person, SignInRefused
from services.leads.auth.oidc.linking import Found, account_of, link_of, unlink
from services.leads.auth.oidc.sign_in import take_role
from services.leads.auth.permissions import Role
from tests.unit.leads.memory_bucket import MemoryBucket

ISSUER = "https://id.firm.example"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD = Person("sub-a", "lena@firm.example", "Lena Weber", frozenset({"oidc"}), frozenset())
NEW = replace(OLD, subject="sub-b", name="Lena Wagner")


async def an_account(
    bucket: MemoryBucket, email: str = "lena@firm.example", role: Role = Role.ATTORNEY
) -> Account:
    planned = await plan_invited(bucket, email, "Lena", role=role, assigned_only=False)
    made = await accounts.add(bucket, planned)
    return await accounts.change(
        bucket, made.key, lambda one: one.model_copy(update={"password_hash": "none"})
    )


async def sign_in(bucket: MemoryBucket, person: Person) -> Found:
    return await account_of(bucket, ISSUER, person, None, may_create=False)


async def identity(bucket: MemoryBucket) -> str | None:
    stored = await accounts.find(bucket, account_key("lena@firm.example"))
    assert stored
    return stored.account.identity


async def test_whoever_gets_the_address_later_does_not_get_the_account() -> None:
    # Given an account that somebody has signed in to
    bucket = MemoryBucket()
    account = await an_account(bucket)
    first = await sign_in(bucket, OLD)
    assert (first.stored.account.id, first.linked_now) == (account.id, True)
    # When the provider gives the address to another person
    with pytest.raises(SignInRefused, match=r"linked to another person .* can unlink it"):
        await sign_in(bucket, NEW)
    # Then nothing is noted of them, and it stays the first one's, whatever their address is now
    assert await bucket.get(link_of(ISSUER, NEW.subject)) is None
    again = await sign_in(bucket, replace(OLD, email="lena.new@firm.example"))
    assert (again.stored.account.id, again.linked_now) == (account.id, False)


async def test_of_two_at_the_same_moment_one_gets_it() -> None:
    bucket = MemoryBucket()
    await an_account(bucket)
    results = await asyncio.gather(
        *(sign_in(bucket, who) for who in (OLD, NEW)), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, SignInRefused)]
    found = [one for one in results if isinstance(one, Found)]
    assert (len(refused), len(found)) == (1, 1)
    assert found[0].stored.account.identity == await identity(bucket)


async def test_the_same_person_in_two_windows_is_let_in_twice() -> None:
    bucket = MemoryBucket()
    await an_account(bucket)
    both = await asyncio.gather(sign_in(bucket, OLD), sign_in(bucket, OLD))
    assert sorted(one.linked_now for one in both) == [False, True]


@pytest.mark.parametrize("first_back", [OLD, NEW])
async def test_an_account_from_before_is_of_who_had_it_first(first_back: Person) -> None:
    # Given an account that only a pointer names, as earlier versions left it
    bucket = MemoryBucket()
    account = await an_account(bucket)
    key = account_key("lena@firm.example").encode()
    await bucket.create(link_of(ISSUER, OLD.subject), key)
    assert await identity(bucket) is None
    # When somebody signs in, be it the one who has the address now
    if first_back is NEW:
        with pytest.raises(SignInRefused, match="another person"):
            await sign_in(bucket, NEW)
    else:
        assert (await sign_in(bucket, OLD)).stored.account.id == account.id
    # Then the account names who had it first
    assert await identity(bucket) == link_of(ISSUER, OLD.subject)
    assert (await sign_in(bucket, OLD)).linked_now is False


async def test_of_two_who_have_it_from_before_the_older_keeps_it() -> None:
    bucket = MemoryBucket()
    await an_account(bucket)
    key = account_key("lena@firm.example").encode()
    await bucket.create(link_of(ISSUER, OLD.subject), key)
    await bucket.create(link_of(ISSUER, NEW.subject), key)
    with pytest.raises(SignInRefused, match="another person"):
        await sign_in(bucket, NEW)
    assert await identity(bucket) == link_of(ISSUER, OLD.subject)


async def test_an_administrator_unlinks_it_and_the_next_person_gets_it() -> None:
    bucket = MemoryBucket()
    account = await an_account(bucket)
    await sign_in(bucket, OLD)
    # When
    changed = await unlink(bucket, account.id)
    # Then its sessions are over, and it is the new one's
    assert (changed.identity, changed.epoch) == (None, account.epoch + 1)
    assert (await sign_in(bucket, NEW)).linked_now
    with pytest.raises(SignInRefused, match="another person"):
        await sign_in(bucket, OLD)
    with pytest.raises(AccountUnknown):
        await unlink(bucket, "nobody")


async def test_a_deactivated_account_is_linked_to_nobody() -> None:
    bucket = MemoryBucket()
    await an_account(bucket)
    await accounts.deactivate(bucket, "lena@firm.example")
    with pytest.raises(SignInRefused, match="no active account"):
        await sign_in(bucket, OLD)
    assert await identity(bucket) is None


async def test_the_last_administrator_stays_one_whatever_the_groups_say() -> None:
    bucket = MemoryBucket()
    lena = await an_account(bucket, role=Role.ADMIN)
    assert await take_role(bucket, lena, Role.VIEWER, NOW) is None
    stored = await accounts.find_by_id(bucket, lena.id)
    assert stored
    assert stored.account.role is Role.ADMIN


async def test_a_role_is_taken_over_when_there_is_another_administrator() -> None:
    bucket = MemoryBucket()
    lena = await an_account(bucket, role=Role.ADMIN)
    await an_account(bucket, "omar@firm.example", Role.ADMIN)
    changed = await take_role(bucket, lena, Role.VIEWER, NOW)
    assert changed
    assert (changed.before.role, changed.after.role) == (Role.ADMIN, Role.VIEWER)
    assert await take_role(bucket, changed.after, Role.VIEWER, NOW) is None
    assert await take_role(bucket, changed.after, None, NOW) is None
