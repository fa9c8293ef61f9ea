"""A finished bench as a file: complete for its tables, small, always the same, and untrusted when it comes back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from coopt.core.errors import RunError
from coopt.driver.sweep.archive import archive_of, bring, keep
from coopt.driver.sweep.arms import Arm
from coopt.driver.sweep.cells import Cell
from coopt.driver.sweep.drive import Driver
from coopt.runs.results import Results
from tests.unit.conftest import Command


def cell(sweep: Path) -> Cell:
    return Cell(Arm("ring", "mini", True, {}), 3, sweep)


@pytest.fixture
def finished(tmp_path: Path) -> Cell:
    """A folder as a bench leaves it."""
    made = cell(tmp_path / "here")
    for name in (
        "config.json", "results.json", "journal.jsonl", "run.lock", "progress/a.json", "seeds/3/init/s1/COMPLETE",
        "seeds/3/init/s1/model/model.safetensors", "seeds/3/opcod/r1/s1/state/adam.safetensors",
        "seeds/3/opcod/r1/s1.steps.jsonl", "seeds/3/opcod/r1/s1.rollouts.jsonl", "seeds/3/opcod/scores/test/r1/s1.json",
    ):  # fmt: skip
        path = made.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    return made


def test_what_tables_read_comes_back_and_weights_do_not(finished: Cell, tmp_path: Path) -> None:
    keep(finished, tmp_path / "kept")
    back = cell(tmp_path / "there")
    assert bring(back, tmp_path / "kept")
    found = {p.relative_to(back.directory).as_posix(): p.read_text() for p in back.directory.rglob("*") if p.is_file()}
    assert found == {
        name: f"text of {name}"
        for name in (
            "config.json", "results.json", "journal.jsonl", "seeds/3/init/s1/COMPLETE",
            "seeds/3/opcod/r1/s1.steps.jsonl", "seeds/3/opcod/scores/test/r1/s1.json",
        )
    }  # fmt: skip


def test_the_same_results_are_the_same_bytes(finished: Cell, tmp_path: Path) -> None:
    first = keep(finished, tmp_path / "kept").read_bytes()
    for path in finished.directory.rglob("*.json"):
        path.touch()
    assert keep(finished, tmp_path / "again").read_bytes() == first


def test_what_is_here_is_not_replaced(finished: Cell, tmp_path: Path) -> None:
    keep(finished, tmp_path / "kept")
    (finished.directory / "results.json").write_text("newer")
    assert not bring(finished, tmp_path / "kept")
    assert (finished.directory / "results.json").read_text() == "newer"
    assert not bring(cell(tmp_path / "there"), tmp_path / "none")


def with_member(make: Callable[[tarfile.TarInfo], None]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        member = tarfile.TarInfo("a")
        make(member)
        tar.addfile(member, io.BytesIO(b""))
    return out.getvalue()


def outside(member: tarfile.TarInfo) -> None:
    member.name = "../../outside"


def link(member: tarfile.TarInfo) -> None:
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"


@pytest.mark.parametrize("content", [b"", b"not packed", with_member(outside), with_member(link)])
def test_a_file_that_is_no_archive_of_files_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    back = cell(tmp_path / "there")
    path = archive_of(back, tmp_path / "kept")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"seed-3\.tar\.xz: not the file of a finished bench .* Delete it") as error:
        bring(back, tmp_path / "kept")
    assert "\n" not in str(error.value)
    assert not back.directory.exists()
    assert not list(tmp_path.rglob("outside"))


def test_a_torn_file_is_refused(finished: Cell, tmp_path: Path) -> None:
    path = keep(finished, tmp_path / "kept")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="not the file of a finished bench"):
        bring(cell(tmp_path / "there"), tmp_path / "kept")


def test_an_archive_that_is_a_file_is_refused(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    done = cli("sweep", "pairs", "--table", "--archive", "kept")
    assert (done.code, done.err) == (
        2,
        "coopt: --archive kept: is a file. Give a folder; it is made if it is not there.\n",
    )


def test_the_driver_tells_of_what_finished_alone(tmp_path: Path) -> None:
    class Quick(Cell):
        def command(self, extra: object = ()) -> list[str]:
            return ["true" if self.arm.name == "good" else "false"]

        def results(self) -> Results | None:
            return cast(Results, "found")

    cells = [Quick(Arm(name, "mini", True, {}), 0, tmp_path) for name in ("good", "bad")]
    told: list[Cell] = []
    Driver(1, None, [], dict.fromkeys(cells, 0.0), lambda text: None, told.append).run(cells)
    assert [c.arm.name for c in told] == ["good"]
