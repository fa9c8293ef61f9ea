"""The screen that a bench ends with: it fits 80 columns, splits no number, and says what matters first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coopt.cli.bench import _print_results
from coopt.cli.report import show_headline
from coopt.core.errors import ConfigError
from coopt.core.tables.screen import output
from coopt.reports.headline import footlines, headline, headline_table, smoke_lines, warnings
from coopt.reports.sections import SECTIONS, all_tables, section
from coopt.reports.verdicts import worded
from coopt.runs.measures.summary import summarise
from coopt.runs.results import GateCell, ReadingCell, Results
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
    assert any("1 more method:" in line for line in headline(results))


def test_all_gates_are_one_line_and_each_next_command_its_own(tmp_path: Path) -> None:
    names = ("sdpo", "opcod", "always", "random")
    decided = [
        GateCell(
            seed=0, method=m, round=r, edge="s1 -> s2", open=r == 1, reason=why, gap=0.1, gap_low=0.0, gap_high=0.2,
            flip=0.1,
        )
        for m, why in (("opcod", "cognizant"), ("always", "always"), ("random", "drawn"))
        for r in (1, 2)
    ]  # fmt: skip
    results = made(tmp_path, methods=names, skill=dict.fromkeys(names, 0.7)).model_copy(update={"gates": decided})
    lines = footlines(results, "runs/NAME")
    assert "Gates of opcod: 1 of 2 decisions open; of random: 1 of 2." in lines
    assert [line.split("coopt ")[1].split(" (")[0] for line in lines[-3:]] == [
        "report runs/NAME --all",
        "report runs/NAME --html",
        "export runs/NAME",
    ]


def test_a_smoke_run_ends_in_three_lines(tmp_path: Path) -> None:
    lines = smoke_lines(made(tmp_path), "runs/pair-phys-chem-mini-smoke-ee69e3e5", "seeds/0/opcod/r*/STUDENT/model")
    assert len(lines) == 3
    assert all(len(line) <= 80 for line in lines)


def test_json_is_json_whatever_else_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.open(write_run(tmp_path / "run").directory)
    _print_results(run, summarise(run), output(), as_json=True, everything=True)
    assert json.loads(capsys.readouterr().out)["topology"] == "pair"


def test_too_few_questions_are_said_of_changes_too(tmp_path: Path) -> None:
    results = made(tmp_path)
    few = [c.model_copy(update={"verdict": "too few questions"}) for c in results.scores]
    (line, *_) = (x for x in headline(results.model_copy(update={"scores": few})) if "mean change" in x)
    assert "(too few questions)" in line


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
        (lambda r: _questions(r, 29, 30), "n = 29 in physics (fewer than 30). Use --set data.test=200."),
        (lambda r: _questions(r, 9, 20), "n = 9 to 20 in 2 domains (fewer than 30)."),
        (lambda r: {"smoke": True}, "a smoke run: its scores mean nothing."),
        (lambda r: {"seeds": [0]}, "one seed: about these students only. For others: --seeds 5."),
        (lambda r: {"seeds": [0, 1]}, "2 seeds: about these students only."),
        (lambda r: {"unavailable": {"0/opcod/r1/a -> b": "gone"}}, "tutors did not answer in 1 round: --section"),
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


def _corrected_away(results: Results) -> Results:
    """Every interval excludes 0, and nothing is shown once it is corrected."""
    unshown = {"verdict": "no difference shown", "p": 0.2}
    apart = {"low": 0.01, "high": 0.1, **unshown}
    moved = {"change_low": 0.01, "change_high": 0.1, **unshown}
    return results.model_copy(
        update={
            "scores": [c.model_copy(update=moved) if c.change is not None else c for c in results.scores],
            "comparisons": [c.model_copy(update=apart) for c in results.comparisons],
            "ranks": [c.model_copy(update=apart) for c in results.ranks],
        }
    )


def test_beside_an_interval_that_excludes_0_nothing_is_called_no_difference(tmp_path: Path) -> None:
    """Readers took it for a mistake: that it is Holm's correction is said where it is printed."""
    results = _corrected_away(made(tmp_path))
    lines = [line for line in headline(results) if "mean change" in line]
    assert all("(no change shown, Holm-corrected)" in line for line in lines)
    assert "(not shown, Holm-corrected)" in lines[1]
    tables = [t for t in all_tables(results) if any("not shown (Holm)" in row for row in t.rows)]
    assert {t.title.split(",")[0] for t in tables} >= {"Test scores", "Methods compared"}
    assert all("Holm's correction for everything claimed together" in " ".join(t.notes) for t in tables)
    assert not any("no difference shown" in cell for t in all_tables(results) for row in t.rows for cell in row)


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (-0.1, 0.1, 1.0, "no difference shown"),
        (0.0, 0.1, 0.06, "no difference shown"),
        (0.01, 0.1, 0.06, "not shown (Holm)"),
        (-0.1, -0.01, 0.3, "not shown (Holm)"),
        (-0.1, -0.01, None, "no difference shown"),
        (0.01, 0.1, 0.01, "not shown (seeds disagree)"),
        (None, None, None, "no difference shown"),
    ],
)
def test_why_nothing_is_shown(low: float | None, high: float | None, p: float | None, said: str) -> None:
    assert worded("no difference shown", low, high, p) == said
    assert worded("improves", low, high, p) == "improves"
