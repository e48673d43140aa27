"""What somebody with a second factor does over HTTP."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyotp
from aiohttp import ClientResponse
from nats.js import JetStreamContext

from libs.chassis.jetstream import get_batch
from tests.integration.leads.world import PASSWORD, Attorney, Client, World, log_in

LENA = "lena@firm.example"


@dataclass
class App:
    """An authenticator app that never shows the same code twice, whatever the clock says."""

    secret: str
    steps_ahead: int = -1

    def code(self) -> str:
        """The next code: a step of the past, then of now, then of the next half minute."""
        now = int(datetime.now(UTC).timestamp()) // 30
        code = pyotp.TOTP(self.secret).generate_otp(now + self.steps_ahead)
        self.steps_ahead += 1
        return code

    def wrong_code(self) -> str:
        """A code that fits no step around now."""
        now = int(datetime.now(UTC).timestamp()) // 30
        right = {pyotp.TOTP(self.secret).generate_otp(now + step) for step in range(-3, 4)}
        return next(f"{one:06d}" for one in range(10) if f"{one:06d}" not in right)


async def enrol(attorney: Attorney) -> tuple[App, list[str]]:
    """Add an authenticator app; returns it and the recovery codes."""
    begun = await attorney.post("/auth/mfa/totp")
    assert begun.status == 201, await begun.text()
    enrolment = await begun.json()
    app = App(enrolment["secret"])
    done = await attorney.post(
        "/auth/mfa/totp/confirm", json={"enrolment": enrolment["enrolment"], "code": app.code()}
    )
    assert done.status == 200, await done.text()
    return app, (await done.json())["recovery_codes"]


async def first_step(client: Client, email: str = LENA) -> str:
    """Show the right password; returns the token for the second step."""
    answer = await log_in(client, email, PASSWORD)
    body = await answer.json()
    assert (answer.status, body["error"]) == (400, "mfa_required"), body
    token: str = body["mfa_token"]
    return token


async def second_step(client: Client, token: str, **proof: str) -> ClientResponse:
    return await client.post("/auth/token/second-step", json={"mfa_token": token, **proof})


async def signed_in(client: Client, answer: ClientResponse, account_id: str = "") -> Attorney:
    assert answer.status == 200, await answer.text()
    tokens = await answer.json()
    return Attorney(client, tokens["access_token"], tokens["refresh_token"], account_id)


async def notes(js: JetStreamContext) -> list[dict[str, Any]]:
    """The audit trail."""
    return [json.loads(one.data) for one in await get_batch(js._nc, "AUDIT", "audit.>")]


async def mails(world: World) -> list[str]:
    """The notices that were left for the notifier."""
    found = await get_batch(world.js._nc, "OUTBOX", "outbox.>")
    return [json.loads(one.data)["details"]["notice"] for one in found]
