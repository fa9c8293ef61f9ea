"""What there is to log of a student, in one order that depends on nothing but the run.

So the number of events that a tracker holds says where to go on: a resumed run, which does some steps again, logs none
twice and loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core import store
from coopt.core.phase_files import PhaseFiles
from coopt.core.statistics.accuracy import accuracy, best_of
from coopt.core.tail import Tail
from coopt.driver.tracking.streams import Stream
from coopt.graph.topology import Edge
from coopt.runs.journal import round_key
from coopt.runs.measures.steps import numbers


class Event(NamedTuple):
    """Numbers at a moment. ``step``: optimizer steps done by then, over the whole run."""

    step: int
    values: dict[str, float]


Events = Iterator[Event | None]
"""None: the next one is not there yet."""


class Decided:
    """What the journal has decided, as far as it was read."""

    def __init__(self, journal: Path) -> None:
        self._tail = Tail(journal)
        self._found: dict[tuple[str, str], Any] = {}

    def get(self, event: str, key: str) -> Any:
        """The value of a decision; None: not decided yet."""
        return self._found.get((event, key))

    def read(self) -> None:
        self._found |= {(e["event"], e["key"]): e["value"] for e in self._tail.new()}


def events(stream: Stream, decided: Decided) -> Events:
    """All events of a stream. They begin when its method does."""
    start, *rounds = stream.rounds
    first = round_key(stream.seed, stream.method, 1)
    begun = (lambda: decided.get("gates", first) is not None) if stream.steps else rounds[0].validation.is_file
    yield from _until(begun)
    yield from _scores("validation", start.validation, 0)
    if start.test.is_file():
        yield from _scores("test", start.test, 0)
    trained, each = 0, stream.steps or 1
    for r, files in enumerate(rounds, 1):
        if stream.steps:
            key = round_key(stream.seed, stream.method, r)
            yield from _until(lambda key=key: decided.get("collapsed", key) is not None)  # type: ignore[misc]
            gates = _gates(decided.get("gates", key), stream.student)
            if gates:
                yield Event((r - 1) * each, gates)
            if stream.student not in decided.get("collapsed", key):
                yield from _phase(stream, PhaseFiles(files.folder), (r - 1) * each)
                trained = r
        else:
            trained = r
        yield from _scores("validation", files.validation, r * each)
    best = best_of([accuracy(store.read_json(f.validation)) for f in stream.rounds[: trained + 1]])
    for r in sorted({len(rounds), best} - {0}):
        yield from _scores("test", stream.rounds[r].test, r * each)


def _until(there: Callable[[], bool]) -> Iterator[None]:
    while not there():
        yield None


def _scores(split: str, path: Path, step: int) -> Events:
    yield from _until(path.is_file)
    yield Event(step, _accuracies(split, store.read_json(path)))


def _accuracies(split: str, result: Mapping[str, Any]) -> dict[str, float]:
    found = accuracy(result)
    return {f"{split}/{domain}": value for domain, value in found.items()} | {
        f"{split}/mean": sum(found.values()) / len(found)
    }


def _gates(decisions: Mapping[str, Any], student: str) -> dict[str, float]:
    """The round's decisions on the edges into a student."""
    found: dict[str, float] = {}
    for text, decision in decisions.items():
        edge = Edge.parse(text)
        if edge.tutee == student:
            kept = {key: decision.get(key) for key in ("open", "gap", "flip")}
            found |= {f"gate/{edge.tutor}/{key}": float(value) for key, value in kept.items() if value is not None}
    return found


def _phase(stream: Stream, files: PhaseFiles, first: int) -> Events:
    """The steps of a phase, and the scores between them."""
    steps, scores = _ByStep(files.steps), _ByStep(files.evaluations)
    for k in range(stream.steps):
        record = yield from _record(steps, files, first + k)
        if record is not None:
            yield Event(first + k + 1, {f"train/{name}": value for name, value in numbers(record).items()})
        every = stream.evaluate_every
        if every and (k + 1) % every == 0 and k + 1 < stream.steps:
            scored = yield from _record(scores, files, first + k)
            if scored is not None:
                yield Event(first + k + 1, _accuracies("validation", scored))


def _record(file: _ByStep, files: PhaseFiles, step: int) -> Any:
    """The record of a step when it is there; None: the phase is over without it."""
    while True:
        over = store.is_complete(files.folder)  # asked first: what is missing then does not come any more
        record = file.of(step)
        if record is not None or over:
            return record
        yield None


class _ByStep:
    """A file of records, each of which says its step; they are asked for in order."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self._found: dict[int, Any] = {}

    def of(self, step: int) -> Any:
        if step not in self._found:
            self._found |= {r["step"]: r for r in self._tail.new() if r["step"] >= step}
        return self._found.pop(step, None)
