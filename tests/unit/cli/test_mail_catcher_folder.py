"""The folder: whole files or none, and nothing outside of it."""

import stat
from pathlib import Path

import pytest

from services.cli.mail_catcher.folder import MailFolder, MailMissing

OUTSIDE = [
    *("../secret", "..%2fsecret", "/etc/passwd", "", ".", "01a20d9f-1c89-7738-a119-7c2f015e2141\n"),
    *("01A20D9F-1C89-7738-A119-7C2F015E2141", "01a20d9f-1c89-4738-a119-7c2f015e2141", "a\x00b"),
]


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    made = MailFolder(tmp_path / "new" / "mails")
    made.open()
    return made


def names(folder: MailFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def test_newest_first(folder: MailFolder) -> None:
    ids = [folder.keep("a@x.example", ["b@x.example"], b"Subject: %d\r\n" % n) for n in range(5)]
    assert folder.ids() == ids[::-1]
    assert [mail.subject for mail in folder.summaries(folder.ids())] == ["4", "3", "2", "1", "0"]


def test_only_this_user_may_read_a_mail(folder: MailFolder) -> None:
    mail_id = folder.keep("a@x.example", [], b"x")
    assert stat.S_IMODE((folder.path / f"{mail_id}.eml").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_another_one_on_the_same_folder_sees_them(folder: MailFolder) -> None:
    mail_id = folder.keep("a@x.example", ["b@x.example"], b"Subject: kept\r\n\r\nHi\r\n")
    again = MailFolder(folder.path)
    again.open()
    assert again.ids() == [mail_id]
    assert again.read(mail_id).endswith(b"Subject: kept\r\n\r\nHi\r\n")


def test_what_a_killed_process_left_is_removed_and_other_files_are_not(folder: MailFolder) -> None:
    (folder.path / "01a20d9f-1c89-7738-a119-7c2f015e2141.eml.part").write_bytes(b"half")
    (folder.path / "mine.eml.part").write_bytes(b"not ours")
    (folder.path / "mine.eml").write_bytes(b"not ours")
    folder.open()
    folder.clear()
    assert names(folder) == ["mine.eml", "mine.eml.part"]
    assert folder.ids() == []


@pytest.mark.parametrize("mail_id", OUTSIDE)
def test_an_id_names_nothing_else(folder: MailFolder, mail_id: str) -> None:
    (folder.path.parent / "secret.eml").write_bytes(b"secret")
    with pytest.raises(MailMissing):
        folder.read(mail_id)


def test_a_write_that_fails_leaves_nothing(
    folder: MailFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.keep("a@x.example", [], b"x")
    assert names(folder) == []


def test_a_mail_deleted_by_hand_is_gone_from_the_list(folder: MailFolder) -> None:
    first, second = (folder.keep("a@x.example", [], b"x") for _ in range(2))
    ids = folder.ids()
    (folder.path / f"{second}.eml").unlink()
    assert [mail.id for mail in folder.summaries(ids)] == [first]
    assert folder.ids() == [first]


def test_a_folder_deleted_by_hand_is_made_again(folder: MailFolder) -> None:
    folder.path.rmdir()
    assert folder.ids() == []
    assert not folder.writable()
    mail_id = folder.keep("a@x.example", [], b"x")
    assert folder.ids() == [mail_id]
    assert folder.writable()


def test_a_folder_that_is_a_file_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileExistsError):
        MailFolder(tmp_path / "file").open()
