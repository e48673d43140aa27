"""Who erases people may do all it takes, with the permissions as they are shipped."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from libs.events import LeadSubmitted, NewEvent, Part, ResumeRef, new_id
from libs.events.dead_letters import DeadLetters
from libs.events.jetstream import JetStreamEventStore
from libs.resumes import JetStreamResumeStore
from services.cli.nats_server import NatsServer
from services.cli.verify import examine
from services.leads.people.erase import Eraser
from services.leads.people.find import in_letters, in_log
from services.leads.people.lease import take_lease
from services.leads.people.records import SETTLES_AFTER, Reason
from services.leads.people.rules import read_rule
from tests.integration.permissions.users import user

EMAIL = "ada@example.org"


async def unaudited(_lead: UUID, _reason: Reason) -> None:
    """Tests of the trail are elsewhere."""


async def submitted(js: JetStreamContext) -> UUID:
    """A lead as intake writes it, with an idempotency claim."""
    lead, content = new_id(), b"resume"
    digest = hashlib.sha256(content).hexdigest()
    name = await JetStreamResumeStore(js).put(lead, [content], size=6, sha256=digest)
    resume = ResumeRef(object=name, file_name="a", media_type="m", size=6, sha256=digest)
    fact = NewEvent(
        event=LeadSubmitted(first_name="A", last_name="B", email=EMAIL, resume=resume),
        id=uuid4(),
        time=datetime.now(UTC),
        source="/test",
        actor="prospect",
    )
    await JetStreamEventStore(js).append(lead, Part.SUBMISSION, [fact], expected=0)
    claim = f'{{"lead_id": "{lead}"}}'.encode()
    await Bucket(js, "IDEMPOTENCY").create(f"k{lead.hex}", claim)
    return lead


@pytest.mark.parametrize("name", ["leads", "operator"])
async def test_a_person_can_be_erased_by(server: NatsServer, name: str) -> None:
    async with user(server, "intake") as intake:
        lead = await submitted(intake.client.jetstream())
    async with user(server, "notifier") as notifier:
        js = notifier.client.jetstream()
        submission = (await JetStreamEventStore(js).load(lead)).events[0]
        await DeadLetters(js).put("notifier", submission, "refused", key="mail")
        await Bucket(js, "MAIL_LEDGER").put(f"{submission.id}.ack.h", b"{}")

    async with user(server, name) as who:
        js = who.client.jetstream()
        assert await in_log(js, EMAIL) == [lead]
        assert await in_letters(js, EMAIL) == [lead]
        assert await Eraser(js, unaudited, actor="operator").erase([lead], "request") == [lead]
        late = datetime.now(UTC) + SETTLES_AFTER
        last_look = Eraser(js, unaudited, actor="operator", now=lambda: late)
        assert await last_look.resume() == [lead]
        settings = Bucket(js, "SETTINGS")
        assert await take_lease(settings, "me", late, timedelta(seconds=1))
        assert (await read_rule(settings)).is_off
        assert who.refusals == []

    async with user(server, "operator") as operator:
        js = operator.client.jetstream()
        report = await examine(js)
        assert (report.findings, report.erased) == ([], 1)
        for stream in ("OBJ_RESUMES", "DEAD_LETTERS", "KV_MAIL_LEDGER", "KV_IDEMPOTENCY"):
            assert (await js.stream_info(stream)).state.messages == 0


@pytest.mark.parametrize("name", ["intake", "notifier"])
async def test_no_event_can_be_erased_by(server: NatsServer, name: str) -> None:
    async with user(server, name) as who:
        for stream in ("LEADS", "OBJ_RESUMES", "KV_ERASURES", "AUDIT"):
            subject = f"$JS.API.STREAM.MSG.DELETE.{stream}"
            assert not await who.may_publish(subject, b'{"seq": 1}')
