"""Bad input gets one clear line and exit code 2, never a traceback, and leaves nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import SMOKE, Coopt

pytestmark = pytest.mark.slow


@pytest.fixture
def files(tmp_path: Path) -> Path:
    row = {
        "question": "How many?",
        "choices": {"text": ["1", "2", "3", "4"], "label": list("ABCD")},
        "answerKey": "E",
        "type": "mcq-4-choices",
        "domain": "Physics",
        "details": {"level": "L3"},
    }
    (tmp_path / "bad.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "loop.toml").write_text("nodes = [{id='a'}]\nedges = [{tutor='a', tutee='a'}]\n")
    (tmp_path / "hollow").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("mine")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "broken/model.safetensors").write_text("no tensors")
    (tmp_path / "broken/tokenizer.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--domains", "phys,astro"], "unknown domain 'astro'"),
        (["--domains", "phys,phys"], "names physics twice"),
        (["--topology", "piar"], "unknown topology 'piar'. Did you mean 'pair'?"),
        (["--topology", "loop.toml"], "loop.toml: edge a -> a is a self-loop"),
        (["--method", "sdpo,opcot"], "unknown method 'opcot'. Did you mean 'opcod'?"),
        (["--preset", "maxi"], "unknown preset 'maxi'"),
        (["--set", "round.steps=3"], "Did you mean 'rounds.steps'"),
        (["--set", "rounds.steps=0"], "setting rounds.steps = 0: input should be greater than or equal to 1"),
        (["--set", "rounds.steps"], "--set takes key=value"),
        (["--set", "gate.kind=cognisance"], "unknown gate 'cognisance'"),
        (["--data", "bad.jsonl"], "bad.jsonl row 1: answerKey 'E' is not among the options A, B, C, D"),
        (["--data", "empty.jsonl"], "empty.jsonl: the file holds no rows"),
        (["--data", "nowhere"], "--data nowhere: no such file or folder"),
        (["--model", "nowhere"], "--model nowhere: no such directory"),
        (["--model", "hollow"], "config.json is missing"),
        (["--model", "broken"], "cannot be loaded as a causal LM"),
        (["--students", "phys"], "--students takes DOMAIN=DIR"),
        (["--students", "bio=hollow"], "--students names biology, which is not among"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--out", "notes"], "notes: the folder is not empty and holds no run"),
        (["--out", "bad.jsonl"], "bad.jsonl: is a file"),
        (["--students", "phys=hollow"], "config.json is missing"),
        (["--set", "optimizer.clip=inf"], "setting optimizer.clip = inf"),
        (["--set", "domains=3"], "domains = 3: give a comma list"),
        (["--preset", "none.toml"], "--preset none.toml: no such file"),
        (["--model", "scimini", "--set", "sampling.max_response_tokens=600"], "Lower that setting"),
        (
            ["--method", "sdpo,shuffled", "--set", "rounds.prompts=1"],
            "method shuffled needs rounds.prompts of at least 2",
        ),
        (["--set", "world.foreign_share=[0.9,1.2]"], "less than or equal to 1"),
        (["--nonsense"], "No such option"),
    ],
)
def test_one_line_and_exit_code_2(coopt: Coopt, files: Path, arguments: list[str], message: str) -> None:
    before = sorted(p.relative_to(files) for p in files.rglob("*"))
    done = coopt("bench", "--smoke", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    after = sorted(p.relative_to(files) for p in files.rglob("*") if p.name != "run.lock")
    assert after == before


def test_report_and_data_commands_refuse_alike(coopt: Coopt, files: Path) -> None:
    for arguments, message, fresh in [
        (["report", "hollow"], "no run here", False),
        (["data", "check", "bad.jsonl", "--json"], "bad.jsonl row 1", False),
        (["eval", "nowhere"], "no such directory", True),  # nothing that Python says while it imports is before it
        (["data", "make-base", "broken"], "not an empty folder", False),
    ]:
        done = coopt(*arguments, fresh=fresh)
        assert done.returncode == 2, (arguments, done.stderr)
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_code_of_a_graph_runs_in_the_run_that_trusts_it_and_in_its_driver_alone(
    coopt: Coopt, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A gate that leaves a line for each process that imports it: none for a plan, one (the driver) for a run."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "gates.py").write_text(
        "import os\n"
        f"open({str(elsewhere / 'imported')!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "from coopt.graph.gates.constant import AlwaysGate\n"
        "class Mine(AlwaysGate):\n"
        "    def __init__(self, config):\n"
        "        super().__init__()\n"
    )
    edge = f'{{ tutor = "s1", tutee = "s2", gate = "{elsewhere}/gates.py:Mine" }}'
    (tmp_path / "mine.toml").write_text(f'nodes = [{{ id = "s1" }}, {{ id = "s2" }}]\nedges = [{edge}]\n')
    bench = (*SMOKE, "--topology", "mine.toml", "--method", "opcod", "--set", "rounds.steps=1", "--set",
             "rounds.rounds=1", "--out", "r")  # fmt: skip
    plan = coopt(*bench, "--dry-run")
    assert plan.returncode == 0, plan.stderr
    refused = coopt(*bench)
    assert refused.returncode == 2
    assert "is code outside the working folder" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (elsewhere / "imported").exists()
    done = coopt(*bench, "--trust", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert f"imports code: {elsewhere}/gates.py (edge s1 -> s2)" in " ".join(done.stdout.split())
    assert len(set((elsewhere / "imported").read_text().split())) == 1


def test_a_locale_without_the_characters_of_a_table_ends_no_command(coopt: Coopt) -> None:
    """Nor of an error line. What it cannot say is a question mark."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    drawn = coopt("topo", "draw", "ring", **locale)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert "s1" in drawn.stdout
    refused = coopt("topo", "show", "rîng", **locale)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
