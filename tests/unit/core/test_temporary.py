"""What a killed process leaves: nothing, soon, or after the next one at the latest."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from coopt.core import kernel, sweeper, temporary
from coopt.core.errors import ConfigError
from coopt.core.kernel import OutOfMemory
from coopt.core.sweeper import MARK
from coopt.core.temporary import as_helpers, for_others, own_folder

SOON = 5.0
SCRIPT = """
import multiprocessing, os, subprocess, sys, time
from coopt.core.temporary import as_helpers, own_folder
if __name__ == "__main__":
    folder = own_folder()
    (folder / "weights").write_bytes(b"x" * 1000)
    with as_helpers():
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    lock = multiprocessing.get_context("spawn").Lock()
    print(folder, child.pid, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(300)
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.delenv(MARK, raising=False)
    return tmp_path


def started(base: Path, how: str) -> tuple[subprocess.Popen[str], Path, int]:
    command = [sys.executable, str(base / "script.py"), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    folder, child = process.stdout.readline().split()
    return process, Path(folder), int(child)


def soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + SOON
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def semaphores(folder: Path) -> list[Path]:
    return list(Path("/dev/shm").glob(f"sem.{folder.name}-*"))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def sweeper_of(process: subprocess.Popen[str]) -> psutil.Process:
    return next(c for c in psutil.Process(process.pid).children() if sweeper.__file__ in c.cmdline())


@pytest.mark.parametrize("group", [False, True])
def test_a_killed_process_takes_its_helpers_and_its_folder_along(base: Path, group: bool) -> None:
    process, folder, child = started(base, "wait")
    assert folder.parent == base / "t"
    assert semaphores(folder)
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    assert soon(lambda: gone(child) and not folder.exists() and not semaphores(folder))
    assert list((base / "t").iterdir()) == []


def test_where_nobody_was_left_to_tidy_up_the_next_process_does(base: Path) -> None:
    process, folder, child = started(base, "wait")
    sweeper_of(process).kill()
    process.kill()
    process.wait()
    assert folder.exists()
    other, own, _ = started(base, "wait")
    try:
        assert gone(child)
        assert not folder.exists()
        assert not semaphores(folder)
        third, *_ = started(base, "end")
        third.wait()
        assert own.exists(), "what is in use is not touched"
    finally:
        other.kill()
        other.wait()


def test_a_process_whose_sweeper_was_killed_ends_without_a_word_and_leaves_nothing(base: Path) -> None:
    """It tidies up itself: after its semaphores, and without Python's tracker of them."""
    (base / "script.py").write_text(SCRIPT.replace("time.sleep(300)", "sys.stdin.read()"))
    process = subprocess.Popen(
        [sys.executable, str(base / "script.py"), "wait"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    folder, child = process.stdout.readline().split()
    killed = sweeper_of(process)
    killed.kill()
    assert soon(lambda: gone(killed.pid))
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert gone(int(child))
    assert not Path(folder).exists()
    assert not semaphores(Path(folder))


def test_whoever_has_the_number_of_a_helper_by_now_is_not_killed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = subprocess.Popen(["sleep", "600"])
    try:
        monkeypatch.setattr(sweeper, "_PATIENCE", 0.3)
        monkeypatch.setattr(sweeper, "marked", lambda folder: iter([other.pid]))
        sweeper.clear(str(base / "t" / "coopt-x"))
        assert other.poll() is None
        monkeypatch.setattr(sweeper, "is_marked", lambda pid, folder: True)
        sweeper.clear(str(base / "t" / "coopt-x"))
        assert other.wait(SOON) == -signal.SIGKILL
    finally:
        other.kill()
        other.wait()


def test_a_kernel_without_descriptors_of_processes_is_served_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(pid: int) -> int:
        raise OSError(errno.ENOSYS, "not implemented")

    monkeypatch.setattr(os, "pidfd_open", absent)
    helper = subprocess.Popen(["sleep", "600"], env=os.environ | {sweeper.MARK: "/t/coopt-x"})
    other = subprocess.Popen(["sleep", "600"])
    try:
        while not sweeper.is_marked(helper.pid, "/t/coopt-x"):  # until it is another program's process
            time.sleep(0.01)
        for process in (helper, other):
            sweeper.kill(process.pid, "/t/coopt-x")
        assert helper.wait(SOON) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (helper, other):
            process.kill()
            process.wait()


def test_a_tracker_that_is_being_started_is_not_ended_with_the_helpers(base: Path) -> None:
    """An interrupt, while another thread starts Python's tracker of semaphores, whose number is not known yet."""
    code = """
import threading, time
from multiprocessing import resource_tracker, util
from coopt.core.temporary import as_helpers, end_helpers
begin, started = util.spawnv_passfds, threading.Event()
def slowly(*arguments):
    pid = begin(*arguments)
    started.set()
    time.sleep(0.5)
    return pid
util.spawnv_passfds = slowly
def warm_up():
    with as_helpers():
        pass
thread = threading.Thread(target=warm_up)
thread.start()
started.wait()
time.sleep(0.2)
end_helpers()
thread.join()
resource_tracker.ensure_running()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_outlives_a_process_is_not_marked_by_another_thread(base: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def helper() -> None:
        with as_helpers():
            entered.set()
            leave.wait(0.5)

    thread = threading.Thread(target=helper)
    thread.start()
    entered.wait()
    with for_others():
        assert MARK not in os.environ
    leave.set()
    thread.join()


def test_a_process_that_ends_leaves_nothing(base: Path) -> None:
    process, folder, child = started(base, "end")
    assert process.wait(30) == 0
    assert soon(lambda: gone(child) and not folder.exists() and not semaphores(folder))


def test_the_environment_is_marked_for_helpers_alone(base: Path) -> None:
    before = dict(os.environ)
    with as_helpers():
        assert os.environ[MARK] == str(own_folder())
    assert dict(os.environ) == before


def test_folders_of_others_and_strange_ones_stay(base: Path) -> None:
    (base / "t" / "coopt-mine").mkdir()
    (base / "t" / "coopt-link").symlink_to(base)
    process, *_ = started(base, "end")
    process.wait()
    assert (base / "t" / "coopt-mine").exists()
    assert (base / "script.py").exists()


# -- out of memory ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "file", "text"),
    [
        ("0::/user/x\n", "user/x/memory.events", "low 0\noom 3\noom_kill {}\n"),
        ("0::/not/there\n", "memory.events", "oom_kill {}\n"),
        ("4:memory:/job\n0::/\n", "memory/job/memory.oom_control", "under_oom 0\noom_kill {}\n"),
    ],
)
def test_only_the_kernels_count_says_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, file: str, text: str
) -> None:
    (tmp_path / "cgroup").write_text(groups)
    path = tmp_path / "fs" / file
    path.parent.mkdir(parents=True)
    path.write_text(text.format(2))
    found = kernel._counters(tmp_path / "cgroup", tmp_path / "fs")
    monkeypatch.setattr(kernel, "_counters", lambda: found)
    memory = OutOfMemory()
    assert memory.why() == ""
    path.write_text(text.format(3))
    assert memory.why() == " (out of memory)"


def test_where_nothing_temporary_can_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(ConfigError, match="Set TMPDIR to one"):
        temporary._settle.__wrapped__(os.getpid())


@pytest.mark.parametrize("module", ["lm.policy", "lm.sft", "lm.embedded.learn", "lm.engines.hf", "driver.evaluation"])
def test_a_command_that_computes_itself_leaves_no_folder_of_torchs(module: str, tmp_path: Path) -> None:
    """Nor does it tell the jobs that it starts where that would be here."""
    code = f"import os, coopt.{module}; print(os.environ.get('TORCHINDUCTOR_CACHE_DIR'))"
    environment = {k: v for k, v in os.environ.items() if k != "TORCHINDUCTOR_CACHE_DIR"} | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert list(tmp_path.iterdir()) == []
