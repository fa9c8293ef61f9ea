"""One bench from its beginning to its end, disturbed on the way, and compared."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import disturbances as d
from tests.chaos.disturbances import Disturbed
from tests.chaos.place import Place, Started
from tests.integration.conftest import tables, weights


@dataclass(frozen=True)
class Wanted:
    """What a bench comes to if nothing happens."""

    tables: dict[str, Any]
    weights: dict[str, str]

    def faults(self, run: Path) -> Iterator[str]:
        """In what a finished run differs."""
        if tables(run) != self.tables:
            yield "other tables"
        found = weights(run)
        for name in sorted(self.weights.keys() | found.keys()):
            if self.weights.get(name) != found.get(name):
                yield f"other weights or answers: {name}"


def undisturbed(folder: Path) -> Wanted:
    """Run it, and see that it leaves nothing."""
    place = Place(folder)
    try:
        bench = place.start()
        if bench.end(600) != 0:
            raise RuntimeError(bench.said)
        left = place.leftovers()
        if left:
            raise RuntimeError(f"an undisturbed bench leaves: {left}")
        return Wanted(tables(place.run), weights(place.run))
    finally:
        place.close()


def episode(folder: Path, seed: int, count: int, wanted: Wanted, say: Callable[[str], None]) -> list[Disturbed]:
    """``count`` disturbances of one bench, which then finishes."""
    shutil.rmtree(folder, ignore_errors=True)
    place, rng = Place(folder), random.Random(seed)
    try:
        return _Episode(place, rng, count, wanted, say).all()
    finally:
        place.close()


class _Episode:
    def __init__(self, place: Place, rng: random.Random, count: int, wanted: Wanted, say: Callable[[str], None]):
        self.place, self.rng, self.count, self.wanted, self.say = place, rng, count, wanted, say
        self.found: list[Disturbed] = []
        self.damaged: set[str] = set()

    def all(self) -> list[Disturbed]:
        while len(self.found) < self.count:
            self._one_start()
        self._last_start()
        return self.found

    def _note(self, one: Disturbed | None) -> Disturbed | None:
        if one is not None:
            self.found.append(one)
            self.say(f"{one.kind} {one.detail}".strip())
        return one

    def _one_start(self) -> None:
        clock = self._before()
        last = self.found[-1] if self.found and self.found[-1].ends and clock is None else None
        bench = self.place.start(clock or 0.0)
        if last is None:  # else the disk is full: it ends by itself
            last = self._meanwhile(bench)
        self._judge(bench, last)
        if self.place.mounted:
            self.place.remount()

    def _before(self) -> float | None:
        """Perhaps something between two starts; by how much the clock is wrong, or None if the disk is not usable."""
        draw = self.rng.random()
        if draw < 0.35:
            for _ in range(self.rng.randint(1, 3)):
                self._note(d.damaged(self.place, self.rng, self.damaged))
        elif draw < 0.5 and self.place.mounted and self.place.run.is_dir():
            self._note(self.rng.choice((d.full, d.read_only))(self.place, self.rng))
            return None
        elif draw < 0.6:
            clock = d.wrong_clock(self.rng)
            self._note(Disturbed("wrong clock", f"{clock:+.0f} s"))
            return clock
        return 0.0

    def _meanwhile(self, bench: Started) -> Disturbed | None:
        if bench.wait(d.moment(self.rng)) and self.rng.random() < 0.4:
            self._note(self.rng.choice(d.SOFT)(bench, self.rng))
            bench.wait(self.rng.uniform(0, 4))
        return self._note(self.rng.choice(d.HARD)(bench, self.rng)) if bench.process.poll() is None else None

    def _judge(self, bench: Started, last: Disturbed | None) -> None:
        """How it ended, what it said, what it left."""
        code = bench.end()
        about = last or (self.found[-1] if self.found else self._note(Disturbed("nothing")))
        assert about is not None
        known = len(about.faults)
        lines = [line for line in bench.said.splitlines() if line.strip()]
        about.faults += d.plain(bench.said)
        ends = last.ends if last else (0,)
        if code not in ends:
            about.faults.append(f"ended with {code}: {lines[-3:]}")
        elif last and code and code > 0 and (not lines or last.last not in lines[-1] or "coopt: " not in lines[-1]):
            about.faults.append(f"its last line is not the reason: {lines[-3:]}")
        about.faults += self.place.leftovers()
        if code == 0:
            about.faults += self.wanted.faults(self.place.run)
            self.damaged.clear()
        if not about.faults:  # else what it said stays to be read
            bench.forget()
        for fault in about.faults[known:]:
            self.say(f"  FAULT after {about.kind} {about.detail}: {fault}")

    def _last_start(self) -> None:
        began = time.monotonic()
        self._judge(self.place.start(), None)
        self.say(f"finished and compared, {time.monotonic() - began:.0f} s")
