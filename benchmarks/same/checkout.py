"""What BASE is, its code for a while, and what it made, kept for the next call."""

from __future__ import annotations

import fcntl
import hashlib
import io
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
CACHE = HERE / ".same"
_DECIDES = ("endpoint", "perform", "weights")
"""The files of this tool that decide how a run is made; the others only compare."""


class BaseError(Exception):
    """BASE cannot be had; the message is one line."""


def commit_of(base: str) -> str:
    """The full name of a commit. Raises ``BaseError``."""
    try:
        return _git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}").decode().strip()
    except BaseError:
        raise BaseError(f"BASE={base}: no such commit in {HERE}") from None


def folder_of(commit: str) -> Path:
    """Where what a commit made is kept: another torch, Python or processor makes it anew."""
    parts = [commit, version("torch"), platform.python_version(), _processor()]
    parts += [Path(__file__).with_name(f"{name}.py").read_text() for name in _DECIDES]
    return CACHE / f"{commit[:10]}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:10]}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), platform.machine())


def results_of(commit: str, folder: Path) -> Path:
    """BASE's archived results, which both sides read. They are taken out of git once."""
    target = folder / "results"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, "benchmarks/results"))) as tar:
                tar.extractall(temporary, filter="data")
            (Path(temporary) / "benchmarks/results").rename(target)
    return target


@contextmanager
def alone() -> Iterator[None]:
    """One call at a time has the cache. Raises ``BaseError`` if another one has it."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BaseError(f"another call is at work in {CACHE}; wait for it") from None
        yield


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """A commit's files, as a git worktree outside this one, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="coopt-same-") as temporary:
        code = Path(temporary) / "base"
        _git("worktree", "add", "--quiet", "--detach", str(code), commit)
        try:
            yield code
        finally:
            shutil.rmtree(code, ignore_errors=True)
            _git("worktree", "prune")


def forget_others(keep: Path) -> None:
    """Remove what other commits, or other versions of this tool, made: a gigabyte of it would gather."""
    for folder in CACHE.iterdir():
        if folder.is_dir() and folder != keep:
            shutil.rmtree(folder, ignore_errors=True)


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, check=False)
    if done.returncode:
        raise BaseError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
