"""A small finished run written by hand, whose models wrote hostile texts: for tests of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.reports.opened import Opened, open_runs
from coopt.runs.results import Results
from coopt.runs.run import Run
from tests.unit.small_runs import step_of

EDGES = {"s1": "s2 -> s1", "s2": "s1 -> s2"}
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "<!--<script>window.hacked = 3",
    '"><img src=x onerror="window.hacked = 4">',
    "<svg onload=window.hacked=5><a xlink:href='javascript:window.hacked=6'>x</a></svg>",
    '<a href="javascript:window.hacked = 7">click</a>',
    "{{ 7 * 7 }} ${7*7} \u2028 \x00 &lt;b&gt; ]]>",
    '<iframe src="http://example.invalid/"></iframe><link rel=stylesheet href="http://example.invalid/x.css">',
)
RATES = {
    name: {"answers": answers, "questions": 30, "rate": rate, "low": rate - 0.05, "high": rate + 0.1}
    for name, answers, rate in (
        ("break", 40, 0.2), ("break_control", 40, 0.1), ("break_more", 40, 0.1),
        ("fix", 60, 0.4), ("fix_control", 60, 0.3), ("fix_more", 60, 0.1),
    )
}  # fmt: skip


def write_run(directory: Path) -> Opened:
    """sdpo and opcod on the pair, two rounds of five steps. In round 1 only s2 -> s1 is open, in round 2 both are."""
    config = load_config(
        topology="pair",
        methods=("sdpo", "opcod"),
        rounds={"rounds": 2, "steps": 5},
        data={"validation": 4},
        sampling={"eval_samples": 2},
    )
    store.write_json(directory / "config.json", config.model_dump(mode="json"))
    run = Run(directory, config)
    _write_scores(run)
    _write_training(run)
    _write_probe(run)
    store.write_text(directory / "results.json", Results.model_validate(_results(directory.name)).model_dump_json())
    return open_runs([directory])[0]


def _write_scores(run: Run) -> None:
    for method in run.config.methods:
        for round_ in range(3):
            for student in run.topology.students:
                right = [[1, 1], [1, 0], [0, 0], [1 if round_ else 0, 0]]
                scores = {"domains": {d: {"correct": right} for d in run.config.domains}}
                store.write_json(run.scores_path(0, method, "validation", round_, student), scores)


def _write_training(run: Run) -> None:
    item = run.domains["physics"].items("train")[0]
    for round_ in (1, 2):
        for tutee in ("s1",) if round_ == 1 else ("s1", "s2"):
            path = run.phase_dir(0, "opcod", round_, tutee)
            tutor = EDGES[tutee].split()[0]
            rollouts = [_rollout(k, tutor) for k in range(len(HOSTILE))]
            record = {"step": 5 * (round_ - 1), "item": item.id, "domain": "physics", "rollouts": rollouts}
            store.rewrite_lines(path.with_name(f"{tutee}.rollouts.jsonl"), [record])
            kept = 6 if round_ == 1 else 8
            counts = {"kept": kept, "no_match": 8 - kept}
            step = step_of(5 * (round_ - 1)) | {"outcomes": {tutor: counts}, "told": {tutor: {"unread": 0}}}
            store.rewrite_lines(path.with_name(f"{tutee}.steps.jsonl"), [step])


def _rollout(k: int, tutor: str) -> dict[str, Any]:
    said = {"tutor": tutor, "raw": HOSTILE[k], "score": None, "voted_down": False}
    said |= {"outcome": "no_match", "kept": None} if k < 2 else {"outcome": "kept", "kept": HOSTILE[k]}
    return {"text": HOSTILE[-1 - k], "reward": float(k % 2), "has_demonstration": False, "messages": [said]}


def _write_probe(run: Run) -> None:
    """Of s1: one answer is broken by f, one fixed by s and f, one is still wrong."""
    item = run.domains["chemistry"].items("validation")[0]
    moves = [(1.0, 0.0, None), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)]
    rollouts = []
    for k, (before, f, sf) in enumerate(moves):
        said = {"tutor": "s2", "raw": f"say {HOSTILE[0]}", "outcome": "kept", "kept": "say"}
        after = [None if r is None else {"text": f"answer {k} {HOSTILE[1]}", "reward": r} for r in (f, sf)]
        rollouts.append(
            {"text": f"first {k}", "reward": before, "again": {"text": "again", "reward": before}, "s": None,
             "messages": [said | {"f": after[0], "sf": after[1]}]}
        )  # fmt: skip
    store.rewrite_lines(run.probe_texts_path(0, "s1"), [{"item": item.id, "domain": "chemistry", "rollouts": rollouts}])


def _results(name: str) -> dict[str, Any]:
    domains, students, methods = ["physics", "chemistry"], ["s1", "s2"], ["sdpo", "opcod"]
    native = dict(zip(students, domains, strict=True))
    scores = [
        {"who": who, "student": s, "domain": d, "native": native[s] == d, "score": score + 0.1 * (native[s] == d),
         "low": score - 0.1, "high": score + 0.2, "per_seed": [score], "questions": 4, "samples": 2}
        for who, score in (("init", 0.4), ("sdpo", 0.5), ("opcod", 0.6))
        for s in students
        for d in domains
    ]  # fmt: skip
    gates = [
        {"seed": 0, "method": "opcod", "round": r, "edge": edge, "open": r == 2 or tutee == "s1", "reason": "cognizant",
         "gap": 0.1, "gap_low": 0.0, "gap_high": 0.2, "flip": 0.05}
        for r in (1, 2)
        for tutee, edge in EDGES.items()
    ]  # fmt: skip
    feedback = [
        {"method": "opcod", "edge": edge, "messages": 8, "revealed": 0, "leaked": 0, "unread": 0,
         "outcomes": {"kept": 6, "no_match": 2, "no_concept_tag": 0, "empty": 0, "all_generic": 0}}
        for edge in EDGES.values()
    ]  # fmt: skip
    places = [("all edges", "open"), ("all edges", "closed"), *((e, "any") for e in EDGES.values())]
    costs = [
        {"method": m, "feedback": on, "steps": 4, "seconds_per_step": seconds,
         "shares": {"rollout": 0.5, "feedback": 0.2, "teacher": 0.1, "student": 0.1, "other": 0.1},
         "generated_tokens_per_second": 1.0, "trained_tokens_per_second": 1.0, "distinct_share": 1.0,
         "peak_memory_gib": 1.0}
        for m, on, seconds in (("sdpo", "off", 1.0), ("opcod", "on", 2.0), ("opcod", "off", 1.0))
    ]  # fmt: skip
    pareto = [
        {"method": m, "student": s, "point": True, "probability": 0.9, "verdict": "not settled", "native_change": 0.1}
        for m in methods
        for s in (*students, "mutual")
    ]
    breaks = [
        {"edge": edge, "gate": gate, "context": context, "difficulty": "all", "rates": RATES}
        for edge, gate in places
        for context in ("f", "sf")
    ]
    constants = [{"domain": d, "answer": HOSTILE[0], "share": 0.3, "questions": 4} for d in domains]
    return {
        "run": name, "topology": "pair", "domains": domains, "methods": methods, "seeds": [0], "native": native,
        "constants": constants, "scores": scores, "pareto": pareto, "comparisons": [], "gates": gates,
        "feedback": feedback, "break_rates": breaks, "costs": costs, "no_own_correct": None,
        "unavailable": {f"0/opcod/r1/{HOSTILE[1]}": HOSTILE[3]},
    }  # fmt: skip
