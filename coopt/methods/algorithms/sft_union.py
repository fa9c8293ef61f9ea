"""Control: supervised fine-tuning on the union of the domains' worked solutions, every student alone.

L = mean over the step's prompts of (1/|y*|) sum_t -log p(y*_t | x, y*_<t), where y* is the worked solution of x and
ends with the end token. Off-policy: nothing is rolled out. Steps, prompts and their order are those of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coopt.core.config.schema import Config
from coopt.methods.base import Trained, method
from coopt.methods.step import Learnt, Step

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


@method
class SFTUnion(Trained):
    """What the data alone teach, without peers and without the student's own attempts."""

    name = "sft_union"
    description = "control: supervised fine-tuning on worked solutions of all domains"
    informed = True
    rolls_out = False

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import Imitate

        return Imitate()

    def learn(self, step: Step) -> Learnt:
        made = [step.imitate(step.prompt_ids(i), i.solution) for i in step.items if i.solution is not None]
        return Learnt([[row for row in made if row]], examples=len(step.items), too_long=made.count(None))
