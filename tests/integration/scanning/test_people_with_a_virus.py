"""A person whose file has a virus is exported and erased like anybody else."""

from io import BytesIO
from uuid import UUID
from zipfile import ZipFile

from libs.events import LeadErased, ResumeReleased, ResumeScanned, Verdict
from services.cli.verify import examine
from services.leads.auth.permissions import Role
from tests.integration.leads.world import Attorney, World

EMAIL = "ada@example.org"
BODY = {"email": EMAIL}
SIGNATURE, REASON = b"Win.Test.Qwertzuiop-7", "She says that yxcvbnm wrote it herself."
CONTENT = b"%PDF-1.7 hers"


async def infected(world: World) -> UUID:
    lead = await world.submit(email=EMAIL, content=CONTENT)
    scan = ResumeScanned(verdict=Verdict.INFECTED, signature=SIGNATURE.decode(), engine="x")
    await world.append(lead, scan, actor="service:leads")
    return lead


async def exported(admin: Attorney) -> ZipFile:
    answer = await admin.post("/people/export", json=BODY)
    assert answer.status == 200, await answer.text()
    return ZipFile(BytesIO(await answer.read()))


async def test_the_file_is_exported_under_a_name_that_warns(world: World) -> None:
    lead = await infected(world)
    admin = await world.attorney(await world.replica(), role=Role.ADMIN)
    await world.level(admin)

    with await exported(admin) as archive:
        name = f"leads/{lead}/VIRUS-FOUND-file-cv.pdf.quarantined"
        assert archive.read(name) == CONTENT
        assert b".quarantined" in archive.read("README.txt")
        assert SIGNATURE in archive.read(f"leads/{lead}/events.json")
        assert len([one for one in archive.namelist() if "file-cv" in one]) == 1

    await world.append(lead, ResumeReleased(reason=REASON), actor="account:a")
    with await exported(admin) as archive:
        assert archive.read(f"leads/{lead}/file-cv.pdf") == CONTENT


async def test_nothing_of_a_scan_or_a_release_outlives_its_lead(world: World) -> None:
    lead = await infected(world)
    await world.append(lead, ResumeReleased(reason=REASON), actor="account:a")
    kept = await world.submit(email="grace@example.org")
    await world.append(kept, ResumeScanned(verdict=Verdict.CLEAN), actor="service:leads")
    admin = await world.attorney(await world.replica(), role=Role.ADMIN)
    await world.level(admin)
    before = {needle for needle in (SIGNATURE, REASON.encode()) if needle in stored(world)}
    assert before == {SIGNATURE, REASON.encode()}

    erased = await admin.post("/people/erase", json=BODY)
    assert await erased.json() == {"erased": [str(lead)]}
    assert SIGNATURE not in stored(world)
    assert REASON.encode() not in stored(world)
    assert {type(one.event) for one in (await world.store.load(lead)).events} == {LeadErased}
    assert len((await world.store.load(kept)).events) == 2
    assert (await admin.get(f"/leads/{lead}/resume")).status == 404
    assert (await examine(world.js)).findings == []


def stored(world: World) -> bytes:
    """Every byte that nats-server has on disk."""
    files = [path for path in world.server.store_dir.rglob("*") if path.is_file()]
    assert any(path.suffix == ".blk" for path in files)
    return b"".join(path.read_bytes() for path in files)
