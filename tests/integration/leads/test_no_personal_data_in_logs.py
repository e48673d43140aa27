"""Marked names, addresses, passwords and tokens: none may reach a log, whatever goes wrong."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from nats.js import JetStreamContext

from libs.chassis.logs import configure_logging
from libs.events import Part
from libs.events.subjects import subject_of
from services.leads.auth import accounts
from tests.integration.leads.world import World, log_in, renew

MARK = "zqmarkedzq"
PASSWORD = f"{MARK}-password-{MARK}"


@pytest.fixture
def debug_logs(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Log as the service does, at its most talkative, and put everything back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("leads", "debug", "json")
    yield capfd
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_nothing_personal_is_logged(
    debug_logs: pytest.CaptureFixture[str], world: World, js: JetStreamContext
) -> None:
    client = await world.replica()
    email = f"{MARK}@firm.example"
    await accounts.create_account(world.accounts, email, f"{MARK} Weber", PASSWORD)
    tokens = await (await log_in(client, email, PASSWORD)).json()
    lena = (await world.attorney(client)).at(client)
    lena.access = tokens["access_token"]
    lead = await world.submit(
        MARK, MARK, f"{MARK}@example.org", file_name=f"{MARK}.pdf", content=MARK.encode()
    )
    await js.publish(subject_of(lead, Part.MAIL), f"broken {MARK}".encode())
    await world.level(lena)
    requests = [
        await lena.get("/leads", params={"q": MARK, "email": f"{MARK}@example.org"}),
        await lena.get(f"/leads/{lead}/history"),
        await lena.get(f"/leads/{lead}/resume"),
        await lena.post(f"/leads/{lead}/reached-out", json={"note": MARK}),
        await lena.post(f"/leads/{lead}/reached-out", json={"note": MARK, MARK: MARK}),
        await lena.get("/leads", params={"cursor": MARK}),
        await lena.get("/leads", params={"status": MARK}),
        await lena.get(f"/leads/{MARK}"),
        await log_in(client, email, f"wrong {PASSWORD}"),
        await log_in(client, f"nobody-{email}", PASSWORD),
        await renew(client, tokens["refresh_token"]),
        await renew(client, tokens["refresh_token"]),
        await client.get("/leads", headers={"Authorization": f"Bearer {MARK}"}),
        await lena.post(
            "/auth/password", json={"current_password": MARK, "new_password": PASSWORD + "2"}
        ),
        await lena.post("/auth/password", json={"current_password": MARK, "new_password": MARK}),
    ]
    for answer in requests:
        await answer.read()
    resume = (await world.store.load(lead)).events[0].event.model_dump()["resume"]["object"]
    await world.resumes.delete(resume)
    assert (await lena.get(f"/leads/{lead}/resume")).status == 410
    printed = "".join(debug_logs.readouterr())

    assert '"event": "request"' in printed
    assert '"route": "/leads/{id}/resume"' in printed
    assert MARK not in printed.lower()
    for secret in (tokens["access_token"], tokens["refresh_token"].split(".")[1]):
        assert secret not in printed
