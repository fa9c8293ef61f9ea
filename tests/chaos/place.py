"""Where a disturbed bench runs: a disk and a folder for temporary files of its own, and processes that can be found."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.integration.conftest import SMOKE

COMMAND = (
    *SMOKE, "--out", "run", "--workers", "2", "--method", "opcod", "--set", "rounds.checkpoint_every=1",
    "--set", "break_rate.questions=1", "--set", "sampling.eval_samples=1", "--set", "world.specialist_steps=5",
    "--set", "rounds.prompts=2", "--set", "data.validation=4", "--set", "data.test=4",
)  # fmt: skip
"""Every kind of task, in some seconds once its processes have started."""
SOON = 5.0  # seconds in which everything that a killed bench has started is to be gone
_MARK = "COOPT_CHAOS"
_ROOT = Path(__file__).resolve().parents[2]
_SEMAPHORES = Path("/dev/shm")
_SIZE = "400m"  # of the disk


class Place:
    """A folder with a disk in it. On a machine that lets this user mount one, the disk can be full or read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = folder / "disk"
        self.disk.mkdir(parents=True, exist_ok=True)
        self.temporary = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))  # short: sockets are made in it
        self._seen: set[str] = set()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "coopt-chaos", str(self.disk)],
            capture_output=True,
            check=False,
        )
        self.mounted = mounted.returncode == 0

    @property
    def run(self) -> Path:
        return self.disk / "run"

    def remount(self, options: str = f"rw,size={_SIZE}") -> None:
        """Change the disk. Nobody may be writing: what was just killed may, until its files are closed."""
        command, until = ["mount", "-o", f"remount,{options}", str(self.disk)], time.monotonic() + SOON
        while (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
            if time.monotonic() > until:
                raise RuntimeError(done.stderr)
            time.sleep(0.2)

    def fill(self, left: int) -> None:
        """Leave so many bytes of room."""
        self.remount(f"rw,size={shutil.disk_usage(self.disk).used + left}")

    def close(self) -> None:
        for pid in self.processes():
            self.kill(pid)
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.disk)], capture_output=True, check=False)
        shutil.rmtree(self.temporary, ignore_errors=True)
        shutil.rmtree(self.disk, ignore_errors=True)

    def start(self, clock: float = 0.0) -> Started:
        """The command. ``clock``: by how many seconds its clock is wrong."""
        path = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        if clock:
            path.insert(0, str(Path(__file__).parent / "clock"))
        more = {
            "TMPDIR": str(self.temporary),
            _MARK: str(self.folder),
            "COOPT_CHAOS_CLOCK": str(clock),
            "PYTHONPATH": os.pathsep.join(path),
        }
        said = tempfile.NamedTemporaryFile("w+", dir=self.folder, suffix=".err", delete=False)  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "coopt", *COMMAND],
            cwd=self.disk, env=os.environ | more, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        said.close()
        return Started(self, process, Path(said.name))

    def processes(self) -> dict[int, str]:
        """What lives of all that was started here: pid -> command."""
        wanted, found = f"{_MARK}={self.folder}".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if wanted in (place / "environ").read_bytes().split(b"\0"):
                    found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
        self._seen.update(p.name for p in self.temporary.iterdir())
        return found

    def kill(self, pid: int, unless: str = "\0") -> bool:
        """Kill a process that was started here, not another that has its number by now; whether it was.
        ``unless``: its command, which is another's until it has begun, holds this."""
        with suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            try:
                command = self.processes().get(pid)
                if command is not None and unless not in command:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    return True
            finally:
                os.close(process)
        return False

    def leftovers(self) -> list[str]:
        """What is still there some seconds after a bench has ended."""
        deadline = time.monotonic() + SOON
        while (left := list(self._left())) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left

    def _left(self) -> Iterator[str]:
        yield from (f"process {pid} lives: {command}" for pid, command in self.processes().items())
        yield from (f"temporary {p.name} is left" for p in self.temporary.iterdir())
        for name in self._seen:
            yield from (f"semaphore {p.name} is left" for p in _SEMAPHORES.glob(f"sem.{name}-*"))


class Started:
    """A bench that runs."""

    def __init__(self, place: Place, process: subprocess.Popen[bytes], said: Path) -> None:
        self.place = place
        self.process = process
        self.began = time.monotonic()
        self._said = said

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Whether it still runs after so long, or when it has come to that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None and not until():
            self.place.processes()
            time.sleep(0.1)
        return self.process.poll() is None

    def hears(self, number: int) -> bool:
        """Whether it has said what it does on a signal. Until Python has begun, the kernel ends it without a word."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith(("SigCgt", "SigIgn")) and int(line.split()[1], 16) >> (number - 1) & 1:
                    return True
        return False

    def signal(self, number: int, *, group: bool) -> None:
        if self.process.poll() is None:  # not waited for: the number is its own
            (os.killpg if group else os.kill)(self.process.pid, number)

    def end(self, seconds: float = 300.0) -> int | None:
        """Its exit code; None if it does not end, and is killed."""
        alive = self.wait(seconds)
        if alive:
            self.signal(signal.SIGKILL, group=True)
        code = self.process.wait()
        return None if alive else code

    @property
    def said(self) -> str:
        return self._said.read_text(errors="replace") if self._said.exists() else ""

    def forget(self) -> None:
        self._said.unlink(missing_ok=True)
