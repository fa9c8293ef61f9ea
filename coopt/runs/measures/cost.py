"""What training steps did and cost, from their records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coopt.methods.rollouts import OUTCOMES
from coopt.runs.results import CostCell, FeedbackCell
from coopt.runs.run import Run

PARTS = ("rollout", "feedback", "teacher", "student")
_FACTS = ("revealed", "leaked", "unread", "voted_down")
_SKIPPED = 1  # the first step of a phase warms caches up and is not timed


def read_steps(run: Run) -> list[dict[str, Any]]:
    """All step records of a run, each with its seed, method, round and tutee."""
    return [
        {**line, **place._asdict(), "place": k}
        for place in run.phases()
        for k, line in enumerate(run.phase_files(*place).read_steps())
    ]


def worked(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the idle ones of a method that had stopped (``matched_tokens``), which would make a step look cheap; all
    of them where there is nothing else."""
    return [s for s in steps if not s.get("stopped")] or list(steps)


def cost_cells(steps: Sequence[dict[str, Any]], methods: Sequence[str]) -> list[CostCell]:
    """Seconds per step with feedback on and off, and the share of each part."""
    cells = []
    for method in methods:
        for on in (False, True):
            own = worked([s for s in steps if s["method"] == method and s["feedback_on"] == on])
            timed = [s for s in own if s["place"] >= _SKIPPED] or own
            if timed:
                cells.append(_cost(method, "on" if on else "off", len(own), timed))
    return cells


def _cost(method: str, feedback: str, count: int, timed: Sequence[dict[str, Any]]) -> CostCell:
    total = sum(s["seconds"]["total"] for s in timed)
    parts = {p: sum(s["seconds"][p] for s in timed) for p in PARTS}
    generating = parts["rollout"] + parts["feedback"]
    training = parts["teacher"] + parts["student"]
    shares = {p: seconds / total if total else 0.0 for p, seconds in parts.items()}
    return CostCell(
        method=method,
        feedback=feedback,
        steps=count,
        seconds_per_step=total / len(timed),
        shares={**shares, "other": max(0.0, 1 - sum(shares.values()))},
        generated_tokens_per_second=_rate(timed, ("rollout", "feedback"), generating),
        trained_tokens_per_second=_rate(timed, ("trained",), training),
        feedback_tokens_per_step=sum(s["tokens"]["feedback"] for s in timed) / len(timed),
        peak_memory_gib=max(s["memory_gib"] for s in timed),
        distinct_share=sum(s["distinct_rows"] for s in timed) / max(1, sum(s["active_rows"] for s in timed)),
    )


def _rate(steps: Sequence[dict[str, Any]], kinds: Sequence[str], seconds: float) -> float:
    return sum(s["tokens"][k] for s in steps for k in kinds) / seconds if seconds > 0 else 0.0


def feedback_cells(steps: Sequence[dict[str, Any]]) -> list[FeedbackCell]:
    """Outcomes of the feedback filter per method and edge; reveals and leaks per tutee."""
    cells = []
    keys = {(s["method"], tutor, s["tutee"]) for s in steps for tutor in s["outcomes"]}
    for method, tutor, tutee in sorted(keys):
        own = [s for s in steps if s["method"] == method and s["tutee"] == tutee and tutor in s["outcomes"]]
        counts: Counter[str] = Counter()
        for step in own:
            counts.update(step["outcomes"][tutor])
        facts = {k: sum(s["told"][tutor].get(k, 0) for s in own) for k in _FACTS}
        cells.append(
            FeedbackCell(
                method=method,
                edge=f"{tutor} -> {tutee}",
                messages=sum(counts.values()) + facts["unread"],
                outcomes={o: counts[o] for o in OUTCOMES},
                **facts,
            )
        )
    return cells


def no_own_correct(steps: Sequence[dict[str, Any]]) -> float | None:
    """Share of prompts without a correct rollout in the first step of each student, over all methods' first."""
    first = [s for s in steps if s["step"] == 0]
    prompts = sum(s["prompts"] for s in first)
    return sum(s["prompts_without_correct"] for s in first) / prompts if prompts else None
