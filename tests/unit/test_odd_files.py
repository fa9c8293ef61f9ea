"""Every reader of a file, given what is no such file: one line, at once, and never more than it may read."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coopt.core import seals, store
from coopt.core.config.load import load_config
from coopt.core.errors import CooptError, DamagedError, RunError
from coopt.core.outside.archive import files_in
from coopt.core.outside.files import UnreadableError, read_bytes, read_end, read_text
from coopt.core.outside.tables import tensors_of
from coopt.domains.files import read_rows
from coopt.domains.mapping.schema import load_mapping
from coopt.domains.rationales import read_rationales
from coopt.domains.rows import select
from coopt.driver.folder import file_hashes, is_locked
from coopt.driver.simulate.constants import load_constants
from coopt.driver.sweep.suite import read_suite
from coopt.graph.files import load_topology
from coopt.reports.leaderboard.check import check_entry
from coopt.runs.journal import Journal
from coopt.runs.run import Run
from tests.unit.conftest import Command

READERS: dict[str, Callable[[Path], object]] = {
    "p.toml": lambda p: load_config(preset=str(p)),
    "profile.toml": lambda p: load_config(profile=str(p)),
    "suite.toml": read_suite,
    "mapping.toml": lambda p: load_mapping(str(p)),
    "constants.toml": load_constants,
    "g.toml": lambda p: load_topology(str(p), ("physics",)),
    "g.json": lambda p: load_topology(str(p), ("physics",)),
    "g.graphml": lambda p: load_topology(str(p), ("physics",)),
    "rows.jsonl": lambda p: select(read_rows(str(p))),
    "rows.json": lambda p: select(read_rows(str(p))),
    "rows.csv": lambda p: select(read_rows(str(p))),
    "rows.csv.gz": lambda p: select(read_rows(str(p))),
    "rows.parquet": lambda p: select(read_rows(str(p))),
    "solutions.jsonl": lambda p: read_rationales(str(p), f"data.solutions = {str(p)!r}"),
    "x.entry.json": check_entry,
    "config.json": lambda p: Run.open(p.parent),
    "journal.jsonl": Journal,
    "scores.json": store.read_json,
    "steps.jsonl": store.read_lines,
}


def _folder(path: Path) -> None:
    path.mkdir()


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1_000_000_000)  # takes no room on the disk


def _locked(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0)


KINDS: dict[str, Callable[[Path], object]] = {
    "folder": _folder,
    "pipe": os.mkfifo,
    "device": lambda p: p.symlink_to("/dev/zero"),
    "broken link": lambda p: p.symlink_to("nowhere"),
    "no permission": _locked,
    "empty": lambda p: p.write_bytes(b""),
    "not UTF-8": lambda p: p.write_bytes(b"a = 1\n{\xff}"),
    "UTF-16": lambda p: p.write_text("a = 1", encoding="utf-16"),
    "gigabyte": _sparse,
}
EMPTY_IS_RIGHT = {"p.toml", "profile.toml", "constants.toml", "journal.jsonl", "steps.jsonl"}
"""Where nothing means that everything is as it is without the file."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_such_file_is_one_line(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "no permission" and os.geteuid() == 0:
        return  # root may read everything
    path = tmp_path / name
    KINDS[kind](path)
    began = time.monotonic()
    try:
        READERS[name](path)
    except FileNotFoundError:
        assert (name, kind) == ("scores.json", "broken link")
    except CooptError as error:
        line = str(error)
        assert str(path) in line or path.name in line
        assert "\n" not in line
        assert line.endswith((".", ")")), line
    else:
        empty = kind in ("empty", "UTF-16") if name == "journal.jsonl" else kind == "empty"  # of the other a torn line
        assert (empty and name in EMPTY_IS_RIGHT) or (kind == "broken link" and name.endswith("l")), name
    assert time.monotonic() - began < 5


def _sealed(folder: Path) -> Path:
    with store.new_directory(folder / "s1") as made:
        (made / "weights").write_text("w")
    return folder / "s1/weights"


def _named(folder: Path) -> Path:
    (folder / "gate.py").write_text("class Mine: ...")
    return folder / "gate.py"


def _lock(folder: Path) -> Path:
    (folder / "run.lock").touch()
    return folder / "run.lock"


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (_sealed, lambda path: seals.check(path.parent)),
        (_sealed, lambda path: seals.check(path.parent, reading="once")),
        (_named, lambda path: file_hashes(load_config(settings=[f"gate.kind={path}:Mine"]))),
        (_lock, lambda path: is_locked(path.parent)),
    ],
    ids=["sealed", "sealed, once", "named", "lock"],
)
def test_what_this_user_may_not_read_is_a_line_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], read: Callable[[Path], object]
) -> None:
    """A bench takes damage away and makes it again; a colleague's run it must leave alone."""
    path, plain = make(tmp_path), os.open

    def denied(name: str | Path, *how: Any, **more: Any) -> int:
        if Path(name) == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(name, *how, **more)

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(RunError, match=rf"{path.name}: cannot be read \(Permission denied\)") as error:
        read(path)
    assert not isinstance(error.value, DamagedError)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "not UTF-8", "UTF-16", "gigabyte"])
def test_the_layer_itself(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    KINDS[kind](path)
    with pytest.raises(UnreadableError):
        read_text(path)
    if kind in ("folder", "pipe", "device"):
        for read in (read_bytes, lambda p: list(files_in(p)), lambda p: tensors_of(p).__enter__()):
            with pytest.raises(UnreadableError, match=r"not an ordinary file|is a folder"):
                read(path)
        assert read_end(path) == ""


@pytest.mark.parametrize("name", ["p.toml", "g.toml", "g.json", "rows.jsonl", "rows.csv"])
def test_a_byte_order_mark_is_no_fault(tmp_path: Path, name: str) -> None:
    text = {
        "p.toml": "seeds = 2",
        "g.toml": "nodes = [{id = 's1'}]",
        "g.json": '{"nodes": [{"id": "s1"}], "links": []}',
        "rows.jsonl": '{"a": 1}',
        "rows.csv": "a,b\n1,2\n",
    }[name]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8-sig")
    found = list(read_rows(str(path))) if name.startswith("rows") else READERS[name](path)
    assert "\ufeff" not in str(found)


def test_what_is_damaged_is_made_again_by_the_command_that_began_the_run(cli: Command, tmp_path: Path) -> None:
    from tests.unit.sealed_runs import bench, config_of, damage

    run = tmp_path / "run"
    bench(config_of(), run)
    scores = Run.open(run).scores_path(0, "opcod", "test", 2, "s1")
    assert damage(scores, "digit")
    done = cli("export", str(run))
    assert done.code == 2
    assert done.err.startswith(f"coopt: {scores}: is not what was written (its checksum differs). ")
    assert done.err.endswith(f"Make it again: coopt bench --topology pair (what else is damaged: coopt check {run}).\n")
    assert seals.REPAIR not in done.err
