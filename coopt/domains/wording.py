"""The fixed texts around a question: what the student, its self-teacher and its tutors are told.

A domain carries one ``Wording``; student, self-teacher and tutor all go through the model's own chat
template. The reprompt keeps SDPO's structure and order (question, demonstration, feedback, closing
instruction) in our own words; its feedback heading is neutral because feedback is given on correct
rollouts too. ``tests/unit/methods/test_feedback.py`` pins the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TAGS = frozenset(f"<{end}{tag}>" for tag in ("reasoning", "answer", "think", "concept") for end in ("", "/"))
"""Tags that mean something in what models write, and are text whatever a tokenizer thinks of them."""


@dataclass(frozen=True, kw_only=True)
class Wording:
    """Prompt texts of a domain. Fields in braces are filled with ``str.replace``, never ``str.format``:
    model text may hold braces."""

    system: str
    """System message of solver and self-teacher; empty: none."""
    demonstration: str
    feedback: str
    closing: str
    reference: str
    """How a reference solution is shown to a self-teacher that is to derive it anew (OPSD)."""
    anchored: str
    """The tutor's two-step prompt: name one concept of the question, then a short critique (paper 3.3)."""
    naive: str
    """The tutor's prompt without the concept."""
    naive_given: str
    """A critic's prompt to say what is wrong in a wrong attempt, given the worked solution ({solution})."""
    judge: str
    """A committee member's prompt: score a tutor's message from 1 to 5."""
    judge_rationale: str
    """The same of a worked solution (FAIR)."""
    judge_rationale_given: str
    """The same by a judge that is given the right one ({solution})."""
    step: str
    """A peer's prompt to write the attempt again, step by step: right steps as they are, the earliest error mended."""
    step_given: str
    """The same for a critic, which is given the worked solution ({solution})."""
    revision: str = (
        "{question}\n\nAn earlier attempt of yours:\n\n{response}\n\nWhat a reader said of it:\n\n{feedback}\n\n"
        "Now solve the question as if for the first time. Mention neither the attempt nor what was said of it."
    )
    """The student's prompt to answer again, with its own attempt and a critique before it (RLTF)."""
    example: tuple[str, str] | None = None
    """A question and a well-formed answer, shown only while own correct answers are collected for specialists:
    small models do not keep the format without one."""


def fill(template: str, **fields: str) -> str:
    """Put ``fields`` into ``template`` in one pass; text that a field brings in is not filled again."""
    out, rest = "", template
    while rest:
        starts = [(rest.find("{" + name + "}"), name) for name in fields]
        found = min((s for s in starts if s[0] >= 0), default=None)
        if found is None:
            return out + rest
        at, name = found
        out += rest[:at] + fields[name]
        rest = rest[at + len(name) + 2 :]
    return out


_REWRITE = (
    "You are a critic. Read the question and the student's attempt, and write the attempt again, step by step, in its"
    " own order and format.\nCopy every step that is right word for word. Replace the first step that is wrong, and"
    " whatever follows from it. Where a reason is missing, put it in; if the attempt breaks off, finish it briefly. If"
    " all of it is right, copy all of it.\nWrite nothing but the new attempt, down to its final answer."
)

_JUDGE_RATIONALE = (
    "Below are a question and a worked solution that somebody wrote of it. Judge the solution: is each of its steps"
    " true, does it follow from those before, and is the answer right? Give one reason in a sentence. Then end with"
    " 'score N', where N is a whole number from 1 (wrong) to 5 (right and well explained)."
)

SCIENCE = Wording(
    system=(
        "You answer multiple-choice science questions. Think first, then choose the one correct option.\n"
        "Write your reasoning between <reasoning> and </reasoning>. Then write only the letter of the\n"
        "option between <answer> and </answer>, for example:\n<answer>\nA\n</answer>"
    ),
    demonstration="\nA correct solution:\n\n{demonstration}",
    feedback="\nFeedback on an attempt at this question:\n\n{feedback}",
    closing="\n\nNow solve the original question correctly.",
    reference=(
        "\nA reference solution:\n\n{reference}\n\nMake sure that you understand why it is right. Do not copy it: work"
        " the question out anew, in your own steps."
    ),
    anchored=(
        "You are a tutor. Read the question and the student's attempt.\n"
        "Step 1: choose one technical concept that the question itself names and write it as"
        " <concept>the concept</concept>.\n"
        "Step 2: critique the reasoning of the attempt in two or three sentences, with that concept in mind.\n"
        "Never state the final answer or the letter of an option.\n\n"
        "Question:\n{question}\n\nAttempt:\n{response}"
    ),
    example=(
        "Which gas do plants take up for photosynthesis?\n\nA: oxygen\nB: carbon dioxide\nC: nitrogen\nD: helium\n"
        "Please reason step by step.",
        "<reasoning>\nIn the light plants make sugar from water and carbon dioxide. So the gas is carbon dioxide.\n"
        "</reasoning>\n<answer>\nB\n</answer>",
    ),
    naive=(
        "You are a tutor. Read the question and the student's attempt, and give short, constructive feedback."
        "\nNever state the final answer or the letter of an option.\n\n"
        "Question:\n{question}\n\nAttempt:\n{response}"
    ),
    naive_given=(
        "You are a tutor. Below are a question, a student's wrong attempt at it and a worked solution that is right."
        " Say in two or three sentences where the attempt goes wrong, and why.\n\n"
        "Question:\n{question}\n\nAttempt:\n{response}\n\nWorked solution:\n{solution}"
    ),
    judge=(
        "Below are a question and a message that a tutor wrote about a student's attempt at it. Judge the message: is"
        " what it says true, about this question, and of use to the student? Give one reason in a sentence. Then end"
        " with 'score N', where N is a whole number from 1 (wrong or useless) to 5 (true and useful).\n\n"
        "Question:\n{question}\n\nMessage:\n{text}"
    ),
    judge_rationale=f"{_JUDGE_RATIONALE}\n\nQuestion:\n{{question}}\n\nWorked solution:\n{{text}}",
    judge_rationale_given=(
        f"{_JUDGE_RATIONALE} The right solution is below, for you to check it by.\n\n"
        "Question:\n{question}\n\nWorked solution:\n{text}\n\nRight solution:\n{solution}"
    ),
    step=f"{_REWRITE}\n\nQuestion:\n{{question}}\n\nAttempt:\n{{response}}",
    step_given=(
        f"{_REWRITE} A worked solution is below, for you to check each step by.\n\n"
        "Question:\n{question}\n\nAttempt:\n{response}\n\nWorked solution:\n{solution}"
    ),
)

CHOICE = replace(SCIENCE, system=SCIENCE.system.replace("multiple-choice science", "multiple-choice"))
"""For options of any subject."""

_FREE = replace(
    SCIENCE,
    anchored=SCIENCE.anchored.replace("the final answer or the letter of an option", "the final answer"),
    naive=SCIENCE.naive.replace("the final answer or the letter of an option", "the final answer"),
)
_SYSTEM = (
    "You answer questions. Think first, then give the one correct answer.\n"
    "Write your reasoning between <reasoning> and </reasoning>. Then write only the {what}\n"
    "between <answer> and </answer>, for example:\n<answer>\n{example}\n</answer>"
)
TEXT = replace(
    _FREE,
    system=fill(_SYSTEM, what="answer, as short as it can be,", example="carbon dioxide"),
    example=(
        "Which gas do plants take up for photosynthesis?\nPlease reason step by step.",
        "<reasoning>\nIn the light plants make sugar from water and a gas of the air, carbon dioxide.\n</reasoning>\n"
        "<answer>\ncarbon dioxide\n</answer>",
    ),
)
"""For answers in words, which must be those of the row."""
NUMBER = replace(
    _FREE,
    system=fill(_SYSTEM, what="number", example="42"),
    example=(
        "A box holds 6 rows of 4 apples, and 5 apples are eaten. How many are left?\nPlease reason step by step.",
        "<reasoning>\nThere are 6 times 4, so 24 apples. Without the 5 that are eaten 19 are left.\n</reasoning>\n"
        "<answer>\n19\n</answer>",
    ),
)
"""For numbers."""
