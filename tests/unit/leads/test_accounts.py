from typing import Literal

import pytest
from argon2 import PasswordHasher

from services.leads.auth import accounts
from services.leads.auth.accounts import AccountExists, AccountUnknown, BadAccount
from services.leads.auth.directory import AccountDirectory
from services.leads.auth.password_rules import WeakPassword
from services.leads.auth.passwords import Passwords
from tests.unit.leads.memory_bucket import MemoryBucket

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PASSWORD = "correct horse battery"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


async def test_an_account_gets_a_strong_password_that_is_shown_once(bucket: MemoryBucket) -> None:
    account, password = await accounts.create_account(
        bucket, "Lena@Firm.example", " Lena  Weber ", hasher=CHEAP
    )

    assert account.name == "Lena Weber"
    assert password is not None
    assert len(password) >= 20
    assert await CHEAP.verify(account.password_hash, password)
    assert password.encode() not in b"".join(e.value for e in bucket.entries.values())


async def test_an_account_is_found_by_address_in_any_case_and_by_id(bucket: MemoryBucket) -> None:
    account, none = await accounts.create_account(
        bucket, "Lena@Firm.example", "Lena", PASSWORD, hasher=CHEAP
    )
    by_address = await accounts.find(bucket, accounts.account_key("lena@FIRM.example"))
    by_id = await accounts.find_by_id(bucket, account.id)

    assert none is None
    assert by_address == by_id
    assert by_id is not None
    assert by_id.account == account


async def test_no_key_holds_an_address_and_no_account_shows_one(bucket: MemoryBucket) -> None:
    account, _ = await accounts.create_account(
        bucket, "lena@firm.example", "Lena", PASSWORD, hasher=CHEAP
    )

    assert not any("lena" in key or "@" in key for key in bucket.entries)
    assert "lena" not in f"{account} {account!r}".lower()
    assert "argon2" not in f"{account} {account!r}"


async def test_an_address_has_one_account(bucket: MemoryBucket) -> None:
    await accounts.create_account(bucket, "lena@firm.example", "Lena", PASSWORD, hasher=CHEAP)
    with pytest.raises(AccountExists):
        await accounts.create_account(bucket, "LENA@firm.example", "L", PASSWORD, hasher=CHEAP)

    assert len(await accounts.list_accounts(bucket)) == 1


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("nobody", "N"),
        ("a@b@c", "N"),
        ("lena@firm.example", " "),
        ("lena@firm.example", "a\x00b"),
        ("lena@firm.example", "x" * 201),
    ],
)
async def test_what_is_no_address_or_name_is_refused(
    bucket: MemoryBucket, email: str, name: str
) -> None:
    with pytest.raises(BadAccount):
        await accounts.create_account(bucket, email, name, PASSWORD, hasher=CHEAP)

    assert bucket.entries == {}


@pytest.mark.parametrize("password", ["", "correct horse", "correct horse" + " xy" * 400])
async def test_a_password_has_15_to_1024_characters(bucket: MemoryBucket, password: str) -> None:
    with pytest.raises(WeakPassword):
        await accounts.create_account(bucket, "lena@firm.example", "Lena", password, hasher=CHEAP)


async def test_a_new_password_begins_a_new_epoch(bucket: MemoryBucket) -> None:
    await accounts.create_account(bucket, "lena@firm.example", "Lena", PASSWORD, hasher=CHEAP)
    made_up = await accounts.set_password(bucket, "lena@firm.example", hasher=CHEAP)
    (account,) = await accounts.list_accounts(bucket)

    assert made_up is not None
    assert account.epoch == 2
    assert await CHEAP.verify(account.password_hash, made_up)
    with pytest.raises(AccountUnknown):
        await accounts.set_password(bucket, "nobody@firm.example", hasher=CHEAP)


async def test_two_changes_at_once_are_both_made(bucket: MemoryBucket) -> None:
    await accounts.create_account(bucket, "lena@firm.example", "Lena", PASSWORD, hasher=CHEAP)
    key = accounts.account_key("lena@firm.example")
    stored = await accounts.find(bucket, key)
    assert stored is not None
    done = False

    def slow_edit(account: accounts.Account) -> accounts.Account:
        nonlocal done
        if not done:  # somebody else writes between our read and our write
            done = True
            other = account.model_copy(update={"name": "Lena Weber"})
            bucket.revision += 1
            bucket.entries[key] = type(bucket.entries[key])(
                other.model_dump_json().encode(), bucket.revision
            )
        return account.model_copy(update={"active": False})

    changed = await accounts.change(bucket, key, slow_edit)

    assert (changed.name, changed.active) == ("Lena Weber", False)


async def test_names_are_looked_up_once_a_minute(bucket: MemoryBucket) -> None:
    account, _ = await accounts.create_account(
        bucket, "lena@firm.example", "Lena", PASSWORD, hasher=CHEAP
    )
    clock = [100.0]
    directory = AccountDirectory(bucket, lambda: clock[0])
    bucket.reads = 0
    first = await directory.names([account.id, account.id, None, "gone", "bad id!"])
    reads = bucket.reads
    again = await directory.names([account.id, "gone"])

    assert first == again == {account.id: "Lena", "gone": None}
    assert bucket.reads == reads
    clock[0] += 61
    await directory.names([account.id])
    assert bucket.reads > reads


async def test_a_password_is_verified_and_an_unknown_account_never(bucket: MemoryBucket) -> None:
    known = await CHEAP.hash(PASSWORD)

    assert await CHEAP.verify(known, PASSWORD)
    assert not await CHEAP.verify(known, PASSWORD + "x")
    assert not await CHEAP.verify(None, PASSWORD)
    assert not await CHEAP.verify("not a hash", PASSWORD)


async def test_an_unknown_account_costs_the_same_work() -> None:
    calls: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            calls.append(str(hash).split("$")[3])
            return super().verify(hash, password)

    passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    await passwords.verify(await passwords.hash(PASSWORD), "wrong")
    await passwords.verify(None, "wrong")

    assert calls == ["m=8,t=1,p=1", "m=8,t=1,p=1"]


async def test_a_cheaper_hash_than_todays_is_outdated() -> None:
    assert Passwords().is_outdated(await CHEAP.hash(PASSWORD))
    assert not CHEAP.is_outdated(await CHEAP.hash(PASSWORD))
