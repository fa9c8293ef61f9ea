"""Perform the commands of a run with the code of one checkout, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.same.compare import files
from benchmarks.same.runs import Command, Run
from benchmarks.same.weights import SUFFIX, keep_digests

SAID, NAME, MADE = "said", "run-folder.txt", "made.txt"
_RUN = "RUN"
"""Stands in a command for the folder that the first bench made: its name, a digest of settings, is to stay the same."""
_LIMIT = 900.0  # seconds of one command


class CommandError(Exception):
    """A command ended otherwise than it should."""


class Checkout:
    """A checkout whose ``coopt`` is run, with one thread and without network, GPU, or settings of who calls."""

    def __init__(self, code: Path, results: Path, proxy: str) -> None:
        self.code = code
        self.results = results
        self.environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(("COOPT_", "PYTHON"))} | {
            "PYTHONPATH": str(code),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "HTTP_PROXY": proxy,
            "http_proxy": proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def check(self) -> None:
        """The code that runs is this checkout's, not that of an installed package. Raises ``CommandError``."""
        asked = [sys.executable, "-c", "import coopt; print(coopt.__file__)"]
        done = subprocess.run(asked, cwd="/", env=self.environment, capture_output=True, text=True, check=False)
        if not Path(done.stdout.strip()).resolve().is_relative_to(self.code.resolve()):
            raise CommandError(f"coopt is imported from {done.stdout.strip() or 'nowhere'}, not from {self.code}")

    def make(self, run: Run, folder: Path) -> None:
        """A run from nothing, and a list of what it made. Weights become digests unless somebody goes on with them."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / SAID).mkdir(parents=True)
        for name, text in run.files.items():
            (folder / name).write_text(text)
        self.perform(run.makes, folder)
        keep_digests(folder, remove=not run.resumes)
        (folder / MADE).write_text("\n".join(sorted(files(folder))))

    def perform(self, commands: Sequence[Command], folder: Path, said: str = SAID) -> None:
        """Commands one after another. Raises ``CommandError`` at the first that ends otherwise than it should."""
        (folder / said).mkdir(exist_ok=True)
        link = folder / "results"
        if not link.is_symlink():
            link.symlink_to(self.results)
        for command in commands:
            self._one(command, folder, folder / said / command.said)

    def _one(self, command: Command, folder: Path, said: Path) -> None:
        words = [w.replace(_RUN, run_folder(folder)) if w.startswith(_RUN) else w for w in command.words]
        more = {"COOPT_KILL_AT": command.kill_at} if command.kill_at else {}
        code, out, error = _run([sys.executable, "-m", "coopt", *words], folder, self.environment | more)
        if code != command.code:
            last = (error.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
            raise CommandError(f"coopt {' '.join(words)}: exit code {code}, not {command.code}; it said: {last}")
        if not command.kill_at:  # how far a killed process had printed is chance
            said.write_bytes(error if command.code else out)


_running: set[subprocess.Popen[bytes]] = set()
"""Leaders of process groups under way. They have groups of their own because a bench that kills itself kills its
group."""


def end_all() -> None:
    """Kill every command that is under way."""
    for leader in list(_running):
        if leader.poll() is None:  # not waited for: the number is its own
            with suppress(ProcessLookupError):
                os.killpg(leader.pid, signal.SIGKILL)


def _run(words: Sequence[str], folder: Path, environment: dict[str, str]) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error. A command that takes too long is killed."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
    )
    _running.add(process)
    try:
        out, error = process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, error = process.communicate()
        error += f"\nkilled after {_LIMIT:.0f} s".encode()
    finally:
        _running.discard(process)
    return process.returncode, out, error


def run_folder(folder: Path) -> str:
    """The folder that the first bench of a run made, relative to ``folder``."""
    kept = folder / NAME
    if not kept.is_file():
        (found,) = (p for p in (folder / "runs").iterdir() if (p / "config.json").is_file())
        kept.write_text(f"runs/{found.name}")
    return kept.read_text()


def copy(source: Path, target: Path) -> None:
    """A run's folder to work in: weights, which are written whole or not at all, as links, all else as copies."""
    shutil.rmtree(target, ignore_errors=True)

    def either(old: str, new: str) -> str:
        if not old.endswith(SUFFIX):
            return str(shutil.copy2(old, new))
        os.link(old, new)
        return new

    shutil.copytree(source, target, symlinks=True, copy_function=either)
