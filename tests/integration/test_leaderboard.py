"""From a real run to a checked entry, a table and tidy rows; the page in a browser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import polars
import pytest

from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.board import tracks
from coopt.reports.leaderboard.check import check_folder
from coopt.reports.leaderboard.page import page
from tests.integration.conftest import Coopt
from tests.unit.small_runs import write_run


@pytest.mark.slow
def test_from_a_run_to_a_checked_entry(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    """The run's own students answer again as they did."""
    made = coopt("leaderboard", "add", str(smoke_run), "--to", "board")
    assert made.stdout == "board/run-sdpo.entry.json\nboard/run-opcod.entry.json\n", made.stderr
    done = coopt("leaderboard", "check", "board/run-opcod.entry.json", "--rerun", "6", "--run", str(smoke_run))
    assert done.returncode == 0, done.stderr
    same, answers = map(int, re.findall(r"(\d+) of (\d+) answers are right", done.stdout)[0])
    assert same == answers == 6 * 2 * 5  # questions, samples, base and two students before and after
    assert "constant answer" in coopt("leaderboard", "build", "board", "--format", "csv").stdout
    assert coopt("export", str(smoke_run), "--out", "rows").returncode == 0
    frame = polars.read_parquet(tmp_path / "rows/outcomes.parquet")
    assert set(frame["method"]) == {"base", "init", "sdpo", "opcod"}


_ACTS = """
<script>
{
const shown = () => [...document.querySelectorAll("section:not([hidden]) .board > tbody:not([hidden])")]
  .map(body => body.rows[0].cells[2].textContent);
const said = {};
said.first = shown();
document.querySelectorAll(".board > thead button")[2].click();
document.querySelectorAll(".board > thead button")[2].click();
said.sorted = shown();
const words = document.getElementById("words");
words.value = "sdpo";
words.dispatchEvent(new Event("input"));
said.filtered = shown();
said.count = document.getElementById("count").textContent;
const more = document.querySelector(".board > tbody:not([hidden]) td > button");
said.button = more.textContent;
more.click();
said.open = [more.getAttribute("aria-expanded"), !more.closest("tr").nextElementSibling.hidden];
said.focusable = document.querySelectorAll(".board > thead button").length;
document.title = JSON.stringify(said);
}
</script>
"""


@pytest.mark.heavy
def test_the_page_sorts_and_filters_in_chromium(tmp_path: Path) -> None:
    """Debian's chromium, without network (`make browser` installs it)."""
    add_run(write_run(tmp_path / "run"), tmp_path / "board")
    text = page(tracks(check_folder(tmp_path / "board").good))
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{_ACTS}</body>"))
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{tmp_path}/page.html"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = re.findall("<title>(.*)</title>", done.stdout)[0]
    assert title == (
        '{"first":["opcod","sdpo","base","constant answer"],"sorted":["sdpo","opcod","base","constant answer"],'
        '"filtered":["sdpo","base","constant answer"],"count":"1 of 2 entries shown","button":"sdpo",'
        '"open":["true",true],"focusable":15}'
    )
