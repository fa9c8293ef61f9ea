"""Files that a user of the runs would have: a gate, a graph with an endpoint, rows of questions."""

from __future__ import annotations

import json

from benchmarks.same.endpoint import URL

GATE = '''"""A gate of a user. It derives from nothing of coopt, so it does not know where coopt keeps its own gates."""

from typing import NamedTuple

import numpy as np


class Decided(NamedTuple):
    open_ED: np.ndarray
    reason_E: list
    gap_E: np.ndarray
    threshold: float


class Mine:
    """Open where the tutor's worst domain is not far below the tutee's; never in the last domain for odd tutors."""

    name = "mine"
    reads_scores = True

    def __init__(self, config):
        self.slack = float(config.options.get("slack", 0.5))

    def decide(self, view):
        gap_E = view.scores_ND[view.tutee_E].min(1) - view.scores_ND[view.tutor_E].min(1)
        open_ED = np.repeat((gap_E <= self.slack)[:, None], view.scores_ND.shape[1], axis=1)
        open_ED[view.tutor_E % 2 == 1, -1] = False
        return Decided(open_ED, ["near" if o else "far" for o in gap_E <= self.slack], gap_E, self.slack)
'''

FAR = f"""nodes = [
    {{ id = "s1" }}, {{ id = "s2" }},
    {{ id = "far", role = "critic", endpoint = "{URL}", model = "a-function" }},
]
edges = [
    {{ tutor = "far", tutee = "s1" }}, {{ tutor = "far", tutee = "s2", style = "naive" }},
    {{ tutor = "s1", tutee = "s2", gate = "always" }},
]
"""

ROWS = "".join(
    json.dumps(
        {
            "question": f"Which of the numbers is {k}?",
            "choices": {"text": [str(k + d) for d in range(4)], "label": list("ABCD")},
            "answerKey": "ABCD"[k % 4],
            "type": "mcq-4-choices",
            "domain": ("Physics", "Chemistry")[k % 2],
            "details": {"level": "L3" if k % 9 else "L2", "task": "t", "subtask": "s", "source": "x"},
            "prompt": {"default": ""},
            "answer": "",
        }
    )
    + "\n"
    for k in range(40)
)
