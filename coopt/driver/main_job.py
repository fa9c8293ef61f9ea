"""The main job: prepare a run, train every method on every seed, measure, summarise."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.config.schema import Config
from coopt.core.config.toml import flat
from coopt.core.errors import RunError
from coopt.domains.load import data_hashes
from coopt.driver.rounds import Launch, run_rounds, validate
from coopt.driver.tasks.task import BreakRate, Score, Specialise
from coopt.graph.gates.journaled import decide_edges
from coopt.graph.hub import place_hub
from coopt.graph.topology import Edge, Topology
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.journal import Journal
from coopt.runs.measures.results import Results
from coopt.runs.measures.summary import best_round, summarise
from coopt.runs.provenance import code_state, provenance
from coopt.runs.run import BASE, INIT, Run

_GROWING = ("seeds", "methods")  # a run may be given more of these later
_PRACTICAL = ("critics", "cluster")  # how endpoints are asked, where tasks run: no part of what a run is
_FREE = {*_GROWING, *_PRACTICAL}


def default_name(config: Config) -> str:
    """A name that the same settings always get; more seeds or methods go into the same run."""
    tree = config.model_dump(mode="json", exclude=_FREE) | {"files": file_hashes(config)}
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:8]
    size = str(config.nodes) if config.nodes else ""
    parts = [Path(config.topology).stem + size, "-".join(d[:4] for d in config.domains), Path(config.preset).stem]
    return "-".join([*parts, *(["smoke"] if config.smoke else []), digest])


def file_hashes(config: Config) -> dict[str, str]:
    """The user's own files that decide what a run is, by path: a changed graph, gate or solution is another run."""
    named = config.topology, config.gate.kind.rpartition(":")[0], config.data.solutions
    paths = [Path(name).expanduser() for name in named]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in paths if p.suffix and p.is_file()}


def check_directory(config: Config, directory: Path) -> Run:
    """The run that this directory holds or is to hold, with its settings. Writes nothing.

    Raises ``RunError`` with the ways out if the directory holds another run, or something else.
    """
    if (directory / "config.json").is_file():
        run = Run(directory, _resumed(Run.open(directory).config, config, directory))
        record = directory / "provenance.json"
        began = store.read_json(record) if record.is_file() else {}
        if began and began["data"] != data_hashes(run.domains):
            raise RunError(f"{directory}: the data are not those that the run began with. Give another --out.")
        if began.get("files", file_hashes(config)) != file_hashes(config):
            raise RunError(
                f"{directory}: {', '.join(file_hashes(config))} changed since the run began. Give another --out, or"
                " restore the file to resume."
            )
        return run
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{directory}: is a file. Give another --out.")
    if directory.is_dir() and any(not _of_a_beginning(p.name) for p in directory.iterdir()):
        raise RunError(f"{directory}: the folder is not empty and holds no run. Give another --out.")
    return Run(directory, config)


def _of_a_beginning(name: str) -> bool:
    """Files that a run leaves when it is killed before its configuration is written."""
    return name in ("run.lock", "provenance.json") or (name.startswith(".") and name.endswith(".tmp"))


def prepare(config: Config, directory: Path, arguments: list[str]) -> Run:
    """Create the run directory, or take up the one that is there. Raises ``RunError``."""
    run = check_directory(config, directory)
    path = directory / "config.json"
    if not path.is_file():
        store.write_json(
            directory / "provenance.json",
            provenance(data_hashes(run.domains), config.all_seeds, arguments) | {"files": file_hashes(config)},
        )
    store.write_json(path, run.config.model_dump(mode="json"))
    return run


def _resumed(old: Config, new: Config, directory: Path) -> Config:
    """The configuration of a run that goes on: seeds and methods may grow, nothing else may differ."""
    before, after = (flat(c.model_dump(mode="json", exclude=_FREE)) for c in (old, new))
    keys = dict.fromkeys([*before, *after])  # a free table (adversary, gate.options) may have lost a key
    different = [f"{k} was {before.get(k)!r}, is {after.get(k)!r}" for k in keys if before.get(k) != after.get(k)]
    if different:
        raise RunError(
            f"{directory} holds a run with other settings ({'; '.join(different[:3])})."
            " Give another --out, repeat its settings to resume it, or delete the folder."
        )
    methods = (*old.methods, *(m for m in new.methods if m not in old.methods))
    return new.model_copy(update={"seeds": max(old.seeds, new.seeds), "methods": methods})


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process a run. Raises ``RunError`` if another one has it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "run.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{directory}: another coopt bench works on this run. Wait for it, or give another --out."
            ) from None
        yield


def run_bench(run: Run, launch: Launch, on_seed: Callable[[int], None] = lambda seed: None) -> Results:
    """Do all that is not done yet, then summarise. Killed at any moment, the same call goes on."""
    journal = Journal(run.journal_path)
    now = {"commit": code_state()["commit"], "seeds": list(run.config.all_seeds), "methods": list(run.config.methods)}
    journal.note("resumed" if journal.events else "started", now)
    try:
        for seed in run.config.all_seeds:
            on_seed(seed)
            _run_seed(run, seed, journal, launch)
    except Exception as error:
        with suppress(OSError):  # a full disk must not hide what went wrong
            journal.note("failed", {"error": str(error)})
        raise
    results = summarise(run)
    store.write_text(run.directory / "results.json", results.model_dump_json(indent=1) + "\n")
    journal.note("measures", _headline(results))
    journal.note("finished")
    return results


def _headline(results: Results) -> dict[str, Any]:
    """What the journal keeps of the measures: mutual Pareto improvement, and consensus distance by round."""
    return {
        "mutual": {
            c.method: {"point": c.point, "probability": c.probability, "shown": c.shown, "share": c.share}
            for c in results.pareto
            if c.student == "mutual"
        },
        "consensus": {
            m: [c.distance for c in results.consensus if c.method == m] for m in results.methods if results.consensus
        },
    }


def _run_seed(run: Run, seed: int, journal: Journal, launch: Launch) -> None:
    config, students = run.config, run.topology.students
    launch([Specialise(seed, n) for n in run.starts()])
    results = validate(run, INIT, seed, 0, launch)
    graph = place_hub(run.topology, results, seed, journal)
    probed = {s: tuple(_probed(graph, e, config) for e in graph.edges if e.tutee == s) for s in students}
    launch(
        [
            *(BreakRate(seed, s, probed[s]) for s in students if config.break_rate.questions),
            *(Score(seed, INIT, 0, s, "test") for s in (*students, *run.scored_critics())),
            Score(seed, BASE, 0, BASE, "test"),
        ]
    )
    _note_probes(run, seed, journal)
    journal.once("probe_gates", str(seed), lambda: _probe_gates(run, graph, results, seed))
    for name in config.methods:
        run_rounds(run, graph, run.method(name), seed, journal, launch)
        last = run.rounds_of(name)
        best = {s: best_round(run, seed, name, s) for s in students}
        launch([Score(seed, name, r, s, "test") for s in students for r in sorted({last, best[s]})])


def _note_probes(run: Run, seed: int, journal: Journal) -> None:
    """Journal the edges whose endpoint stayed away while it was probed: their rates then have no answers."""
    for student in run.topology.students if run.config.break_rate.questions else ():
        for edge, reason in store.read_json(run.break_rate_path(seed, student)).get("away", {}).items():
            journal.once("unavailable", f"{seed}/probe/{edge}", lambda why=reason: {"from_step": 0, "reason": why})  # type: ignore[misc]


def _probed(graph: Topology, edge: Edge, config: Config) -> OpenTutor:
    return OpenTutor(edge.tutor, 0, config.domains, None, graph.style_of(edge))


def _probe_gates(run: Run, graph: Topology, results: dict[str, Any], seed: int) -> dict[str, Any]:
    """What the configured gate says of the initial students, on every edge: the probe's grouping."""
    return decide_edges(
        run.method("opcod").gates(graph, run.config.gate),
        graph,
        results,
        domains=run.config.domains,
        draws=run.config.run.bootstrap,
        seed=seed,
        round_=0,
        purpose="probe",
    )
