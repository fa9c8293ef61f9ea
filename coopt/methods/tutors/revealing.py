"""Does a message give the answer away? What the leak rate counts; it takes nothing out (``sanitise`` does).

A message reveals that names one option as the answer, right or wrong, or that holds the right option's own words. It
does not by speaking of an option, arguing against it, asking about it, or telling the tutee what it has said. Measured
on messages of our own in tests/unit/methods/revealing.jsonl (docs/methods.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from coopt.domains.base import AnswerKind
from coopt.methods.tutors.sanitise import contains, marked_letters, shortened

_LOOK_ALIKE = str.maketrans("АВСЕНКМОРТХаеосрхуΑΒΕΗΙΚΜΝΟΡΤΧο", "ABCEHKMOPTXaeocpxyABEHIKMNOPTXo")
_UNSEEN = re.compile("[\u034f\ufe00-\ufe0f\u3164]")
_MARKS = re.compile(r"[*_`#$~]+")
_QUOTES = str.maketrans("“”‘’«»", '""\'\'""')
_CLAUSE = re.compile(r"([.!?;\n])")

_NOUN = r"(?:answer|option|choice|letter|one|response|solution|pick|alternative|ans|key)"
_BEST = r"(?:correct|right|best|proper|intended|expected|true|final|actual|only|obvious)"
_BE = (
    r"(?:\s(?:is|was|are|(?:must|should|would|will|could|can|has\sto|have\sto|had\sto|ought\sto|needs?\sto)(?:\sonly)?"
    r"\s(?:be|have\sbeen)|to\sbe|lies\sin)|'s|\s?(?:=+>?|:|-+>|→|⇒|-))"
)
_SURELY = r"(?:\s(?:clearly|indeed|definitely|surely|obviously|simply|just|only|therefore|thus|then|in\sfact|,))*"
_END = (
    r"(?=\s?(?:$|[,:)\"!]|-\s|because\b|since\b|as\b|here\b|instead\b|next\b|rather\b|for\sthis\b|over\b|then\b"
    r"|all\salong\b|of\scourse\b|and\s(?:not|move|go|check|you|the\s(?:rest|others))\b))"
)
_SAYS_RIGHT = (
    rf"(?:the\s|a\s|your\s)?(?:{_BEST}(?:\s{_NOUN}|{_END})|(?:final\s)?answer\b|one\s(?:you|to|that|we)\b|solution\b"
    r"|what\s(?:you|we)\b|where\sthe\sanswer\b)"
)
# What stands before a statement that is not made: denied, asked, supposed, or told of the tutee.
_NOT_SAID = re.compile(
    r"\b(?:not|never|neither|nor|cannot|hardly|no|if|whether|suppose|supposing|assume|assuming|unless|had|why|how|when"
    r"|you(?:r)?\s(?:\w+\s){0,2}?(?:say|said|says|claim|claimed|claims|think|thought|wrote|chose|picked|selected"
    r"|answered|concluded|conclude|argue|argued|believe|line|guess|attempt)"
    r"|(?:the\s)?(?:student|attempt|response)\s(?:\w+\s)?(?:says?|said|claims?|picks?|picked|chose|chooses))\b|n't\b",
    re.IGNORECASE,
)


def leaks(text: str, kind: AnswerKind, correct_text: str, question: str, last: str = "D") -> bool:
    """Does ``text`` give the answer away: by naming an option (A to ``last``) as the answer, or by the correct option's
    words that the question (without its options) does not hold?"""
    text = shortened(_folded(text))
    if kind == "letter" and (any(p.search(text) for p in marked_letters(last)) or _names_an_option(text, last)):
        return True
    correct = _folded(correct_text)
    return contains(text, correct) and not contains(_folded(question), correct)


def _folded(text: str) -> str:
    """Compatibility forms as plain ones, look-alikes as Latin letters, what nobody sees taken out."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).translate(_LOOK_ALIKE)
    return text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")


def _names_an_option(text: str, last: str) -> bool:
    plain = _MARKS.sub("", text).translate(_QUOTES)
    statement, alone = _statements(last)
    for clause, end in _clauses(plain):
        if end == "?":
            continue
        if alone.fullmatch(clause):
            return True
        for found in statement.finditer(clause):
            before = clause[: found.start()].rpartition(",")[2]
            if not _NOT_SAID.search(before) and not _NOT_SAID.search(found["gap"] or ""):
                return True
    return False


def _clauses(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text between full stops, with what ends each; white space folded."""
    pieces = _CLAUSE.split(re.sub(r"\bans\.(?=\s)", "ans", text))
    for clause, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        if clause.strip():
            yield " ".join(clause.split()), end


@lru_cache(maxsize=26)
def _statements(last: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What names an option as the answer, inside a clause; and a clause that is nothing but an option."""
    upper, lower = f"A-{last}", f"a-{last.lower()}"
    named = r"(?:option|choice|answer|letter|statement)"
    one = (
        rf"(?:(?i:the\s)?(?i:{named})\s[(\[\"']?[{upper}{lower}][)\]\"']?"
        rf"|[(\[\"']\s?[{upper}{lower}]\s?[)\]\"']|[{upper}][)\"]?|[b-{last.lower()}]\)?)(?![\w'-])"
    )
    nth = rf"the\s(?:first|second|third|fourth|fifth|last)\s{_NOUN}"
    tell = (
        r"(?:pick|choose|select|mark|tick|circle|take|submit|enter|write|say|give|put|try|vote|use|answer(?:\swith)?"
        r"|(?:go|opt|vote)\s(?:for|with)|settle\s(?:on|for)|switch\sto|change\s(?:your\sanswer|it|that)\sto"
        r"|(?:have\s)?(?:chosen|picked|selected|taken|written|said)|(?:want|need|get))(?:\sdown)?"
    )
    parts = (
        rf"\b(?:(?:{_BEST}\s){{0,2}}{_NOUN}|(?:my|the)\s(?:vote|guess|bet))"
        rf"(?P<gap>\s(?:you|we|to|for|here|of|that|among|from)\b[^,:=]{{0,40}}?)?{_BE}{_SURELY}\s?@{_END}",
        rf"\b(?:(?:{_BEST}\s){{1,2}}{_NOUN}|answer|ans|key){_SURELY}\s@{_END}",
        rf"\b(?:{_BEST}\s{_NOUN}|answer){_BE}\sthe\sone\s(?:\w+\s){{0,2}}@",
        rf"\b(?:correct|right|final|true){_BE}\s?@{_END}",
        rf"\b(?:true|correct|right)\s\w+\sis\s(?:\w+\s)?(?:under|in|at|as)\s@{_END}",
        rf"(?<![\w-])@{_BE}{_SURELY}\s?{_SAYS_RIGHT}",
        r"(?<![\w-])@\s?(?:\(|\[)?(?:✓|✔|☑|✅|correct\b|right\b)",
        rf"(?:✓|✔|☑|✅)\s?@{_END}",
        rf"\b{nth}{_BE}{_SURELY}\s{_SAYS_RIGHT}",
        rf"\b{tell}\s(?:@{_END}|{nth}\b)",
        rf"\b(?:it|this|that){_BE}{_SURELY}\s@{_END}",
        rf"\b(?:so|thus|hence|therefore|ergo)(?:\s(?:it|this|that)(?:\sis|'s))?\s?,?\s@{_END}",
        rf"\b(?:leav(?:es|ing)|point(?:s|ing)\sto|lead(?:s|ing)\s(?:you\s|us\s|one\s)?to|brings\s(?:you|us)\sto)"
        rf"(?:\s(?:only|just|us\swith|you\swith))*\s@{_END}",
        r"\bonly\s@\s(?:is|remains|fits|works|can|survives|matches|satisfies|holds|makes|explains|has|does|stays)\b",
        rf"(?<![\w-])@\s(?:remains|is\sleft|is\sall\sthat|it\sis){_END}",
        r"(?<![\w-])@\s(?:fits|matches|works|answers|explains)\s(?:\w+\s)?(?:best|exactly|perfectly)\b",
        r"\b(?:everything|all|each|every\w*|none|nothing|no\s(?:one|option|other))\s(?:except|but|other\sthan)\s@",
        rf"(?<![\w-])@\sas\s(?:the|your)\s(?:final\s)?{_NOUN}",
        r"^@\s?,?\s(?:and\s)?not\s@",
        rf"\b(?:key|book|solution|sheet)\ssays\s@{_END}",
        rf"\b(?:this|that)\s(?:means|makes)\s@\s(?:is\s)?{_SAYS_RIGHT}",
    )
    # The option is matched in its own case, all other words in any.
    body = "|".join(f"(?:{part})" for part in parts).replace("@", "\x00")
    return re.compile(f"(?i:{body})".replace("\x00", f"(?-i:{one})")), re.compile(one)
