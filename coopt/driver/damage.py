"""Whether a run is whole: every file of every task against its seal, the journal, the settings, the results.

Nothing is written. The tasks are those of the one generator, as the journal has decided them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from coopt.core import seals, store
from coopt.core.errors import CooptError, DamagedError, RunError
from coopt.core.phase_files import PhaseFiles
from coopt.core.seals import Reading
from coopt.driver.choices import Foreseen
from coopt.driver.folder import is_locked
from coopt.driver.rounds import seed_tasks
from coopt.driver.tasks.inputs import check_inputs
from coopt.driver.tasks.task import BreakRate, Task, Train
from coopt.driver.tasks.whole import look
from coopt.runs.journal import Journal, read_journal, round_key
from coopt.runs.provenance import RECORD, began_with, command_of
from coopt.runs.results import OldResultsError, results_path, stored_results
from coopt.runs.run import CONFIG, Run, is_run


class Damage(NamedTuple):
    """``file``: from the run's folder; ``task``: whose it is, empty if the driver's."""

    file: str
    why: str
    task: str = ""


@dataclass
class Checked:
    """What was found. A run is whole if nothing is damaged and nothing is left to be done."""

    directory: Path
    damage: list[Damage] = field(default_factory=list)
    left: list[Damage] = field(default_factory=list)
    """Tasks that are not done, with the output that each lacks."""
    tasks: int = 0
    unsealed: int = 0
    """Outputs that nobody can vouch for."""
    removed: list[str] = field(default_factory=list)
    """Files that were there and that nobody needs."""
    files: int = 0
    size: int = 0
    ended: bool = True
    """Its last start has come to its end, with results."""
    running: bool = False
    command: str = ""
    """What made it; empty if that is not known."""

    @property
    def whole(self) -> bool:
        return not self.damage and not self.left and self.ended


def check_run(directory: Path, reading: Reading = "all") -> Checked:
    """Look at everything. Raises ``RunError`` where no run is."""
    if not is_run(directory):
        raise RunError(f"{directory}: no run here ({CONFIG} is missing). Runs are the folders that coopt bench names.")
    found = Checked(directory, running=is_locked(directory))
    for name in (CONFIG, RECORD):
        found.damage += _of_file(directory / name)
    found.command = _command(directory)
    try:
        run = Run.open(directory)
    except CooptError as error:
        if not found.damage:
            found.damage.append(Damage(CONFIG, str(error)))
        return found
    lines = read_journal(run.journal_path)
    found.damage += [Damage(run.journal_path.name, f"{fault}: its decisions are taken again") for fault in lines.faults]
    starts = [e["event"] for e in lines.events if e["event"] in ("started", "resumed", "failed", "finished")]
    found.ended = starts[-1:] == ["finished"] and results_path(directory).is_file()
    _look_at_tasks(run, found, reading)
    found.damage += _of_results(run)
    return found


def is_whole(run: Run) -> bool:
    """Whether there is nothing left to do, and nothing to be made again. Large weights are read only where somebody
    has touched them."""
    return check_run(run.directory, "quick").whole


def digests(run: Run, tasks: Iterable[Task]) -> dict[str, str]:
    """The seals of outputs, by their places: what results are made from."""
    found = {}
    for task in tasks:
        output = task.output(run)
        if (seal := seals.read_seal(output)) is not None:
            found[output.relative_to(run.directory).as_posix()] = seal.digest
    return found


def _look_at_tasks(run: Run, found: Checked, reading: Reading) -> None:
    journal, folder = run.journal(mending=True), run.directory
    seen: set[str] = set()
    for task, decided in _tasks(run, journal):
        found.tasks += 1
        output = task.output(run)
        state = look(task, run, reading, fresh=decided)
        where = output.parent.relative_to(folder)
        found.files += state.files
        found.size += state.size
        found.unsealed += state.word == "not sealed"
        kept = [n for n in state.removed if run.config.rounds.keep_states or "/state/" not in n]  # else as it is meant
        found.removed += [(where / name).as_posix() for name in kept]
        unseen = state.faults and look(task, run, "quick", fresh=False).word != "damaged"
        first = "; delete its folder first: a bench reads files as large when it loads them" if unseen else ""
        found.damage += [Damage((where / f.name).as_posix(), f.why + first, task.label()) for f in state.faults]
        if state.word == "outdated" and not found.left:  # else it shows when what is left is there
            place = output.relative_to(folder).as_posix()
            found.damage.append(Damage(place, "was made from something other than what is there now", task.label()))
        elif state.word == "missing":
            found.left.append(Damage(output.relative_to(folder).as_posix(), "is to be made", task.label()))
            found.damage += [d for d in _needed(task, run) if d.file not in seen]
        seen |= {d.file for d in found.damage}


def _tasks(run: Run, journal: Journal) -> Iterator[tuple[Task, bool]]:
    """Every task of the run, and whether all that it hangs on has been decided."""
    gates, hubs = journal.all("gates"), journal.all("hub")
    for seed in run.seeds:
        placed = not run.topology.hub or str(seed) in hubs
        for tasks in seed_tasks(run, seed, Foreseen(run, seed, journal)):
            for task in tasks:
                undecided = isinstance(task, Train) and round_key(seed, task.method, task.round) not in gates
                yield task, not undecided and (placed or not isinstance(task, (Train, BreakRate)))


def _needed(task: Task, run: Run) -> Iterator[Damage]:
    """What a task that is to be done cannot do without, and the checkpoints from which it would go on."""
    try:
        check_inputs(task, run)
    except DamagedError as error:
        yield _damage(error, run.directory)
    if isinstance(task, Train):
        for checkpoint in sorted(PhaseFiles(task.output(run)).checkpoints.glob("step_*[0-9]")):
            try:
                seals.check(checkpoint)
            except DamagedError as error:
                yield _damage(error, run.directory)._replace(task=task.label())


def _damage(error: DamagedError, folder: Path) -> Damage:
    """A sentence of the form ``PATH: WHY. WHAT TO DO``."""
    place, _, why = str(error).split(". ")[0].partition(": ")
    return Damage(place.removeprefix(f"{folder}/"), why)


def _of_file(path: Path) -> Iterator[Damage]:
    """A file whose text is kept in its seal."""
    if not store.is_kept(path):
        return
    try:
        store.read_sealed(path)
    except DamagedError as error:
        yield _damage(error, path.parent)
    except FileNotFoundError:
        yield Damage(path.name, "is missing (its seal has the text)")


def _of_results(run: Run) -> Iterator[Damage]:
    path = results_path(run.directory)
    if not path.is_file():
        return
    try:
        stored_results(run.directory)
        seal = seals.read_seal(path)
    except OldResultsError:
        return
    except DamagedError as error:
        yield _damage(error, run.directory)
        return
    for place, was in seal.made_from.items() if seal else ():
        if _digest_of(run.directory / place) not in ("", was):
            yield Damage(path.name, f"was made before {place}")
            return


def _digest_of(output: Path) -> str:
    """Of its seal; empty where there is none to read."""
    try:
        seal = seals.read_seal(output)
    except DamagedError:
        return ""
    return seal.digest if seal else ""


def _command(directory: Path) -> str:
    try:
        return command_of(began_with(directory) or {})
    except DamagedError:
        return ""
