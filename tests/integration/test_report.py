"""``coopt report`` on a finished run: the page, a figure, and the texts that they need."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from coopt.core import store
from tests.integration.conftest import Coopt

pytestmark = pytest.mark.slow


def test_the_probe_keeps_the_texts_behind_its_grids(smoke_run: Path) -> None:
    for tutee, edge in (("s1", "s2 -> s1"), ("s2", "s1 -> s2")):
        grids = json.loads((smoke_run / f"seeds/0/break_rate/{tutee}.json").read_text())["domains"]
        lines = store.read_lines(smoke_run / f"seeds/0/break_rate/{tutee}.texts.jsonl")
        for name, domain in grids.items():
            own = [line["rollouts"] for line in lines if line["domain"] == name]
            assert [[y["reward"] for y in row] for row in own] == domain["before"]
            assert [[y["again"]["reward"] for y in row] for row in own] == domain["again"]
            for context in ("f", "sf"):
                after = [[y["messages"][0][context] for y in row] for row in own]
                assert [[a and a["reward"] for a in row] for row in after] == domain["edges"][edge][context]
            kept = [y["messages"][0]["kept"] for row in own for y in row]
            assert len([k for k in kept if k is not None]) == domain["edges"][edge]["kept"]


def test_a_page_holds_the_run(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    done = coopt("report", str(smoke_run), "--html", "page.html")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert {g["round"] for g in data["gates"]} == {1, 2}
    assert {t["source"] for t in data["transcripts"]} == {"opcod", "break-rate probe"}
    assert all(t["question"] for t in data["transcripts"])
    assert all(t["kept"] for t in data["transcripts"] if t["outcome"] == "kept")
    assert "vegaEmbed" in text
    assert done.stdout.startswith("page.html: ")


def test_a_figure_is_one_command(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    done = coopt("report", str(smoke_run), "--figure", "feedback", "--out", "figure6.pdf")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure6.pdf").read_bytes().startswith(b"%PDF")
