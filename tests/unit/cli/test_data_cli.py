"""coopt data on rows of one's own: guess, check, mappings."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from coopt.cli.data import data
from coopt.core.errors import CooptError
from tests.unit.domains.test_mapping import table


def run(*arguments: str) -> tuple[str, str]:
    done = CliRunner().invoke(data, arguments)
    if done.exception is not None:
        raise done.exception
    return done.stdout, done.stderr


def test_guess_prints_a_mapping_and_three_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "mine.csv")
    toml, shown = run("guess", str(path))
    assert 'columns = ["A", "B", "C"' in toml
    assert "Which, 0?\n\nA: a0\nB: b0\nPlease reason step by step.\n--> A" in shown
    assert f"coopt data check {path} --mapping plain" in shown


def test_check_names_what_is_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "mine.csv")
    with path.open("a") as file:
        file.write('"Which, 0?",a0,b0,,A,Law\r\nSame?,x,x,,A,Law\r\n')
    out, _ = run("check", str(path), "--mapping", "plain")
    assert "medicine" in out
    assert "two options are equal" in out
    assert "copy of a question" in out
    with pytest.raises(CooptError, match=r"field 'type' is missing .* coopt data guess FILE"):
        run("check", str(path))


def test_mappings_are_listed() -> None:
    assert "mmlu_pro" in run("mappings")[0]
