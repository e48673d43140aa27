"""The audit trail over HTTP: who may read it, what is in it, and that reading it is on record."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientPayloadError

from libs.audit import AuditEntry, AuditLog, RecordedEntry
from libs.audit.reading import AuditReader, Span
from libs.audit.search import Search
from libs.chassis.errors import StoreUnavailable
from libs.events import new_id
from libs.events.topology import AUDIT
from services.leads.audit_files import COLUMNS
from services.leads.auth import accounts
from services.leads.auth.permissions import Role
from tests.integration.leads.test_api_keys_api import make
from tests.integration.leads.world import Attorney, Client, World, until

ENDED = asyncio.Event()
Batches = AsyncGenerator[list[RecordedEntry], None]


async def an_admin(world: World, client: Client) -> Attorney:
    return await world.attorney(client, "ruth@firm.example", "Ruth Klein", role=Role.ADMIN)


async def items(who: Attorney, **query: str) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    more: str | None = ""
    while more is not None:
        cursor = {"cursor": more} if more else {}
        answer = await who.get("/audit", params=query | cursor)
        assert answer.status == 200, await answer.text()
        page = await answer.json()
        found += page["items"]
        more = page["next_cursor"]
    return found


async def write(world: World, count: int, **more: str) -> None:
    log = AuditLog(world.js)
    for number in range(count):
        fields = {"action": "lead.read", "actor": "operator", "target": f"lead:{number}"}
        await log.record(AuditEntry.model_validate(fields | more))


async def test_an_entry_is_shown_with_the_names_of_today(world: World) -> None:
    client = await world.replica()
    ruth, lena = await an_admin(world, client), await world.attorney(client)
    lead_id = await world.submit()
    await world.level(lena)
    assert (await lena.get(f"/leads/{lead_id}")).status == 200

    [read] = await items(ruth, action="lead.read")

    assert read["target"] == f"lead:{lead_id}"
    assert read["target_name"] == "Ada Lovelace"
    assert read["actor"] == f"account:{lena.account_id}"
    assert read["actor_name"] == "Lena Weber"
    assert (read["outcome"], read["address"]) == ("ok", "127.0.0.0/24")
    assert datetime.fromisoformat(read["time"]) <= datetime.now(UTC)
    stored = await world.js.get_msg(AUDIT, seq=read["position"])
    assert b"Ada" not in (stored.data or b"")
    assert b"Lena" not in (stored.data or b"")


async def test_what_is_gone_has_no_name(world: World) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    await write(world, 1, actor=f"account:{new_id()}", target=f"lead:{new_id()}")
    [entry] = await items(ruth, action="lead")
    assert (entry["actor_name"], entry["target_name"]) == (None, None)


async def test_the_filters_find_what_they_name_and_nothing_else(world: World) -> None:
    client = await world.replica()
    ruth, lena = await an_admin(world, client), await world.attorney(client)
    own = f"account:{lena.account_id}"
    assert (await lena.get("/leads")).status == 200
    assert (await lena.get("/accounts")).status == 403
    before = await items(ruth)

    async def actions(**query: str) -> list[str]:
        return [one["action"] for one in await items(ruth, **query)]

    assert await actions(actor=own) == ["access.refused", "leads.listed", "sign-in.password"]
    assert await actions(actor=own, action="leads") == ["leads.listed"]
    assert await actions(target=own) == ["sign-in.password"]
    assert await actions(outcome="refused") == ["access.refused"]
    assert await actions(action="lead") == []
    noon = before[1]["time"]  # each entry has its own time, to the microsecond
    assert await actions(**{"from": noon, "to": noon}) == [before[1]["action"]]
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    assert await actions(to=long_ago) == []
    assert await actions(**{"from": (datetime.now(UTC) + timedelta(days=2)).isoformat()}) == []
    assert len(await actions(**{"from": "1900-01-01", "to": "9999-12-31"})) > len(before)


async def test_pages_are_newest_first_and_fit_together(world: World) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    await write(world, 9)
    found = await items(ruth, action="lead.read", limit="4")
    assert [one["target"] for one in found] == [f"lead:{number}" for number in range(8, -1, -1)]

    [first, *_] = found
    page = await (await ruth.get("/audit?action=lead.read&limit=4")).json()
    other = await ruth.get("/audit", params={"cursor": page["next_cursor"]})
    assert other.status == 422  # another filter
    assert first["position"] > found[-1]["position"]


async def test_reading_the_trail_is_on_record_without_what_was_typed_in_vain(world: World) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    assert (await ruth.get("/audit?actor=lena&outcome=ok")).status == 200
    assert (await ruth.get("/audit?action=sign-in")).status == 200
    assert (await ruth.get("/audit/export?action=sign-in&format=jsonl")).status == 200

    exported, seen, vain = await items(ruth, actor=f"account:{ruth.account_id}", action="audit")
    assert vain["details"] == {"by_actor": True, "outcome": "ok", "count": 0, "first_page": True}
    assert seen["details"] == {"action": "sign-in", "count": 1, "first_page": True}
    assert (exported["action"], exported["details"]["action"]) == ("audit.exported", "sign-in")


async def test_a_trail_whose_beginning_is_too_old_is_read_from_where_it_begins(
    world: World,
) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    await write(world, 20)
    info = await world.js.stream_info(AUDIT)
    info.config.max_age = info.config.duplicate_window = 0.2
    await world.js.update_stream(info.config)

    async def is_empty() -> bool:
        return (await world.js.stream_info(AUDIT)).state.messages == 0

    await until(is_empty)
    reader = AuditReader(world.js)
    assert (await reader.page(Search(), limit=10)).entries == []
    info.config.max_age = 0
    await world.js.update_stream(info.config)
    await write(world, 3)
    assert [one["position"] for one in await items(ruth)] == [24, 23, 22]


async def test_an_export_has_all_in_order_and_nothing_that_runs(world: World) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    lead_id = await world.submit('=HYPERLINK("https://x.example")', "Eve, the 2nd")
    await world.level(ruth)
    await write(world, 600, action="lead.history-read")
    assert (await ruth.get(f"/leads/{lead_id}")).status == 200

    answer = await ruth.get("/audit/export?action=lead")
    assert answer.content_type == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    head, *rows = csv.reader(io.StringIO(await answer.text()))
    assert tuple(head) == COLUMNS
    table = [dict(zip(head, row, strict=True)) for row in rows]
    assert [row["target"] for row in table[:-1]] == [f"lead:{number}" for number in range(600)]
    assert table[-1]["target_name"] == """'=HYPERLINK("https://x.example") Eve, the 2nd"""

    lines = (await (await ruth.get("/audit/export?action=lead&format=jsonl")).text()).splitlines()
    assert [json.loads(line)["target"] for line in lines] == [row["target"] for row in table]
    listed = await items(ruth, action="lead", limit="200")
    assert [json.loads(line) for line in lines] == listed[::-1]
    assert (await (await ruth.get("/audit/export?action=none")).text()).count("\n") == 1


async def test_a_key_for_the_trail_alone_learns_no_leads_name(world: World) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    lead_id = await world.submit()
    await world.level(ruth)
    _, machine = await make(ruth, "audit:read")
    await write(world, 1, target=f"lead:{lead_id}")

    for who, name in ((ruth, "Ada Lovelace"), (machine, None)):
        [entry] = await items(who, target=f"lead:{lead_id}")
        assert entry["target_name"] == name
    assert "Lovelace" not in await (await machine.get("/audit/export")).text()


async def endless(_reader: AuditReader, _search: Search, _span: Span) -> Batches:
    entry = AuditEntry(action="lead.read", actor="operator")
    one = RecordedEntry(**dict(entry), id=new_id(), time=datetime.now(UTC))
    try:
        while True:
            yield [one] * 256
    finally:
        ENDED.set()


async def cut_short(_reader: AuditReader, _search: Search, _span: Span) -> Batches:
    async for batch in endless(_reader, _search, _span):
        yield batch
        raise StoreUnavailable


async def test_an_export_is_sent_while_it_is_read_and_ends_with_its_reader(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    ENDED.clear()
    monkeypatch.setattr(AuditReader, "oldest_first", endless)
    answer = await ruth.get("/audit/export")  # of a trail without end
    assert await answer.content.readline() == (",".join(COLUMNS) + "\r\n").encode()
    assert not ENDED.is_set()
    answer.close()
    async with asyncio.timeout(20):
        await ENDED.wait()


async def test_an_export_that_is_cut_short_does_not_look_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await world.replica()
    ruth = await an_admin(world, client)
    monkeypatch.setattr(AuditReader, "oldest_first", cut_short)
    answer = await ruth.get("/audit/export")
    assert answer.status == 200
    with pytest.raises(ClientPayloadError):
        await answer.read()


@pytest.mark.parametrize("path", ["/audit", "/audit/export"])
async def test_who_may_not_read_it_is_told_so_and_that_is_on_record(
    world: World, path: str
) -> None:
    client = await world.replica()
    ruth, lena = await an_admin(world, client), await world.attorney(client)
    assert (await lena.get(path)).status == 403
    [refused] = await items(ruth, action="access.refused")
    assert refused["actor"] == f"account:{lena.account_id}"
    assert refused["outcome"] == "refused"
    assert refused["details"] == {"needed": "audit:read"}

    await accounts.set_role(world.accounts, "lena@firm.example", Role.ADMIN, assigned_only=True)

    async def is_narrowed() -> bool:
        answer = await lena.get(path)
        assert answer.status == 403
        return "only the leads" in await answer.text()

    await until(is_narrowed)
