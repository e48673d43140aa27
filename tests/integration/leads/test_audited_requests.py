"""Every look at a lead leaves an entry before its answer, and no entry holds what was typed."""

import json
from dataclasses import replace
from typing import Any

from libs.chassis.jetstream import get_batch
from libs.events.topology import AUDIT
from services.leads.auth.permissions import Role
from tests.integration.leads.world import PASSWORD, World, log_in

MARKED = "marked.somebody@nowhere.example"


async def entries(world: World) -> list[dict[str, Any]]:
    messages = await get_batch(world.js._nc, AUDIT, ">")
    return [json.loads(message.data) for message in messages]


async def test_reading_a_lead_is_on_record(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead_id = await world.submit(last_name="Markedname")
    await world.level(lena)

    for path in ("", "/history", "/resume"):
        assert (await lena.get(f"/leads/{lead_id}{path}")).status == 200
    assert (await lena.get("/leads?q=Markedname&status=PENDING")).status == 200
    assert (await lena.post(f"/leads/{lead_id}/reached-out")).status == 200
    assert (await lena.post("/auth/logout")).status == 204

    noted = await entries(world)
    of_lead = [one for one in noted if one.get("target") == f"lead:{lead_id}"]
    assert [one["action"] for one in of_lead] == [
        "lead.read",
        "lead.history-read",
        "resume.read",
        "lead.reached-out",
    ]
    assert {one["actor"] for one in of_lead} == {f"account:{lena.account_id}"}
    assert {one["address"] for one in of_lead} == {"127.0.0.0/24"}
    [listed] = [one for one in noted if one["details"].get("by_q")]
    assert (listed["details"]["count"], listed["details"]["status"]) == (1, "PENDING")
    assert noted[0]["action"] == "sign-in.password"
    assert noted[-1]["action"] == "session.ended"
    assert "Markedname" not in json.dumps(noted)
    assert "lena@firm" not in json.dumps(noted)


async def test_a_refused_sign_in_names_the_account_but_never_the_address(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)

    assert (await log_in(client, "lena@firm.example", "wrong password")).status == 400
    assert (await log_in(client, MARKED, PASSWORD)).status == 400

    known, unknown = (await entries(world))[-2:]
    assert (known["actor"], known["outcome"]) == ("anonymous", "refused")
    assert known["target"] == f"account:{lena.account_id}"
    assert (unknown["outcome"], unknown.get("target")) == ("refused", None)
    assert "marked" not in json.dumps([known, unknown])


async def test_what_a_role_may_not_do_is_refused_on_record(world: World) -> None:
    client = await world.replica()
    viewer = await world.attorney(client, role=Role.VIEWER)
    lead_id = await world.submit()

    assert (await viewer.post(f"/leads/{lead_id}/reached-out")).status == 403

    noted = (await entries(world))[-1]
    assert (noted["action"], noted["outcome"]) == ("access.refused", "refused")
    assert noted["actor"] == f"account:{viewer.account_id}"
    assert noted["details"] == {"needed": "leads:reach-out"}


async def test_without_an_entry_nothing_is_handed_out(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead_id = await world.submit()
    await world.level(lena)
    info = await world.js.stream_info(AUDIT)
    await world.js.update_stream(replace(info.config, max_msgs=info.state.messages))

    for path in ("", "/resume", "/history"):  # the trail is full
        answer = await lena.get(f"/leads/{lead_id}{path}")
        assert answer.status == 503
        assert b"Lovelace" not in await answer.read()
