"""Every route of the OpenAPI document, with every role and with none, against the table."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from services.leads.auth import accounts
from services.leads.auth.accounts import StoredAccount
from services.leads.auth.login import start_session
from services.leads.auth.permissions import OPERATION_PERMISSIONS, ROLE_PERMISSIONS, Role
from services.leads.auth.sessions import ClientInfo
from services.leads.keys import AUTH
from services.leads.routes.bearer import UNLISTED
from tests.integration.leads.world import Client, World

SOMETHING = "0198c0de-0000-7000-8000-000000000000"
SEES_EVERYBODY = frozenset({"export_person", "erase_person", "list_audit", "export_audit"})
"""What nobody may do who sees only some leads, whatever the role."""
FORBIDDEN = "urn:leadlog:problem:forbidden"


async def operations(client: Client) -> list[tuple[str, str, str, bool]]:
    """Method, path, operation id, and whether it is closed."""
    document = await (await client.get("/openapi.json")).json()
    return [
        (method.upper(), path, one["operationId"], bool(one.get("security")))
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]


async def stored(world: World, role: Role, *, assigned_only: bool = False) -> StoredAccount:
    email = f"{role}-{assigned_only}@firm.example"
    await accounts.create_account(world.accounts, email, "Somebody", role=role)
    await accounts.set_role(world.accounts, email, role, assigned_only=assigned_only)
    found = await accounts.find(world.accounts, accounts.account_key(email))
    assert found is not None
    return found


async def call(client: Client, method: str, path: str, who: StoredAccount | None) -> Any:
    """Send a request that does nothing: made-up ids, and no body. Each has its own session."""
    headers = {}
    if who is not None:
        assert client.app is not None
        auth = client.app[AUTH]
        newest = await accounts.find(auth.accounts, who.key)
        assert newest is not None
        tokens = await start_session(
            auth,
            newest,
            methods=frozenset({"pwd"}),
            now=datetime.now(UTC),
            client=ClientInfo("127.0.0.1", "test"),
        )
        headers["Authorization"] = f"Bearer {tokens.access}"
    made_up = re.sub(r"\{[^}]+\}", SOMETHING, path)
    return await client.request(method, made_up, headers=headers, allow_redirects=False)


async def is_forbidden(answer: Any) -> bool:
    if answer.status != 403:
        return False
    return bool((await answer.json(content_type=None)).get("type") == FORBIDDEN)


async def test_the_table_knows_each_closed_route_and_no_other(world: World) -> None:
    client = await world.replica()
    known = await operations(client)
    closed = {operation for _, _, operation, is_closed in known if is_closed}
    assert closed == set(OPERATION_PERMISSIONS)

    assert client.app is not None
    served = {
        (route.method, route.resource.canonical)
        for route in client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    listed = {(method, path) for method, path, _, _ in known}
    assert {path for method, path in served - listed} == UNLISTED


async def test_without_a_token_only_open_routes_answer(world: World) -> None:
    client = await world.replica()
    for method, path, operation, is_closed in await operations(client):
        answer = await call(client, method, path, None)
        assert (answer.status == 401) is is_closed, (operation, answer.status)
        if is_closed:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer "), operation


@pytest.mark.parametrize("assigned_only", [False, True])
@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_the_table_gives_it_and_nothing_else(
    world: World,
    role: Role,
    assigned_only: bool,  # noqa: FBT001
) -> None:
    client = await world.replica()
    who = await stored(world, role, assigned_only=assigned_only)
    for method, path, operation, is_closed in await operations(client):
        if not is_closed:
            continue
        may = OPERATION_PERMISSIONS[operation] in ROLE_PERMISSIONS[role]
        may = may and not (assigned_only and operation in SEES_EVERYBODY)
        answer = await call(client, method, path, who)
        assert answer.status != 401, operation
        assert await is_forbidden(answer) is not may, (operation, answer.status)
        assert answer.status < 500 or not may, (operation, answer.status)
