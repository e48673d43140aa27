"""A backup file, and every way of damaging it."""

import hashlib
import io
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.backup.archive import ArchiveReader, ArchiveWriter
from services.cli.backup.create import names
from services.cli.backup.manifest import (
    MANIFEST,
    SUMS,
    BadBackup,
    Manifest,
    Part,
    order_of,
    parse_manifest,
    sums_of,
)

AT = datetime(2026, 3, 9, 14, 5, tzinfo=UTC)
SNAPSHOTS = {"LEADS": b"l" * 700, "DEAD_LETTERS": b"", "OBJ_RESUMES": b"r" * 1024}


def part(name: str, content: bytes) -> Part:
    return Part(
        stream=name,
        file=f"{name}.snapshot",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        exact=True,
        config={"name": name},
        state={"messages": 3, "last_seq": 4},
    )


def manifest(**changes: Any) -> Manifest:
    made = Manifest(
        format=1,
        leadlog="1.2.3",
        server="2.15.1",
        started_at=AT,
        ended_at=AT,
        parts=tuple(part(name, content) for name, content in SNAPSHOTS.items()),
    )
    return replace(made, **changes)


def write(path: Path) -> Path:
    with ArchiveWriter(path) as archive:
        for name, content in SNAPSHOTS.items():
            with archive.member(f"{name}.snapshot") as member:
                member.write(b"thrown away")
                member.begin_again()
                for start in range(0, len(content), 100):
                    member.write(content[start : start + 100])
        archive.finish(manifest())
    return path


def read(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """All that a restore takes from the file."""
    with ArchiveReader(path) as archive:
        archive.check()
        files = {one.file: b"".join(archive.chunks(one.file)) for one in archive.manifest.parts}
        return archive.manifest, files


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write(tmp_path / "backup.tar")


def rewritten(path: Path, changes: dict[str, bytes | None]) -> Path:
    """The same archive with some files changed, or left out."""
    other = path.with_name("changed.tar")
    with tarfile.open(path) as old, tarfile.open(other, "w") as new:
        for member in old.getmembers():
            file = old.extractfile(member)
            content = changes.get(member.name, file.read() if file else b"")
            if content is not None:
                info = tarfile.TarInfo(member.name)
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    return other


def test_what_was_written_is_read(whole: Path) -> None:
    found, files = read(whole)
    assert found == manifest()
    assert files == {f"{name}.snapshot": content for name, content in SNAPSHOTS.items()}
    assert whole.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_tar_and_sha256sum_read_it_too(whole: Path) -> None:
    with tarfile.open(whole) as tar:
        assert tar.getnames() == [*(f"{name}.snapshot" for name in SNAPSHOTS), MANIFEST, SUMS]
        sums = tar.extractfile(SUMS)
        assert sums is not None
        for line in sums.read().decode().splitlines():
            sha256, name = line.split("  ")
            file = tar.extractfile(name)
            assert file is not None
            assert hashlib.sha256(file.read()).hexdigest() == sha256


def test_a_flipped_byte_is_found_wherever_it_counts(whole: Path, tmp_path: Path) -> None:
    good, damaged = whole.read_bytes(), tmp_path / "damaged.tar"
    wanted, found = read(whole), 0
    for position in range(0, len(good), 11):
        content = bytearray(good)
        content[position] ^= 0x41
        damaged.write_bytes(content)
        try:
            # Bytes that fill up blocks mean nothing.
            assert read(damaged) == wanted, position
        except BadBackup:
            found += 1
    used = sum(len(content) for content in SNAPSHOTS.values()) + len(manifest().to_json())
    assert found > used / 11


def test_a_file_that_was_cut_off_is_never_taken_for_a_whole_one(
    whole: Path, tmp_path: Path
) -> None:
    good, damaged = whole.read_bytes(), tmp_path / "damaged.tar"
    with tarfile.open(whole) as tar:
        last = tar.getmembers()[-1]
    for length in [*range(0, len(good), 97), last.offset_data + last.size - 1]:
        damaged.write_bytes(good[:length])
        if length < last.offset_data + last.size:
            with pytest.raises(BadBackup):
                read(damaged)


@pytest.mark.parametrize("name", ["LEADS.snapshot", "OBJ_RESUMES.snapshot", MANIFEST, SUMS])
def test_a_missing_part_is_named(whole: Path, name: str) -> None:
    with pytest.raises(BadBackup, match=name):
        read(rewritten(whole, {name: None}))


def test_a_manifest_of_another_backup_is_found(whole: Path) -> None:
    other = manifest(parts=(part("LEADS", b"x"), *manifest().parts[1:]))
    with pytest.raises(BadBackup, match="disagree about LEADS"):
        read(rewritten(whole, {MANIFEST: other.to_json()}))
    other = manifest(started_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(BadBackup, match=r"manifest\.json is not as it was written"):
        read(rewritten(whole, {MANIFEST: other.to_json()}))


def test_hashes_that_do_not_cover_the_manifest_are_not_enough(whole: Path) -> None:
    sums = sums_of((one.file, one.sha256) for one in manifest().parts)
    with pytest.raises(BadBackup, match="manifest"):
        read(rewritten(whole, {SUMS: sums}))
    with pytest.raises(BadBackup, match="cannot be read"):
        read(rewritten(whole, {SUMS: b"\xff"}))


def test_a_newer_format_is_refused_with_the_version_that_reads_it() -> None:
    with pytest.raises(BadBackup, match=r"leadlog 1\.2\.3"):
        parse_manifest(manifest(format=2).to_json())


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"null", b"\xff", manifest(parts=()).to_json()]
)
def test_a_manifest_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(BadBackup, match="manifest"):
        parse_manifest(text)


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(20_000), b"x" * 20_000])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadBackup):
        read(tmp_path / "file")


def write_half(path: Path) -> None:
    with ArchiveWriter(path) as archive, archive.member("LEADS.snapshot") as member:
        member.write(b"half")
        raise ZeroDivisionError


def test_a_failed_backup_leaves_the_old_file_and_nothing_else(whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_half(whole)
    assert whole.read_bytes() == before
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_what_a_killed_backup_has_left_is_written_over(tmp_path: Path) -> None:
    left = tmp_path / "backup.tar.partial"
    left.write_bytes(b"x" * 100_000)
    left.chmod(0o644)
    assert read(write(tmp_path / "backup.tar"))[0] == manifest()
    assert (tmp_path / "backup.tar").stat().st_mode & 0o777 == 0o600


def test_two_backups_do_not_write_to_one_file(tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    with ArchiveWriter(target) as first:
        with pytest.raises(BlockingIOError):
            ArchiveWriter(target)
        with first.member("LEADS.snapshot") as member:
            member.write(b"whole")
        first.finish(manifest())
    assert target.exists()


def test_what_refers_is_taken_before_what_it_refers_to() -> None:
    taken = names()
    for refers, referred in (
        ("LEADS", "OBJ_RESUMES"),  # an event to its resume
        ("LEADS", "DEAD_LETTERS"),  # a NotificationFailed to its letter
        ("LEADS", "KV_MAIL_LEDGER"),  # a mail that is in no history is in the ledger
        ("LEADS", "KV_IDEMPOTENCY"),  # a lead to the key it was sent with
        ("LEADS", "KV_ACCOUNTS"),  # who reached out
        ("KV_SESSIONS", "KV_ACCOUNTS"),  # a login to its account
    ):
        assert taken.index(refers) < taken.index(referred)
    assert sorted(order_of(["Z", "LEADS", "A"])) == ["A", "LEADS", "Z"]
