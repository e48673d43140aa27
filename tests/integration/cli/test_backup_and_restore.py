"""Backups of a real server, and what is made of them on another."""

import asyncio
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from libs.chassis.buckets import Bucket
from libs.events import new_id
from libs.events.letter_store import Letters
from libs.events.topology import AUDIT, declared, provision
from services.cli.backup import create
from services.cli.backup.api import Snapshot, take
from services.cli.backup.apply import Restore
from services.cli.backup.archive import ArchiveReader
from services.cli.backup.commands import or_cleaned_up
from services.cli.backup.create import back_up
from services.cli.backup.manifest import MANIFEST, SUMS, Manifest, sums_of
from services.cli.verify import examine
from tests.integration.cli.test_commands import reach
from tests.integration.cli.test_verify_command import make_lead
from tests.support.cli import leadlog
from tests.support.cluster import cluster
from tests.support.nats import NatsServer, connect, start_nats_server

STREAMS = {str(stream.name) for stream in declared()}


@asynccontextmanager
async def empty_server(folder: Path) -> AsyncIterator[tuple[NatsServer, JetStreamContext]]:
    server = await start_nats_server(folder)
    client = await connect(server)
    try:
        yield server, client.jetstream()
    finally:
        await client.close()
        await server.kill()


async def streams_of(js: JetStreamContext) -> set[str]:
    return {str(info.config.name) for info in await js.streams_info()}


async def restored(js: JetStreamContext, file: Path, replicas: int | None = None) -> Manifest:
    with ArchiveReader(file) as archive:
        archive.check()
        await Restore(js, archive, replicas=replicas).run()
        return archive.manifest


async def work_on(js: JetStreamContext, count: int) -> None:
    """A consumer like the notifier's, that has settled some events and not others."""
    config = ConsumerConfig(durable_name="notifier", ack_policy=AckPolicy.EXPLICIT, ack_wait=1)
    await js.add_consumer("LEADS", config)
    subscription = await js.pull_subscribe_bind(consumer="notifier", stream="LEADS")
    for message in await subscription.fetch(count):
        if message.metadata.sequence.stream != count - 1:
            await message.ack_sync()
    await subscription.unsubscribe()


def tampered(file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The backup with its files changed, and hashes that fit."""
    with tarfile.open(file) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]
    del files[SUMS]
    change(files)
    manifest = json.loads(files[MANIFEST])
    for part in manifest["parts"]:
        part["sha256"] = hashlib.sha256(files[part["file"]]).hexdigest()
    files[MANIFEST] = json.dumps(manifest).encode()
    files[SUMS] = sums_of((n, hashlib.sha256(content).hexdigest()) for n, content in files.items())
    other = file.with_name("tampered.tar")
    with tarfile.open(other, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return other


async def test_everything_comes_back_as_it_was(js: JetStreamContext, tmp_path: Path) -> None:
    await provision(js, audit_days=730, apply=True)
    leads = [await make_lead(js, os.urandom(size)) for size in (10, 300_000, 20_000)]
    await Bucket(js, "ACCOUNTS").put("somebody", b"first")
    await Bucket(js, "ACCOUNTS").put("somebody", b"second")
    await Bucket(js, "SETTINGS").put("gone", b"x")
    await Bucket(js, "SETTINGS").delete("gone")
    await work_on(js, 8)
    # A gap at the end: its position must not be given to another event.
    ack = await js.publish(f"leads.{new_id()}.mail", b"deleted")
    await js.delete_msg("LEADS", ack.seq)
    before = await examine(js)
    file = tmp_path / "backup.tar"
    manifest = await back_up(js, file)
    assert {part.stream for part in manifest.parts} == STREAMS
    assert all(part.exact for part in manifest.parts)

    async with empty_server(tmp_path / "other") as (_, there):
        assert await restored(there, file) == manifest
        after = await examine(there)
        assert (after.digest, after.last, after.resumes) == (before.digest, ack.seq, len(leads))
        assert after.findings == before.findings
        assert (await provision(there)).differences == ()
        assert (await there.stream_info(AUDIT)).config.max_age == 730 * 86400.0
        entry = await Bucket(there, "ACCOUNTS").get("somebody")
        assert entry is not None
        assert (entry.value, entry.revision) == (b"second", 2)
        assert await Bucket(there, "SETTINGS").get("gone") is None
        consumer = await there.consumer_info("LEADS", "notifier")
        assert consumer.ack_floor is not None
        assert consumer.ack_floor.stream_seq == 6
        subscription = await there.pull_subscribe_bind(consumer="notifier", stream="LEADS")
        taken: set[int] = set()
        async with asyncio.timeout(20):
            while len(taken) < 5:
                for message in await subscription.fetch(10):
                    taken.add(message.metadata.sequence.stream)
                    await message.ack()
        assert taken == {7, 9, 10, 11, 12}
        new = await make_lead(there)
        assert new.positions["submitted"] == ack.seq + 1
        assert (await examine(there)).leads == len(leads) + 1


class Load:
    """Everything that goes on at a firm, all at once."""

    def __init__(self, js: JetStreamContext) -> None:
        self.js = js
        self.accounts = Bucket(js, "ACCOUNTS")
        self.leads = 0
        self.stop = asyncio.Event()

    async def prepare(self) -> None:
        for n in range(50):
            await self.accounts.put(f"account-{n}", b"0")
        config = ConsumerConfig(durable_name="notifier", ack_policy=AckPolicy.EXPLICIT)
        await self.js.add_consumer("LEADS", config)

    async def submit(self) -> None:
        ledger = Bucket(self.js, "MAIL_LEDGER")
        while not self.stop.is_set():
            lead = await make_lead(self.js, os.urandom(30_000))
            await ledger.put(str(lead.id), b"{}")
            self.leads += 1

    async def settle(self) -> None:
        subscription = await self.js.pull_subscribe_bind(consumer="notifier", stream="LEADS")
        while not self.stop.is_set():
            with suppress(TimeoutError):
                for message in await subscription.fetch(50, timeout=1):
                    await message.ack()

    async def change_accounts(self) -> None:
        for n in count():
            if self.stop.is_set():
                return
            await self.accounts.put(f"account-{n % 50}", b"%d" % n)
            await asyncio.sleep(0.01)


async def test_a_backup_under_load_is_whole(js: JetStreamContext, tmp_path: Path) -> None:
    load = Load(js)
    await load.prepare()
    async with asyncio.TaskGroup() as group:
        for work in (load.submit, load.submit, load.submit, load.settle, load.change_accounts):
            group.create_task(work())
        async with asyncio.timeout(30):
            while load.leads < 60:  # noqa: ASYNC110 - it counts, and has no event
                await asyncio.sleep(0.01)
        acknowledged = load.leads
        manifest = await back_up(js, tmp_path / "backup.tar")
        assert load.leads > acknowledged, "nothing went on meanwhile"
        load.stop.set()

    async with empty_server(tmp_path / "other") as (_, there):
        await restored(there, tmp_path / "backup.tar")
        report = await examine(there)
        # Every event in it is whole, and so is every resume that one refers to.
        assert report.findings == []
        assert report.leads >= acknowledged
        assert report.last == manifest.part("LEADS").last
        assert len(await Bucket(there, "ACCOUNTS").keys()) == 50
        consumer = await there.consumer_info("LEADS", "notifier")
        assert consumer.delivered is not None
        assert consumer.delivered.stream_seq <= report.last


async def test_a_key_that_is_replaced_meanwhile_is_not_lost(
    js: JetStreamContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, size = Bucket(js, "SETTINGS"), 200_000
    for n in range(80):  # more than the server sends before the first acknowledgement
        await settings.put(f"key-{n}", os.urandom(size))
    tries: list[str] = []

    async def interfering(client: Any, stream: str) -> Snapshot:
        snapshot = await take(client, stream)
        if stream != "KV_SETTINGS":
            return snapshot
        tries.append(stream)
        return replace(snapshot, chunks=changing(snapshot.chunks))

    async def changing(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            if len(tries) == 1:
                tries.append("changed")
                await settings.put("key-79", b"new")
            yield chunk

    monkeypatch.setattr(create, "take", interfering)
    await back_up(js, tmp_path / "backup.tar")
    assert tries == ["KV_SETTINGS", "changed", "KV_SETTINGS"]
    async with empty_server(tmp_path / "other") as (_, there):
        await restored(there, tmp_path / "backup.tar")
        entry = await Bucket(there, "SETTINGS").get("key-79")
        assert entry is not None
        assert entry.value == b"new"
        assert len(await Bucket(there, "SETTINGS").keys()) == 80


async def test_the_commands_make_check_and_restore_a_file(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    server, file = reach(nats_server), tmp_path / "backup.tar"
    await make_lead(js, os.urandom(50_000))
    code, said = await leadlog("backup", file, **server)
    assert code == 0
    assert f"{len(STREAMS)} streams, 6 messages" in said
    assert file.stat().st_mode & 0o777 == 0o600

    before = file.read_bytes()
    code, said = await leadlog("backup", file, **server)
    assert (code, "--force" in said) == (1, True)
    assert file.read_bytes() == before
    assert (await leadlog("backup", file, "--force", **server))[0] == 0
    assert file.read_bytes() != before

    code, said = await leadlog("restore", "--check", file)
    assert code == 0
    assert f"is whole: {len(STREAMS)} streams, 6 messages" in said

    code, said = await leadlog("restore", file, **server)
    assert code == 1
    assert f"This server holds {', '.join(sorted(STREAMS))} already" in said
    assert (await examine(js)).events == 4

    code, said = await leadlog("restore", file, "--data", tmp_path / "new")
    assert code == 0
    assert f"{len(STREAMS)} streams with 6 messages are restored" in said
    code, said = await leadlog("verify", "--data", tmp_path / "new")
    assert code == 0
    assert "4 events of 1 leads and 1 resumes read" in said


async def test_a_damaged_file_changes_nothing(js: JetStreamContext, tmp_path: Path) -> None:
    await make_lead(js, os.urandom(50_000))
    file = tmp_path / "backup.tar"
    await back_up(js, file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    async with empty_server(tmp_path / "other") as (other, there):
        code, said = await leadlog("restore", file, **reach(other))
        assert code == 1
        assert f"{file} cannot be used: OBJ_RESUMES.snapshot is not as it was written" in said
        assert await streams_of(there) == set()
    file.write_bytes(content[:-20_000])
    code, said = await leadlog("restore", "--check", file)
    assert code == 1
    assert "cannot be used" in said
    code, said = await leadlog("restore", "--check", tmp_path / "none.tar")
    assert code == 1
    assert f"Cannot read {tmp_path / 'none.tar'}: No such file or directory" in said


async def test_a_backup_that_the_server_does_not_take_leaves_nothing(
    js: JetStreamContext, tmp_path: Path
) -> None:
    await make_lead(js)
    file = tmp_path / "backup.tar"
    await back_up(js, file)

    def other_snapshot(files: dict[str, bytes]) -> None:
        files["LEADS.snapshot"] = os.urandom(len(files["LEADS.snapshot"]))

    def other_count(files: dict[str, bytes]) -> None:
        manifest = json.loads(files[MANIFEST])
        manifest["parts"][0]["state"]["messages"] += 1
        files[MANIFEST] = json.dumps(manifest).encode()

    def of_a_cluster(files: dict[str, bytes]) -> None:
        manifest = json.loads(files[MANIFEST])
        for part in manifest["parts"]:
            part["config"]["num_replicas"] = 3
        files[MANIFEST] = json.dumps(manifest).encode()

    async with empty_server(tmp_path / "other") as (other, there):
        for change, words in (
            (other_snapshot, "restore failed"),
            (other_count, "LEADS has 4 messages instead of 5"),
            (of_a_cluster, "Try --replicas 1"),
        ):
            code, said = await leadlog("restore", tampered(file, change), **reach(other))
            assert code == 1
            assert words in said
            assert "What had been restored was taken away again" in said
            assert await streams_of(there) == set()
        single = tampered(file, of_a_cluster)
        code, said = await leadlog("restore", single, "--replicas", "1", **reach(other))
        assert code == 0, said
        assert (await examine(there)).findings == []


async def test_a_restore_that_is_interrupted_leaves_nothing(
    js: JetStreamContext, tmp_path: Path
) -> None:
    await make_lead(js, os.urandom(3_000_000))
    await back_up(js, tmp_path / "backup.tar")
    chunks = 0

    def interrupt(stream: str, _count: int) -> None:
        nonlocal chunks
        chunks += stream == "OBJ_RESUMES"
        if chunks == 10:
            restoring.cancel()

    async with empty_server(tmp_path / "other") as (_, there):
        with ArchiveReader(tmp_path / "backup.tar") as archive:
            half = Restore(there, archive, on_progress=interrupt)
            restoring = asyncio.create_task(or_cleaned_up(half))
            with pytest.raises(asyncio.CancelledError):
                await restoring
        assert await streams_of(there) == set()
        await restored(there, tmp_path / "backup.tar")
        assert (await examine(there)).findings == []


async def test_a_server_that_lacks_a_stream_gives_no_backup(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    await js.delete_stream("KV_SESSIONS")
    code, said = await leadlog("backup", tmp_path / "backup.tar", **reach(nats_server))
    assert code == 1
    assert "no KV_SESSIONS" in said
    assert not list(tmp_path.glob("backup*"))


async def test_a_server_that_dies_meanwhile_leaves_no_file(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    await make_lead(js, os.urandom(20_000_000))

    async def stop_at_resumes() -> None:
        await nats_server.kill()

    stopping: list[asyncio.Task[None]] = []

    def on_progress(stream: str, _count: int) -> None:
        if stream == "OBJ_RESUMES" and not stopping:
            stopping.append(asyncio.create_task(stop_at_resumes()))

    client = await connect(nats_server)
    client.options["allow_reconnect"] = False
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one depends on the moment
        await back_up(client.jetstream(), tmp_path / "backup.tar", on_progress)
    assert not list(tmp_path.glob("backup*"))
    await stopping[0]


async def test_dead_letters_of_leads_that_came_later_are_left_out(
    js: JetStreamContext, tmp_path: Path
) -> None:
    await make_lead(js)
    last = (await js.stream_info("LEADS")).state.last_seq
    letter = {
        "consumer": "notifier", "subject": f"leads.{new_id()}.submission", "reason": "r",
        "at": "2026-03-09T14:05:00+00:00", "headers": {}, "data_base64": "",
    }  # fmt: skip
    for sequence in (last, last + 1):
        body = json.dumps(letter | {"sequence": sequence}).encode()
        await js.publish(f"dead.notifier.{sequence}.mail", body)
    await back_up(js, tmp_path / "backup.tar")
    async with empty_server(tmp_path / "other") as (other, there):
        code, said = await leadlog("restore", tmp_path / "backup.tar", **reach(other))
        assert code == 0
        assert "1 dead letters of leads that came after that were left out" in said
        kept = [one.id for one in await Letters(there).find_all()]
        assert kept == [f"notifier.{last}.mail"]


async def test_what_is_damaged_in_the_store_gives_no_backup(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    server, file = reach(nats_server), tmp_path / "backup.tar"
    lead = await make_lead(js, os.urandom(100_000))
    (block,) = nats_server.store_dir.glob("**/OBJ_RESUMES/msgs/*.blk")
    await nats_server.stop()
    with block.open("r+b") as store:
        store.seek(50_000)
        store.write(bytes(8))
    await nats_server.start()
    code, said = await leadlog("backup", file, **server)
    assert code == 1
    assert f"position {lead.positions['submitted']}: is not whole: its resume is damaged" in said
    assert not list(tmp_path.glob("backup*"))
    code, said = await leadlog("backup", file, "--no-verify", **server)
    assert code == 0
    assert file.exists()


async def test_a_log_that_was_lost_gives_no_backup(
    js: JetStreamContext, nats_server: NatsServer, tmp_path: Path
) -> None:
    await make_lead(js)
    (block,) = nats_server.store_dir.glob("**/LEADS/msgs/*.blk")
    await nats_server.stop()
    with block.open("r+b") as store:
        store.write(b"\xff" * 8)  # the server takes such a block for an empty one
    await nats_server.start()
    assert (await js.stream_info("LEADS")).state.last_seq == 0
    code, said = await leadlog("backup", tmp_path / "backup.tar", **reach(nats_server))
    assert code == 1
    assert "the log is empty, yet there are resumes" in said
    assert not list(tmp_path.glob("backup*"))


async def test_a_single_server_moves_to_three(js: JetStreamContext, tmp_path: Path) -> None:
    lead = await make_lead(js, os.urandom(20_000))
    await back_up(js, tmp_path / "backup.tar")
    async with cluster(tmp_path / "cluster") as (_, there):
        for name in STREAMS:
            await there.delete_stream(name)
        await restored(there, tmp_path / "backup.tar", replicas=3)
        assert (await there.stream_info("LEADS")).config.num_replicas == 3
        assert (await provision(there, 3)).differences == ()
        report = await examine(there)
        assert (report.findings, report.leads) == ([], 1)
        await back_up(there, tmp_path / "of-three.tar")
    async with empty_server(tmp_path / "other") as (_, alone):
        await restored(alone, tmp_path / "of-three.tar", replicas=1)
        report = await examine(alone)
        assert (report.findings, report.leads) == ([], 1)
        assert lead.positions["mail 2"] == report.last
