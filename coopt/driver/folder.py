"""The folder of a bench: its name, whether it may be used, its lock, and what is written before work begins."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from coopt.core import seals, store
from coopt.core.config.identity import GROWING, differences, identity
from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError, RunError
from coopt.core.outside.files import UnreadableError, from_home, opened, read_bytes
from coopt.core.seals import SEAL
from coopt.domains.load import data_hashes
from coopt.graph.gates.code import file_of
from coopt.methods.registry import code_of
from coopt.runs.provenance import RECORD, began_with, provenance
from coopt.runs.run import CONFIG, Run, is_run


def default_name(config: Config) -> str:
    """A name that the same settings always get; more seeds or methods go into the same run."""
    tree = identity(config, *GROWING) | {"files": file_hashes(config)}
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:8]
    size = str(config.nodes) if config.nodes else ""
    parts = [Path(config.topology).stem + size, "-".join(d[:4] for d in config.domains), Path(config.preset).stem]
    return "-".join([*parts, *(["smoke"] if config.smoke else []), digest])


def file_hashes(config: Config) -> dict[str, str]:
    """The user's own files that decide what a run is, by path: a changed graph, gate, mapping or solution is another
    run."""
    named = config.topology, config.data.solutions, config.data.mapping
    code = [file_of(kind) for kind in (config.gate.kind, *_gates_of_edges(config))]
    paths = [*(from_home(name) for name in named), *(found[0] for found in code if found)]
    return {str(p): _hash(p) for p in paths if p.suffix and p.is_file()}


def method_hashes(config: Config) -> dict[str, str]:
    """The same of methods that are not coopt's own, by name: whoever edits one begins another run."""
    return {name: _hash(path) for name, path in code_of(config.methods).items()}


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(read_bytes(path, None)).hexdigest()[:16]
    except UnreadableError as error:
        raise RunError(f"{path}: {error}. It is part of what the run is: make it readable.") from None


def _gates_of_edges(config: Config) -> list[str]:
    """The kinds of gates that a graph file names; shipped graphs name none."""
    graph = Path(config.topology)
    return [s.gate for s in Run(Path(), config).topology.settings.values()] if graph.suffix else []


def check_directory(config: Config, directory: Path) -> Run:
    """The run that this directory holds or is to hold, with its settings. Writes nothing.

    Raises ``RunError`` with the ways out if the directory holds another run, or something else.
    """
    if is_run(directory):
        run = Run(directory, _resumed(Run.open(directory).config, config, directory))
        began = _record(directory)
        if began and began["data"] != data_hashes(run.domains):
            raise RunError(f"{directory}: the data are not those that the run started with. Give another --out.")
        if began.get("files", file_hashes(config)) != file_hashes(config):
            raise RunError(
                f"{directory}: {', '.join(file_hashes(config))} changed since the run began. Give another --out, or"
                " restore the file to resume."
            )
        now, then = method_hashes(run.config), began.get("methods", {})
        if edited := [str(code_of([name])[name]) for name, digest in now.items() if then.get(name, digest) != digest]:
            raise RunError(
                f"{directory}: {', '.join(edited)} changed since the run began. Give another --out, or restore the file"
                " to resume."
            )
        return run
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{directory}: is a file. Give another --out.")
    if directory.is_dir() and any(not _of_a_beginning(p.name) for p in directory.iterdir()):
        raise RunError(f"{directory}: the folder is not empty and holds no run. Give another --out.")
    return Run(directory, config)


def _record(directory: Path) -> dict[str, Any]:
    """What the run began with; nothing if that is lost: ``prepare`` writes it again."""
    try:
        return began_with(directory) or {}
    except DamagedError:
        return {}


def _of_a_beginning(name: str) -> bool:
    """Files that a run leaves when it is killed before its configuration is written."""
    known = ("run.lock", RECORD, RECORD + SEAL, CONFIG + SEAL)
    return name in known or (name.startswith(".") and name.endswith(".tmp"))


def prepare(config: Config, directory: Path, arguments: list[str]) -> Run:
    """Create the run directory, or take up the one that is there. Raises ``RunError``."""
    run = check_directory(config, directory)
    record, there, is_new = directory / RECORD, _record(directory), not is_run(directory)
    if is_new or (store.is_kept(record) and not there):
        # Of one that was lost, the data are still those of now, and the rest is that of now.
        there = provenance(data_hashes(run.domains), config.all_seeds, arguments) | {"files": file_hashes(config)}
        there |= {} if is_new else {"renewed": True}
    if there:
        if own := method_hashes(run.config):  # those that came later, too
            there = there | {"methods": own | there.get("methods", {})}
        _keep(record, there)
    _keep(directory / CONFIG, run.config.model_dump(mode="json"))
    return run


def _keep(path: Path, value: Any) -> None:
    """Write a small file that could not be made again, unless it is there."""
    text = store.as_json(value)
    try:
        if seals.checked(path, path).decode() == text and seals.sidecar(path).is_file():
            return
    except (DamagedError, FileNotFoundError, UnicodeDecodeError):
        pass
    store.write_sealed(path, text, kept=True)


def _resumed(old: Config, new: Config, directory: Path) -> Config:
    """The configuration of a run that goes on: seeds and methods may grow, nothing else may differ."""
    found = differences((old, new), *GROWING)
    different = [f"{key} was {before!r}, is {after!r}" for key, (before, after) in found.items()]
    if different:
        raise RunError(
            f"{directory} holds a run with other settings ({'; '.join(different[:3])})."
            " Give another --out, repeat its settings to resume it, or delete the folder."
        )
    methods = (*old.methods, *(m for m in new.methods if m not in old.methods))
    return new.model_copy(update={"seeds": max(old.seeds, new.seeds), "methods": methods})


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process a run. Raises ``RunError`` if another one has it. Nothing is left of a folder in which nothing was
    begun."""
    made = [p for p in (directory, *directory.parents) if not p.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    lock = directory / "run.lock"
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(directory) from None
        try:
            yield
        finally:
            if made and list(directory.iterdir()) == [lock]:
                with suppress(OSError):
                    lock.unlink()
                    for folder in made:
                        folder.rmdir()


def check_free(directory: Path) -> None:
    """Raises ``RunError`` if another process works on the run: before anything that takes time, or that it writes."""
    if is_locked(directory):
        raise _taken(directory)


def _taken(directory: Path) -> RunError:
    return RunError(f"{directory}: another coopt bench is working on this run. Wait for it, or give another --out.")


def is_locked(directory: Path) -> bool:
    """Whether a bench works on the run. It asks by a shared lock, which it holds for microseconds: other readers do not
    mind it, and a bench that is refused by it is started again by the same command."""
    lock = directory / "run.lock"
    if not lock.is_file():
        return False
    try:
        with opened(lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except UnreadableError as error:
        raise RunError(f"{lock}: {error}, so whether a bench works on this run is not known.") from None
    return False
