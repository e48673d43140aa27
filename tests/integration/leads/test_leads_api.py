"""The whole path over HTTP, on a real nats-server."""

import hashlib

from libs.events import NotificationSent
from tests.integration.leads.world import World


async def test_an_attorney_works_a_lead_from_the_list_to_the_history(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    lead = await world.submit(content=b"%PDF-1.7 " + b"x" * 300_000, file_name="Lebenslauf ä.pdf")
    await world.level(lena)

    page = await (await lena.get("/leads", params={"status": "PENDING"})).json()
    assert [item["id"] for item in page["items"]] == [str(lead)]
    assert page["next_cursor"] is None

    resume = await lena.get(f"/leads/{lead}/resume")
    content = await resume.read()
    assert hashlib.sha256(content).hexdigest() == page["items"][0]["resume"]["sha256"]
    assert resume.headers["Content-Length"] == str(len(content))
    assert resume.headers["X-Content-Type-Options"] == "nosniff"
    assert resume.headers["Content-Disposition"] == (
        "attachment; filename=\"Lebenslauf a.pdf\"; filename*=UTF-8''Lebenslauf%20%C3%A4.pdf"
    )
    again = await lena.get(f"/leads/{lead}/resume", {"If-None-Match": resume.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")

    said = {"channel": "phone", "note": "Spoke for an hour.\nWill send papers."}
    marked = await lena.post(f"/leads/{lead}/reached-out", json=said)
    answer = await marked.json()
    assert marked.status == 200
    assert answer["status"] == "REACHED_OUT"
    assert answer["already_reached_out"] is False
    assert answer["reached_out_by"] == {"id": lena.account_id, "name": "Lena Weber"}
    position = marked.headers["Leadlog-Position"]

    shown = await lena.get(f"/leads/{lead}", {"Leadlog-Position": position})
    assert await shown.json() == {k: v for k, v in answer.items() if k != "already_reached_out"}

    await world.append(
        lead,
        NotificationSent(
            template="t", recipient_role="prospect", recipient="ada@example.org", message_id="m"
        ),
        actor="service:notifier",
    )
    history = (await (await lena.get(f"/leads/{lead}/history")).json())["items"]
    assert [(entry["type"], entry["actor"]["kind"]) for entry in history] == [
        ("LeadSubmitted", "prospect"),
        ("LeadReachedOut", "account"),
        ("NotificationSent", "service"),
    ]
    assert history[1]["actor"]["name"] == "Lena Weber"
    assert history[1]["details"] == said
    assert "object" not in history[0]["details"]["resume"]
