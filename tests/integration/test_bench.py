"""The main job from outside: what it prints, what it leaves, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import SMOKE, Coopt, begin, run_coopt, smoke_config, tables

pytestmark = pytest.mark.slow


def test_it_prints_a_plan_then_every_table_then_where_the_students_are(smoke_run: Path) -> None:
    out = (smoke_run.parent / "stdout").read_text()
    order = [
        "Plan: pair on physics, chemistry",
        "tutor edges: s1 -> s2, s2 -> s1",
        "expected:",
        "Test scores, percent",
        "constant answer",
        "Pareto verdicts",
        "mutual",
        "Methods compared",
        "Feedback outcomes",
        "Break- and fix-rates",
        "Cost of a training step",
        "Run: run; trained students: seeds/0/opcod/r*/STUDENT/model",
    ]
    places = [out.find(text) for text in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)


def test_trained_students_load_with_transformers(smoke_run: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory = smoke_run / "seeds/0/opcod/r2/s1/model"
    model = AutoModelForCausalLM.from_pretrained(directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    text = "Any text round-trips: Ünïcode ☃\n\tend"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert model.config.model_type == "qwen3"


def test_the_run_directory_says_where_its_numbers_come_from(smoke_run: Path) -> None:
    record = json.loads((smoke_run / "provenance.json").read_text())
    assert record["seeds"] == [0]
    assert record["packages"]["torch"].startswith("2.13")
    assert set(record["data"]) == {"physics", "chemistry"}
    events = [json.loads(line)["event"] for line in (smoke_run / "journal.jsonl").read_text().splitlines()]
    assert events[0] == "started"
    assert events.count("gates") == 4
    assert events[-1] == "finished"
    step = json.loads((smoke_run / "seeds/0/opcod/r1/s1.steps.jsonl").read_text().splitlines()[0])
    assert step["rollouts"] == 32
    assert step["lr"] == 0
    assert sum(step["outcomes"]["s2"].values()) == 32
    assert step["active_rows"] + step["no_target"] == 32


@pytest.mark.parametrize("style", ["rich", "md", "csv", "json", "latex"])
def test_report_prints_the_tables_again(coopt: Coopt, smoke_run: Path, style: str) -> None:
    done = coopt("report", str(smoke_run), "--format", style, "--all")
    assert done.returncode == 0, done.stderr
    assert "Test scores" in done.stdout
    if style == "json":
        assert len(json.loads(done.stdout)) >= 7
    if style == "latex":
        assert done.stdout.count("\\begin{tabular}") == done.stdout.count("\\end{tabular}") >= 7


def test_workers_do_not_change_the_tables(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    done = coopt(*SMOKE, "--out", "one", "--workers", "1", "--set", "gate.kind=always")
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "one") == tables(smoke_run)


def test_behind_a_closed_gate_opcod_is_sdpo_and_two_rounds_of_k_steps_are_one_of_2k(
    smoke_run: Path, tmp_path: Path
) -> None:
    """Bit for bit, from the smoke run's specialists."""
    for name, methods, rounds, steps in (("two", "sdpo,opcod", 2, 3), ("one", "opcod", 1, 6)):
        settings = ["gate.kind=never", "break_rate.questions=0", "optimizer.warmup=2", f"rounds.rounds={rounds}",
                    f"rounds.steps={steps}"]  # fmt: skip
        begin(tmp_path / name, smoke_run, smoke_config(methods.split(","), settings))
        given = [word for s in settings for word in ("--set", s)]
        done = run_coopt(*SMOKE, "--out", name, "--method", methods, *given, at=tmp_path)
        assert done.returncode == 0, done.stderr
    for student in ("s1", "s2"):
        start, sdpo, two, one = (
            (tmp_path / place / student / "model/model.safetensors").read_bytes()
            for place in ("two/seeds/0/init", "two/seeds/0/sdpo/r2", "two/seeds/0/opcod/r2", "one/seeds/0/opcod/r1")
        )
        assert start != sdpo
        assert sdpo == two == one


def test_sequential_oracle_naive_ring_and_frozen_run(coopt: Coopt, tmp_path: Path) -> None:
    """The options together, on four students."""
    done = coopt(
        *SMOKE, "--topology", "ring", "--domains", "phys,chem,mat,bio", "--method", "opcod,oracle", "--out", "ring",
        "--set", "rounds.schedule=sequential", "--set", "feedback.style=naive", "--set", "teacher.kind=frozen",
        "--set", "gate.kind=always", "--set", "rounds.rounds=1", "--set", "rounds.steps=1",
        "--set", "break_rate.questions=0", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert set(results["native"].values()) == {"physics", "chemistry", "materials", "biology"}
    outcomes = {c["edge"]: c["outcomes"] for c in results["feedback"] if c["method"] == "opcod"}
    assert len(outcomes) == 8
    assert all({k for k, n in o.items() if n} <= {"kept", "empty"} for o in outcomes.values())


def test_more_seeds_and_methods_go_on_in_the_same_run(coopt: Coopt, tmp_path: Path) -> None:
    small = (
        "--set", "break_rate.questions=0", "--set", "rounds.rounds=1", "--set", "rounds.steps=1", "--out", "grow",
    )  # fmt: skip
    assert coopt(*SMOKE, "--method", "sdpo", *small).returncode == 0
    kept = tmp_path / "grow/seeds/0/sdpo/r1/s1/model/model.safetensors"
    before = kept.stat().st_mtime_ns
    done = coopt(*SMOKE, "--method", "sdpo,opcod", "--seeds", "2", "--json", *small)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["seeds"] == [0, 1]
    assert results["methods"] == ["sdpo", "opcod"]
    assert all(len(c["per_seed"]) == 2 for c in results["scores"])
    assert kept.stat().st_mtime_ns == before


def test_dry_run_writes_nothing(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt("bench", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["work"]["training opcod"]["tasks"] == 8
    assert plan["expected_seconds"] > 10
    assert list(tmp_path.iterdir()) == []


def test_eval_scores_directories_and_pairs_them(coopt: Coopt, smoke_run: Path) -> None:
    student = smoke_run / "seeds/0/init/s1/model"
    done = coopt("eval", "scimini", str(student), "--domains", "phys", "--smoke", "--json")
    assert done.returncode == 0, done.stderr
    base, specialist = json.loads(done.stdout)
    assert base["change"] is None
    assert specialist["change"]["value"] == pytest.approx(specialist["score"] - base["score"])
    assert specialist["interval"][0] <= specialist["score"] <= specialist["interval"][1]


def test_a_collapsed_student_is_stopped_marked_and_kept(coopt: Coopt, tmp_path: Path) -> None:
    """A learning rate that wrecks the weights: training ends, the bench does not, the rows say so."""
    done = coopt(
        *SMOKE, "--method", "sdpo", "--out", "wreck", "--json", "--set", "optimizer.lr=0.3",
        "--set", "optimizer.warmup=0", "--set", "rounds.collapse_drop=0.02",
        "--set", "rounds.rounds=3", "--set", "break_rate.questions=0", "--set", "optimizer.clip=1e9",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = [c for c in json.loads(done.stdout)["scores"] if c["who"] == "sdpo"]
    assert len(cells) == 4
    assert {tuple(c["collapsed"]) for c in cells} == {("seed 0 at step 2",)}
    assert not (tmp_path / "wreck/seeds/0/sdpo/r2/s1").exists()
    shown = " ".join(coopt("report", "wreck", "--all").stdout.split())
    assert "; collapsed" in shown
    assert "Collapsed, so training stopped: sdpo s1: seed 0 at step 2; sdpo s2: seed 0 at step 2." in shown


def test_ready_students_and_rationales(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    """One student comes from a directory, the other is fine-tuned on worked solutions."""
    from coopt.domains.scimini.world import scimini_domain

    items = scimini_domain("chemistry", 6000, among=("physics", "chemistry")).items("train")[:40]
    lines = [json.dumps({"question": i.stem, "rationale": i.solution}) for i in items]
    (tmp_path / "why.jsonl").write_text("\n".join(lines) + "\n")
    ready = smoke_run / "seeds/0/init/s1/model"
    done = coopt(
        *SMOKE, "--method", "sdpo", "--students", f"phys={ready}", "--out", "ready", "--json",
        "--set", "model.specialise=rationales:why.jsonl", "--set", "rounds.rounds=1", "--set", "break_rate.questions=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ready/seeds/0/init/s1/model").resolve() == ready.resolve()
    made = tmp_path / "ready/seeds/0/init/s2/model/model.safetensors"
    assert made.is_file()
    scores = {(c["who"], c["student"], c["domain"]): c["score"] for c in json.loads(done.stdout)["scores"]}
    before = json.loads((smoke_run / "results.json").read_text())["scores"]
    same = {(c["who"], c["student"], c["domain"]): c["score"] for c in before}
    assert scores["init", "s1", "physics"] == same["init", "s1", "physics"]


def test_own_correct_answers_make_specialists(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt(
        *SMOKE, "--method", "sdpo", "--out", "own", "--set", "model.specialise=own_correct", "--set", "rounds.rounds=1",
        "--set", "specialise.questions=40", "--set", "specialise.epochs=1", "--set", "break_rate.questions=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = [tmp_path / f"own/seeds/0/init/{s}/model/model.safetensors" for s in ("s1", "s2")]
    assert made[0].read_bytes() != made[1].read_bytes()
