"""Coopt as a library: a script without a guard, and what a notebook shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coopt.core.errors import CooptError
from coopt.runs.results import Results, stored_results
from tests.integration.conftest import LESS, of_all_processes

SCRIPT = """
import coopt

config = coopt.load_config(topology="pair", domains="phys,chem", smoke=True, methods=("sdpo",), settings=[
    "rounds.rounds=1", "rounds.steps=1", "break_rate.questions=0", "model.specialists='SPECIALISTS'", *LESS])
results = coopt.bench(config, out="run", workers=2)
print("BEGUN", __file__, len(results.to_dataframe()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("guard", [False, True])
def test_a_script_needs_no_guard(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, guard: bool) -> None:
    body = SCRIPT.replace("SPECIALISTS", str(of_all_processes(tmp_path_factory) / "specialists"))
    body = body.replace("LESS", repr(LESS))
    if guard:
        lines = body.strip().splitlines()
        body = "\n".join([lines[0], "if __name__ == '__main__':", *("    " + line for line in lines[2:])])
    (tmp_path / "mine.py").write_text(body)
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("BEGUN mine.py") + done.stdout.count(f"BEGUN {tmp_path}/mine.py") == 1
    again = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert "BEGUN" in again.stdout
    assert "done:" not in again.stderr, "a finished run is read"


def test_a_notebook_shows_a_table_and_text_stays_text(smoke_run: Path) -> None:
    results = stored_results(smoke_run)
    frame = results.to_dataframe()
    assert list(frame["who"].unique()) == ["base", "init", *results.methods]
    assert frame["score"].between(0, 1).all()
    cells = [c.model_copy(update={"domain": "<script>x</script>"}) for c in results.scores]
    shown = results.model_copy(update={"scores": cells})._repr_html_()
    assert "<table>" in shown
    assert "<script>" not in shown


def test_without_pandas_the_way_out_is_named(smoke_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    results: Results = stored_results(smoke_run)
    with pytest.raises(CooptError, match="pip install pandas"):
        results.to_dataframe()
