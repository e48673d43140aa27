"""``leadlog export``, ``erase``, ``retention`` and ``erasures``, and a restore after an erasure."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from nats.js import JetStreamContext

from libs.events.jetstream import JetStreamEventStore
from services.cli.backup import commands, create
from services.cli.backup.manifest import Part
from services.cli.verify import examine
from services.leads.people.records import Erasures
from tests.integration.cli.test_backup_and_restore import empty_server
from tests.integration.cli.test_commands import reach
from tests.integration.cli.test_verify_command import make_lead
from tests.support.cli import leadlog
from tests.support.nats import NatsServer

EMAIL = "A@B.example"


async def test_a_person_is_exported_and_erased_by_command(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> None:
    lead = await make_lead(js)
    file = tmp_path / "person.zip"
    assert (await leadlog("export", "x@b.example", file, **reach(nats_server)))[0] == 1
    assert not file.exists()
    code, text = await leadlog("export", EMAIL, file, **reach(nats_server))
    assert code == 0, text
    assert file.stat().st_mode & 0o777 == 0o600
    with ZipFile(file) as archive:
        assert archive.read(f"leads/{lead.id}/file-a.txt") == b"resume"
    code, text = await leadlog("export", EMAIL, file, **reach(nats_server))
    assert (code, "--force" in text) == (1, True)

    code, text = await leadlog("erase", EMAIL, **reach(nats_server))
    assert (code, "Nothing was erased" in text or "Erase it for good?" in text) == (1, True)
    assert (await examine(js)).erased == 0
    code, text = await leadlog("erase", EMAIL, "--yes", **reach(nats_server))
    assert (code, f"erased  {lead.id}" in text) == (0, True), text
    code, text = await leadlog("verify", **reach(nats_server))
    assert (code, "4 events were erased" in text) == (0, True), text
    code, text = await leadlog("erase", EMAIL, "--yes", **reach(nats_server))
    assert (code, "Nothing is kept" in text) == (0, True)


async def test_the_rule_is_set_shown_tried_out_and_turned_off(
    nats_server: NatsServer, js: JetStreamContext
) -> None:
    lead = await make_lead(js)
    assert "Nobody" in (await leadlog("retention", **reach(nats_server)))[1]
    tried = ("retention", "--dry-run", "--after-submission", "1")
    assert str(lead.id) not in (await leadlog(*tried, **reach(nats_server)))[1]
    assert "Nobody" in (await leadlog("retention", **reach(nats_server)))[1]
    given = ("retention", "--after-submission", "365", "--after-reached-out", "90")
    text = (await leadlog(*given, **reach(nats_server)))[1]
    assert "365 days after the form" in text
    assert "90 days after an attorney" in text
    assert (await leadlog("retention", **reach(nats_server)))[1] == text
    assert "Nobody" in (await leadlog("retention", "--off", **reach(nats_server)))[1]


async def test_a_restored_backup_brings_nobody_back(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> None:
    lead, kept = await make_lead(js), await make_lead(js, b"another")
    backup, listed = tmp_path / "a.tar", tmp_path / "erased.txt"
    code, text = await leadlog("backup", backup, "--expires-days", "30", **reach(nats_server))
    assert code == 0, text
    assert f"Delete it by {datetime.now(UTC) + timedelta(days=30):%Y-%m}" in text
    await leadlog("erase", EMAIL, "--yes", **reach(nats_server))
    for _ in range(2):  # the second time it has the first one's content to keep
        assert (await leadlog("erasures", listed, **reach(nats_server)))[0] == 0
    assert set(listed.read_text().split()) == {str(lead.id), str(kept.id)}
    listed.write_text(f"{lead.id}\n")

    async with empty_server(tmp_path / "other") as (server, other):
        code, text = await leadlog("restore", backup, "--erased", listed, **reach(server))
        assert (code, "1 leads that had been erased" in text) == (0, True), text
        assert [one.lead_id for one in await Erasures(other).all()] == [lead.id]
        report = await examine(other)
        assert (report.findings, report.erased, report.resumes) == ([], 4, 1)


async def test_an_erasure_during_a_backup_is_done_again_from_its_own_records(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, backup = await make_lead(js), tmp_path / "a.tar"
    take = create._take_whole

    async def erase_once_the_log_is_taken(*arguments: Any) -> Part:
        if arguments[1] == create.names()[1]:
            await leadlog("erase", EMAIL, "--yes", **reach(nats_server))
        return await take(*arguments)

    monkeypatch.setattr(create, "_take_whole", erase_once_the_log_is_taken)
    assert create.names()[0] == "LEADS"
    await create.back_up(js, backup, lasts=timedelta(days=1))
    async with empty_server(tmp_path / "other") as (server, other):
        code, text = await leadlog("restore", backup, **reach(server))
        assert (code, "1 leads that had been erased" in text) == (0, True), text
        assert (await examine(other)).findings == []
        (only,) = (await JetStreamEventStore(other).load(lead.id)).events
        assert only.event.type == "LeadErased"


async def test_an_expired_backup_is_refused(
    nats_server: NatsServer, js: JetStreamContext, tmp_path: Path
) -> None:
    await make_lead(js)
    backup = tmp_path / "a.tar"
    await create.back_up(js, backup, lasts=timedelta(seconds=-1))
    async with empty_server(tmp_path / "other") as (server, other):
        code, text = await leadlog("restore", backup, **reach(server))
        assert (code, "expired on" in text) == (1, True)
        assert await other.streams_info() == []
        assert (await leadlog("restore", backup, "--expired", **reach(server)))[0] == 0
    assert commands._LONGEST_DAYS < 400


async def test_a_list_that_is_none_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("not an id\n")
    code, text = await leadlog("restore", tmp_path / "no.tar", "--erased", wrong)
    assert (code, "line 1 is no id" in text) == (1, True)


async def test_a_command_that_is_killed_in_the_middle_is_finished_by_the_next(
    nats_server: NatsServer, js: JetStreamContext
) -> None:
    leads = [await make_lead(js) for _ in range(20)]
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.main", "erase", EMAIL, "--yes",
        env={**os.environ, **reach(nats_server)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    records = Erasures(js)
    async with asyncio.timeout(30):
        while not await records.get(leads[5].id):  # noqa: ASYNC110 - what is waited for is elsewhere
            await asyncio.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    begun = await records.all()
    assert begun
    assert not all(record.erased_at for record in begun)
    assert (await examine(js)).findings == []

    code, text = await leadlog("erase", EMAIL, "--yes", **reach(nats_server))
    assert code == 0, text
    report = await examine(js)
    assert (report.findings, report.erased, report.unfinished) == ([], 80, 0)
    assert all(record.erased_at for record in await records.all())
