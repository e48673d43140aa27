"""One behaviour suite, on the resume store in memory and on a real nats-server."""

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from nats.js import JetStreamContext

from libs.events import new_id
from libs.resumes import JetStreamResumeStore, MemoryResumeStore, ResumeMissing, ResumeStore

FAR_AHEAD = timedelta(days=1)


def some_bytes(size: int) -> bytes:
    return Random(size).randbytes(size)  # noqa: S311 - contents of a file, not a secret


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["memory", "jetstream"])
def resumes(request: pytest.FixtureRequest) -> ResumeStore:
    if request.param == "memory":
        return MemoryResumeStore()
    js: JetStreamContext = request.getfixturevalue("js")
    return JetStreamResumeStore(js)


async def read(resumes: ResumeStore, name: str) -> bytes:
    return b"".join([piece async for piece in resumes.read(name)])


@pytest.mark.parametrize("size", [1, 20_000, 131_072, 131_073, 1_048_576, 3_000_001])
async def test_the_exact_bytes_come_back(resumes: ResumeStore, size: int) -> None:
    data = some_bytes(size)
    chunks = [data[i : i + 70_000] for i in range(0, size, 70_000)]
    name = await resumes.put(new_id(), chunks, size=size, sha256=sha256(data))
    assert await read(resumes, name) == data


async def test_each_put_has_a_name_of_its_own(resumes: ResumeStore) -> None:
    lead, names = new_id(), []
    for content in (b"one", b"two"):
        name = await resumes.put(lead, [content], size=3, sha256=sha256(content))
        names.append(name)
    assert [await read(resumes, name) for name in names] == [b"one", b"two"]


async def test_an_unknown_or_deleted_name_is_missing(resumes: ResumeStore) -> None:
    name = await resumes.put(new_id(), [b"abc"], size=3, sha256=sha256(b"abc"))
    await resumes.delete(name)
    await resumes.delete(name)
    for gone in (name, "never-there"):
        with pytest.raises(ResumeMissing):
            await read(resumes, gone)


async def test_a_wrong_size_is_refused_and_leaves_nothing(resumes: ResumeStore) -> None:
    with pytest.raises(ValueError, match="size"):
        await resumes.put(new_id(), [b"abc"], size=4, sha256=sha256(b"abc"))
    found, _ = await resumes.stored(after=0, until=datetime.now(UTC) + FAR_AHEAD)
    assert found == []


async def test_a_scan_finds_what_is_old_enough_and_goes_on_from_there(
    resumes: ResumeStore,
) -> None:
    leads = [new_id() for _ in range(3)]
    names = [await resumes.put(lead, [b"abc"], size=3, sha256=sha256(b"abc")) for lead in leads]
    now = datetime.now(UTC)

    nothing, start = await resumes.stored(after=0, until=now - timedelta(hours=1))
    found, position = await resumes.stored(after=start, until=now + FAR_AHEAD)
    again, same = await resumes.stored(after=position, until=now + FAR_AHEAD)

    assert (nothing, start) == ([], 0)
    assert [(one.name, one.lead_id) for one in found] == list(zip(names, leads, strict=True))
    assert (again, same) == ([], position)
