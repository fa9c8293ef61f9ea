"""Memory of a GPU and hours of a run, as a table, and as data for ``--json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.core.config.schema import Config
from coopt.core.tables.cells import NONE, yes
from coopt.core.tables.table import Table
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.memory import GIB, Placement, host_bytes, memory_parts, peaks, students_that_fit
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.shape import Shape, model_shape
from coopt.driver.tasks.together import students_together

_PAPER_MINUTES = (6.25, 6.66)
"""Minutes a step of SDPO and of OPCoD on two H200 (paper, Appendix G)."""


def memory_table(plan: Plan) -> Table:
    """What lies in a GPU's memory while one student is trained (on a CPU: in a worker's)."""
    config, assumed, placed = plan.run.config, plan.assumed or Assumed(), _placed(plan)
    shape, _ = model_shape(config.model.path)
    parts = memory_parts(config, shape, assumed, placed)
    rows = [[p.name, _gib(p.bytes), yes(p.generating), yes(p.training), p.how] for p in parts]
    generating, training = peaks(parts)
    rows.append(["at most", _gib(max(generating, training)), _gib(generating), _gib(training), NONE])
    fits = "fits" if max(generating, training) < assumed.gpu_gib * GIB else "DOES NOT FIT"
    notes = [
        f"{shape.name}: {shape.parameters:,} parameters in {shape.layers} blocks; trained: {config.model.weights};"
        f" engine: {placed.engine}. Weights, gradients, moments and teacher are exact, the rest is estimated.",
        f"{fits} into {assumed.gpu_gib:g} GiB (--assume gpu_gib=...)",
        *_together(config, shape, assumed, placed),
        _host(config, host_bytes(config, shape, placed)),
        *([_assumptions(assumed)] if plan.assumed else []),
        *plan.why,
        *_paper(config),
    ]
    return Table("Memory of one GPU, GiB", ["part", "GiB", "generating", "training", "how"], rows, notes)


def _placed(plan: Plan) -> Placement:
    return Placement.of(plan.run.config)._replace(
        students=students_together(plan.run.config, len(plan.run.topology.students), plan.workers)
    )


def _together(config: Config, shape: Shape, assumed: Assumed, placed: Placement) -> list[str]:
    """How many students one GPU has room for, where several are to compute on it together."""
    if placed.students == 1:
        return []
    fit = students_that_fit(config, shape, assumed, placed)
    if fit == placed.students:
        return [f"lockstep: the GPU trains {fit} students at once"]
    least = f" Set parallel.lockstep_students={fit}." if fit > 1 else " Set parallel.lockstep=false."
    return [f"WARNING: lockstep: {fit} of the {placed.students} students fit the GPU at once.{least}"]


def _host(config: Config, needed: float) -> str:
    """What a rank on a GPU needs beside it."""
    line = f"host memory per rank: {needed / GIB:.0f} GiB at most, for loading, checkpoints and a sleeping vLLM"
    asked = config.cluster.memory_gb * GIB
    if config.cluster.kind != "slurm" or needed <= asked:
        return line
    return f"WARNING: {line}; jobs ask for {config.cluster.memory_gb:g} GB (cluster.memory_gb)"


def _gib(amount: float) -> str:
    return f"{amount / GIB:.1f}" if amount >= GIB else f"{amount / GIB:.3f}"


def _assumptions(a: Assumed) -> str:
    return (
        f"assumed: {a.generate:,.0f} tokens/s generated and {a.train:,.0f} trained on by one GPU, prompts of"
        f" {a.prompt:,.0f} tokens ({a.longest_prompt:,} at most), responses of {a.response:,.0f}, every gate open"
        " (--assume key=value changes one)"
    )


def _paper(config: Config) -> list[str]:
    """What the paper says of its own speed, under its own preset."""
    if not Path(config.preset).stem.startswith("paper"):
        return []
    steps, (sdpo, opcod) = config.total_steps, _PAPER_MINUTES
    return [
        f"the paper's steps took {sdpo} min (sdpo) and {opcod} min (opcod) on two H200 (Appendix G):"
        f" {sdpo * steps / 60:.1f} and {opcod * steps / 60:.1f} h for the {steps} steps of a student"
    ]


def memory_data(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    config = plan.run.config
    shape, _ = model_shape(config.model.path)
    placed = _placed(plan)
    parts = memory_parts(config, shape, plan.assumed or Assumed(), placed)
    generating, training = peaks(parts)
    return {
        "model": {"name": shape.name, "parameters": shape.parameters},
        "memory_bytes": {p.name: round(p.bytes) for p in parts},
        "memory_at_most": {"generating": round(generating), "training": round(training)},
        "node_memory_of_a_rank": round(host_bytes(config, shape, placed)),
    }
