"""Folders of runs: every kind of file, sealed as it was, anew, or not, through every command that reads."""

from __future__ import annotations

import atexit
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from coopt.core import seals, store
from coopt.core.names import INIT
from coopt.driver.bench import run_bench
from coopt.driver.folder import locked, prepare
from coopt.driver.simulate.reading import commits, read_runs
from coopt.driver.slurm.batches import Batches
from coopt.driver.slurm.jobs import error_path, leases
from coopt.driver.slurm.lease import Holder, take
from coopt.driver.tasks.inputs import made_from
from coopt.driver.tasks.task import BreakRate, Task, Train
from coopt.reports.leaderboard.add import add_run
from coopt.runs.journal import _written
from coopt.runs.measures.summary import read_results
from coopt.runs.run import Run
from tests.fuzz.mutate import bytes_mutated, json_of, mutated, text_mutated
from tests.fuzz.rule import BrokenError, command, nothing_half_written, refused
from tests.unit.sealed_runs import ARGUMENTS, Working, config_of, tables
from tests.unit.small_runs import SKILL, scores_of

_IGNORED = ("run.lock", "progress/", "jobs/", "tracking/")


class _Fuller(Working):
    """Leaves also what a real run's transcripts, probes and advantages hold."""

    def _do(self, task: Task) -> None:
        if not isinstance(task, BreakRate):
            return super()._do(task)
        run, origin = self.run, made_from(task, self.run)
        texts = run.probe_texts_path(task.seed, task.tutee)
        item = run.domains["physics"].items("validation")[0]
        store.rewrite_lines(texts, [_texts(item.id, task.tutee)])
        result = {"version": 1, "domains": _probe(run, task.tutee), "away": {}}
        store.write_sealed(task.output(run), store.as_json(result), origin, [texts])
        return None

    def _train(self, task: Task, origin: Any) -> None:
        if isinstance(task, Train):
            files = self.run.phase_files(task.seed, task.method, task.round, task.tutee)
            self._records(task, files)
        super()._train(task, origin)

    def _records(self, task: Train, files: Any) -> None:
        run, number = self.run, task.round - 1
        item = run.domains["physics"].items("train")[0]
        tokens = ["Be", "cause", " <answer>", item.answer, "</answer>"]
        advantage = {
            "step": number, "item": item.id, "domain": "physics", "rollout": 0, "reward": 0.0, "source": "teacher",
            "teacher": "self", "student_reads": "Q", "teacher_reads": "Q s", "tokens": tokens,
            "advantages": [0.1, -0.2, 0.0, -1.5, 0.3],
        }  # fmt: skip
        store.rewrite_lines(files.advantages, [advantage])
        scores = scores_of(run, task.seed, task.method, task.round, task.tutee, "validation", SKILL)
        store.rewrite_lines(files.evaluations, [{"step": number} | scores])


def _texts(item: str, tutee: str) -> dict[str, Any]:
    answer = {"text": "A", "reward": 1.0}
    said = {
        "tutor": "s2" if tutee == "s1" else "s1",
        "raw": "look",
        "outcome": "kept",
        "kept": "look",
        "f": answer,
        "sf": None,
    }
    y = {"text": "B", "reward": 0.0, "again": answer, "s": None, "messages": [said]}
    return {"item": item, "domain": "physics", "rollouts": [y]}


def _probe(run: Run, tutee: str) -> dict[str, Any]:
    tutor = "s2" if tutee == "s1" else "s1"
    found = {}
    for name, domain in run.domains.items():
        items = domain.items("validation")[:2]
        edge = {"f": [[1, 0, None, 1], [0, 0, 1, 1]], "sf": [[1, 1, None, 1], [0, 1, 1, 1]], "kept": 7}
        edge["paper"] = edge["sf"]
        grid = [[1, 0, 0, 1], [0, 0, 1, 0]]
        found[name] = {
            "items": [i.id for i in items], "before": grid, "again": grid[::-1], "s": grid, "paper_control": grid,
            "edges": {f"{tutor} -> {tutee}": edge},
        }  # fmt: skip
    return found


@lru_cache(maxsize=1)
def whole() -> Path:
    """A folder with a finished run, its twin and its entries; it is made once a process and is read only."""
    folder = Path(mkdtemp(prefix="coopt-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("run", "twin"):
        config = config_of(seed=0 if name == "run" else 1)
        with locked(folder / name):
            run = prepare(config, folder / name, ARGUMENTS)
            run_bench(run, _Fuller(run), force=True)
        _jobs(folder / name)
    add_run(Run.open(folder / "run"), folder / "entries")
    return folder


def _jobs(run: Path) -> None:
    """As if two of its tasks had been jobs."""
    batches = Batches(run)
    outputs = {"seed 0 opcod round 1 s1": "seeds/0/opcod/r1/s1", "seed 0 opcod round 1 s2": "seeds/0/opcod/r1/none"}
    batches.close(batches.open("local", list(outputs.items())), ["1999999998", "1999999999"])
    for task in outputs:
        take(leases(run, task), Holder("local", "1999999999", "here", 1999999999, 1.0, 2.0), lambda holder: False)
        store.write_json(error_path(run, task), {"id": "1999999999", "error": "why", "fault": "", "final": True})


def _kinds(folder: Path) -> dict[str, list[Path]]:
    """File's kind -> files: by their last name and whether they are seals."""
    found: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        place = path.relative_to(folder)
        ends = ".".join(place.name.split(".")[1:])
        kind = (
            place.parts[0]
            if len(place.parts) == 1
            else f"{place.parts[2] if len(place.parts) > 3 else place.parts[0]}/{ends}"
        )
        found.setdefault(kind, []).append(place)
    return found


def _changed(path: Path, random: Random) -> bool:
    """Change what a file holds; False if it is the same."""
    before = path.read_bytes()
    try:
        text = before.decode()
    except UnicodeDecodeError:
        text = ""
    content = text_mutated(text, random)
    if random.random() < 0.75 and text:
        lines = path.suffix == ".jsonl"
        trees = [json.loads(line) for line in (text.splitlines() if lines else [text])]
        place = random.randrange(len(trees))
        if path.name == "journal.jsonl":
            trees = [{k: v for k, v in t.items() if k not in ("sum", "before")} for t in trees]
        trees[place] = mutated(trees[place], random)
        if path.name == "journal.jsonl" and random.random() < 0.8:
            try:
                content = _written(trees, "")[0].encode()  # with checksums that fit
            except (ValueError, TypeError):
                content = "".join(json_of(t) + "\n" for t in trees).encode()
        else:
            content = "".join(json_of(t) + ("\n" if lines else "") for t in trees).encode(errors="replace")
    path.unlink()
    path.write_bytes(content)
    return content != before


def _sealed_anew(run: Path, place: Path) -> None:
    """The seal that says that the file is what was written."""
    path = run / place
    for name in (
        path.with_name(path.name + seals.SEAL),
        *path.parent.rglob(store.COMPLETE),
        *path.parent.rglob("*" + seals.SEAL),
    ):
        if not name.is_file():
            continue
        try:
            tree = json.loads(name.read_text())
            tree.get("files", {}).items()
        except (ValueError, AttributeError):  # the seal is what was changed
            continue
        changed = False
        where = name.parent.parent if name.name == store.COMPLETE else name.parent
        for key in tree.get("files", {}):
            if (where / key).resolve() == path.resolve():
                tree["files"][key] = list(seals.sum_of(path.read_bytes()))
                changed = True
        if changed:
            tree.pop("own")
            name.unlink()
            name.write_text(json.dumps(tree | {"own": seals.own_digest(tree)}))


def _unsealed(run: Path) -> None:
    for path in [*run.rglob("*" + seals.SEAL), *run.rglob(store.COMPLETE)]:
        is_mark = path.name == store.COMPLETE
        path.unlink()
        if is_mark:
            path.write_text('{"version": 1}')


_READING: tuple[tuple[str, ...], ...] = (
    ("report", "run"), ("report", "run", "--format", "json"), ("report", "run", "--all"), ("status", "run"),
    ("status", "."),
    ("logs", "run"), ("logs", "run", "s1"), ("compare", "run", "twin"), ("export", "run", "--out", "made/data"),
    ("leaderboard", "add", "run", "--to", "made/entries"),
    ("leaderboard", "add", "run", "twin", "--to", "made/entries"),
    ("advantages", "run", "--method", "opcod"), ("advantages", "run", "--method", "opcod", "--html", "made/a.html"),
    ("report", "run", "--html", "made/page.html"), ("status", "run", "--html", "--out", "made/status.html"),
    ("report", "run", "--figure", "feedback", "--out", "made/f.svg"),
    ("report", "run", "--figure", "break-rate", "--out", "made/b.svg"), ("check", "run"), ("check", "."),
)  # fmt: skip
_SLOW = {"made/page.html", "made/status.html", "made/f.svg", "made/b.svg"}


def folder(random: Random, work: Path) -> bool:
    template, run = whole(), work / "run"
    shutil.copytree(template / "run", run, copy_function=os.link)
    (work / "twin").symlink_to(template / "twin")
    (work / "made").mkdir()
    kinds = _kinds(run)
    place = random.choice(random.choice(list(kinds.values())))
    way = random.choice(("sealed", "anew", "anew", "not", "not"))
    if random.random() < 0.1:  # the largest and most read
        place = Path("results.json")
    if way == "not":
        _unsealed(run)
    if not (run / place).is_file() or (random.random() < 0.9 and place.suffix in (".safetensors", ".lock")):
        place = Path("seeds/0") / INIT / "scores/validation/r0/s1.json"
    changed = _changed(run / place, random)
    if way == "anew":
        _sealed_anew(run, place)
    os.chdir(work)
    if random.random() < 0.1:
        return refused(lambda: (read_runs(["run"]), commits(["run"])))
    words = random.choice(_READING)
    if _SLOW & set(words) and random.random() < 0.6:
        words = ("report", "run", "--format", "json")
    ended = command(*words)
    if ended.code:
        nothing_half_written(work / "made")
        if [p for p in (work / "made").rglob("*") if p.is_file()]:
            raise BrokenError(f"{words}: refused, and left {list((work / 'made').rglob('*'))}")
    where = place.as_posix()
    if (
        way == "sealed"
        and changed
        and not where.startswith(_IGNORED)
        and not where.endswith((seals.SEAL, store.COMPLETE))
    ):
        _not_whole(run, where)
    return ended.code != 0


def _not_whole(run: Path, where: str) -> None:
    """A file that is not what was sealed is not read as whole, and changes no table."""
    checked = command("check", "run")
    if checked.code != 1 and not where.endswith(("journal.jsonl",)):
        raise BrokenError(f"{where} was changed, and check says: {checked.out}{checked.err}")
    if not where.endswith(("config.json", "provenance.json", "journal.jsonl")):
        shown = command("report", "run", "--format", "json")
        if shown.code == 0 and json.loads(shown.out) != _true_tables():
            raise BrokenError(f"{where} was changed, and the tables are others")


@lru_cache(maxsize=1)
def _true_tables() -> Any:
    assert tables(read_results(whole() / "run"))
    before = os.getcwd()
    os.chdir(whole())
    try:
        return json.loads(command("report", "run", "--format", "json").out)
    finally:
        os.chdir(before)


# -- entries -------------------------------------------------------------------------------------------

_NOT_RECOMPUTED = ("costs", "provenance", "config", "graph")
"""Parts of an entry whose values follow from nothing: their form and their bounds are checked."""


def entry(random: Random, work: Path) -> bool:
    name = "run-opcod"
    for path in (whole() / "entries").glob(f"{name}.*"):
        shutil.copy(path, work / path.name)
    path, answers = work / f"{name}.entry.json", work / f"{name}.outcomes.parquet"
    before = json.loads(path.read_text())
    changed = random.choice((path, path, path, answers))
    content = changed.read_bytes()
    if changed is path and random.random() < 0.8:
        path.write_text(json_of(mutated(before, random)))
    else:
        changed.write_bytes(
            bytes_mutated(content, random) if changed is answers else text_mutated(content.decode(), random)
        )
    same = changed.read_bytes() == content
    os.chdir(work)
    ended = command("leaderboard", "check", ".")
    if ended.code == 0 and not same:
        after = json.loads(path.read_text("utf-8-sig"))
        if changed is answers or _told(after) != _told(before):
            raise BrokenError(f"an entry that says something else is believed: {_difference(before, after)}")
    if random.random() < 0.3:
        command("leaderboard", "renew", ".")
    return ended.code != 0


def _told(tree: dict[str, Any]) -> Any:
    rounded = json.loads(
        json.dumps({k: v for k, v in tree.items() if k not in _NOT_RECOMPUTED}),
        parse_float=lambda x: round(float(x), 5),
    )
    return rounded


def _difference(one: Any, other: Any, place: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        return "; ".join(
            filter(None, (_difference(one.get(k), other.get(k), f"{place}.{k}") for k in {**one, **other}))
        )
    return "" if one == other else f"{place}: {one!r:.80} -> {other!r:.80}"


def targets() -> Iterator[tuple[str, int, Callable[[Random, Path], bool]]]:
    """Name, weight, and what does one case."""
    yield "run", 12, folder
    yield "entry", 4, entry
