import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.nats_keys import USERS
from services.cli.up.data import DataFolder, DataFolderProblem


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.prepare()
    return made


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_only_its_user_can_look_inside(folder: DataFolder) -> None:
    folder.seeds()
    folder.write_state({"pid": os.getpid()})
    assert mode(folder.path) == 0o700
    assert mode(folder.path / "secrets") == 0o700
    for user in USERS:
        assert mode(folder.path / "secrets" / "nats" / f"{user}.seed") == 0o600
    assert mode(folder.state) == 0o600


def test_keys_are_random_and_stay(folder: DataFolder, tmp_path: Path) -> None:
    other = DataFolder(tmp_path / "other")
    other.prepare()
    made = folder.seeds()
    assert set(made) == set(USERS)
    assert made == DataFolder(folder.path).seeds()
    assert not set(made.values()) & set(other.seeds().values())


def test_a_key_that_is_none_is_named_without_being_shown(folder: DataFolder) -> None:
    folder.seeds()
    (folder.path / "secrets" / "nats" / "leads.seed").write_text("SUBROKEN")
    with pytest.raises(DataFolderProblem, match=r"leads\.seed.*new one made") as raised:
        folder.seeds()
    assert "SUBROKEN" not in str(raised.value)


def test_a_folder_that_cannot_be_made_is_named_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderProblem, match=r"Cannot make .*file.* --data"):
        DataFolder(tmp_path / "file").prepare()


def test_the_state_is_of_a_living_program_only(folder: DataFolder) -> None:
    assert folder.read_state() is None
    folder.write_state({"pid": os.getpid(), "urls": {}})
    assert folder.read_state() == {"pid": os.getpid(), "urls": {}}
    folder.write_state({"pid": ended_process()})
    assert folder.read_state() is None
    folder.state.write_text("{")
    assert folder.read_state() is None
    folder.clear_state()
    folder.clear_state()
    assert not folder.state.exists()


def test_a_second_program_is_refused_at_once_and_told_who_holds_it(folder: DataFolder) -> None:
    with folder.locked(), pytest.raises(DataFolderProblem, match=rf"\(process {os.getpid()}\)"):
        DataFolder(folder.path).locked(patience=0).__enter__()
    with folder.locked():
        assert json.loads((folder.path / ".lock").read_text()) == os.getpid()


def test_children_of_a_killed_program_hold_the_folder_until_they_end(folder: DataFolder) -> None:
    with folder.locked() as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]
        )
    (folder.path / ".lock").write_text(f"{ended_process()}\n")
    with child:
        with pytest.raises(DataFolderProblem, match="of a `leadlog up` that was killed"):
            folder.locked(patience=0.2).__enter__()
        child.communicate(b"\n")
    with folder.locked(patience=0):
        assert (folder.path / ".lock").read_text() == f"{os.getpid()}\n"
