"""``coopt probe``: models as they are, by inference alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from coopt.lm.bases import SCIMINI_BASE
from tests.integration.conftest import Coopt

SMALL = ("--questions", "3", "--rollouts", "2")


def test_two_models_are_probed_in_every_part_and_in_every_format(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt("probe", "scimini", str(SCIMINI_BASE), *SMALL, "--out", "found.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["models"] == {"m1": "scimini", "m2": str(SCIMINI_BASE)}
    assert found["questions"] == {"physics": 3, "chemistry": 3}
    who = {(p["measure"], p["who"]) for p in found["points"]}
    assert {w for m, w in who if m == "net_of_f"} == {"m1 -> m2", "m2 -> m1"}
    assert {w for m, w in who if m == "deference"} == {"m1", "m2"}
    asked = {
        p["condition"]: p["value"]
        for p in found["points"]
        if (p["measure"], p["who"], p["domain"]) == ("deference", "m1", "all")
    }
    assert asked["s_f: every"] == 0.0, "the embedded base keeps to a right s"
    assert asked["f: every"] == 1.0, "and believes what is told alone"
    assert {p["measure"] for p in found["points"]} >= {"candour", "right", "break", "fix_control"}


def test_one_part_of_one_model_goes_to_a_pipe(coopt: Coopt) -> None:
    only = ("--domains", "phys", "--parts", "answers")
    done = coopt("probe", "scimini", *SMALL, *only, "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(r["model"], r["domain"]) for r in rows] == [("m1", "physics")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("probe", "scimini", "--out", "found.xlsx"), "ends in .json, .csv or .md"),
        (("probe", "scimini", "--out", "nowhere/found.json"), "there is no folder"),
        (("probe", "scimini", "--format", "latex"), "latex"),
        (("probe", "scimini", "--parts", "honesty"), "answers, candour, deference, rates"),
        (("probe", "nowhere"), "no such directory"),
    ],
)
def test_what_cannot_be_done_is_a_line(coopt: Coopt, arguments: tuple[str, ...], words: str) -> None:
    done = coopt(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert words in done.stderr
