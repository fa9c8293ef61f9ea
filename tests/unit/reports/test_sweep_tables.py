"""The tables of a sweep: what they compare, and what they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coopt.core.tables.table import Table
from coopt.driver.sweep.arms import Arm
from coopt.driver.sweep.between import between_arms
from coopt.driver.sweep.cells import Cell
from coopt.driver.sweep.results import arm_states, read_cells
from coopt.reports.sweep import arm_table, sweep_tables
from tests.unit.small_runs import SMALL, write_run

FOUR = "phys,chem,mat,bio"
STRONG, WEAK = {"opcod": 0.9}, {"opcod": 0.55}


def cell(sweep: Path, arm: str, seed: int, domains: str = "phys,chem") -> Cell:
    return Cell(Arm(arm, "mini", False, {"topology": "pair", "domains": domains} | SMALL), seed, sweep)


def tables(*cells: Cell) -> dict[str, Table]:
    return {t.title.split(",")[0]: t for t in sweep_tables(arm_states(cells), between_arms(cells))}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Arms strong (seeds 0 and 1) and weak (seed 0)."""
    for arm, seed, skill in (("strong", 0, STRONG), ("strong", 1, STRONG), ("weak", 0, WEAK)):
        write_run(tmp_path / arm / f"seed-{seed}", skill, seed=seed)
    return tmp_path


def test_arms_are_compared_and_ranked_in_the_seeds_that_all_have(sweep: Path) -> None:
    found = tables(cell(sweep, "strong", 0), cell(sweep, "strong", 1), cell(sweep, "weak", 0), cell(sweep, "weak", 1))
    across = {row[0]: row for row in found["Arms compared"].rows}
    assert found["Arms"].columns[:4] == ["arm", "method", "rank", "place, 95 %"]
    assert list(across) == ["weak: sdpo - strong: sdpo", "weak: opcod - strong: sdpo", "weak: opcod - strong: opcod"]
    assert across["weak: opcod - strong: opcod"][-1] == "worse"
    assert across["weak: sdpo - strong: sdpo"][1] == "+0.0"
    ranks = {(row[0], row[1]): row[2] for row in found["Arms"].rows}
    places = {row[3] for row in found["Arms"].rows if row[2] != "1"}
    assert places == {"2-4"}, "what is not shown to differ has the same places, whatever its rank"
    assert ranks == {
        ("strong", "sdpo"): "2", ("strong", "opcod"): "1", ("weak", "sdpo"): "2", ("weak", "opcod"): "4",
    }  # fmt: skip
    assert "Ranked together, in seeds 0: strong, weak." in found["Arms"].notes
    assert "Use --seeds 5. This applies to: strong, weak." in " ".join(found["Arms"].notes)
    assert found["Arms"].rows[-1][-1] == "0, missing: 1"
    chosen_by = {(row[0], row[1]): float(row[4]) for row in found["Validation scores"].rows}
    assert chosen_by["strong", "opcod"] > chosen_by["weak", "opcod"]


def test_why_an_arms_change_is_not_shown_is_said_below(sweep: Path) -> None:
    (state,) = arm_states([cell(sweep, "weak", 0)])
    assert state.found is not None
    unshown = {"verdict": "no difference shown", "low": 0.01, "high": 0.1}
    for p, said in ((0.3, True), (None, False)):
        changes = [c.model_copy(update=unshown | {"p": p}) for c in state.found.changes]
        table = arm_table([state.model_copy(update={"found": state.found.model_copy(update={"changes": changes})})], [])
        assert any("not shown (Holm)" in row for row in table.rows) is said
        assert any(note.startswith("not shown (Holm): ") for note in table.notes) is said


@pytest.mark.parametrize("spoilt", ["config.json", "seeds/1/init/scores/test/r0/s1.json", "journal.jsonl"])
def test_a_damaged_bench_hides_no_other(sweep: Path, spoilt: str) -> None:
    """Whatever is damaged in it; it counts as missing, and one line names it."""
    cells = [cell(sweep, "strong", 0), cell(sweep, "strong", 1), cell(sweep, "weak", 0)]
    (sweep / "strong/seed-1" / spoilt).write_text('{"event": \n')
    found = read_cells(cells)
    assert [(s.arm, s.missing) for s in found.states] == [("strong", [1]), ("weak", [])]
    assert [c.runs for c in found.between] == [["strong", "weak"]]
    (line,) = found.unread
    assert line.startswith(str(sweep / "strong/seed-1"))
    assert "\n" not in line


def test_one_finished_arm_is_compared_with_nobody(sweep: Path) -> None:
    found = tables(cell(sweep, "strong", 0), cell(sweep, "weak", 1))
    assert "Arms compared" not in found
    assert "rank" not in found["Arms"].columns
    assert [row[:2] for row in found["Arms"].rows] == [["strong", "sdpo"], ["strong", "opcod"], ["weak", "–"]]
    assert found["Arms"].rows[-1] == ["weak", "–", "not run", *["–"] * 6, "missing: 1"]


@pytest.mark.parametrize("older", [{}, {"version": 1}])
def test_a_summary_of_older_rules_is_made_again(sweep: Path, older: dict[str, int]) -> None:
    before = tables(cell(sweep, "strong", 0))
    kept = sweep / "strong" / "summary.json"
    tree = {k: v for k, v in json.loads(kept.read_text()).items() if k != "version"}
    kept.write_text(json.dumps(tree | older | {"changes": []}))
    assert tables(cell(sweep, "strong", 0)) == before


def test_arms_are_compared_in_groups_of_the_same_students(sweep: Path) -> None:
    four = []
    for graph in ("ring", "star"):
        write_run(sweep / graph / "seed-0", topology=graph, domains=FOUR)
        four.append(Cell(Arm(graph, "mini", False, {"topology": graph, "domains": FOUR} | SMALL), 0, sweep))
    cells = [cell(sweep, "strong", 0), cell(sweep, "weak", 0), *four]
    assert [found.runs for found in between_arms(cells)] == [["strong", "weak"], ["ring", "star"]]
    titles = [t.title for t in sweep_tables(arm_states(cells), between_arms(cells))]
    assert len(set(titles)) == len(titles) == 6


def test_arms_with_other_questions_are_not_compared(sweep: Path) -> None:
    write_run(sweep / "materials" / "seed-0", domains="phys,mat")
    assert "Arms compared" not in tables(cell(sweep, "strong", 0), cell(sweep, "materials", 0, "phys,mat"))


def test_an_arm_with_other_questions_does_not_keep_the_others_apart(sweep: Path) -> None:
    write_run(sweep / "short" / "seed-0", settings=["data.test=10"])
    settings = {"topology": "pair", "domains": "phys,chem"} | SMALL | {"data.test": 10}
    short = Cell(Arm("short", "mini", False, settings), 0, sweep)
    found = between_arms([cell(sweep, "strong", 0), short, cell(sweep, "weak", 0)])
    assert [c.runs for c in found] == [["strong", "weak"]]


def test_arms_without_a_seed_in_common_are_not_compared(sweep: Path) -> None:
    assert "Arms compared" not in tables(cell(sweep, "strong", 1), cell(sweep, "weak", 0))
