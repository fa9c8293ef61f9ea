"""Indices of per-token advantages in closed form, what is known of tokens, and pictures of hostile text."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import RunError
from coopt.domains.base import Item
from coopt.reports.advantages import summary
from coopt.reports.advantages.page import write_page
from coopt.reports.advantages.pictures import at_strength, choose, strength
from coopt.reports.advantages.plot import draw_profile
from coopt.reports.advantages.tables import advantage_tables
from coopt.reports.advantages.terminal import show_rollouts
from coopt.reports.advantages.traces import Trace, regions_of, token_at
from coopt.runs.measures import advantages as index
from tests.unit.conftest import Command

A = np.array([1.0, -1.0, 2.0, -4.0])


# -- indices ---------------------------------------------------------------------------------------


def test_mass_before_and_from_the_error() -> None:
    assert index.share_from(A, 2) == 6 / 8
    assert index.share_from(A, 0) == 1
    assert index.share_from(np.zeros(3), 1) is None
    assert index.mean_before(A, 2) == 0
    assert index.mean_before(A, 3) == pytest.approx(2 / 3)
    assert index.negative_before(A, 3) == pytest.approx(1 / 3)
    assert index.negative_before(A, 3, beyond=1.0) == 0
    for of_nothing in (index.mean_before, index.negative_before, index.size_before):
        assert of_nothing(A, 0) is None, "an error at the first token has nothing before it"


@pytest.mark.parametrize("count", [1, 4, 50])
def test_concentration_of_one_token_and_of_all(count: int) -> None:
    alone, alike = np.zeros(count), np.full(count, -0.3)
    alone[count // 2] = -7.0
    assert index.gini(alone) == pytest.approx(1 - 1 / count)
    assert index.effective_share(alone) == pytest.approx(1 / count)
    assert index.gini(alike) == pytest.approx(0, abs=1e-12)
    assert index.effective_share(alike) == pytest.approx(1)


def test_gini_is_the_mean_absolute_difference() -> None:
    values = np.random.default_rng(0).normal(size=30)
    mass = np.abs(values)
    pairwise = np.abs(mass[:, None] - mass[None, :]).mean() / (2 * mass.mean())
    assert index.gini(values) == pytest.approx(pairwise)
    assert index.effective_share(values) == pytest.approx(mass.sum() ** 2 / (values**2).sum() / 30)


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    assert index.auc_from(np.array([1.0, 2.0, -1.0, -3.0]), 2) == 1
    assert index.auc_from(np.array([-1.0, -3.0, 1.0, 2.0]), 2) == 0
    assert index.auc_from(np.zeros(4), 2) == 0.5
    assert index.auc_from(A, 2) == 2 / 4, "-4 is under both, 2 under none"
    assert index.auc_first(A, 3) == 1
    assert index.auc_first(A, 2) == 0
    assert index.auc_from(A, 0) is None


def test_shares_of_regions_add_up() -> None:
    found = index.region_shares(A, ("reasoning", "reasoning", "answer", "format"))
    assert found == {"reasoning": 2 / 8, "answer": 2 / 8, "format": 4 / 8}


# -- tokens ----------------------------------------------------------------------------------------


def test_the_token_of_a_character() -> None:
    tokens = ["tin", " 23", "", "2", ""]
    assert [token_at(tokens, k) for k in (0, 2, 3, 4, 6)] == [0, 0, 1, 1, 3]
    assert token_at(tokens, 7) == 4, "behind the text: its end"
    assert token_at(["tin", " 2"], 5) == 1, "cut off: the last token"


def test_regions_of_tokens() -> None:
    tokens = ["<reasoning>", "tin", " 5", "\n", "<ans", "wer>", " 5", "0", "</answer>", ""]
    reasoning, answer, form = "reasoning", "answer", "format"
    expected = (form, reasoning, reasoning, form, form, form, answer, answer, form, form)
    assert regions_of(tokens) == expected
    assert regions_of(["no", " answer"]) == (reasoning, reasoning)


# -- arms ------------------------------------------------------------------------------------------


def trace(method: str, question: int, values: list[float], error: int | None = 1, **changes: Any) -> Trace:
    item = Item(
        id=f"q{question}", domain="physics", stem=f"what {question}?", options=(), key="", prompt="", answer="5"
    )
    tokens = tuple(" x" for _ in values)
    given: dict[str, Any] = {
        "seed": 0,
        "method": method,
        "round": 1,
        "tutee": "s1",
        "step": 0,
        "rollout": 0,
        "item": item,
        "reward": 0.0 if error is not None else 1.0,
        "source": "teacher",
        "teacher": "",
        "student_reads": "what?",
        "teacher_reads": "what? Solution: 5",
        "tokens": tokens,
        "values": np.array(values),
        "error": error,
        "regions": tuple("reasoning" for _ in values),
    }
    return Trace(**{**given, **changes})


TRACES = [
    *(trace("a", k, [0.5, -2.0]) for k in range(12)),
    *(trace("b", k, [-0.5, -2.0]) for k in range(12)),
    trace("b", 12, [-0.5, -2.0]),
    trace("a", 13, [0.25, 0.25], error=None),
]


def test_means_and_their_intervals_are_over_questions() -> None:
    """Many rollouts of one question are one question; two so unequal ones tell nothing of their mean."""
    many = [trace("a", 0, [1.0, -1.0]) for _ in range(30)] + [trace("a", 1, [0.0, -1.0])]
    assert summary.mean(many, "mean_right") == (31, 2, pytest.approx(30 / 31), None, None)
    even = [trace("a", k, [float(k % 2), -1.0]) for k in range(20) for _ in range(3)]
    once = [trace("a", k, [float(k % 2), -1.0]) for k in range(20)]
    found, single = (summary.mean(t, "mean_right") for t in (even, once))
    assert (found.rollouts, found.questions, found.value) == (60, 20, 0.5)
    assert (found.low, found.high) == pytest.approx((single.low, single.high))
    assert summary.mean(many[:2], "mean_right") == (2, 1, 1.0, None, None)


def test_a_correct_rollout_is_right_everywhere_and_a_lucky_one_is_not() -> None:
    assert trace("a", 0, [1.0, 3.0], error=None).indices["mean_right"] == 2
    lucky = trace("a", 0, [1.0, 3.0], error=1, reward=1.0)
    assert lucky.group == "wrong"
    assert lucky.indices["mean_right"] == 1
    unknown = trace("a", 0, [1.0, 3.0], error=None, reward=0.0)
    assert unknown.group == "wrong"
    assert unknown.indices["mean_right"] is None


def test_arms_are_compared_on_the_same_text_only() -> None:
    other = trace("b", 3, [9.0, 9.0], tokens=(" other", " text"))
    found = summary.pairs([t for t in TRACES if t.method == "a" or t.item.id != "q3"] + [other], "b", "a", "wrong")
    assert (len(found.equal), found.both) == (11, 12)
    assert summary.mean_difference(found, "mean_right").value == pytest.approx(-1)


def test_the_profile_is_counted_from_the_error() -> None:
    found = summary.profile([trace("a", k, [0.5, -2.0, 1.0]) for k in range(3)], 2)
    assert [found[at].value for at in (-2, -1, 0, 1, 2)] == [None, 0.5, -2.0, 1.0, None]


def test_tables_of_arms() -> None:
    tables = {t.title: t for t in advantage_tables(TRACES)}
    error = {row[0]: row for row in tables["Wrong rollouts: advantage and the first error"].rows}
    assert error["a"][1:6] == ["12", "12", "1.25 [1.25, 1.25]", "80.0 [80.0, 80.0]", "50.0"]
    right = [row[:2] for row in tables["Right tokens: prefix damage"].rows]
    assert right == [
        ["a", "wrong, before the error"],
        ["a", "correct, all tokens"],
        ["b", "wrong, before the error"],
    ]
    (paired,) = tables["Arms on the same responses"].rows
    assert paired[:3] == ["b - a", "wrong", "12 of 12"]
    assert paired[5] == "-1.000 [-1.000, -1.000]"


def test_a_domain_that_knows_no_errors_has_tables_without_them() -> None:
    plain = [trace("a", k, [1.0, -1.0], error=None, reward=0.0) for k in range(3)]
    assert [t.title for t in advantage_tables(plain)] == ["Concentration"]


# -- pictures --------------------------------------------------------------------------------------

HOSTILE = ("<script>alert(1)</script>", '" onmouseover="alert(1)', "</span></body>", "\x1b[2J[red]\u202e", "&lt;", "")


class Tags(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile() -> Trace:
    word = "".join(HOSTILE)
    item = Item(id="q", domain="physics", stem=word, options=(), key="", prompt=word, answer=word)
    values = [1.0, -3.0, 0.0, 0.5, -0.5, 0.0]
    given = {"item": item, "tokens": HOSTILE, "teacher": word, "student_reads": word, "teacher_reads": word}
    return trace("m", 0, values, error=2, **given)


def test_hostile_text_stays_text_on_the_page(tmp_path: Path) -> None:
    rows = [hostile()]
    write_page(tmp_path / "page.html", "<script>", rows, advantage_tables(rows))
    page = Tags()
    page.feed((tmp_path / "page.html").read_text())
    assert not page.names & {"script", "img", "iframe", "a", "link"}
    assert not [a for a in page.attributes if a.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 5
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert "default-src 'none'" in (tmp_path / "page.html").read_text()


def test_hostile_text_does_not_steer_the_terminal() -> None:
    out = io.StringIO()
    show_rollouts([hostile()], 3, Console(file=out, width=200, force_terminal=False))
    assert "\x1b" not in out.getvalue()
    assert "[red]" in out.getvalue(), "no markup"
    coloured = io.StringIO()
    show_rollouts([hostile()], 3, Console(file=coloured, width=200, force_terminal=True, color_system="truecolor"))
    assert "\x1b[2J" not in coloured.getvalue()
    assert "\x1b[" in coloured.getvalue()


def test_the_page_shows_each_arm_with_its_error_and_context(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", "run", TRACES, [])
    text = (tmp_path / "page.html").read_text()
    assert text.count('class="t n error"') == 25
    assert text.count("what? Solution: 5") == len(TRACES)
    assert 'title="-2.00, first error"' in text


def test_pictures_are_of_other_questions_each_and_mostly_wrong() -> None:
    shown = choose(TRACES, 4)
    assert [q.first.group for q in shown] == ["wrong"] * 3 + ["correct"]
    assert len({q.first.item.id for q in shown}) == 4
    assert [[t.method for t in q.traces] for q in shown[:3]] == [["a", "b"]] * 3
    assert len(choose(TRACES, 100)) == 14


@pytest.mark.parametrize("value", [-12.0, -0.3, 0.0, 2.0])
def test_the_scale_of_colours_goes_both_ways(value: float) -> None:
    assert strength(value, 12.0) >= 0
    sign = -1 if value < 0 else 1
    assert at_strength(sign * strength(value, 12.0), 12.0) == pytest.approx(value)


def test_the_plot_needs_errors(tmp_path: Path) -> None:
    draw_profile(TRACES, tmp_path / "plot.svg")
    assert "counted from the first error" in (tmp_path / "plot.svg").read_text()
    with pytest.raises(RunError, match="nothing to draw"):
        draw_profile([t for t in TRACES if t.error is None], tmp_path / "none.svg")


# -- the command -----------------------------------------------------------------------------------


def a_run(folder: Path) -> Path:
    """A run folder with one recorded rollout: right but for its last value."""
    config = load_config(methods=("sdpo", "grpo"), settings=["world.rows=40"])
    from coopt.domains.load import load_domains

    item = load_domains(config)["physics"].items("train")[0]
    assert item.solution is not None
    head, _, tail = item.solution.rpartition(f" {item.answer}")
    tokens = [head, " 5", tail, ""]
    line = {"step": 0, "item": item.id, "domain": "physics", "rollout": 0, "reward": 0.0, "source": "teacher"}
    line |= {"teacher": "", "student_reads": "q", "teacher_reads": "q s", "tokens": tokens}
    line |= {"advantages": [0.0, -3.0, 0.0, 1.0]}
    store.write_json(folder / "run" / "config.json", config.model_dump(mode="json"))
    store.append_lines(folder / "run" / "seeds/0/sdpo/r1/s1.advantages.jsonl", [line])
    return folder / "run"


def test_the_command_reads_a_run(cli: Command, tmp_path: Path) -> None:
    a_run(tmp_path)
    done = cli("advantages", "run", "--format", "json")
    assert done.code == 0, done.err
    tables = {t["title"]: t["rows"] for t in json.loads(done.out)}
    (row,) = tables["Wrong rollouts: advantage and the first error"]
    assert row["mass from the error on, %"] == "100.0"
    assert row["A at the error"] == "-3.00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "no run here"),
        (("run", "--method", "opcd"), "--method: unknown method 'opcd'. Allowed: grpo, sdpo."),
        (("run", "--round", "7"), "--round: unknown round '7'. Allowed: 1, 2, 3, 4."),
        (("run", "--student", "x"), "--student: unknown student 'x'"),
        (("run", "--format", "html"), "unknown format 'html'"),
        (("run", "--svg", "a.gif"), "--svg a.gif: the name ends in .svg, .pdf, .png."),
        (("run", "--method", "grpo"), "no advantages of grpo are recorded"),
    ],
)
def test_bad_input_is_one_line(cli: Command, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    a_run(tmp_path)
    done = cli("advantages", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
