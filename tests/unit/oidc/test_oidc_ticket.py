"""The one-time code between a sign-in at the provider and a session here."""

from datetime import UTC, datetime, timedelta

import pytest

from services.leads.auth import accounts
from services.leads.auth.accounts import account_key, plan_invited
from services.leads.auth.oidc.flow import SignInRefused
from services.leads.auth.oidc.provider import Client, Provider
from services.leads.auth.oidc.sign_in import CODE_SECONDS, CodeReused, Oidc, Rules, Ticket
from services.leads.auth.permissions import Role
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EMAIL = "lena@firm.example"
RULES = Rules(
    ["openid"], "groups", {}, may_create=False, return_url=None, max_age=timedelta(days=30)
)
TICKET = Ticket(
    account_key=account_key(EMAIL),
    epoch=1,
    methods=frozenset({"oidc"}),
    at=NOW,
    proved_at=NOW,
)


def at_the_desk() -> Oidc:
    client = Client("https://id.firm.example", "leadlog", None, "https://leads.firm.example/back")
    return Oidc(Provider(client), client, RULES, MemoryBucket(), MemoryBucket())


async def test_a_second_use_names_the_login_of_the_first() -> None:
    oidc = at_the_desk()
    code = await oidc.hand_out(TICKET)
    await oidc.used_for(await oidc.take_back(code, NOW), "the session")
    with pytest.raises(CodeReused) as caught:
        await oidc.take_back(code, NOW)
    assert caught.value.session_id == "the session"


async def test_a_second_use_before_there_is_a_login_is_seen_by_the_first() -> None:
    # Given a code that has been taken, and whose login is being made
    oidc = at_the_desk()
    code = await oidc.hand_out(TICKET)
    taken = await oidc.take_back(code, NOW)
    # When it comes again
    with pytest.raises(CodeReused) as second:
        await oidc.take_back(code, NOW)
    assert second.value.session_id is None
    # Then the first use hears of it, and has a login to end
    with pytest.raises(CodeReused) as first:
        await oidc.used_for(taken, "the session")
    assert first.value.session_id == "the session"


async def test_a_code_is_good_for_a_minute() -> None:
    oidc = at_the_desk()
    code = await oidc.hand_out(TICKET)
    with pytest.raises(SignInRefused, match="too old"):
        await oidc.take_back(code, NOW + timedelta(seconds=CODE_SECONDS + 1))
    with pytest.raises(SignInRefused, match="not valid"):
        await oidc.take_back("made up", NOW)


async def test_a_ticket_is_void_once_the_sessions_of_its_account_have_been_ended() -> None:
    oidc = at_the_desk()
    planned = await plan_invited(
        oidc.accounts, EMAIL, "Lena", role=Role.VIEWER, assigned_only=False
    )
    await accounts.add(oidc.accounts, planned)
    assert (await oidc.account(TICKET)).account.epoch == TICKET.epoch
    await accounts.change(
        oidc.accounts, account_key(EMAIL), lambda one: one.model_copy(update={"epoch": 2})
    )
    with pytest.raises(SignInRefused, match="changed meanwhile"):
        await oidc.account(TICKET)
