"""From a real run to a checked entry, a table and tidy rows; the page in a browser."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import subprocess
from pathlib import Path

import numpy as np
import polars
import pytest

from coopt.core import store
from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.answers import write_answers
from coopt.reports.leaderboard.board import tracks
from coopt.reports.leaderboard.check import check_entry, check_folder
from coopt.reports.leaderboard.entry import OutcomesFile
from coopt.reports.leaderboard.measures import measure
from coopt.reports.leaderboard.page import page
from coopt.reports.templates import hash_of
from tests.integration.conftest import Coopt
from tests.unit.small_runs import write_run

TINY = {
    "rounds.rounds": 2, "rounds.steps": 1, "rounds.prompts": 4, "world.rows": 1200, "world.specialist_steps": 4,
    "data.validation": 10, "data.test": 40, "sampling.eval_samples": 2, "break_rate.questions": 0,
}  # fmt: skip
"""As small as a smoke run, which is refused."""


@pytest.mark.slow
def test_from_a_run_to_a_checked_entry_and_back(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    """The run's own students answer again as they did, and so do those of the entry run again."""
    refused = coopt("leaderboard", "add", str(smoke_run), "--to", "board")
    assert refused.returncode == 2
    assert refused.stderr == f"coopt: {smoke_run}: a smoke run, whose scores mean nothing. Run it without --smoke.\n"
    settings = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    bench = coopt("bench", "--out", "run", "--workers", "2", *settings)
    assert bench.returncode == 0, bench.stderr
    made = coopt("leaderboard", "add", "run", "--to", "board")
    assert made.stdout == "board/run-sdpo.entry.json\nboard/run-opcod.entry.json\n", made.stderr
    done = coopt("leaderboard", "check", "board/run-opcod.entry.json", "--rerun", "6", "--run", "run")
    assert done.returncode == 0, done.stderr
    same, answers = map(int, re.findall(r"(\d+) of (\d+) answers agree", done.stdout)[0])
    assert same == answers == 6 * 2 * 5  # questions, samples, base and two students before and after
    assert "constant answer" in coopt("leaderboard", "build", "board", "--format", "csv").stdout
    assert coopt("export", "run", "--out", "rows").returncode == 0
    frame = polars.read_parquet(tmp_path / "rows/outcomes.parquet")
    assert set(frame["method"]) == {"base", "init", "sdpo", "opcod"}
    again = coopt("leaderboard", "reproduce", "board/run-opcod.entry.json", "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "equal: 800 of 800 answers agree with the entry" in again.stdout
    for line in ("The entry records ", "Expected here: ", "The same means equal (within 0.0001"):
        assert line in again.stderr
    assert re.search(r"Made with: coopt .*Here: coopt .*he\s+same", again.stdout, re.DOTALL)
    _forge_all(tmp_path / "board/run-opcod.entry.json")
    other = coopt("leaderboard", "reproduce", "board/run-opcod.entry.json", "--workers", "2")
    assert other.returncode == 1, other.stderr
    assert "different" in other.stdout


def _forge_all(path: Path) -> None:
    """An entry whose students are said to know everything."""
    checked = check_entry(path)
    method = checked.entry.method
    correct = {p: np.ones_like(g) if p.who == method else g for p, g in checked.answers.correct.items()}
    answers = dataclasses.replace(checked.answers, correct=correct)
    beside = path.with_name(checked.entry.outcomes.file)
    write_answers(beside, answers)
    outcomes = OutcomesFile(file=beside.name, sha256=hashlib.sha256(beside.read_bytes()).hexdigest())
    new = {"measures": measure(answers, checked.entry.native), "outcomes": outcomes}
    store.write_json(path, checked.entry.model_copy(update=new).model_dump(mode="json"))


_ACTS = """
<script>
{
const shown = () => [...document.querySelectorAll("section:not([hidden]) .board > tbody:not([hidden])")]
  .map(body => body.rows[0].cells[1].textContent);
const said = {};
said.first = shown();
document.querySelectorAll(".board > thead button")[1].click();
document.querySelectorAll(".board > thead button")[1].click();
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
location.hash = "#entry-run-sdpo";
said.seen = document.querySelector("tbody:target").rows[0].cells[1].textContent;
words.value = "";
const method = document.querySelector("select[data-of=method]");
method.value = "opcod";
method.dispatchEvent(new Event("change"));
said.method = shown();
said.focusable = document.querySelectorAll(".board > thead button").length;
document.title = JSON.stringify(said);
}
</script>
"""


@pytest.mark.heavy
def test_the_page_sorts_and_filters_in_chromium(tmp_path: Path) -> None:
    """Debian's chromium, without network (`make browser` installs it)."""
    add_run(write_run(tmp_path / "run"), tmp_path / "board")
    text = page(tracks(check_folder(tmp_path / "board").good), tmp_path)
    allowed = hash_of(re.findall("<script>(.*)</script>", _ACTS, re.DOTALL)[0])  # the page runs no script but its own
    text = text.replace("script-src '", f"script-src '{allowed}' '", 1)
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{_ACTS}</body>"))
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{tmp_path}/page.html"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = re.findall("<title>(.*)</title>", done.stdout)[0]
    assert title == (
        '{"first":["opcod","sdpo","constant answer"],"sorted":["sdpo","opcod","constant answer"],'
        '"filtered":["sdpo","constant answer"],"count":"1 of 2 entries shown","button":"sdpo",'
        '"open":["true",true],"seen":"sdpo","method":["opcod","constant answer"],"focusable":30}'
    )
