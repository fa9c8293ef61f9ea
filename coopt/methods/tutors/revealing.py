"""Does a message give the answer away? What the leak rate counts; it takes nothing out (``sanitise`` does).

A message reveals that names one option as the answer, right or wrong, that confirms the one that the tutee chose, that
rules out all options but one, or that holds the right option's own words. It does not by speaking of an option, arguing
against it, asking about it, or telling the tutee what it has said. Measured on messages of our own in
tests/unit/methods/revealing.jsonl (docs/methods.md).

What a clause says of an option is in ``asserting.py``; here is what several sentences say together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from coopt.domains.base import AnswerKind
from coopt.methods.tutors.asserting import DENIED, about_it, asserts, confirms, ruled_out
from coopt.methods.tutors.mentions import Sentence, folded, sentences
from coopt.methods.tutors.naming import TEXT, Names, holds, stems
from coopt.methods.tutors.sanitise import contains, marked_letters, shortened

_ASKED_FOR = re.compile(r"\b(\w{3,}est)\b|\b(?:is|are|be) (?!the\b|of\b|in\b|not\b|a\b|an\b)(\w{4,})")
_ASKS = re.compile(r"\b(?:which|what|who)\b(?: (?!is\b|are\b|was\b|of\b)\w+)?([^?.]*)", re.IGNORECASE)
_NO_PART = frozenset(
    "a an is are was be of the these this that following in at on to for from with by it its can will".split()
)
_THAT_IS_RIGHT = re.compile(r"(?:[iB]+|S[mB]+)?(?:R+N?|(?<=B)[SI]?N)")
# A sentence that judges the tutee's answer, and says no more.
_PRAISE = re.compile(
    r"(?:(?:that|this|it|you|your answer)(?: is| are|'s|'re) |yes,? |absolutely,? |very |quite )*"
    r"(?:correct|right|exactly|perfect|excellent|bravo|agreed|brilliant|yes|indeed|well (?:done|reasoned|spotted)"
    r"|(?:great|good|nice|excellent|brilliant)(?: (?:job|work|answer|choice|pick))?|you(?:'ve| have)? got it)"
    r"(?: indeed)?",
    re.IGNORECASE,
)
# A sentence that says that one is left, or that all that were spoken of are not.
_OUT = r"(?:discard|cross|rul|str[iu]k|eliminat|exclud|reject|drop|dismiss|scratch|wrong|incorrect|fail)"
_ONE_LEFT = re.compile(
    r"\b(?:only|just|exactly) (?:a |the )?(?:one|single|sole)\b[^.]{0,30}?"
    r"\b(?:remain|left|surviv|stand|pass|fit|match|work)"
    r"|\bleav(?:es|ing)\b(?: \w+){0,3}? (?:one|a single)\b|\b(?:one|option|choice) (?:remains|survives|(?:is )?left)\b"
    r"|\bnone of (?:them|these|those|the(?:se|m)? three)\b"
    rf"|\b{_OUT}.{{0,30}}\ball\b|\ball (?:of th|three\b).{{0,30}}\b{_OUT}"
    r"|\bwhat (?:does|do|is) (?:that|this|it) leave|\b(?:by|process of) elimination\b"
    r"|\bthe remaining (?:one|option|choice)\b|\byou (?:can |now |should )*(?:do the rest|know which)",
    re.IGNORECASE,
)


def leaks(
    text: str, kind: AnswerKind, correct_text: str, question: str, last: str = "D", options: Sequence[str] = ()
) -> bool:
    """Does ``text`` give the answer away: by naming an option (A to ``last``) as the answer, or by the correct option's
    words that the question (without its options) does not hold? ``options``: the texts of all, by whose words a message
    may name a wrong one."""
    text, correct, question = shortened(folded(text)), folded(correct_text), folded(question)
    if kind == "letter":
        named = Names.of([folded(option) for option in options], question)
        return (
            any(p.search(text) for p in marked_letters(last))
            or holds(text, correct, question)
            or _names_an_option(text, last, question, named)
        )
    return contains(text, correct) and not contains(question, correct)


@dataclass
class _Heard:
    """What a message has said so far. ``told``: the last clause with an option tells what the tutee chose.
    ``praised``: the last sentence judged it right. ``spoken_of``: the only option of the last clause that had any."""

    told: bool = False
    praised: bool = False
    spoken_of: str | None = None
    mentioned: set[str] = field(default_factory=set)
    ruled_out: set[str] = field(default_factory=set)


def _names_an_option(text: str, last: str, question: str, names: Names) -> bool:
    asked_for = {a or b for a, b in _ASKED_FOR.findall(question.casefold())}
    wanted = _wanted(question)
    others = ord(last) - ord("A")
    heard = _Heard()
    for sentence in sentences(text, last, names, asked_for):
        if _tells(sentence, heard) or _says_what_is_asked(sentence, wanted):
            return True
        if len(heard.mentioned) == others and _ONE_LEFT.search(sentence.text):
            return True
        if len(heard.ruled_out) == others:
            return True
    return False


def _tells(sentence: Sentence, heard: _Heard) -> bool:
    """Does a sentence name an option as the answer, after what was heard? It is added to that."""
    heard.mentioned |= sentence.letters
    subject = False
    for k, clause in enumerate(sentence.clauses):
        spoken = about_it(clause, follows=subject) if heard.spoken_of is not None and not heard.told else None
        if asserts(clause, first=not k) or (spoken and asserts(spoken, first=False)):
            return True
        if heard.told and _THAT_IS_RIGHT.fullmatch(clause.parts):
            return True
        if heard.praised and (confirms(clause) or (not k and confirms(clause, told=False))):
            return True
        if clause.letters:
            one = len(set(clause.letters.values())) == 1 and not DENIED.search(clause.parts)
            heard.spoken_of = next(iter(clause.letters.values())) if one else None
            heard.told = one and re.search("S.*O[mB:]*$", clause.parts) is not None
            subject = one and re.match("w?O", clause.parts) is not None
        heard.ruled_out |= ruled_out(clause)
    if len(sentence.letters) == 1 and not any(clause.letters for clause in sentence.clauses):  # it was asked about
        heard.spoken_of, heard.told = min(sentence.letters), False
    head = re.split(r"[,:–—-] ", sentence.text, maxsplit=1)[0]
    heard.praised = _PRAISE.fullmatch(sentence.text.strip(" ,")) is not None
    return bool(_PRAISE.fullmatch(head.strip())) and head != sentence.text and any(map(confirms, sentence.clauses[1:2]))


def _wanted(question: str) -> set[str]:
    """The stems of what a question says of its answer: "Which acid is strongest in water?" gives strongest, water."""
    asked = _ASKS.search(question)
    words = re.findall(r"(?<!')\b[\w.]+\b(?!'s)", asked[1]) if asked else []
    return stems(" ".join(word for word in words if word.casefold() not in _NO_PART))


def _says_what_is_asked(sentence: Sentence, wanted: set[str]) -> bool:
    """Does a sentence say of one option all that the question asks for?"""
    clause = next((c for c in sentence.clauses if c.letters), None)
    if clause is None or len(wanted) < 2 or re.search("[XWQng]|S.*O", clause.parts):
        return False
    places = [k for k, c in enumerate(sentence.text) if ord(c) >= TEXT]
    end = next((k for k in places if sentence.text[k] != sentence.text[places[0]]), None)
    return wanted <= stems(sentence.text[:end])
