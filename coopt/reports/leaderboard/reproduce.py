"""An entry run again from the entry alone: what has to be run, what an entry cannot hold, and whether the same came
out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console

from coopt.core import store
from coopt.core.config.cluster import ClusterConfig
from coopt.core.config.schema import Config
from coopt.core.config.tracking import TrackingConfig
from coopt.core.errors import EntryError
from coopt.core.names import INIT
from coopt.core.statistics.crossed import ALPHA
from coopt.core.statistics.verdicts import change, corrected
from coopt.core.tables.cells import duration, percent, signed, span
from coopt.core.tables.screen import show_lines
from coopt.core.tables.table import Table
from coopt.domains.load import WORLD, data_hashes
from coopt.domains.mapping.schema import mapping_names
from coopt.driver.bench import plainly, ready
from coopt.graph.files import is_shipped, toml_of
from coopt.graph.topology import Topology
from coopt.lm.bases import NAMED
from coopt.methods.base import Average
from coopt.methods.registry import all_methods, make_method
from coopt.reports.leaderboard.answers import AnswersOf, answers_of
from coopt.reports.leaderboard.check import Checked
from coopt.reports.leaderboard.foretold import EQUAL, RULES, foretold
from coopt.reports.leaderboard.measures import measure
from coopt.reports.leaderboard.stated import StatedRun, check_graph, stated_config
from coopt.runs.measures.scores import Scores
from coopt.runs.run import Run
from coopt.runs.together import open_finished

Outcome = Literal["equal", "within interval", "different"]


class Compared(NamedTuple):
    """A measure of the entry with its 95 % interval, what came out now, and how the two compare. ``p``: of no
    difference, paired over questions and seeds, Holm over all measures."""

    what: str
    stated: float
    low: float
    high: float
    found: float
    p: float

    @property
    def outcome(self) -> Outcome:
        if abs(self.stated - self.found) <= EQUAL:
            return "equal"
        return "within interval" if self.low <= self.found <= self.high and self.p >= ALPHA else "different"


def run_again(
    checked: Checked,
    folder: Path,
    console: Console,
    arguments: list[str],
    *,
    workers: int | None = None,
    data: str | None = None,
    model: str | None = None,
) -> Run:
    """Train and measure the entry's method once more; seeds that do not follow one another get a folder each. What is
    done already in ``folder`` is taken up. ``data`` and ``model``: in place of what an entry cannot hold. Raises a
    ``CooptError``."""
    entry, config = checked.entry, config_again(checked, data, model)
    if entry.graph is not None:
        path = folder / f"{entry.topology}.toml"
        store.write_text(path, toml_of(entry.graph))
        config = config.model_copy(update={"topology": str(path), "nodes": None})  # the file lists them
    if data_hashes(Run(folder, config).domains) != entry.data:
        raise EntryError(f"{checked.path}: the questions here are not the entry's: data has other hashes.")
    whole = list(range(entry.seeds[0], entry.seeds[-1] + 1)) == entry.seeds
    place = folder / entry.run  # an entry of it has the same name
    parts = {place: entry.seeds} if whole else {place / f"seed-{s}": [s] for s in entry.seeds}
    own = {part: config.model_copy(update={"seed": seeds[0], "seeds": len(seeds)}) for part, seeds in parts.items()}
    benches = [ready(each, part, workers) for part, each in own.items()]
    say = plainly(console)
    show_lines(foretold(entry), console)
    for k, bench in enumerate(benches):
        with bench.alone():
            plan = bench.plan(say=say)
            part = f" (seed {k + 1} of {len(benches)})" if len(benches) > 1 else ""
            by = f"{bench.workers} worker{'s' * (bench.workers > 1)}"
            say(f"Expected here{part}: {duration(plan.left_seconds())} with {by}.")
            bench.carry_out(plan, arguments, console)
    return open_finished(place)


def config_again(checked: Checked, data: str | None = None, model: str | None = None) -> Config:
    """The entry's settings with the methods that it needs, to be run on this machine. Raises ``EntryError`` with what
    is missing."""
    entry, config = checked.entry, stated_config(checked.path, checked.entry)
    if entry.method not in all_methods():
        raise EntryError(
            f"{checked.path}: method {entry.method} is not installed here. Install the package it is from."
        )
    topology = check_graph(checked.path, entry, config)
    if config.data.source != WORLD and data is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"source": data})})
    if config.model.path not in NAMED and model is not None:
        config = config.model_copy(update={"model": config.model.model_copy(update={"path": model})})
    missing = list(_missing(config, topology, data, model))
    if missing:
        raise EntryError(f"{checked.path}: cannot be run from the entry alone: it does not hold {'; '.join(missing)}.")
    methods = _needed(StatedRun(config, topology), entry.method)
    here: dict[str, object] = {"cluster": ClusterConfig(), "tracking": TrackingConfig()}
    here |= {"run": config.run.model_copy(update={"device": "auto", "threads": 0})}
    options = {name: own for name, own in config.options.items() if name in methods}
    model_here = config.model.model_copy(update={"specialists": ""})
    return config.model_copy(update=here | {"methods": methods, "options": options, "model": model_here})


def _missing(config: Config, topology: Topology, data: str | None, model: str | None) -> Iterator[str]:
    """What of a run lies in files of its author's own. None of them is looked for here: an entry may name any."""
    if config.data.source != WORLD and data is None:
        yield f"its rows, {Path(config.data.source or config.data.mapping).name} (--data FILE)"
    if config.data.mapping and config.data.mapping not in mapping_names():
        yield f"the mapping {Path(config.data.mapping).name}"
    if config.data.solutions:
        yield f"the worked solutions {Path(config.data.solutions).name}"
    if config.model.path not in NAMED and model is None:
        yield f"its base model, {Path(config.model.path).name} (--model DIR)"
    if config.model.students:
        yield f"the ready specialists of {', '.join(config.model.students)}"
    if config.model.specialise.startswith("rationales:"):
        yield "the rationales that specialists were made with"
    gates = {config.gate.kind, *(s.gate for s in topology.settings.values())}
    for gate in sorted(g for g in gates if ".py" in g):
        yield f"the gate {Path(gate).name}"
    for node in () if is_shipped(config.topology) else topology.nodes.values():
        if node.endpoint or node.model:
            yield f"the {'endpoint' if node.endpoint else 'model'} of {node.id}"


def _needed(run: Run, name: str) -> tuple[str, ...]:
    """The method and, before it, those that it takes something from: students to be averaged, or opcod's rate."""
    method = make_method(name, run.config.options)
    if isinstance(method, Average):
        return (name,) if method.of == INIT else (*_needed(run, method.of), name)
    gates = run.tutoring(name, run.topology)[1].values()
    drawn = any(g.kind == "random" and g.rate is None for g in gates)
    return (*(("opcod",) if drawn and name != "opcod" else ()), name)


class Again(NamedTuple):
    """``rows``: the mean of everybody, its change, and every student's score in every domain. ``answers``: how many
    there are; ``same``: how many of them agree with the entry."""

    rows: list[Compared]
    answers: int
    same: int


def compared(checked: Checked, run: Run) -> Again:
    """An entry and its run done again."""
    entry, stated = checked.entry, checked.answers
    found = answers_of(Scores(run), entry.method)
    one, other = entry.measures, measure(found, entry.native)
    whole, moved = one.overall, one.overall.change
    design, everyone = stated.design(), (entry.method, stated.students)
    rows = [
        ("score", whole.score, whole.low, whole.high, other.overall.score),
        ("change", moved.value, moved.low, moved.high, other.overall.change.value),
    ]
    apart = [change(found.over_domains(*everyone) - stated.over_domains(*everyone), design)]
    before = found.paired(entry.method, INIT, stated.students) - stated.paired(entry.method, INIT, stated.students)
    apart.append(change(before, design))
    for a, b in zip(one.scores, other.scores, strict=True):
        place = AnswersOf(a.who, a.student, a.domain)
        rows.append((f"{a.who}: {a.student} in {a.domain}", a.score, a.low, a.high, b.score))
        apart.append(change(found.per_question(*place) - stated.per_question(*place), stated.design(a.domain)))
    same = sum(int((grid == stated.correct[place]).sum()) for place, grid in found.correct.items())
    return Again(
        [Compared(*row, c.p) for row, c in zip(rows, corrected(apart), strict=True)],
        sum(grid.size for grid in found.correct.values()),
        same,
    )


def reproduction_table(name: str, rows: list[Compared]) -> Table:
    """One row a measure; the method's first."""
    cells = [
        [
            row.what,
            (signed if row.what == "change" else percent)(row.stated),
            span(row.low, row.high),
            (signed if row.what == "change" else percent)(row.found),
            row.outcome,
        ]
        for row in rows
    ]
    return Table(f"{name}, run again", ["measure", "entry", "95 %", "now", "outcome"], cells, [f"Percent. {RULES}"])
