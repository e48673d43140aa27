"""Prospects and attorneys: they send known contents, keep count, and some do not try again."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal

import aiohttp

Manner = Literal["patient", "both at once", "once", "once without a key"]
MANNERS: tuple[tuple[Manner, int], ...] = (
    ("patient", 60),
    ("both at once", 12),
    ("once", 18),
    ("once without a key", 10),
)
_SIZES = ((1_000, 20_000), (20_000, 120_000), (230_000, 300_000), (500_000, 900_000))
_WEIGHTS = (40, 45, 10, 5)
_ATTEMPT_SECONDS = 20.0
_HASTE = (0.02, 2.0)
"""Seconds after which somebody who tries only once hangs up: the form may be in or not."""
_GIVE_UP_SECONDS = 90.0


@dataclass(frozen=True)
class Acknowledgement:
    """A 202: what was promised, and when (monotonic clock)."""

    lead_id: str
    position: int
    at: float = 0.0


@dataclass
class Submission:
    """One form that was sent, and what was answered.

    Attributes:
        unclear: attempts without an answer, or with 5xx: they may have worked.
        refused: other answers; none of them is wanted.
    """

    number: int
    manner: Manner
    size: int
    sha256: str = ""
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    unclear: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def first_name(self) -> str:
        return f"Ada{self.number:06d}"

    @property
    def email(self) -> str:
        return f"ada{self.number:06d}@prospects.example.org"


@dataclass
class Command:
    """One attorney's ReachedOut, repeated under its key until it is answered.

    Attributes:
        fresh: of each 200, whether it said that this command did it.
        position: the position of the last 200.
        unknown: how often the lead was said not to exist.
    """

    lead_id: str
    key: str
    fresh: list[bool] = field(default_factory=list)
    position: int = 0
    unknown: int = 0
    refused: list[str] = field(default_factory=list)


def resume_of(seed: int, number: int, size: int) -> bytes:
    """Something that passes for a PDF, and can be made again."""
    draw = random.Random(f"{seed}/resume/{number}")  # noqa: S311 - filler
    head = b"%PDF-1.7\n"
    return head + draw.randbytes(size - len(head))


@dataclass
class Load:
    """All of them together.

    Attributes:
        stop: set when no new forms are to be sent; what is under way goes on.
    """

    seed: int
    intakes: Sequence[str]
    inboxes: Sequence[str]
    token: str
    people: int = 16
    think: tuple[float, float] = (0.1, 0.4)
    submissions: list[Submission] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    reached: float = 0.4
    """The share of the acknowledged that attorneys reach out to."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    unseen: list[str] = field(default_factory=list)
    """Queries that asked for a position and were answered without what stands there."""
    _attorneys: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Send until ``stop``, then see every patient one through."""
        limit = aiohttp.ClientTimeout(total=_ATTEMPT_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as session:
            await asyncio.gather(*(self._person(session, n) for n in range(self.people)))
            while self._attorneys:
                await asyncio.gather(*self._attorneys)

    async def _person(self, session: aiohttp.ClientSession, person: int) -> None:
        draw = random.Random(f"{self.seed}/person/{person}")  # noqa: S311 - no secret
        turn = 0
        while not self.stop.is_set():
            number = turn * self.people + person
            turn += 1
            await self._submit(session, draw, number)
            await asyncio.sleep(draw.uniform(*self.think))

    async def _submit(
        self, session: aiohttp.ClientSession, draw: random.Random, number: int
    ) -> None:
        [manner] = draw.choices([m for m, _ in MANNERS], [w for _, w in MANNERS])
        [(least, most)] = draw.choices(_SIZES, _WEIGHTS)
        sent = Submission(number, manner, draw.randint(least, most))
        content = resume_of(self.seed, number, sent.size)
        sent.sha256 = hashlib.sha256(content).hexdigest()
        self.submissions.append(sent)
        first = draw.randrange(len(self.intakes))
        if manner == "both at once":
            ways = (self._patiently(session, sent, content, n) for n in range(len(self.intakes)))
            await asyncio.gather(*ways)
        elif manner == "patient":
            await self._patiently(session, sent, content, first)
        else:
            await self._attempt(session, sent, content, first, draw.uniform(*_HASTE))
        if sent.acknowledged and draw.random() < self.reached:
            task = asyncio.create_task(self._reach_out(session, draw.random(), sent))
            self._attorneys.add(task)
            task.add_done_callback(self._attorneys.discard)

    async def _patiently(
        self, session: aiohttp.ClientSession, sent: Submission, content: bytes, first: int
    ) -> None:
        end, replica, pause = monotonic() + _GIVE_UP_SECONDS, first, 0.1
        while not await self._attempt(session, sent, content, replica):
            if monotonic() > end:
                return
            replica += 1
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def _attempt(
        self,
        session: aiohttp.ClientSession,
        sent: Submission,
        content: bytes,
        replica: int,
        seconds: float = _ATTEMPT_SECONDS,
    ) -> bool:
        form = aiohttp.FormData()
        form.add_field("first_name", sent.first_name)
        form.add_field("last_name", f"Byron{sent.number % 97}")
        form.add_field("email", sent.email)
        form.add_field("message", f"I am number {sent.number}.")
        name = f"resume-{sent.number}.pdf"
        form.add_field("resume", content, filename=name, content_type="application/pdf")
        keyless = sent.manner == "once without a key"
        headers = {} if keyless else {"Idempotency-Key": f"key-{sent.number}"}
        url = f"{self.intakes[replica % len(self.intakes)]}/leads"
        try:
            limit = aiohttp.ClientTimeout(total=seconds)
            async with session.post(url, data=form, headers=headers, timeout=limit) as answer:
                if answer.status == 202:
                    body = await answer.json()
                    position = int(answer.headers["Leadlog-Position"])
                    sent.acknowledged.append(
                        Acknowledgement(body["lead_id"], position, monotonic())
                    )
                    return True
                if answer.status >= 500:
                    sent.unclear += 1
                    return False
                sent.refused.append(f"{answer.status} {await answer.text()}")
        except (aiohttp.ClientError, TimeoutError, OSError):
            sent.unclear += 1
            return False
        return True

    async def _reach_out(
        self, session: aiohttp.ClientSession, drawn: float, sent: Submission
    ) -> None:
        """By one attorney, or by as many at once as there are replicas, each with a key."""
        lead_id, count = sent.acknowledged[0].lead_id, len(self.inboxes) if drawn < 0.5 else 1
        commands = [Command(lead_id, f"call-{sent.number}-{n}") for n in range(count)]
        self.commands += commands
        await asyncio.gather(
            *(self._command(session, command, n) for n, command in enumerate(commands))
        )
        if position := max(command.position for command in commands):
            await self._look(session, lead_id, position, sent.number)

    async def _command(
        self, session: aiohttp.ClientSession, command: Command, replica: int
    ) -> None:
        end = monotonic() + _GIVE_UP_SECONDS
        while monotonic() < end and not command.fresh and not command.refused:
            url = f"{self.inboxes[replica % len(self.inboxes)]}/leads/{command.lead_id}"
            headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": command.key}
            said = {"channel": "phone", "note": command.key}
            status, body, position = await _ask(
                session, "POST", f"{url}/reached-out", headers, said
            )
            if status == 200:
                command.fresh.append(not body["already_reached_out"])
                command.position = position
                assert body["status"] == "REACHED_OUT", body
            elif status == 404:
                command.unknown += 1
            elif 400 <= status < 500:
                command.refused.append(f"{status} {body}")
            replica += 1
            if status != 200:
                await asyncio.sleep(0.2)

    async def _look(
        self, session: aiohttp.ClientSession, lead_id: str, position: int, replica: int
    ) -> None:
        """Read one's own write, at any replica: with its position, it must be there or 503."""
        url = f"{self.inboxes[replica % len(self.inboxes)]}/leads/{lead_id}"
        headers = {"Authorization": f"Bearer {self.token}", "Leadlog-Position": str(position)}
        status, body, _ = await _ask(session, "GET", url, headers)
        if status == 404 or (status == 200 and body["status"] != "REACHED_OUT"):
            self.unseen.append(f"{url} at {position}: {status} {body.get('status')}")


async def _ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: dict[str, str],
    body: dict[str, str] | None = None,
) -> tuple[int, Any, int]:
    """Status, body and position of an answer; 0 when there is none."""
    try:
        async with session.request(method, url, headers=headers, json=body) as answer:
            said = await answer.json(content_type=None)
            return answer.status, said, int(answer.headers.get("Leadlog-Position", "0"))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return 0, {}, 0
