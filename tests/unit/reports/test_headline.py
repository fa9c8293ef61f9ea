"""The screen that a bench ends with: it fits 80 columns, splits no number, and says what matters first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    first, second = (line for line in headline(results) if not line.startswith("WARNING"))
    assert first.startswith("sdpo: mean change ")
    assert "against" not in first
    comparison = next(c for c in results.comparisons if c.student == "all")
    assert f"against sdpo {100 * comparison.difference:+.1f} [" in second
    assert "about these students only" in headline(results)[1]


def test_many_methods_are_one_row_each(tmp_path: Path) -> None:
    names = ("sdpo", "opcod", "always", "random", "shuffled", "grpo")
    results = made(tmp_path, methods=names, skill=dict.fromkeys(names, 0.7))
    table = headline_table(results)
    assert table.rows[0][0] == "init"
    assert {row[0] for row in table.rows} == {"init", *names}
    assert all(len(line.rstrip()) <= 80 for line in screen(results, 80))
    assert any("1 more methods" in line for line in headline(results))


def _unread(share: float, who: str = "init", round_: int | None = None) -> ReadingCell:
    domain = "" if round_ else "physics"
    return ReadingCell(
        who=who, student="s1", domain=domain, round=round_, answers=80, unparsed=share, unfinished=0.0, tokens=9
    )


def _zero(results: Results) -> dict[str, Any]:
    return {"scores": [c.model_copy(update={"score": 0.0}) for c in results.scores]}


def _questions(results: Results, *counts: int) -> dict[str, Any]:
    return {
        "constants": [c.model_copy(update={"questions": n}) for c, n in zip(results.constants, counts, strict=True)]
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_zero, "every score is 0. Read what was answered: --section answers, --html."),
        (lambda r: {"readings": [_unread(1.0, "opcod", 1), _unread(0.0)]}, "no rollout was parsed. Try --set data."),
        (
            lambda r: {"readings": [_unread(0.9), _unread(0.6, "opcod", 1)]},
            "s1 (init), physics: 90 % of answers not read. See",
        ),
        (lambda r: {"no_own_correct": 1.0}, "no prompt had a correct rollout. Use a stronger base"),
        (lambda r: _questions(r, 29, 30), "n = 29 in physics, below 30 questions. Use --set data.test=200."),
        (lambda r: _questions(r, 9, 20), "n = 9 to 20 in 2 domains, below 30 questions."),
        (lambda r: {"seeds": [0]}, "one seed: about these students only. For others: --seeds 5."),
        (lambda r: {"seeds": [0, 1]}, "2 seeds: about these students only."),
        (lambda r: {"unavailable": {"0/opcod/r1/a -> b": "gone"}}, "tutors stayed away in 1 round: --section feedback"),
    ],
)
def test_what_makes_numbers_worthless_is_one_line_with_what_to_do(
    tmp_path: Path, change: Callable[[Results], dict[str, Any]], says: str
) -> None:
    whole = made(tmp_path)
    quiet = whole.model_copy(
        update={"seeds": [0, 1, 2], "readings": [], "no_own_correct": 0.1, **_questions(whole, 30, 30)}
    )
    assert warnings(quiet) == []
    bad = quiet.model_copy(update=change(quiet))
    (line,) = warnings(bad)
    assert line.startswith(f"WARNING: {says}")
    assert len(line) <= 80
    assert headline(bad)[0] == screen(bad, 80)[0] == line


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
