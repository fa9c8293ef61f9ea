"""What ``make same`` leaves out of printed tables and of JSON, in every format, and that it leaves out nothing else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.same.compare import compare_files
from benchmarks.same.endpoint import answer
from benchmarks.same.fields import lines_without, without
from coopt.core.tables.screen import show
from coopt.core.tables.table import FORMATS, Table, render


def printed(style: str, seconds: str, score: str = "84.2", last: str = "kept") -> str:
    """A table, the table of costs, and another one."""
    costs = [["sdpo", "off", seconds], ["critic_reference", "on", seconds]]
    tables = [
        Table("Test scores, percent", ["method", "avg@k"], [["sdpo", score]], ["avg@2."]),
        Table("Cost of a training step", ["method", "feedback", "s/step"], costs, ["One note."]),
        Table("Feedback outcomes", ["edge", "outcome"], [["s1 -> s2", last]], ["Another note."]),
    ]
    if style != "rich":
        return render(tables, style)  # type: ignore[arg-type]
    console = Console(file=io.StringIO(), width=150)
    show(tables, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def differs(tmp_path: Path, style: str, one: str, two: str) -> bool:
    name = f"said/report.{style}"
    paths = [tmp_path / "base", tmp_path / "new"]
    for path, text in zip(paths, (one, two), strict=True):
        path.write_text(text)
    suffix = {"rich": "txt", "latex": "tex"}.get(style, style)
    return compare_files(name.replace(style, suffix), *paths) is not None


@pytest.mark.parametrize("style", FORMATS)
def test_only_costs_may_differ(tmp_path: Path, style: str) -> None:
    before = printed(style, "0.16")
    assert not differs(tmp_path, style, before, printed(style, "12,345.67"))
    assert differs(tmp_path, style, before, printed(style, "0.16", score="84.3"))
    assert differs(tmp_path, style, before, printed(style, "0.16", last="empty"))
    if style not in ("csv", "json"):
        assert differs(tmp_path, style, before, before.replace("One note", "Another note"))


def test_columns_in_another_order_are_seen(tmp_path: Path) -> None:
    one, two = ("table,a,b\nT,1,2\n", "table,b,a\nT,2,1\n")
    assert differs(tmp_path, "csv", one, two)


def test_a_field_that_is_left_out_must_still_be_there() -> None:
    record = {"step": 0, "seconds": {"total": 1.5}, "memory_gib": 0.5}
    hidden = without("runs/x/s1.steps.jsonl", record)
    assert hidden == without("runs/x/s1.steps.jsonl", record | {"seconds": {"total": 2.5}, "memory_gib": 0.7})
    assert hidden["step"] == 0
    assert hidden != without("runs/x/s1.steps.jsonl", record | {"seconds": {"whole": 1.5}})
    assert without("runs/x/other.jsonl", record) == record


def test_lines_outside_tables_are_kept() -> None:
    assert lines_without("Run: runs/x\n  expected: 3 s\n") == ["Run: runs/x"]


def test_the_critic_answers_alike_and_not_always_with_a_concept() -> None:
    prompts = [f"What is the mass of body {k}?" for k in range(50)]
    answers = [answer(p) for p in prompts]
    assert answers == [answer(p) for p in prompts]
    assert 0 < sum("<concept>" in a for a in answers) < 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "BASE is missing"),
        (["no-such-commit"], "no such commit"),
        (["HEAD", "no-such-run"], "no run no-such-run; there are: all, "),
    ],
)
def test_a_bad_call_is_one_line(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.same", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nothing_of_coopt_is_imported() -> None:
    """The tool must outlive every renaming inside the package."""
    code = "import sys, benchmarks.same.__main__; print([m for m in sys.modules if m.split('.')[0] == 'coopt'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
