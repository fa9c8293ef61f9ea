"""The family of worlds from the command line: its base is made once, and benches of any member run on it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import SMOKE, Coopt


def test_a_base_is_made_and_a_member_of_the_family_runs(coopt: Coopt, tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    member = ("--model", "scimini-family", "--set", "world.deference=0.15", "--set", "world.candour=0.5",
              "--set", "world.belief=0.5", "--set", "world.confusion=4", "--set", "world.forms=6")  # fmt: skip
    absent = coopt(*SMOKE, *member, **cache)
    assert (absent.returncode, absent.stdout) == (2, "")
    assert absent.stderr.count("\n") == 1
    assert "coopt data make-base --family" in absent.stderr
    made = coopt("data", "make-base", "--family", "--steps", "2", **cache)
    assert made.returncode == 0, made.stderr
    assert "What the base does" in made.stdout
    ran = coopt(*SMOKE, *member, "--set", "data.native_share=0.3", "--out", "run", **cache)
    assert ran.returncode == 0, ran.stderr
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["world"]
    assert (kept["deference"], kept["candour"], kept["forms"]) == (0.15, 0.5, 6)
    critiques = [json.loads(line) for line in next((tmp_path / "run").rglob("opcod*/**/*.rollouts.jsonl")).open()]
    assert critiques
    other = coopt(*SMOKE, *member, "--set", "world.deference=0.5", "--out", "run", **cache)
    assert other.returncode == 2, "another member is another run"
    assert "world.deference" in other.stderr
