"""Authenticator apps and recovery codes, over HTTP on a real nats-server."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from tests.integration.leads.world import PASSWORD, World, log_in, until
from tests.integration.mfa.people import (
    LENA,
    App,
    enrol,
    first_step,
    mails,
    notes,
    second_step,
    signed_in,
)


async def test_an_app_is_shown_once_and_counts_after_its_first_code(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    begun = await (await lena.post("/auth/mfa/totp")).json()
    uri = urlsplit(begun["uri"])
    assert parse_qs(uri.query)["secret"] == [begun["secret"]]
    assert (await log_in(client, LENA, PASSWORD)).status == 200, "it counts too early"

    app = App(begun["secret"])
    wrong = await lena.post(
        "/auth/mfa/totp/confirm",
        json={"enrolment": begun["enrolment"], "code": app.wrong_code()},
    )
    right = await lena.post(
        "/auth/mfa/totp/confirm", json={"enrolment": begun["enrolment"], "code": app.code()}
    )
    again = await lena.post(
        "/auth/mfa/totp/confirm", json={"enrolment": begun["enrolment"], "code": app.code()}
    )
    assert (wrong.status, right.status, again.status) == (403, 200, 410)
    assert len((await right.json())["recovery_codes"]) == 10
    assert (await log_in(client, LENA, PASSWORD)).status == 400
    status = await (await lena.get("/auth/mfa")).json()
    assert (status["recovery_codes_left"], status["passed"]) == (10, True)
    assert begun["secret"] not in str(status)


async def test_the_second_step_gives_tokens_and_a_code_works_once(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    app, _ = await enrol(lena)
    token, code = await first_step(client), app.code()

    again = await signed_in(client, await second_step(client, token, code=code))
    assert (await again.get("/leads")).status == 200
    replayed = await second_step(client, await first_step(client), code=code)
    assert replayed.status == 403
    assert (await replayed.json())["type"] == "urn:leadlog:problem:wrong-code"
    used = await second_step(client, token, code=app.code())
    assert used.status == 410


async def test_the_same_code_twice_at_once_works_once(world: World) -> None:
    first, second = await asyncio.gather(world.replica(), world.replica())
    app, _ = await enrol(await world.attorney(first))
    code = app.code()
    tokens = [await first_step(client) for client in (first, second, first, second)]
    answers = await asyncio.gather(
        *(
            second_step(client, token, code=code)
            for client, token in zip((first, second, first, second), tokens, strict=True)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 403, 403, 403]


async def test_the_same_recovery_code_twice_at_once_works_once(world: World) -> None:
    first, second = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(first)
    _, codes = await enrol(lena)
    tokens = [await first_step(client) for client in (first, second, first)]
    answers = await asyncio.gather(
        *(
            second_step(client, token, recovery_code=codes[0].upper())
            for client, token in zip((first, second, first), tokens, strict=True)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 403, 403]
    assert (await (await lena.get("/auth/mfa")).json())["recovery_codes_left"] == 9
    assert "recovery-code-used" in await mails(world)


async def test_one_sign_in_has_five_tries_and_the_owner_is_not_locked_out(world: World) -> None:
    client = await world.replica()
    app, codes = await enrol(await world.attorney(client))
    guessed = await first_step(client)
    tries = [(await second_step(client, guessed, code=app.wrong_code())).status for _ in range(5)]
    assert tries == [403] * 5
    assert (await second_step(client, guessed, code=app.code())).status == 410

    # The sixth wrong code in a row begins a pause for codes: known passwords are no way to guess.
    more = await first_step(client)
    assert (await second_step(client, more, code=app.wrong_code())).status == 403
    paused = await second_step(client, await first_step(client), code=app.code())
    assert (paused.status, 0 < int(paused.headers["Retry-After"]) <= 60) == (429, True)
    assert "second-factor-guessed" in await mails(world)
    owner = await second_step(client, await first_step(client), recovery_code=codes[0])
    assert owner.status == 200


async def test_new_recovery_codes_void_the_old_ones(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    none_yet = await lena.post("/auth/mfa/recovery-codes")
    _, old = await enrol(lena)
    new = (await (await lena.post("/auth/mfa/recovery-codes")).json())["recovery_codes"]

    assert none_yet.status == 409
    assert (await second_step(client, await first_step(client), recovery_code=old[1])).status == 403
    assert (await second_step(client, await first_step(client), recovery_code=new[1])).status == 200


async def test_a_sign_in_ends_with_a_new_password_or_a_deactivation(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    _, codes = await enrol(lena)
    begun = await first_step(client)
    changed = await lena.post(
        "/auth/password", json={"current_password": PASSWORD, "new_password": "a much newer one"}
    )
    assert changed.status == 204
    assert (await second_step(client, begun, recovery_code=codes[0])).status == 410


async def test_nothing_secret_is_in_the_bucket_or_the_audit_trail(world: World) -> None:
    client = await world.replica(credential_key=["q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="])
    lena = await world.attorney(client)
    app, codes = await enrol(lena)
    answer = await second_step(client, await first_step(client), code=app.code())
    assert answer.status == 200
    stored = b""
    for name in ("CREDENTIALS", "SIGN_INS"):
        stream = await world.js.stream_info(f"KV_{name}")
        for sequence in range(1, stream.state.last_seq + 1):
            try:
                message = await world.js.get_msg(f"KV_{name}", sequence)
            except Exception:  # noqa: BLE001, S112 - a newer value took its place
                continue
            stored += message.data or b""
    assert b"aes256gcm:" in stored
    assert app.secret.encode() not in stored
    assert not any(code.encode() in stored for code in codes)

    trail = await notes(world.js)
    actions = [(one["action"], one["outcome"]) for one in trail]
    assert ("mfa.totp-added", "ok") in actions
    assert ("sign-in.otp", "ok") in actions
    assert app.secret not in str(trail)
    assert LENA not in str(trail)


async def test_wrong_proofs_in_a_login_are_few(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    app, _ = await enrol(lena)
    tries = [
        (await lena.post("/auth/step-up", json={"code": app.wrong_code()})).status for _ in range(6)
    ]
    assert tries == [403] * 5 + [429]
    assert (await lena.get("/leads")).status == 200, "the login itself goes on"
    by_password = await lena.post("/auth/step-up", json={"password": PASSWORD})
    assert by_password.status == 429


async def test_a_password_is_no_proof_for_who_has_a_factor(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    assert (await lena.post("/auth/step-up", json={"password": "wrong"})).status == 403
    assert (await lena.post("/auth/step-up", json={"password": PASSWORD})).status == 204
    app, _ = await enrol(lena)
    refused = await lena.post("/auth/step-up", json={"password": PASSWORD})
    assert refused.status == 401
    assert 'error="insufficient_user_authentication"' in refused.headers["WWW-Authenticate"]
    assert (await lena.post("/auth/step-up", json={"code": app.code()})).status == 204


async def test_a_login_from_before_the_factor_must_show_it_to_change_factors(world: World) -> None:
    client = await world.replica()
    lena = await world.attorney(client)
    elsewhere = await signed_in(client, await log_in(client, LENA, PASSWORD))
    app, _ = await enrol(lena)

    async def removed() -> int:
        answer = await elsewhere.client.delete(
            "/auth/mfa/totp", headers={"Authorization": f"Bearer {elsewhere.access}"}
        )
        return int(answer.status)

    assert await removed() == 401
    assert (await elsewhere.post("/auth/step-up", json={"code": app.code()})).status == 204
    assert await removed() == 204
    assert (await log_in(client, LENA, PASSWORD)).status == 200
    assert {"mfa-enrolled", "mfa-removed"} <= set(await mails(world))
    await until(lambda: _has_note(world, "mfa.totp-removed"))


async def _has_note(world: World, action: str) -> bool:
    return any(one["action"] == action for one in await notes(world.js))
