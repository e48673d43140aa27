"""API keys and signing keys by command, on a real nats-server."""

import re
from datetime import UTC, datetime

from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from services.leads.auth import signing_key_rotation as rotation
from services.leads.auth.live_keys import LiveKeys
from services.leads.auth.signing_keys import SIGNING_KEYS, KeyRing
from tests.support.cli import leadlog
from tests.support.nats import NatsServer


def reach(server: NatsServer) -> dict[str, str]:
    return {
        "LEADLOG_NATS_URL": server.url,
        "LEADLOG_NATS_NKEY_SEED": server.seeds["operator"],
        "COLUMNS": "200",
    }


async def test_an_api_key_is_made_shown_once_and_revoked(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server, bucket = reach(nats_server), Bucket(js, "API_KEYS")
    assert "no API key yet" in (await leadlog("api-key", "list", **server))[1]
    code, said = await leadlog(
        "api-key", "create", "Night import", "--scope", "leads:read", "--days", "7", **server
    )
    key = next(word for word in said.split() if word.startswith("leadlog_"))
    found = await LiveKeys(bucket).principal(key, datetime.now(UTC))

    assert code == 0
    assert found is not None
    assert found.permissions == {"leads:read"}
    listed = (await leadlog("api-key", "list", **server))[1]
    assert "Night import" in listed
    assert key.split("_")[2] not in listed
    key_id = str(found.key_id)
    assert (await leadlog("api-key", "revoke", key_id, **server))[0] == 0
    assert "revoked" in (await leadlog("api-key", "list", **server))[1]
    assert await LiveKeys(bucket).principal(key, datetime.now(UTC)) is None


async def test_what_a_key_cannot_be_is_said(js: JetStreamContext, nats_server: NatsServer) -> None:
    server = reach(nats_server)
    code, said = await leadlog("api-key", "create", "x", "--scope", "accounts:manage", **server)
    assert (code, "cannot be given accounts:manage" in said) == (1, True)
    assert (await leadlog("api-key", "create", "x", **server))[0] == 2
    many = ("api-key", "create", "x", "--scope", "leads:read", "--days", "366")
    assert (await leadlog(*many, **server))[0] == 2
    for unknown in ("0190b1a2-0000-7000-8000-000000000001", "*"):
        code, said = await leadlog("api-key", "revoke", unknown, **server)
        assert (code, "no API key with this id" in said) == (1, True)


async def test_a_signing_key_is_rotated_and_retired_and_never_shown(
    js: JetStreamContext, nats_server: NatsServer
) -> None:
    server, bucket = reach(nats_server), Bucket(js, SIGNING_KEYS)
    assert "no signing key yet" in (await leadlog("signing-keys", "list", **server))[1]
    old = (await KeyRing(bucket).current()).kid
    code, rotated = await leadlog("signing-keys", "rotate", **server)
    new = (await KeyRing(bucket).current()).kid

    assert code == 0
    assert new != old
    assert new in rotated
    listed = (await leadlog("signing-keys", "list", **server))[1]
    assert re.search(rf"{old}.*verifies", listed)
    assert re.search(rf"{new}.*signs", listed)
    assert "nothing to retire" in (await leadlog("signing-keys", "retire", **server))[1]
    code, said = await leadlog("signing-keys", "retire", old, **server)
    assert (code, "--at-once" in said) == (1, True)
    assert (await leadlog("signing-keys", "retire", "--at-once", **server))[0] == 1
    code, said = await leadlog("signing-keys", "retire", old, "--at-once", **server)
    assert (code, old in said) == (0, True), said
    assert [key.kid for key in await rotation.list_keys(bucket, datetime.now(UTC))] == [new]
    assert "PRIVATE" not in rotated + listed
