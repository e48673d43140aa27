"""No secret, code, token or name of a passkey may reach a log, at its most talkative."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from libs.chassis.logs import configure_logging
from tests.integration.leads.world import PASSWORD, World
from tests.integration.mfa.people import LENA, enrol, first_step, second_step


@pytest.fixture
def debug_logs(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Log as the service does, and put everything back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("leads", "debug", "json")
    yield capfd
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_nothing_that_signs_in_is_logged(
    debug_logs: pytest.CaptureFixture[str], world: World
) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    app, codes = await enrol(lena)
    token, code, wrong = await first_step(client), app.code(), app.wrong_code()
    ceremony = (await (await client.post("/auth/token/passkey/options", json={})).json())[
        "ceremony"
    ]
    signed = {
        "id": "zqmarkedzq",
        "rawId": "zqmarkedzq",
        "type": "public-key",
        "response": {
            "clientDataJSON": "zqmarkedzq",
            "authenticatorData": "zqmarkedzq",
            "signature": "zqmarkedzq",
            "userHandle": "zqmarkedzq",
        },
    }
    answers = [
        await second_step(client, token, code=wrong),
        await second_step(client, token, code=code),
        await second_step(client, await first_step(client), recovery_code=codes[0]),
        await second_step(client, await first_step(client), recovery_code="zqmarkedzq"),
        await lena.post("/auth/step-up", json={"password": PASSWORD}),
        await lena.post("/auth/step-up", json={"recovery_code": codes[1]}),
        await client.post("/auth/token/passkey", json={"ceremony": ceremony, "credential": signed}),
        await client.post("/auth/token/second-step", json={"zqmarkedzq": "zqmarkedzq"}),
    ]
    assert [one.status for one in answers] == [403, 200, 200, 403, 401, 204, 403, 422]
    written = "".join(debug_logs.readouterr())
    assert "/auth/token/second-step" in written, "the requests are in the log"
    secrets = [app.secret, token, ceremony, "zqmarkedzq", PASSWORD, LENA, lena.access, *codes]
    assert [one for one in secrets if one in written] == []
    # Six digits can stand in a time or an id by chance; a code would stand alone.
    assert f'"{code}"' not in written
    assert f'"{wrong}"' not in written
