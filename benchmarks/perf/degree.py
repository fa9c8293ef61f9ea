"""Does a round cost the same whatever the degree? Feedback is ``spread`` over the open tutors.

The steps of one tutee, whose tutors are the two neighbours of a ring of eight students, or all seven others.
"""

from __future__ import annotations

from benchmarks.perf.phases import Stepper, phase_with, started_run
from benchmarks.perf.ratio import Ratio, in_turn

STEPS, NODES = 5, 8


def measure(pairs: int) -> list[Ratio]:
    domains = "phys,chem,mat,bio"
    with started_run(topology="complete", nodes=NODES, domains=domains) as run:
        tutee, right, *others, left = run.topology.students
        complete = Stepper(phase_with(run, tutee, [right, *others, left]))
        ring = Stepper(phase_with(run, tutee, [right, left]))
        found = in_turn(lambda: complete.seconds(STEPS), lambda: ring.seconds(STEPS), pairs)
    return [
        Ratio(
            name="degree/complete",
            what=f"step of opcod, N = {NODES}, spread, degree {NODES - 1}",
            against="degree 2 (ring)",
            unit="s",
            pairs=found,
            at_most=1.05,
            notes=[f"complete: {complete.parts()}", f"ring: {ring.parts()}"],
        )
    ]
