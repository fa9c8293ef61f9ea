"""A model none of whose answers can be read is refused before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import RunError
from coopt.core.names import INIT
from coopt.driver.first_look import check_answers
from coopt.runs.run import Run


def scored(folder: Path, unparsed: dict[str, int]) -> Run:
    """Four answers of each student a domain, of which so many could not be read."""
    run = Run(folder, load_config())
    for student in run.topology.students:
        one: dict[str, Any] = {
            "correct": [[0, 0], [0, 0]], "answers": [["", "the force is"], ["", ""]], "unparsed": unparsed[student],
            "unfinished": 3, "tokens": 96,
        }  # fmt: skip
        found = {"domains": dict.fromkeys(run.config.domains, one)}
        store.write_json(run.scores_path(0, INIT, "validation", 0, student), found)
    return run


def test_one_readable_answer_is_enough(tmp_path: Path) -> None:
    check_answers(scored(tmp_path, {"s1": 4, "s2": 3}), 0)


def test_none_is_one_line_that_says_what_was_seen_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError) as raised:
        check_answers(scored(tmp_path, {"s1": 4, "s2": 4}), 0)
    said = str(raised.value)
    assert "\n" not in said
    for part in ("16 answers", "75% were cut off", "mean length 24", "'the force is'", "--force"):
        assert part in said
