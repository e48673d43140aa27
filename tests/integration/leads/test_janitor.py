"""Resumes that no lead refers to are taken away by the leads service, with its own rights."""

import hashlib

from aiohttp.test_utils import TestClient, TestServer

from libs.events import new_id
from services.leads.app import build_app
from tests.integration.leads.world import World, until

ORPHAN = b"%PDF-1.7 nobody refers to this"


async def test_orphans_go_and_nothing_else_does(world: World) -> None:
    await world.submit()
    [kept] = await names(world)
    sha256 = hashlib.sha256(ORPHAN).hexdigest()
    orphan = await world.resumes.put(new_id(), [ORPHAN], size=len(ORPHAN), sha256=sha256)
    assert await names(world) == {kept, orphan}
    settings = world.settings("janitor").model_copy(
        update={"janitor_interval_seconds": 0.05, "janitor_grace_seconds": 0.05}
    )
    async with TestClient(TestServer(build_app(settings))):

        async def swept() -> bool:
            return await names(world) == {kept}

        await until(swept)


async def names(world: World) -> set[str]:
    objects = await (await world.js.object_store("RESUMES")).list()
    return {str(one.name) for one in objects}
