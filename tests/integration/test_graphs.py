"""Graphs other than the pair, end to end: critics, committees, changing edges, other models, hostile tutors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SMOKE, Coopt, tables

pytestmark = pytest.mark.slow
FAST = (*SMOKE, "--set", "break_rate.questions=0", "--out", "run", "--json")


def bench(coopt: Coopt, *arguments: str, **environment: str) -> dict[str, Any]:
    done = coopt(*FAST, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def steps(directory: Path, method: str, student: str, round_: int = 1, seed: int = 0) -> list[dict[str, Any]]:
    path = directory / f"run/seeds/{seed}/{method}/r{round_}/{student}.steps.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_four_students_on_a_star_whose_hub_the_scores_choose(coopt: Coopt, tmp_path: Path) -> None:
    """Over four domains, with probe: every table of a graph has its rows, and the hub is journaled."""
    results = bench(
        coopt, "--topology", "star", "--domains", "phys,chem,mat,bio", "--method", "sdpo,opcod",
        "--set", "break_rate.questions=2", "--set", "break_rate.minimum=1", "--set", "rounds.steps=1",
    )  # fmt: skip
    journal = [json.loads(line) for line in (tmp_path / "run/journal.jsonl").read_text().splitlines()]
    (hub,) = [e["value"] for e in journal if e["event"] == "hub"]
    validation = {
        s: json.loads((tmp_path / f"run/seeds/0/init/scores/validation/r0/{s}.json").read_text())["domains"]
        for s in results["native"]
    }
    means = {s: sum(sum(map(sum, d["correct"])) for d in v.values()) for s, v in validation.items()}
    assert means[hub] == max(means.values())
    edges = {g["edge"] for g in results["gates"]}
    assert edges == {f"{hub} -> {s}" for s in means if s != hub} | {f"{s} -> {hub}" for s in means if s != hub}
    assert {r["rank"] for r in results["ranks"]} == {1, 2, 3, 4}
    assert results["ranks"][0]["students"] != results["ranks"][3]["students"]
    assert {c["round"] for c in results["consensus"]} == {0, 1, 2}
    assert all(0 <= c["distance"] <= 1 for c in results["consensus"])
    assert {b["edge"] for b in results["break_rates"] if b["difficulty"] == "all"} >= edges
    shown = coopt("report", "run", "--format", "md").stdout
    for title in ("Gain by initial rank", "Consensus distance", "Gate decisions", "Open edges by round",
                  "Tutor x tutee: break-rate with f"):  # fmt: skip
        assert title in shown
    (share,) = [c["share"] for c in results["pareto"] if (c["method"], c["student"]) == ("opcod", "mutual")]
    assert 0 <= share <= 1


def test_a_committee_of_critics_that_review_one_another(coopt: Coopt, tmp_path: Path) -> None:
    results = bench(
        coopt, "--topology", "fair_committee", "--method", "opcod", "--set", "feedback.assign=committee",
        "--set", "world.critic_steps=4", "--set", "rounds.rounds=1", "--set", "rounds.steps=1",
    )  # fmt: skip
    assert {g["reason"] for g in results["gates"]} == {"always"}
    assert all(g["gap"] is not None for g in results["gates"]), "critics of the world are scored, once"
    groups = (tmp_path / "run/seeds/0/opcod/r1/s1.rollouts.jsonl").read_text().splitlines()
    messages = [m for line in groups for y in json.loads(line)["rollouts"] for m in y["messages"]]
    assert {m["tutor"] for m in messages} == {"c1", "c2", "c3"}
    scored = [m["score"] for m in messages if m["score"] is not None]
    assert scored
    assert all(1 <= s <= 5 for s in scored)
    assert not (tmp_path / "run/seeds/0/opcod/r1/c1").exists(), "a critic is not trained"


@pytest.mark.parametrize("topology", ["one_peer_exponential", "random_matching"])
def test_edges_that_change_every_round(coopt: Coopt, topology: str) -> None:
    results = bench(coopt, "--topology", topology, "--nodes", "4", "--method", "always", "--set", "rounds.steps=1")
    by_round = [{g["edge"] for g in results["gates"] if g["round"] == r} for r in (1, 2)]
    assert by_round[0] != by_round[1]
    for edges in by_round:
        assert sorted(e.split(" -> ")[1] for e in edges) == ["s1", "s2", "s3", "s4"]


def test_self_feedback_by_a_frozen_snapshot(coopt: Coopt, tmp_path: Path) -> None:
    results = bench(coopt, "--topology", "self_critic", "--method", "opcod", "--set", "rounds.rounds=1")
    assert {(g["edge"], g["open"], g["gap"]) for g in results["gates"]} == {("before -> s1", True, 0.0)}
    assert not (tmp_path / "run/seeds/0/init/before").exists(), "it is the student's own start"


def test_two_architectures_and_tokenizers_teach_each_other(coopt: Coopt, tmp_path: Path) -> None:
    """Only text crosses an edge: a Llama with a byte tokenizer beside the embedded Qwen3."""
    _other_architecture(tmp_path / "llama")
    (tmp_path / "mixed.toml").write_text(
        """
        nodes = [{ id = "s1" }, { id = "s2", model = "llama" }]
        edges = [{ tutor = "s1", tutee = "s2" }, { tutor = "s2", tutee = "s1", style = "naive" }]
        """
    )
    bench(
        coopt, "--topology", "mixed.toml", "--method", "always", "--set", "sampling.max_response_tokens=40",
        "--set", "rounds.rounds=1",
    )  # fmt: skip
    for student, kind in (("s1", "qwen3"), ("s2", "llama")):
        model = tmp_path / f"run/seeds/0/always/r1/{student}/model"
        assert json.loads((model / "config.json").read_text())["model_type"] == kind
    outcomes = steps(tmp_path, "always", "s1")[0]["outcomes"]["s2"]
    assert set(outcomes) <= {"kept", "empty"}, "a naive edge asks for no concept"
    assert set(steps(tmp_path, "always", "s2")[0]["outcomes"]) == {"s1"}


def _other_architecture(directory: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: k for k, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")
    fast.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=1024, eos_token_id=fast.eos_token_id, pad_token_id=fast.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(directory)
    fast.save_pretrained(directory)


def test_a_narrow_student_trains_on_its_own_domains_only(coopt: Coopt, tmp_path: Path) -> None:
    (tmp_path / "narrow.toml").write_text('nodes = [{ id = "s1", train_domains = ["phys"] }, { id = "s2" }]')
    bench(coopt, "--topology", "narrow.toml", "--method", "sdpo", "--set", "rounds.rounds=1")
    lines = (tmp_path / "run/seeds/0/sdpo/r1/s1.rollouts.jsonl").read_text().splitlines()
    assert {json.loads(line)["domain"] for line in lines} == {"physics"}


@pytest.mark.parametrize("kind", ["misleading", "empty", "leak"])
def test_a_hostile_tutor_beside_its_honest_self(coopt: Coopt, tmp_path: Path, kind: str) -> None:
    one_step = ("--set", "rounds.rounds=1", "--set", "rounds.steps=1")
    results = bench(coopt, "--adversary", f"s2:{kind}", "--set", "gate.kind=always", *one_step)
    assert results["methods"] == ["sdpo", "honest", "opcod"]
    (cell,) = results["hostile"]
    assert (cell["edge"], cell["kind"], cell["rounds_open"], cell["messages"]) == ("s2 -> s1", kind, 1, 32)
    assert {"misleading": cell["kept"] == 32, "empty": cell["kept"] == 0, "leak": cell["revealed"] > 0}[kind]
    costs = {c["student"]: c for c in results["comparisons"] if (c["method"], c["baseline"]) == ("opcod", "honest")}
    assert set(costs) == {"s1", "s2", "all"}
    assert costs["s2"]["difference"] == 0, "its own tutor is honest"
    said = json.loads((tmp_path / "run/seeds/0/opcod/r1/s2.rollouts.jsonl").read_text().splitlines()[0])
    again = json.loads((tmp_path / "run/seeds/0/honest/r1/s2.rollouts.jsonl").read_text().splitlines()[0])
    assert said == again


def test_sequential_phases_give_the_same_tables_whatever_the_workers(coopt: Coopt, tmp_path: Path) -> None:
    arguments = ("--topology", "chain", "--nodes", "3", "--method", "always", "--set", "rounds.schedule=sequential",
                 "--set", "rounds.rounds=1", "--set", "rounds.steps=1")  # fmt: skip
    first = bench(coopt, *arguments, "--workers", "3")
    done = coopt(*FAST[:-3], *arguments, "--workers", "1", "--out", "again", "--json")
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "run") == tables(tmp_path / "again")
    assert first["methods"] == ["always"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--adversary", "s2"], "--adversary takes NODE:KIND, for example s2:misleading"),
        (["--adversary", "s2:loud"], "Kinds: misleading, empty, off_topic, leak, inject"),
        (["--adversary", "s9:empty"], "unknown node 's9'"),
        (["--topology", "solo", "--adversary", "s1:empty"], "'s1' tutors nobody"),
        (["--method", "sdpo,honest"], "method honest is the control of --adversary"),
        (["--method", "sdpo,random"], "gate random needs gate.rate, or method opcod with gate cognizance before it"),
        (["--nodes", "8"], "--nodes is for graphs with a [generator]"),
        (["--topology", "two_cliques", "--nodes", "7"], "two cliques need an even number of nodes"),
        (["--topology", "critic", "--set", "model.specialise=own_correct"], "has nothing to be made from"),
        (["--topology", "scored.toml"], "gate cognizance reads scores, and an endpoint is not scored"),
        (["--set", "gate.kind=nowhere.py:Mine"], "nowhere.py: no such file"),
    ],
)
def test_bad_graph_settings_are_one_line(coopt: Coopt, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "scored.toml").write_text(
        """
        nodes = [{ id = "s1" }, { id = "c", role = "critic", endpoint = "http://127.0.0.1:9/v1", model = "m" }]
        edges = [{ tutor = "c", tutee = "s1", gate = "cognizance" }]
        """
    )
    done = coopt("bench", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "runs").exists()


def test_another_graph_in_the_same_file_and_a_missing_adversary_are_other_runs(coopt: Coopt, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'nodes = [{ id = "s1" }, { id = "s2" }]\nedges = [{ tutor = "s1", tutee = "s2" }]'
    )
    arguments = ("--topology", "mine.toml", "--adversary", "s1:empty", "--set", "rounds.steps=1", "--method", "opcod",
                 "--set", "rounds.rounds=1")  # fmt: skip
    bench(coopt, *arguments)
    without = coopt(*FAST, *arguments[:2], *arguments[4:])
    assert without.returncode == 2
    assert "adversary.s1 was 'empty', is None" in without.stderr
    (tmp_path / "mine.toml").write_text(
        'nodes = [{ id = "s1" }, { id = "s2" }]\nedges = [{ tutor = "s1", tutee = "s2", gate = "never" }]'
    )
    changed = coopt(*FAST, *arguments)
    assert changed.returncode == 2
    assert "mine.toml changed since the run began" in changed.stderr
