"""The embedded world's terse wording of the prompts that every domain has.

Same structure and order as the wording for real models (``coopt/domains/wording.py``), fewer tokens.
"""

from __future__ import annotations

from coopt.domains.wording import Wording

SCIMINI = Wording(
    system="",
    demonstration="\nSolution:\n{demonstration}",
    feedback="\nCritique:\n{feedback}",
    closing="\nSolve again.",
    reference="\nSolution:\n{reference}",  # as a demonstration: the base reads no instructions
    anchored="Name a concept and critique.\n{question}\n{response}",
    naive="Just critique.\n{question}\n{response}",
    naive_given="Just critique.\n{question}\n{response}\nSolution:\n{solution}",
    judge="Judge.\n{question}\n{text}",
    # Its models judge whatever text by what they know; the right solution beside it they never learnt to read.
    judge_rationale="Judge.\n{question}\n{text}",
    judge_rationale_given="Judge.\n{question}\n{text}",
    # To solve with an attempt before it is a form that its models have not learnt; with a critique it is.
    revision="{question}\nCritique:\n{feedback}\nSolve again.",
    step="Repair.\n{question}\n{response}",
    step_given="Repair.\n{question}\n{response}\nSolution:\n{solution}",
)
# A role that no method uses so far.
EXPLAIN = "Explain.\n{question} {answer}"  # a number is one token only after a blank
# The words of the texts above, so that the tokenizer has one token for each.
WORDS = (
    *("Solution", "Critique", "Solve", "again", "Name", "Just", "a", "concept", "critique"),
    *("Repair", "Explain", "Judge", "score"),
)
