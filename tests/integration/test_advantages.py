"""``coopt advantages`` on a run that the command line has made."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import Coopt


def test_tables_page_and_plot_of_a_run(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    files = "--html", "page.html", "--svg", "plot.png"
    done = coopt("advantages", str(smoke_run), "--method", "opcod,sdpo", "--format", "json", *files)
    assert done.returncode == 0, done.stderr
    tables = {t["title"]: t["rows"] for t in json.loads(done.stdout)}
    error = {row["method"]: row for row in tables["Wrong rollouts: advantage and the first error"]}
    assert list(error) == ["opcod", "sdpo"]
    # s is an own correct rollout of the same working: what it mends is the error.
    assert float(error["sdpo"]["mass from the error on, %"].split()[0]) > 90
    assert float(error["sdpo"]["A at the error"].split()[0]) < -1
    (wrong, *_) = tables["Arms on the same responses"]
    assert wrong["methods"] == "sdpo - opcod"
    page = (tmp_path / "page.html").read_text()
    assert 'title="-' in page
    assert ", first error" in page
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    shown = coopt("advantages", str(smoke_run), "--student", "s1", "--round", "1", "--show", "1")
    assert shown.returncode == 0, shown.stderr
    assert "teacher reads" in shown.stdout
    assert "▼" in shown.stdout
