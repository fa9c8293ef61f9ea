"""Does a message give the answer away? What the leak rate counts; it takes nothing out (``sanitise`` does).

A message reveals that names one option as the answer, right or wrong, that rules out all options but one, or that holds
the right option's own words. It does not by speaking of an option, arguing against it, asking about it, or telling the
tutee what it has said. Measured on messages of our own in tests/unit/methods/revealing.jsonl (docs/methods.md).

Every clause is read as a string of the parts that its words play (``mentions.py``), so that what follows speaks of
verbs of choice, of links and of denials, and not of wordings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coopt.domains.base import AnswerKind
from coopt.methods.tutors.mentions import Clause, clauses, folded, without_article
from coopt.methods.tutors.sanitise import contains, marked_letters, shortened

_LINK = "[mMB:t1]*[B:][mMBt]*"
_NEAR = "[^OgQXW,]"
# How an option is asserted. Each pattern's group is the option; what stands before it may still deny it.
_ASSERTED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"N{_NEAR}{{0,8}}?[B:]{_NEAR}{{0,5}}(?P<o>O)",  # the answer (you want) is (labelled) B
        rf"R[Nw]?[B:]{_NEAR}{{0,3}}(?P<o>O)",  # correct: B
        r"RN{0,2}(?P<o>O)",  # the right answer B
        r"^N[pt]?(?P<o>O)$",
        rf"(?P<o>O){_LINK}R+(?:[NV]|$|[SI:])",  # B is right
        rf"(?P<o>O){_LINK}A(?:w?(?:$|[SI:])|N|w?p[ei])",  # B is the strongest
        rf"AN?w?B{_NEAR}{{0,3}}(?P<o>O)",  # the strongest acid is B
        r"(?P<o>O)[mMB:]*R(?:N|$)",
        rf"(?P<o>O){_LINK}[SI1]*R*N(?![pw])",  # B is the answer
        rf"(?P<o>O){_LINK}w?H[^v]*$",  # B is what they want
        rf"(?P<o>O){_LINK}w?H.*M",
        rf"(?P<o>O){_LINK}1",  # B is the only one
        r"1(?P<o>O)[FmMBw][^XWQ]*$",  # only B fits
        rf"1{_NEAR}{{1,8}}?B(?P<o>O)",  # the only one that fits is B
        rf"(?P<o>O){_LINK}[wN]{{1,3}}[SI][mB]*Mp?$",  # B is the thing you want
        r"(?:^|[iw])Ft?(?P<o>O)$",  # that fits B
        r"I[mMB]*Np(?P<o>O)$",  # I would bet on B
        r"(?P<o>O)F(?:$|[R1e:]|pe)",
        r"Mm?(?P<o>O)(?=$|[:kXx])",  # you want B
        r"V[NSI]*[pt]?(?P<o>O)(?![t&])",  # pick B
        r"v[NSI]*p?(?P<o>O)(?=$|[:kXx])",  # write B
        rf"G{_NEAR}{{0,4}}(?P<o>O)(?=$|[:kXxNRHF])",  # go with B, points to B
        r"i[mMt1]*B[mMB:t]*p?(?P<o>O)(?![wtp])",  # it has to be B
        r"(?P<o>O)iB$",  # B it is
        r"(?P<o>O)k[SI]*R*N",  # B as your answer
        r"(?P<o>O)[wm][SI]N",  # B gets my vote
    )
)
_BUT_ONE = re.compile(r"[en].{0,3}[EL](?P<o>O)")  # none but B, nothing fits better than B
_CONFIRMED = re.compile(rf"SNp?O{_LINK}R+N?$")  # your choice of B is right
_DENIED = re.compile("[XWQLn]")
_TOLD = re.compile("[^VGvC]*S[^M]*")
_ASKED_FOR = re.compile(r"\b(\w{3,}est)\b|\b(?:is|are|be) (?!the\b|of\b|in\b|not\b|a\b|an\b)(\w{4,})")
_THAT_IS_RIGHT = re.compile(r"(?:[iB]+|S[mB]+)?(?:R+N?|(?<=B)[SI]?N)")


def leaks(
    text: str, kind: AnswerKind, correct_text: str, question: str, last: str = "D", options: Sequence[str] = ()
) -> bool:
    """Does ``text`` give the answer away: by naming an option (A to ``last``) as the answer, or by the correct option's
    words that the question (without its options) does not hold? ``options``: the texts of all, by whose words a message
    may name a wrong one."""
    text, correct, question = shortened(folded(text)), folded(correct_text), folded(question)
    if kind == "letter":
        correct = without_article(correct_text)
        if any(p.search(text) for p in marked_letters(last)) or _names_an_option(text, last, question, options):
            return True
    return contains(text, correct) and not contains(question, correct)


def _names_an_option(text: str, last: str, question: str, options: Sequence[str]) -> bool:
    named = [option if not contains(question, option) else "" for option in options]
    asked_for = {a or b for a, b in _ASKED_FOR.findall(question.casefold())}
    ruled_out: set[str] = set()
    told, first = False, True
    for clause in clauses(text, last, named, asked_for):
        if _asserts(clause, first) or (told and _THAT_IS_RIGHT.fullmatch(clause.parts)):
            return True
        if clause.letters:
            told = clause.parts.count("O") == 1 and not _DENIED.search(clause.parts)
        ruled_out |= _ruled_out(clause)
        first = not clause.rest
    return len(ruled_out) == ord(last) - ord("A")


def _asserts(clause: Clause, first: bool) -> bool:
    """Does a clause name an option as the answer? ``first``: it begins a sentence."""
    parts = clause.parts
    if parts in ("O", "OB", "OR", "RO") and (not clause.rest or (first and re.match("c|.[cXxpik&]", clause.rest))):
        return True
    if "O" not in parts:
        return False
    if _BUT_ONE.search(parts) or _CONFIRMED.match(parts):
        return True
    for pattern in _ASSERTED:
        for found in pattern.finditer(parts):
            before, after = parts[: found.start("o")], parts[found.start("o") :]
            if not (_DENIED.search(before) or _TOLD.fullmatch(before) or "Q" in after[:6]):
                return True
    return False


def _ruled_out(clause: Clause) -> set[str]:
    """The options of a clause that denies something."""
    if re.search("[QS]", clause.parts) or not re.search("[XxWn]", clause.parts):
        return set()
    return set(clause.letters.values())
