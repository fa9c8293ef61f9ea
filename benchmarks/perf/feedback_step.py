"""What does feedback cost a step? The same student and prompts, with its tutor's edge open and closed."""

from __future__ import annotations

from benchmarks.perf.phases import Stepper, phase_with, started_run
from benchmarks.perf.ratio import Ratio, in_turn

STEPS = 5
"""Steps a measurement."""


def measure(pairs: int) -> list[Ratio]:
    with started_run(topology="pair", domains="phys,chem") as run:
        told, alone = (Stepper(phase_with(run, "s2", tutors)) for tutors in (["s1"], []))
        found = in_turn(lambda: told.seconds(STEPS), lambda: alone.seconds(STEPS), pairs)
    return [
        Ratio(
            name="feedback_step/on",
            what="step of opcod, 24 prompts x 8 rollouts, the gate open",
            against="the gate closed (the paper on GPUs: 1.066)",
            unit="s",
            pairs=found,
            at_most=1.3,
            notes=[f"open: {told.parts()}", f"closed: {alone.parts()}"],
        )
    ]
