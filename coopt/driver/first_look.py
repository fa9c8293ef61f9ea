"""Before anything is trained: what do the students' answers look like, and can they be read at all?

A model that writes no answer in the format scores 0 everywhere and learns nothing, and hours later only a footnote
would say so. The first validation scores tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from coopt.core.config.schema import Config
from coopt.core.config.ways import EMBEDDED
from coopt.core.errors import RunError
from coopt.core.names import INIT
from coopt.core.text import visible
from coopt.domains.base import Domain
from coopt.domains.load import WORLD
from coopt.domains.scoring import CLOSE, OPEN
from coopt.runs.run import Run

Say = Callable[[str], None]
"""Shows a line to whoever waits for the run."""

_SHOWN = 60  # characters of an answer in an error's line
_CHARACTERS, _LINES = 1200, 24  # of the response that is shown in full
_FEW, _MANY = 0.5, 0.2  # answers that are read, and that are cut off: advice is due below and above


class Look(NamedTuple):
    """The students' answers to validation questions before training; shares of all of them."""

    answers: int
    read: float
    right: float
    constant: float
    """What the best constant answer of each domain gets right."""
    chance: float | None
    """What guessing among the options gets right; None where there are none."""
    cut_off: float
    tokens: float
    """Mean length."""
    read_otherwise: float | None
    """``lenient`` reads another answer (of a run with lenient: sdpo does); None: not counted."""
    one: str
    """Of one domain's answers to one question, as far as it was kept."""
    whose: str


def look(run: Run, seed: int, *, force: bool, say: Say) -> None:
    """Tell what the first answers look like, for the first seed; refuse to train if no answer could be read, unless
    ``force``. Raises ``RunError`` with what to do."""
    seen = first_answers(run, seed)
    if seen is None:
        return
    if not seen.read and not force:
        raise RunError(_nothing_read(seen, run))
    if seed == run.config.all_seeds[0]:
        for line in _lines(seen, run):
            say(line)


def first_answers(run: Run, seed: int) -> Look | None:
    """From the initial students' validation scores; None if they gave no answers."""
    found = [
        (student, name, result)
        for student in run.topology.students
        for name, result in _scores(run, seed, student).items()
    ]
    counts = [_count(result) for *_, result in found]
    answers = sum(counts)
    if not answers:
        return None
    domains = [run.domains[name] for _, name, _ in found]
    chances = [_chance(d) for d in domains]
    counted = all("read_otherwise" in result for *_, result in found)
    unread = [result["unparsed"] / max(1, count) for (*_, result), count in zip(found, counts, strict=True)]
    student, name, result = found[unread.index(max(unread))]
    return Look(
        answers,
        read=1 - sum(result["unparsed"] for *_, result in found) / answers,
        right=sum(sum(map(sum, result["correct"])) for *_, result in found) / answers,
        constant=_mean([d.constant("validation")[1] for d in domains], counts),
        chance=None if None in chances else _mean([c for c in chances if c is not None], counts),
        cut_off=sum(result["unfinished"] for *_, result in found) / answers,
        tokens=sum(result["tokens"] for *_, result in found) / answers,
        read_otherwise=sum(result["read_otherwise"] for *_, result in found) / answers if counted else None,
        one=result.get("sample") or next((a for row in result["answers"] for a in row if a), ""),
        whose=f"{student}, {name}",
    )


def _scores(run: Run, seed: int, student: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = run.scores(seed, INIT, "validation", 0, student)["domains"]
    return found


def _count(result: Mapping[str, Any]) -> int:
    return sum(len(row) for row in result["correct"])


def _chance(domain: Domain) -> float | None:
    items = domain.items("validation")
    if domain.answer != "letter" or not items:
        return None
    return sum(1 / len(i.options) for i in items) / len(items)


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _lines(seen: Look, run: Run) -> Iterator[str]:
    limit = run.config.sampling.max_response_tokens
    chance = "" if seen.chance is None else f", chance {seen.chance:.0%}"
    yield (
        f"First look at {seen.answers:,} answers: {seen.read:.0%} read, {seen.right:.0%} right (best constant"
        f" {seen.constant:.0%}{chance}), {seen.cut_off:.0%} cut off, {seen.tokens:,.0f} of {limit:,} tokens."
    )
    yield from _advice(seen)
    if run.config.data.source != WORLD:
        yield f"One in full ({seen.whose}):"
        yield from (f"  | {line}" for line in _in_full(seen.one))


def _advice(seen: Look) -> Iterator[str]:
    if seen.read_otherwise:
        yield (f"  {seen.read_otherwise:.1%} are read otherwise by data.extraction = lenient (with lenient: by sdpo).")
    if seen.read < _FEW:
        yield f"  Few can be read: docs/data.md says what counts (the text between {OPEN} and {CLOSE})."
    if seen.cut_off > _MANY:
        yield "  Many are cut off: raise sampling.max_response_tokens."
    if seen.right <= max(seen.constant, seen.chance or 0):
        yield "  No better than one constant answer: the model may not understand the questions, or they are too hard."


def _in_full(text: str) -> list[str]:
    """A model's text for the screen: nothing in it steers the terminal."""
    lines = visible(text[:_CHARACTERS].strip()).split("\n")
    cut = len(text.strip()) > _CHARACTERS or len(lines) > _LINES
    return [*lines[:_LINES], *(["[...]"] if cut else [])]


def _another_model(config: Config) -> str:
    if config.model.path in EMBEDDED and config.data.source != WORLD:
        return (
            "The embedded model knows only its own world: give --model DIR (an instruction-tuned model), or make smol"
            " and --preset smol"
        )
    return "Raise that setting, or use an instruction-tuned model"


def _nothing_read(seen: Look, run: Run) -> str:
    limit, lenient = run.config.sampling.max_response_tokens, ""
    if seen.read_otherwise and run.config.data.extraction != "lenient":
        lenient = f" data.extraction = lenient reads {seen.read_otherwise:.0%} of them."
    one = " ".join(seen.one.split())[-_SHOWN:]
    return (
        f"none of the students' {seen.answers:,} answers to validation questions can be read: what counts stands"
        f" between {OPEN} and {CLOSE}. {seen.cut_off:.0%} were cut off at sampling.max_response_tokens = {limit}"
        f" (mean length {seen.tokens:,.0f}).{lenient} One of them ends: {one!r}. Nothing was trained."
        f" {_another_model(run.config)}; --force trains all the same."
    )
