"""What a process and those that it starts keep outside the run: one folder under TMPDIR and one prefix of semaphores.

Whoever dies cannot tidy up. So a process beside it (``coopt.core.sweeper``) does, and where that one is killed too, the
next process that needs such a folder does: one whose lock nobody holds is litter.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from multiprocessing import current_process, resource_tracker, util
from pathlib import Path

from coopt.core import sweeper
from coopt.core.errors import ConfigError
from coopt.core.sweeper import MARK

_PREFIX = "coopt-"
_LOCK = "lock"
_LONGEST = 70  # characters of the folder: sockets are made in it, whose paths have 107 at most
_LAST = -1000
_WAIT = 2.0  # seconds for a helper that another thread is just starting
INDUCTOR = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable: where torch keeps what it has compiled."""
_settling = threading.Lock()
_one_at_a_time = threading.RLock()  # the environment is everybody's
# Semaphores of a killed process are no leak that the user could mend, and the sweeper takes them away.
_QUIET = "ignore::UserWarning:multiprocessing.resource_tracker"


def own_folder() -> Path:
    """The folder for temporary files of this process, or of the one that started it. It goes with it."""
    given = os.environ.get(MARK)
    if given and Path(given).is_dir():
        return Path(given)
    with _settling:
        return _settle(os.getpid())


def settle() -> None:
    """Make the folder this process's place for temporary files, and the mark that of all that it starts: for processes
    that are coopt's own."""
    os.environ.update(marks())
    tempfile.tempdir = str(own_folder())


def marks() -> dict[str, str]:
    """The environment that makes a process end with this one."""
    return {MARK: str(own_folder())}


def helper(module: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a process that runs a module of this coopt and ends with this process: this coopt, and
    no module of that name, or of a library's, that lies in the working folder."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return [sys.executable, "-P", "-m", module], os.environ | {"PYTHONPATH": path} | marks()


@contextmanager
def as_helpers() -> Iterator[None]:
    """Processes that multiprocessing starts here end with this one and do not hear Ctrl-C, which is for this one. Not
    for long: this one does not hear it meanwhile either."""
    more = marks() | {"PYTHONWARNINGS": _QUIET}
    if INDUCTOR not in os.environ:  # torch makes a folder for what is compiled, and here nothing is
        more[INDUCTOR] = str(own_folder() / "inductor")
    with _one_at_a_time, _environment(more):
        resource_tracker.ensure_running()  # first: it lets Ctrl-C through again after its own start
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def importing_torch() -> Iterator[None]:
    """Around the import of transformers' models: torch then makes a folder for what it compiles, and names it in the
    environment, of which jobs of a cluster get a copy. Afterwards it makes one, where it is meant to be, when it
    compiles something."""
    with _one_at_a_time:
        if INDUCTOR in os.environ:
            yield
        else:
            with _environment({INDUCTOR: tempfile.gettempdir()}):  # which is there
                yield


@contextmanager
def for_others() -> Iterator[None]:
    """Processes that are started here outlive this one: no thread marks them meanwhile as its helpers."""
    with _one_at_a_time:
        yield


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    """Not for longer: what else this process starts, jobs of a cluster or a user's own, may outlive it."""
    before = {key: os.environ.get(key) for key in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@lru_cache(maxsize=1)
def _settle(pid: int) -> Path:
    """Make the folder of this process, and have somebody wait for its end. ``pid``: a fork has one of its own."""
    try:
        base = Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise ConfigError(
            "no folder for temporary files can be written, neither TMPDIR's nor /tmp. Set TMPDIR to one."
        ) from None
    _tidy(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    _hold(folder)
    _end_with(pid, folder)
    config = current_process()._config  # type: ignore[attr-defined]
    config["semprefix"] = f"/{folder.name}"
    if len(str(folder)) <= _LONGEST:
        config.setdefault("tempdir", str(folder))
    return folder


def _hold(folder: Path) -> None:
    """Lock the folder for as long as this process lives. The lock gets its name when it is held: nobody finds it
    free."""
    new = folder / f"{_LOCK}.new"
    lock = os.open(new, os.O_CREAT | os.O_WRONLY, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    new.rename(folder / _LOCK)


def _end_with(pid: int, folder: Path) -> None:
    theirs, _ = os.pipe()  # the other end closes when this process ends
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", sweeper.__file__, str(theirs), str(pid), str(folder)],
        pass_fds=[theirs],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # After multiprocessing has let go of its semaphores: they lie in what is taken away.
    util.Finalize(None, _without, (process, folder), exitpriority=_LAST)
    os.close(theirs)


def end_helpers() -> None:
    """Kill what this process has started, but for Python's tracker of semaphores, which says so at length."""
    if MARK in os.environ:  # they are those of whoever started this one
        return
    held = _one_at_a_time.acquire(timeout=_WAIT)  # a tracker that is just being started has no number yet
    try:
        folder = str(own_folder())
        for pid in sweeper.marked(folder):
            if pid not in (_tracker(), os.getpid()):
                sweeper.kill(pid, folder)
    finally:
        if held:
            _one_at_a_time.release()


def _tracker() -> int | None:
    """The number of Python's tracker of semaphores, where this process has started one."""
    pid: int | None = getattr(resource_tracker._resource_tracker, "_pid", None)
    return pid


def _without(process: subprocess.Popen[bytes], folder: Path) -> None:
    """At the end of this process: do what somebody has kept the sweeper from. The tracker ends by itself."""
    if process.poll() is not None:
        sweeper.clear(str(folder), spared=_tracker())


def _tidy(base: Path) -> None:
    """Take away what killed processes of this user have left."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sweeper.clear(str(folder))
