"""What a server's refusal is about: the prompt, a parameter of the request, or everything."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from openai import APIStatusError


class Refusal(NamedTuple):
    """``parameter``: the name of the one that is refused, where it is about one."""

    about: Literal["prompt", "parameter", "server"]
    parameter: str = ""


_ABOUT_THE_REQUEST = (400, 413, 422)
_PROMPT = re.compile(
    r"context[ _]length|context_window|content[ _]?(?:filter|policy|management)|responsible.?ai|moderation|safety"
    r"|too (?:long|large)",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(r"context[ _]length|context_window", re.IGNORECASE)
"""Also where the server names the limit on the answer: another prompt fits with it."""
_NOT_TAKEN = re.compile(
    r"un(?:supported|recogni[sz]ed|known|expected)|not (?:supported|permitted|allowed)|extra|invalid|deprecated"
    r"|only the default|(?:does|do) not support",
    re.IGNORECASE,
)
_MODEL = re.compile(r"model\b.{0,80}\b(?:not|invalid|unknown|exist)|(?:invalid|unknown)\s+model", re.IGNORECASE)


def refusal_of(error: APIStatusError, optional: Collection[str]) -> Refusal:
    """What a status other than 200 is about. ``optional``: the parameters that a request may do without."""
    said = f"{error.code or ''} {error.message}"[:4000]
    if error.status_code == 403 and _PROMPT.search(str(error.code or "")):
        return Refusal("prompt")
    if error.status_code not in _ABOUT_THE_REQUEST:
        return Refusal("server")
    if error.param in optional and not _TOO_LONG.search(said):
        return Refusal("parameter", str(error.param))
    if _PROMPT.search(said):
        return Refusal("prompt")
    named = [name for name in optional if re.search(rf"\b{name}\b", said)]
    if named and _NOT_TAKEN.search(said):
        return Refusal("parameter", named[0])
    if error.param == "model" or error.code in ("model_not_found", "invalid_model") or _MODEL.search(said):
        return Refusal("server")
    return Refusal("prompt")
