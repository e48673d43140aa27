"""Replay into the read model; lists, filters, search and details at growing sizes; memory.

Each size has a stream of its own with submissions and contacts as the services write them. The
read model is made by what `leadlog rebuild` runs, and a leads process serves it; latencies are
those of its HTTP API, one request at a time.
"""
# ruff: noqa: S311 - nothing here is secret

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any

import aiohttp

from libs.chassis.buckets import Bucket
from services.leads.auth.accounts import create_account
from services.leads.rebuild import INDEXING, READING, SWITCHING, rebuild
from services.leads.settings import LeadsSettings
from tests.bench.event_log import Written, fill
from tests.bench.figures import Goal, Report
from tests.bench.people import START, People
from tests.bench.processes import broker, service
from tests.support.nats import NatsServer, provisioned

SIZES = (10_000, 100_000, 1_000_000)
REPLAY, LIST, SEARCH = Goal("least", 40_000), Goal("most", 10), Goal("most", 50)
MEMORY = Goal("most", 150)
ATTORNEY, PASSWORD = "lena@firm.example", "correct horse battery staple"
_MEBIBYTE = 1024 * 1024

Queries = Iterator[dict[str, Any]]


async def run(folder: Path, *, quick: bool) -> Report:
    """Measure the replay of a whole log, then each size."""
    report = Report("read_model", "The read model")
    await _replay(report, folder / "log", 25_000 if quick else 100_000)
    for leads in SIZES[:-1] if quick else SIZES:
        await _size(report, folder / str(leads), leads, 150 if quick else 400)
    return report


async def _replay(report: Report, folder: Path, leads: int) -> None:
    """Of a log as it is: half of its events are mails."""
    async with broker(folder) as nats:
        await _fill(nats, People(leads).events(leads))
        settings = _settings(nats, folder)
        await _rebuilt(report, "a whole log", settings)


async def _size(report: Report, folder: Path, leads: int, requests: int) -> None:
    async with broker(folder) as nats:
        await _fill(nats, People().register(leads))
        settings = _settings(nats, folder)
        await _rebuilt(report, f"{leads:,} leads, submissions and contacts", settings)
        async with _reader(nats, folder, settings) as reader:
            await _latencies(report, reader, leads, requests)
            if leads == SIZES[1]:
                await _while_rebuilding(report, reader, settings)
            note = f"file {settings.database.stat().st_size / _MEBIBYTE:,.0f} MiB"
            goal = MEMORY if leads == SIZES[-1] else None
            report.add(
                f"{leads:,} leads: memory of the process", reader.memory(), "MiB", goal, note
            )


async def _fill(nats: NatsServer, events: Iterable[Written]) -> None:
    async with provisioned(nats) as js:
        await fill(js, events)


def _settings(nats: NatsServer, folder: Path) -> LeadsSettings:
    return LeadsSettings(
        nats_url=[nats.url],
        nats_user=nats.user,
        nats_password=nats.password,
        database=folder / "leads.sqlite",
    )


async def _rebuilt(report: Report, name: str, settings: LeadsSettings) -> None:
    first: dict[str, float] = {}

    def on_progress(what: str, _done: int, _of: int) -> None:
        first.setdefault(what, perf_counter())

    started, writing, reading = perf_counter(), process_time(), _children_seconds()
    events = await rebuild(settings, on_progress)
    seconds = perf_counter() - started
    note = (
        f"{events:,} events in {seconds:.1f} s: {first[READING] - started:.1f} s to start, "
        f"{first[INDEXING] - first[READING]:.1f} s reading, "
        f"{first[SWITCHING] - first[INDEXING]:.1f} s indexes"
    )
    report.add(f"replay: {name}", events / seconds, "/s", REPLAY, note)
    for what, used in (
        ("reading", _children_seconds() - reading),
        ("writing", process_time() - writing),
    ):
        report.add(f"replay: {name}, processor of {what}", used / events * 1e6, "µs")


def _children_seconds() -> float:
    """Processor time of ended child processes: the one that reads and decodes is one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Reader:
    """A leads process and an attorney who asks it."""

    session: aiohttp.ClientSession
    url: str
    pid: int

    async def get(self, path: str, **query: Any) -> tuple[float, dict[str, Any]]:
        """Ask once: seconds, and the answer."""
        started = perf_counter()
        async with self.session.get(f"{self.url}{path}", params=query) as answer:
            body = await answer.read()
            seconds = perf_counter() - started
            assert answer.status == 200, body
        return seconds, await answer.json()

    async def ask(self, queries: Iterable[dict[str, Any]]) -> list[float]:
        """Ask for a list with each query, one after another."""
        return [(await self.get("/leads", **query))[0] for query in queries]

    async def pages(self, count: int, **query: Any) -> list[float]:
        """Follow the cursor."""
        taken: list[float] = []
        cursor: dict[str, str] = {}
        while len(taken) < count:
            seconds, body = await self.get("/leads", **query, **cursor)
            taken.append(seconds)
            if body["next_cursor"] is None:
                break
            cursor = {"cursor": body["next_cursor"]}
        return taken

    def memory(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@asynccontextmanager
async def _reader(nats: NatsServer, folder: Path, settings: LeadsSettings) -> AsyncIterator[Reader]:
    async with provisioned(nats) as js:
        await create_account(Bucket(js, "ACCOUNTS"), ATTORNEY, "Lena Weber", PASSWORD)
    async with (
        service("leads", nats, folder, database=settings.database) as running,
        aiohttp.ClientSession() as session,
    ):
        url = f"http://127.0.0.1:{running.port}"
        form = {"grant_type": "password", "username": ATTORNEY, "password": PASSWORD}
        async with session.post(f"{url}/auth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield Reader(session, url, running.pid)


async def _latencies(report: Report, reader: Reader, leads: int, requests: int) -> None:
    name, asked = f"{leads:,} leads", Asked(leads)
    newest = [{"limit": 50}] * requests
    await reader.ask(newest[:50])  # warm
    report.add_latency(f"{name}: list, newest first", await reader.ask(newest), p99=LIST)
    pages = await reader.pages(requests, sort="last_name", limit=50)
    report.add_latency(f"{name}: list by last name, page after page", pages, p99=LIST)
    for what, queries, goal in (
        ("filter", asked.filters(requests), LIST),
        ("search", asked.searches(requests), SEARCH),
        ("search with filters and orders", asked.mixed(requests), SEARCH),
    ):
        report.add_latency(f"{name}: {what}", await reader.ask(queries), p99=goal)
    _, body = await reader.get("/leads", limit=200)
    ids = [item["id"] for item in body["items"]] * (requests // 200 + 1)
    details = [(await reader.get(f"/leads/{one}"))[0] for one in ids[:requests]]
    report.add_latency(f"{name}: detail", details, p99=LIST)
    for what, query in HARD.items():
        slowest = max(await reader.ask([query] * 3))
        report.add(f"{name}: {what}", slowest * 1000, "ms", note="the slowest of three")


HARD: dict[str, dict[str, Any]] = {
    "search for one letter": {"q": "a"},
    "search for what nobody has": {"q": "qxq"},
    "search for two letters that nobody has": {"q": "qx"},
    "search for the commonest names, by last name": {"q": "zimmermann", "sort": "-last_name"},
    "search for half of all, by email": {"q": "example.com", "sort": "-email"},
    "search for a common last name in a week": {
        "q": "smith", "submitted_from": "2023-02-01", "submitted_to": "2023-02-07"
    },
    "search for two common pieces": {"q": "smith example.net"},
    "search for two letters, by last name": {"q": "zi", "sort": "last_name"},
}  # fmt: skip
"""What the two ways of finding a page are worst at."""


class Asked:
    """Queries as attorneys make them, about leads that are there."""

    def __init__(self, leads: int) -> None:
        self._random = Random(leads)
        self._people = People(2)
        self._days = max(1, leads // 960)

    def filters(self, count: int) -> Queries:
        """By status, time and address, in each order."""
        for _ in range(count):
            query: dict[str, Any] = {"sort": self._sort(), "limit": 50}
            if self._random.random() < 0.6:
                query["status"] = self._random.choice(["PENDING", "REACHED_OUT"])
            kind = self._random.randrange(3)
            if kind == 0:
                query |= self._time()
            elif kind == 1:
                query["email"] = self._person().email
            yield query

    def searches(self, count: int) -> Queries:
        """By names, parts of names and addresses: rare ones and common ones."""
        for _ in range(count):
            yield {"q": self._words(), "limit": 50}

    def mixed(self, count: int) -> Queries:
        """A search with a filter or an order."""
        for query, words in zip(self.filters(count), self.searches(count), strict=True):
            query.pop("email", None)
            yield query | words

    def _words(self) -> str:
        person = self._person()
        first, last, email = person.first_name, person.last_name, person.email
        ways: tuple[Callable[[], str], ...] = (
            lambda: f"{first} {last}",
            lambda: last,
            lambda: first,
            lambda: last[:4],
            lambda: last[-3:],
            lambda: email,
            lambda: email.partition("@")[0],
            lambda: f"{first[:2]} {last}",
            lambda: first[:2],
        )
        return self._random.choice(ways)()

    def _person(self) -> Any:
        return self._people.submission()[1].event

    def _sort(self) -> str:
        return self._random.choice(["", "-"]) + self._random.choice(
            ["submitted_at", "last_name", "email"]
        )

    def _time(self) -> dict[str, str]:
        start = self._random.randrange(self._days)
        days = self._random.choice([1, 7, 30, 365])
        return {"submitted_from": _day(start), "submitted_to": _day(start + days)}


def _day(number: int) -> str:
    return (START + timedelta(days=number)).date().isoformat()


async def _while_rebuilding(report: Report, reader: Reader, settings: LeadsSettings) -> None:
    """The whole of it: no answer may be anything but a 200."""
    rebuilding = asyncio.create_task(rebuild(settings))
    taken: list[float] = []
    while not rebuilding.done():
        taken += await reader.ask([{"limit": 50}])
    await rebuilding
    name = "list while a rebuild runs and switches"
    report.add_latency(name, taken)
    report.add(f"{name}, the longest", max(taken) * 1000, "ms", note=f"{len(taken):,} requests")
