"""Two replicas, tokens that are renewed all the time, and a key that changes underneath them."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import jwt

from libs.chassis.buckets import Bucket
from services.leads.auth import signing_key_rotation as rotation
from services.leads.auth.signing_key_rotation import State
from services.leads.auth.signing_keys import SIGNING_KEYS
from tests.integration.leads.world import Attorney, Client, World, renew, until

SECONDS = 15
"""More than a replica signs with a key without looking again."""


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def now() -> datetime:
    return datetime.now(UTC)


def on_disk(folder: Path, content: bytes) -> list[Path]:
    """Return the files that hold these bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if content in path.read_bytes()]


async def status(client: Client, token: str) -> int:
    return int((await Attorney(client, token, "").get("/leads?limit=1")).status)


async def published(client: Client) -> set[str]:
    answer = await (await client.get("/.well-known/jwks.json")).json()
    assert all("d" not in key for key in answer["keys"])
    return {key["kid"] for key in answer["keys"]}


async def test_nobody_is_logged_out_by_a_new_key(world: World) -> None:
    bucket = Bucket(world.js, SIGNING_KEYS)
    replicas = await asyncio.gather(world.replica(), world.replica())
    lena = await world.attorney(replicas[0])
    omar = await world.attorney(replicas[1], "omar@firm.example", "Omar Haddad")
    (old,) = await published(replicas[0])
    entry = await bucket.get(old)
    assert entry is not None
    private = json.loads(entry.value)["private_pem"].encode().splitlines()[1]
    assert len(private) > 40
    signed_with: list[set[str]] = [set(), set()]
    refused: list[int] = []

    async def use(which: int, refresh: str) -> str:
        """Renew at one replica, and be believed by both at once."""
        answer = await renew(replicas[which], refresh)
        tokens = await answer.json()
        assert answer.status == 200, tokens
        signed_with[which].add(kid_of(tokens["access_token"]))
        for client in replicas:
            refused.extend({await status(client, tokens["access_token"])} - {200})
            refused.extend({await status(client, lena.access)} - {200})
        return str(tokens["refresh_token"])

    async def keep_using(which: int, refresh: str, until_kid: str | None) -> str:
        while until_kid not in signed_with[which]:
            refresh = await use(which, refresh)
        return refresh

    rotating = asyncio.create_task(rotation.rotate(bucket, now, asyncio.sleep))
    refreshes = [lena.refresh, omar.refresh]
    while not rotating.done():
        refreshes = list(await asyncio.gather(*(use(i, refreshes[i]) for i in (0, 1))))
    new = rotating.result()
    assert old in signed_with[0] & signed_with[1]
    async with asyncio.timeout(SECONDS):
        refreshes = list(await asyncio.gather(*(keep_using(i, refreshes[i], new) for i in (0, 1))))

    assert refused == []
    assert kid_of(lena.access) == old
    assert [await published(client) for client in replicas] == [{old, new}] * 2
    assert [key.state for key in await rotation.list_keys(bucket, now())] == [
        State.VERIFIES,
        State.SIGNS,
    ]
    assert on_disk(world.server.store_dir, private)

    assert await rotation.retire(bucket, now(), old, at_once=True) == [old]

    async def is_refused() -> bool:
        answers = [await status(client, lena.access) for client in replicas]
        return answers == [401, 401]

    await until(is_refused, SECONDS)
    assert [await published(client) for client in replicas] == [{new}] * 2
    for client, refresh in zip(replicas, refreshes, strict=True):
        renewed = await (await renew(client, refresh)).json()
        assert await status(client, renewed["access_token"]) == 200
    assert not on_disk(world.server.store_dir, private)
