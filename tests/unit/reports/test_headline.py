"""The screen that a bench ends with: it fits 80 columns, splits no number, and says what matters first."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coopt.cli.report import show_headline
from coopt.core.errors import ConfigError
from coopt.reports.headline import headline, headline_table, warnings
from coopt.reports.sections import SECTIONS, all_tables, section
from coopt.runs.measures.summary import summarise
from coopt.runs.results import ReadingCell, Results
from coopt.runs.run import Run
from tests.unit.small_runs import write_run


def made(folder: Path, **given: Any) -> Results:
    return summarise(Run.open(write_run(folder / "run", **given).directory))


def screen(results: Results, width: int) -> list[str]:
    out = StringIO()
    show_headline(results, "runs/NAME", Console(file=out, width=width, highlight=False))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("methods", [("sdpo", "opcod"), ("sdpo", "opcod", "always")])
def test_a_pair_fits_the_screen_and_no_number_is_split(tmp_path: Path, width: int, methods: Sequence[str]) -> None:
    results = made(tmp_path, methods=methods)
    lines = screen(results, width)
    assert all(len(line.rstrip()) <= width for line in lines)
    text = "\n".join(lines)
    for cell in results.scores:
        if cell.change is not None and cell.change_low is not None and cell.change_high is not None:
            assert f"{100 * cell.score:.1f}  {100 * cell.change:+.1f}" in text
            assert f"[{100 * cell.change_low:+.1f}, {100 * cell.change_high:+.1f}]" in text
    assert len(lines) < 35


def test_every_method_has_its_sentence_with_the_baseline_and_whom_it_is_about(tmp_path: Path) -> None:
    results = made(tmp_path)
    first, second, about = (line for line in headline(results) if not line.startswith("WARNING"))
    assert first.startswith("sdpo: mean change ")
    assert "against" not in first
    comparison = next(c for c in results.comparisons if c.student == "all")
    assert f"against sdpo {100 * comparison.difference:+.1f} [" in second
    assert "about these students only" in about


def test_many_methods_are_one_row_each(tmp_path: Path) -> None:
    names = ("sdpo", "opcod", "always", "random", "shuffled", "grpo")
    results = made(tmp_path, methods=names, skill=dict.fromkeys(names, 0.7))
    table = headline_table(results)
    assert table.rows[0][0] == "init"
    assert {row[0] for row in table.rows} == {"init", *names}
    assert all(len(line.rstrip()) <= 80 for line in screen(results, 80))
    assert any("1 more methods" in line for line in headline(results))


def test_what_makes_numbers_worthless_comes_first(tmp_path: Path) -> None:
    results = made(tmp_path)
    unread = ReadingCell(who="init", student="s1", domain="physics", answers=80, unparsed=0.9, unfinished=0.0, tokens=9)
    nothing = [c.model_copy(update={"score": 0.0}) for c in results.scores]
    bad = results.model_copy(update={"readings": [unread], "scores": nothing, "no_own_correct": 1.0})
    found = warnings(bad)
    assert found[0] == "WARNING: every score is 0."
    assert "90 % of s1's (init) responses in physics" in found[1]
    assert "nothing to learn from" in found[2]
    assert found[3] == "WARNING: few test questions: 20 in physics, 20 in chemistry."
    assert headline(bad)[: len(found)] == found


def test_the_help_names_every_section() -> None:
    from coopt.cli.report import report

    said = " ".join(str(report.__annotations__["section"]).split())
    assert all(name in said for name in SECTIONS)


def test_with_three_seeds_it_is_about_others_too(tmp_path: Path) -> None:
    assert "about other specialists" in headline(made(tmp_path, seeds=3))[-1]


def test_sections_hold_every_table_once(tmp_path: Path) -> None:
    results = made(tmp_path)
    titles = [t.title for t in all_tables(results)]
    assert len(titles) == len(set(titles)) > 5
    assert [t.title for name in SECTIONS for t in section(results, name)] == titles
    with pytest.raises(ConfigError, match=r"unknown section 'break-rate'\. Did you mean 'break-rates'"):
        section(results, "break-rate")
