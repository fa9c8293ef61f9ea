"""The plan as a table, and as data for ``--json``."""

from __future__ import annotations

from typing import Any

from coopt.core.config.ways import EMBEDDED
from coopt.core.tables.cells import duration
from coopt.core.tables.table import Table
from coopt.driver.plan.plan import Plan
from coopt.driver.tasks.together import hindrance, parts
from coopt.reports.jobs import jobs_data
from coopt.reports.sizing import memory_data, memory_table
from coopt.reports.timeline import timeline_data, timeline_tables

_LISTED = 8  # more edges than this are counted, not named


def plan_tables(plan: Plan) -> list[Table]:
    """The plan, and for a real model the memory that it needs and a step's timeline."""
    if plan.run.config.model.path in EMBEDDED:
        return [plan_table(plan)]
    return [plan_table(plan), memory_table(plan), *timeline_tables(plan)]


def plan_table(plan: Plan) -> Table:
    """Who is trained on what, and what it should cost."""
    config, topology = plan.run.config, plan.run.topology
    rows = [
        [what, str(count), f"{tokens / 1e3:,.0f}" if tokens else "–", duration(seconds)]
        for what, (count, tokens, seconds) in plan.summary().items()
    ]
    edges = ", ".join(str(e) for e in topology.edges) or "none"
    if len(topology.edges) > _LISTED:
        edges = f"{len(topology.edges)} (coopt topo show {config.topology})"
    everyone = plan.run.cast.critics  # those that methods add too
    critics = f"; critics: {', '.join(everyone)}" if everyone else ""
    hostile = "".join(f"; hostile: {node} ({kind})" for node, kind in config.adversary.items())
    r = config.rounds
    notes = [
        f"students: {', '.join(topology.label(s) for s in topology.students)}; tutor edges: {edges}{critics}{hostile}",
        f"gate: {config.gate.kind} (tau {config.gate.tau}, scope {config.gate.scope});"
        f" feedback: {config.feedback.style}, {config.feedback.assign}; schedule: {r.schedule}",
        f"{r.rounds} rounds x {r.steps} steps of {r.prompts} prompts x {r.rollouts} rollouts; methods:"
        f" {', '.join(config.methods) or 'none (base and init are only scored)'};"
        f" seeds: {', '.join(map(str, config.all_seeds))}",
        f"expected: {duration(plan.wall_seconds())} with {plan.workers} worker{'s' * (plan.workers > 1)}"
        f" ({plan.speed.generate:,.0f} tokens/s generated, {plan.speed.train:,.0f} trained, {plan.source})",
    ]
    if config.model.path in EMBEDDED:  # of others the table of their memory says it
        notes += plan.why
    if config.cluster.kind == "slurm" and plan.assumed is None:
        notes.append("the speeds are this machine's, not the nodes'; time in the queue comes on top")
    if lockstep := _lockstep(plan):
        notes.append(lockstep)
    title = f"Plan: {topology.name} on {', '.join(config.domains)}"
    return Table(title, ["work", "tasks", "1,000 tokens", "time of one worker"], rows, notes)


def _lockstep(plan: Plan) -> str:
    """Who computes together; nothing where all weights are trained, which never do."""
    config, students = plan.run.config, len(plan.run.topology.students)
    if config.model.weights != "lora":
        return ""
    if why := hindrance(config):
        return f"no lockstep: {why}; each student computes by itself"
    if config.rounds.schedule == "sequential":
        return "no lockstep: students take turns (rounds.schedule=sequential); they are only scored together"
    who, many = "worker" if config.cluster.kind == "none" else "job", parts(students, config, plan.workers)
    if many >= students:
        return f"no lockstep: {students} students and as many {who}s; with --workers 1 they compute together"
    each = f"together, dealt over {many} {who}s" if many > 1 else "together" + ", in one job" * (who == "job")
    return f"lockstep: the {students} students share one base, and write, teach and learn {each}"


def plan_data(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    return {
        "students": dict(plan.run.topology.native),
        "edges": [str(e) for e in plan.run.topology.edges],
        "config": plan.run.config.model_dump(mode="json"),
        "work": {
            what: {"tasks": count, "tokens": round(tokens), "seconds": round(seconds, 1)}
            for what, (count, tokens, seconds) in plan.summary().items()
        },
        "workers": plan.workers,
        "assumed": plan.assumed.model_dump() if plan.assumed else None,
        "why_assumed": list(plan.why),
        "jobs": jobs_data(plan),
        "timeline": timeline_data(plan),
        **memory_data(plan),
        "expected_seconds": round(plan.wall_seconds(), 1),
    }
