"""Administration takes a proof of the last ten minutes, and is on record before it is done."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.chassis.buckets import Bucket
from libs.chassis.jetstream import get_batch
from libs.events.topology import AUDIT
from services.leads.auth.api_keys import API_KEYS
from services.leads.auth.permissions import Role
from services.leads.auth.sessions import SESSIONS, Session
from tests.integration.leads.world import PASSWORD, Attorney, Client, World, log_in, until

OMAR = {"email": "omar@firm.example", "name": "Omar Haddad"}
EMAIL = {"email": "ada@example.org"}
NEW = "a quiet harbour at dawn"
BUCKETS = ("ACCOUNTS", API_KEYS)


async def age(world: World) -> None:
    """Let every login have been proved eleven minutes ago."""
    bucket = Bucket(world.js, SESSIONS)
    for key in await bucket.keys():
        entry = await bucket.get(key)
        assert entry is not None
        session = Session.model_validate_json(entry.value)
        long_ago = datetime.now(UTC) - timedelta(minutes=11)
        old = session.model_copy(update={"created_at": long_ago})
        await bucket.put(key, old.model_dump_json().encode())


async def entries(world: World) -> list[dict[str, Any]]:
    return [json.loads(one.data) for one in await get_batch(world.js._nc, AUDIT, ">")]


async def fill_the_trail(world: World) -> None:
    info = await world.js.stream_info(AUDIT)
    await world.js.update_stream(replace(info.config, max_msgs=info.state.messages))


async def kept(world: World) -> list[dict[str, bytes]]:
    """All that accounts and API keys are made of."""
    found = []
    for name in BUCKETS:
        bucket = Bucket(world.js, name)
        read = {key: await bucket.get(key) for key in await bucket.keys()}
        found.append({key: entry.value for key, entry in read.items() if entry is not None})
    return found


async def send(who: Attorney, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {who.access}"}
    return await who.client.request(method, path, headers=headers, json=body)


@pytest.fixture
async def client(world: World) -> Client:
    return await world.replica()


@pytest.fixture
async def admin(world: World, client: Client) -> Attorney:
    return await world.attorney(client, role=Role.ADMIN)


def changes(account_id: str, invited_id: str) -> list[tuple[str, str, Any]]:
    """Every change to accounts that an administrator can ask for."""
    other = {"email": "mia@firm.example", "name": "Mia"}
    return [
        ("POST", "/accounts", {**other, "role": "admin"}),
        ("POST", f"/accounts/{invited_id}/invitation", None),
        ("PATCH", f"/accounts/{account_id}", {"role": "admin"}),
        ("PATCH", f"/accounts/{account_id}", {"assigned_only": True}),
        ("PATCH", f"/accounts/{account_id}", {"name": "Somebody"}),
        ("POST", f"/accounts/{account_id}/deactivation", None),
    ]


async def test_without_a_fresh_proof_an_administrator_administers_nothing(
    world: World, client: Client, admin: Attorney
) -> None:
    invited = await (await admin.post("/accounts", json=OMAR)).json()
    lena = await world.attorney(client, "mia@office.example", "Mia")
    asked = [
        *changes(lena.account_id, invited["id"]),
        ("POST", f"/accounts/{lena.account_id}/activation", None),
        ("DELETE", f"/accounts/{lena.account_id}/sessions", None),
        ("POST", "/people/export", EMAIL),
        ("POST", "/people/erase", EMAIL),
        ("PUT", "/auth/policy", {"mfa_required_for": []}),
    ]
    await age(world)
    before = await kept(world)
    for method, path, body in asked:
        answer = await send(admin, method, path, body)
        assert answer.status == 401, (method, path)
        assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]
    assert await kept(world) == before

    assert (await admin.post("/auth/step-up", json={"password": PASSWORD})).status == 204
    gone = await admin.post(f"/accounts/{lena.account_id}/deactivation")
    assert gone.status == 200, "a password is enough in an emergency"


async def test_a_key_made_for_it_exports_without_a_proof(
    world: World, client: Client, admin: Attorney
) -> None:
    wanted = {"name": "Requests", "scopes": ["people:export"]}
    made = await (await admin.post("/api-keys", json=wanted)).json()
    await age(world)
    machine = Attorney(client, made["key"], "")
    assert (await machine.post("/people/export", json=EMAIL)).status == 404
    assert (await machine.post("/accounts", json=OMAR)).status == 403


async def test_what_cannot_be_put_on_record_is_not_done(
    world: World, client: Client, admin: Attorney
) -> None:
    invited = await (await admin.post("/accounts", json=OMAR)).json()
    lena = await world.attorney(client, "mia@office.example", "Mia")
    gone = await world.attorney(client, "gone@office.example", "Gone")
    await admin.post(f"/accounts/{gone.account_id}/deactivation")
    wanted = {"name": "Import", "scopes": ["leads:read"]}
    key = await (await admin.post("/api-keys", json=wanted)).json()
    link = json.loads(
        (await world.js.get_last_msg("OUTBOX", "outbox.account_invitation")).data or b""
    )
    token = link["link"].partition("#")[2]
    await fill_the_trail(world)
    before = await kept(world)
    asked = [
        *changes(lena.account_id, invited["id"]),
        ("POST", f"/accounts/{gone.account_id}/activation", None),
        ("POST", "/api-keys", wanted),
        ("DELETE", f"/api-keys/{key['id']}", None),
        ("POST", "/auth/invitation", {"token": token, "password": NEW}),
    ]
    for method, path, body in asked:
        assert (await send(admin, method, path, body)).status == 503, (method, path)
    assert await kept(world) == before


async def test_a_reset_that_cannot_be_put_on_record_leaves_the_password(
    world: World, client: Client, admin: Attorney
) -> None:
    asked = await client.post("/auth/password-reset", json={"email": "lena@firm.example"})
    assert asked.status == 202
    found: list[Any] = []

    async def has_come() -> bool:
        found.extend(await get_batch(world.js._nc, "OUTBOX", "outbox.password_reset"))
        return bool(found)

    await until(has_come)
    mail = json.loads(found[0].data)
    await fill_the_trail(world)
    body = {"token": mail["link"].partition("#")[2], "password": NEW}
    before = await kept(world)

    assert (await client.post("/auth/password-reset/confirm", json=body)).status == 503
    assert await kept(world) == before
    assert (await admin.get("/auth/sessions")).status == 200


async def test_a_change_that_is_refused_after_its_entry_has_a_second_one(
    world: World, admin: Attorney
) -> None:
    own = f"account:{admin.account_id}"
    assert (await admin.post(f"/accounts/{admin.account_id}/deactivation")).status == 409
    noted = [one for one in await entries(world) if one["action"] == "account.deactivated"]
    assert [(one["outcome"], one["target"]) for one in noted] == [("ok", own), ("refused", own)]


async def test_a_change_that_changes_nothing_is_not_on_record(
    world: World, client: Client, admin: Attorney
) -> None:
    lena = await world.attorney(client, "mia@office.example", "Mia")
    count = len(await entries(world))
    same = await send(admin, "PATCH", f"/accounts/{lena.account_id}", {"role": "attorney"})
    assert same.status == 200
    assert (await admin.post(f"/accounts/{lena.account_id}/activation")).status == 200
    assert len(await entries(world)) == count
    assert (await log_in(client, "mia@office.example", PASSWORD)).status == 200
