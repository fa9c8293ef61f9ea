"""What may happen to a bench: before it starts, while it runs, and how that ends."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from coopt.driver.folder import is_locked
from tests.chaos.place import Place, Started
from tests.unit.sealed_runs import DAMAGE, DELETED, damage

Ends = tuple[int | None, ...]
GOES_ON = "run the same command again"
_FORBIDDEN = ("Traceback", "leaked", "Exception ignored", "Process SpawnPoolWorker", "out of memory")
_UNTOUCHED = ("run.lock", "progress/", "jobs/", "report.html")  # nothing is made of them
_TRANSCRIPTS = (".rollouts.jsonl", ".advantages.jsonl", ".texts.jsonl")  # may be deleted on purpose


@dataclass
class Disturbed:
    """One disturbance and what came of it."""

    kind: str
    detail: str = ""
    faults: list[str] = field(default_factory=list)
    ends: Ends = ()
    """The exit codes that are right; empty: the bench goes on."""
    last: str = ""
    """What its last line must hold, if it ended with an error."""


def plain(said: str) -> Iterator[str]:
    """What nobody may read on the terminal, whatever happened."""
    for word in _FORBIDDEN:
        if word in said:
            yield f"'{word}' on the terminal: {said[max(0, said.index(word) - 200) :][:600]!r}"


# -- before a start: the bench is to say it in one line, or to mend it ---------------------------------------


def damaged(place: Place, rng: random.Random, done: set[str]) -> Disturbed | None:
    """A file that is not what was written. Not one that was damaged since it was last made: its copy may be damaged,
    too."""
    files = sorted(p for p in place.run.rglob("*") if p.is_file() and not p.is_symlink())
    files = [p for p in files if _can_be_damaged(p.relative_to(place.run).as_posix(), done)]
    if not files:
        return None
    path = rng.choice(files)
    name = path.relative_to(place.run).as_posix()
    how = rng.choice([w for w in (DELETED, *DAMAGE) if w != DELETED or not name.endswith((*_TRANSCRIPTS, ".seal"))])
    if not damage(path, how):
        return None
    done.add(_stem(name))
    return Disturbed("damaged file", f"{name}: {how}")


def _can_be_damaged(name: str, done: set[str]) -> bool:
    return not name.startswith(_UNTOUCHED) and ".tmp" not in name and _stem(name) not in done


def _stem(name: str) -> str:
    return name.removesuffix(".seal")


def full(place: Place, rng: random.Random) -> Disturbed:
    left = rng.choice([0, 8_000, 60_000, 500_000, 3_000_000])
    place.fill(left)
    return Disturbed("full disk", f"{left} bytes left", ends=(0, 1, 2), last=GOES_ON)


def read_only(place: Place, rng: random.Random) -> Disturbed:
    place.remount("ro")
    return Disturbed("read-only disk", ends=(0, 1, 2), last=GOES_ON)


def wrong_clock(rng: random.Random) -> float:
    return rng.choice([-86_400.0, -3_600.0, -5.0, 3_600.0, -10 * 365 * 86_400.0])


# -- while it runs, and goes on ---------------------------------------------------------------------------------


def stopped_and_continued(bench: Started, rng: random.Random) -> Disturbed:
    seconds = rng.uniform(0.5, 4)
    bench.signal(signal.SIGSTOP, group=True)
    time.sleep(seconds)
    bench.signal(signal.SIGCONT, group=True)
    return Disturbed("stop and continue", f"{seconds:.1f} s")


def second_driver(bench: Started, rng: random.Random) -> Disturbed | None:
    bench.wait(60, lambda: is_locked(bench.place.run))
    if not is_locked(bench.place.run):
        return None
    second = bench.place.start()
    code, seconds = second.end(120), time.monotonic() - second.began
    found = Disturbed("second driver", f"refused after {seconds:.1f} s")
    if bench.process.poll() is not None and code == 0:
        found.detail = "the first had just finished"
    elif code != 2 or "another coopt bench is working on this run" not in second.said:
        found.faults.append(f"a second driver ended with {code}: {second.said[-300:]!r}")
    found.faults += plain(second.said)
    second.forget()
    return found


def killed_helper(bench: Started, rng: random.Random) -> Disturbed | None:
    """A worker, the server that forks them, whoever tidies up: one that dies may take the bench with it, in one line.
    Not Python's own tracker of semaphores, whose loss Python itself tells at length."""
    found = bench.place.processes().items()
    others = {pid: command for pid, command in found if pid != bench.process.pid and "resource_tracker" not in command}
    if not others:
        return None
    pid = rng.choice(sorted(others))
    time.sleep(0.05)  # one that was just forked has its own command by then
    if not bench.place.kill(pid, unless="resource_tracker"):
        return None
    what = next((n for n in ("sweeper", "forkserver", "render") if n in others[pid]), "process")
    return Disturbed("killed helper", what, ends=(0, 2), last=GOES_ON)


# -- ends of it ----------------------------------------------------------------------------------------------------


def killed_group(bench: Started, rng: random.Random) -> Disturbed:
    bench.signal(signal.SIGKILL, group=True)
    return Disturbed("killed group", ends=(0, -signal.SIGKILL))


def killed_driver(bench: Started, rng: random.Random) -> Disturbed:
    bench.signal(signal.SIGKILL, group=False)
    return Disturbed("killed driver", ends=(0, -signal.SIGKILL))


def terminated(bench: Started, rng: random.Random) -> Disturbed:
    group = rng.random() < 0.5
    bench.signal(signal.SIGTERM, group=group)
    return Disturbed("SIGTERM", "the group" if group else "the driver", ends=(0, -signal.SIGTERM))


def interrupted(bench: Started, rng: random.Random) -> Disturbed:
    """Ctrl-C: all in the foreground hear it, and perhaps once more."""
    if not bench.hears(signal.SIGINT):  # on a busy machine: Python itself is still to begin
        bench.wait(10, until=lambda: bench.hears(signal.SIGINT))
        bench.wait(0.5)
    bench.signal(signal.SIGINT, group=True)
    twice = rng.random() < 0.25
    if twice:
        bench.wait(rng.uniform(0.05, 1.0))
        bench.signal(signal.SIGINT, group=True)
    return Disturbed("SIGINT", "twice" if twice else "", ends=(0, 130), last="coopt: stopped.")


SOFT: tuple[Callable[[Started, random.Random], Disturbed | None], ...] = (stopped_and_continued, second_driver)
HARD: tuple[Callable[[Started, random.Random], Disturbed | None], ...] = (
    killed_group, killed_driver, killed_driver, killed_helper, terminated, interrupted, interrupted,
)  # fmt: skip


def moment(rng: random.Random) -> float:
    """Seconds until something happens: while it imports, prepares, works or ends."""
    return rng.choice([rng.uniform(0.3, 4), rng.uniform(2, 10), rng.uniform(6, 20)])
