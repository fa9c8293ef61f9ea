"""What is said of the first answers; a model none of whose answers can be read is refused before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import RunError
from coopt.core.names import INIT
from coopt.driver.first_look import first_answers, look
from coopt.runs.run import Run
from tests.unit.domains.test_rows import row


def scored(folder: Path, unparsed: dict[str, int], *settings: str, source: str = "scimini", **more: Any) -> Run:
    """Four answers of each student a domain, of which so many could not be read."""
    settings = ("sampling.eval_samples=2", *settings)
    run = Run(folder / "run", load_config(settings=settings, data={"source": source}))
    for student in run.topology.students:
        one: dict[str, Any] = {
            "correct": [[0, 1], [0, 0]], "answers": [["", "the force is"], ["", ""]], "unparsed": unparsed[student],
            "unfinished": 3, "tokens": 96,
        } | more  # fmt: skip
        found = {"domains": dict.fromkeys(run.config.domains, one)}
        store.write_json(run.scores_path(0, INIT, "validation", 0, student), found)
    return run


def own_rows(folder: Path) -> str:
    """A file of rows in two domains."""
    rows = [row(question=f"What of {name} {k}?", domain=name) for name in ("Physics", "Chemistry") for k in range(60)]
    store.append_lines(folder / "rows.jsonl", rows)
    return str(folder / "rows.jsonl")


def told(run: Run, seed: int = 0, *, force: bool = False) -> list[str]:
    lines: list[str] = []
    look(run, seed, force=force, say=lines.append)
    return lines


def test_one_readable_answer_is_enough(tmp_path: Path) -> None:
    assert told(scored(tmp_path, {"s1": 4, "s2": 3}))


def test_none_is_one_line_that_says_what_was_seen_and_what_to_do(tmp_path: Path) -> None:
    run = scored(tmp_path, {"s1": 4, "s2": 4}, read_otherwise=2)
    with pytest.raises(RunError) as raised:
        told(run)
    said = str(raised.value)
    assert "\n" not in said
    for part in ("16 answers", "75% were cut off", "mean length 24", "'the force is'", "--force", "lenient reads 50%"):
        assert part in said
    assert "0% read" in told(run, force=True)[0]


def test_the_embedded_world_gets_a_line_or_two(tmp_path: Path) -> None:
    run = scored(tmp_path, {"s1": 0, "s2": 0}, read_otherwise=0, unfinished=0, sample="<answer> 7</answer>")
    (line,) = told(run)
    assert line.startswith("First look at 16 answers: 100% read, 25% right (best constant ")
    assert line.endswith(f"0% cut off, 24 of {run.config.sampling.max_response_tokens} tokens.")
    assert len(line) <= 160


def test_rows_show_one_answer_in_full_and_nothing_in_it_steers_the_terminal(tmp_path: Path) -> None:
    sample = "First\x1b[31m [bold]line[/]\n\u202esecond" + "x" * 5000
    run = scored(tmp_path, {"s1": 2, "s2": 4}, source=own_rows(tmp_path), sample=sample, read_otherwise=1)
    said = told(run)
    assert "chance 25%" in said[0]
    shown = [line for line in said if line.startswith("  | ")]
    assert shown[0] == "  | First�[31m [bold]line[/]"
    assert shown[1].startswith("  | �second")
    assert shown[-1] == "  | [...]"
    assert sum(map(len, shown)) < 1300
    assert not any(c in line for line in said for c in "\x1b\u202e")
    assert any("25.0% are read otherwise" in line for line in said)
    assert any("raise sampling.max_response_tokens" in line for line in said)
    assert any("s2" in line for line in said), "the student of whom least was read"


def test_scores_of_an_older_run_have_no_share_that_is_read_otherwise(tmp_path: Path) -> None:
    run = scored(tmp_path, {"s1": 1, "s2": 1}, source=own_rows(tmp_path))
    seen = first_answers(run, 0)
    assert seen is not None
    assert seen.read_otherwise is None
    assert seen.one == "the force is"
    assert not any("otherwise" in line for line in told(run))


def test_only_the_first_seed_is_told_of(tmp_path: Path) -> None:
    run = scored(tmp_path, {"s1": 0, "s2": 0}, "seeds=2")
    for student in run.topology.students:
        found = store.read_json(run.scores_path(0, INIT, "validation", 0, student))
        store.write_json(run.scores_path(1, INIT, "validation", 0, student), found)
    assert told(run, 0)
    assert not told(run, 1)
