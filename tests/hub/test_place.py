"""Places: who may share a process, and what dead hubs leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_support import Processes

from gdbstub.hub import runtime
from gdbstub.hub.runtime import Place, places, runtime_folder

_CLAIM = """
import sys
from pathlib import Path
from gdbstub.hub.runtime import Place
place = Place(4711, Path(sys.argv[1]))
sys.stdin.readline()
claim = place.claim()
if claim and "touch" in sys.argv:
    place.socket("gdb").touch()
    place.socket("control").touch()
print("won" if claim else "lost", flush=True)
sys.stdin.readline()
if claim:
    claim.release()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder for this test alone."""
    found = tmp_path / "run" / "gdbstub"
    monkeypatch.setattr(runtime, "runtime_folder", lambda: found)
    yield found


@pytest.fixture
def place(folder: Path) -> Place:
    return Place.of(4711)


def claimant(processes: Processes, place: Place, *options: str) -> subprocess.Popen[bytes]:
    """A process that claims a place when it is told to `go`, and gives it up when it is told to again."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CLAIM, place.folder, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    processes.append(process)
    return process


def go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


def outcome(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def test_a_claim_makes_a_private_place(place: Place) -> None:
    assert not place.is_live()
    claim = place.claim()
    assert claim is not None
    assert place.is_live()
    assert place.folder.stat().st_mode & 0o777 == 0o700
    assert place.folder.parent.stat().st_mode & 0o777 == 0o700
    claim.release()
    assert not place.is_live()
    assert not place.folder.exists()


def test_a_claimed_place_is_not_claimed_again(place: Place) -> None:
    claim = place.claim()
    assert claim is not None
    place.socket("gdb").touch()
    assert place.claim() is None
    assert place.socket("gdb").exists()
    claim.release()
    again = place.claim()
    assert again is not None
    again.release()


def test_what_a_killed_owner_left_is_taken_over(place: Place, processes: Processes) -> None:
    place.folder.parent.mkdir(parents=True, mode=0o700)
    owner = claimant(processes, place, "touch")
    go(owner)
    assert outcome(owner) == "won"
    assert place.is_live()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert place.socket("control").exists()
    assert not place.is_live()
    claim = place.claim()
    assert claim is not None
    assert not place.socket("gdb").exists()
    assert not place.socket("control").exists()
    claim.release()


def test_of_many_claimants_at_once_exactly_one_wins(place: Place, processes: Processes) -> None:
    place.folder.parent.mkdir(parents=True, mode=0o700)
    claimants = [claimant(processes, place) for _ in range(12)]
    for each in claimants:
        go(each)
    outcomes = [outcome(each) for each in claimants]
    assert sorted(outcomes) == ["lost"] * 11 + ["won"]
    assert place.is_live()
    for each in claimants:
        go(each)
        each.wait()
    assert not place.folder.exists()


def test_claiming_and_releasing_at_once_loses_no_place(place: Place, processes: Processes) -> None:
    """The folder goes with each release, and whoever claims then makes it anew."""
    script = """
import sys
from pathlib import Path
from gdbstub.hub.runtime import Place
place = Place(4711, Path(sys.argv[1]))
alone = Path(sys.argv[1] + "-owned")
won = 0
while won < 200:
    claim = place.claim()
    if claim is not None:
        won += 1
        alone.mkdir()
        assert place.folder.is_dir()
        alone.rmdir()
        claim.release()
"""
    place.folder.parent.mkdir(parents=True, mode=0o700)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", script, place.folder], stderr=subprocess.PIPE)
        processes.append(process)
    for process in processes:
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_looking_disturbs_nobody(place: Place, processes: Processes) -> None:
    """Of those who look at a place that nobody owns none takes another for its owner, or keeps one out."""
    script = """
import sys
from pathlib import Path
from gdbstub.hub.runtime import Place
place = Place(4711, Path(sys.argv[1]))
print(sum(place.is_live() for _ in range(3000)), flush=True)
sys.stdin.readline()
while True:
    place.is_live()
"""
    place.folder.mkdir(parents=True, mode=0o700)
    (place.folder / "lock").touch()
    for _ in range(3):
        words = [sys.executable, "-c", script, place.folder]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
    assert [outcome(process) for process in processes] == ["0", "0", "0"]
    for process in processes:
        go(process)
    for _ in range(300):
        claim = place.claim()
        assert claim is not None
        assert place.claim() is None
        claim.release()


def test_places_are_found_by_pid_and_stale_ones_go(folder: Path) -> None:
    claims = [Place.of(pid).claim() for pid in (30, 4)]
    stale = Place.of(7)
    stale.folder.mkdir()
    (stale.folder / "lock").touch()
    stale.socket("gdb").touch()
    (folder / "not-a-pid").mkdir()
    assert [place.pid for place in places()] == [4, 30]
    assert not stale.folder.exists()
    assert (folder / "not-a-pid").exists()
    for claim in claims:
        assert claim is not None
        claim.release()
    assert list(places()) == []


def test_without_a_runtime_folder_nothing_is_shared(folder: Path) -> None:
    assert list(places()) == []
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_into_is_refused(folder: Path, place: Place, mode: int) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    with pytest.raises(PermissionError, match="is not this user's own"):
        place.claim()


def test_a_link_or_a_file_in_place_of_the_folder_is_refused(
    folder: Path, place: Place, tmp_path: Path
) -> None:
    folder.parent.mkdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="is not this user's own"):
        place.claim()
    folder.unlink()
    folder.touch()
    with pytest.raises(OSError):
        place.claim()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_somebody_else_is_refused(folder: Path, place: Place) -> None:
    folder.mkdir(parents=True, mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(PermissionError, match="is not this user's own"):
        place.claim()


@pytest.mark.parametrize(
    ("user", "given", "expected"),
    [
        (0, "/run/user/0", "/run/gdbstub"),
        (1000, "/run/user/1000", "/run/user/1000/gdbstub"),
        (1000, None, "/tmp/gdbstub-1000"),
        (1000, "", "/tmp/gdbstub-1000"),
    ],
)
def test_each_user_has_a_folder(
    monkeypatch: pytest.MonkeyPatch, user: int, given: str | None, expected: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if given is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    assert runtime_folder() == Path(expected)
