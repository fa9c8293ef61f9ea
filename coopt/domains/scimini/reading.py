"""Reading a response to a question of the world: what it states, and where it goes wrong first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import RELATION
from coopt.domains.scimini.questions import Ask
from coopt.domains.scoring import OPEN, is_correct

_STATED = re.compile(r"(\w+) of (\w+) (\d+)")
_TURNED = re.compile(rf"(\w+) ({'|'.join(RELATION)}) (\d+)")


def stated_values(asks: Sequence[Ask], response: str) -> list[int | None]:
    """The value that the response states for each fact of the question; None where it states none."""
    stated = {f"{r} of {e}": int(v) for r, e, v in _STATED.findall(response)}
    turned = {f"{e} {r}": int(v) for e, r, v in _TURNED.findall(response)}
    return [stated.get(a.fact.phrase, turned.get(texts.turned(a.fact))) for a in asks]


def first_error(asks: Sequence[Ask], response: str, forms: int = 1) -> int | None:
    """Where a response first goes wrong: the character at which the first word starts that is not the true working's,
    or at which the working breaks off. Of ``forms`` of a right working that counts which is right for longest.

    If the working is right, the error is in the answer. None for a correct response with right working; a correct
    answer after wrong working (right by luck) has an error.
    """
    found = [_first_error(asks, response, form) for form in range(forms)]
    return None if None in found else max(at for at in found if at is not None)


def _first_error(asks: Sequence[Ask], response: str, form: int) -> int | None:
    working = texts.steps(asks, texts.truth(asks), form=form) + "\n"
    pairs = zip(working, response, strict=False)
    at = next((k for k, (right, wrote) in enumerate(pairs) if right != wrote), min(len(working), len(response)))
    if at < len(working):
        if not working[at].isalnum() and not response[at : at + 1].isalnum():
            return at  # every word so far is right and whole
        return max(response.rfind(" ", 0, at), response.rfind("\n", 0, at)) + 1  # the start of the word
    answer = texts.answer(texts.results(asks, texts.truth(asks)))
    if is_correct(response, answer, "text"):
        return None
    tag = response.rfind(OPEN)
    return len(response) if tag < 0 else tag + len(OPEN)
