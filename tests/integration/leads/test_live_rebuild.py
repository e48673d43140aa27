"""`leadlog rebuild` while the service runs: it serves on, and then from the new file."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext

from libs.chassis.errors import StoreUnavailable
from libs.events import LeadReachedOut
from services.leads.projection import feed
from services.leads.projection.lock import DatabaseInUse, locked
from services.leads.projection.switch import SwitchRefused, hand_over
from services.leads.rebuild import READING, rebuild
from tests.integration.leads.test_projection_live import dump, some_leads
from tests.integration.leads.world import Attorney, World, is_ready
from tests.support.nats import NatsServer


def spoil(database: Path) -> None:
    """What only a rebuild mends."""
    with sqlite3.connect(database) as connection:
        connection.execute("update leads set first_name = 'spoilt'")


async def first_names(attorney: Attorney) -> Counter[str]:
    answer = await attorney.get("/leads?limit=200")
    assert answer.status == 200, await answer.text()
    return Counter(item["first_name"] for item in (await answer.json())["items"])


class Traffic:
    """Requests without a pause, and what they were answered."""

    def __init__(self, attorney: Attorney, lead: str) -> None:
        self.attorney = attorney
        self.lead = lead
        self.statuses: Counter[int] = Counter()
        self.positions: list[int] = []
        self.over = False  # asking is safer than cancelling, which wait_for may swallow
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        paths = ["/leads", "/leads?q=ada", "/leads?sort=email", f"/leads/{self.lead}", "/readyz"]
        while not self.over:
            answers = await asyncio.gather(*(self.attorney.get(path) for path in paths))
            self.statuses.update(answer.status for answer in answers)
            self.positions.append(int(answers[0].headers["Leadlog-Position"]))

    async def stop(self) -> None:
        self.over = True
        await self.task


async def test_the_service_serves_on_and_then_from_the_new_file(world: World) -> None:
    await some_leads(world, 20)
    lena = await world.attorney(await world.replica("a"))
    settings = world.settings("a")
    [lead, *_] = (await (await lena.get("/leads")).json())["items"]
    await world.level(lena)
    spoil(settings.database)
    assert set(await first_names(lena)) == {"spoilt"}
    traffic = Traffic(lena, lead["id"])
    written: list[Any] = []

    async def write_on() -> None:
        while not traffic.over:
            written.append(await world.submit("Late", "Comer"))
            await world.append(written[-1], LeadReachedOut(), actor="account:a1")

    writing = asyncio.create_task(write_on())
    try:
        await rebuild(world.as_operator(settings))
    finally:
        await traffic.stop()
        await writing
    await world.level(lena)
    names = await first_names(lena)

    assert set(traffic.statuses) == {200}
    assert traffic.positions == sorted(traffic.positions)
    assert "spoilt" not in names
    assert names["Late"] >= len(written) > 0
    assert sum(names.values()) == 20 + names["Late"]
    beside = {path.name for path in settings.database.parent.iterdir()}
    assert not {name for name in beside if "rebuild" in name or "next" in name} - {
        "leads.sqlite.rebuild.lock"
    }
    live = dump(settings.database)
    await world.stack.aclose()
    await rebuild(world.as_operator(settings))
    assert dump(settings.database) == live


async def test_a_command_is_seen_at_once_after_the_switch(world: World) -> None:
    lena = await world.attorney(await world.replica("a"))
    lead = await world.submit()
    await world.level(lena)
    await rebuild(world.as_operator(world.settings("a")))
    answer = await lena.post(f"/leads/{lead}/reached-out")
    position = {"Leadlog-Position": answer.headers["Leadlog-Position"]}

    shown = await (await lena.get(f"/leads/{lead}", position)).json()
    assert shown["status"] == "REACHED_OUT"


def another_stream(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update projection_meta set stream_created = 'another'")


def another_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update projection_meta set fingerprint = 'another'")


def no_database(path: Path) -> None:
    path.write_bytes(b"not a database, not even nearly" * 200)


@pytest.mark.parametrize(
    ("make_unfit", "reason"),
    [
        (another_stream, "it was made from another stream"),
        (another_schema, "its schema has changed"),
        (no_database, "it is damaged"),
    ],
)
async def test_a_file_that_does_not_fit_is_refused_and_the_old_one_serves_on(
    world: World, make_unfit: Any, reason: str
) -> None:
    lena = await world.attorney(await world.replica("a"))
    await world.submit("Ada")
    await world.level(lena)
    await rebuild(world.as_operator(world.settings("b")))
    fresh = world.settings("b").database
    make_unfit(fresh)
    with pytest.raises(SwitchRefused, match=reason):
        await asyncio.to_thread(hand_over, fresh, world.settings("a").database)

    assert set(await first_names(lena)) == {"Ada"}
    assert await is_ready(lena.client)


async def test_an_offer_that_was_left_behind_is_taken_at_the_next_start(world: World) -> None:
    await some_leads(world, 3)
    await rebuild(world.as_operator(world.settings("a")))
    database = world.settings("a").database
    database.replace(f"{database}.next")
    lena = await world.attorney(await world.replica("a"))
    await world.level(lena)
    async with asyncio.timeout(20):
        while Path(f"{database}.next").exists():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)

    assert sum((await first_names(lena)).values()) == 3


async def test_one_rebuild_at_a_time(world: World) -> None:
    settings = world.settings("a")
    with (
        locked(Path(f"{settings.database}.rebuild")),
        pytest.raises(DatabaseInUse, match="Another `leadlog rebuild`"),
    ):
        await rebuild(world.as_operator(settings))


async def test_a_log_that_goes_away_leaves_the_old_file_as_it_was(
    world: World, js: JetStreamContext, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_leads(world, 3)
    settings = world.settings("a")
    await rebuild(world.as_operator(settings))
    before = dump(settings.database)
    monkeypatch.setattr(feed, "_feed", _fail)
    with pytest.raises(StoreUnavailable, match="TimeoutError"):
        await rebuild(world.as_operator(settings))

    assert dump(settings.database) == before
    assert {path.name for path in settings.database.parent.iterdir()} == {
        "leads.sqlite", "leads.sqlite.lock", "leads.sqlite.rebuild.lock"
    }  # fmt: skip


def _fail(_settings: Any, connection: Any) -> None:
    """In the place of the process that reads the log."""
    connection.send("TimeoutError")


async def test_progress_is_told_as_the_log_is_read(world: World) -> None:
    await some_leads(world, 6)
    heard: list[tuple[str, int, int]] = []
    position = await rebuild(
        world.as_operator(world.settings("a")), lambda *progress: heard.append(progress)
    )

    read = [done for what, done, _ in heard if what == READING]
    assert read == sorted(read)
    assert read[-1] == position == await world.store.last_position()
    assert all(0 <= done <= of for _, done, of in heard)
