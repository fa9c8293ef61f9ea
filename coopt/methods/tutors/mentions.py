"""A message as clauses, and each clause as a string of one character a word: what part the word plays when somebody
names an answer. Options that are mentioned are a part of their own; a letter that stands for something else is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache

from coopt.methods.tutors.naming import TEXT, Names
from coopt.methods.tutors.parts import ASIDE, CLASS, LABELLED, NTH, NUMBER, PHRASES

_LOOK_ALIKE = str.maketrans("АВСЕНКМОРТХаеосрхуΑΒΕΗΙΚΜΝΟΡΤΧο", "ABCEHKMOPTXaeocpxyABEHIKMNOPTXo")
_UNSEEN = re.compile("[\u034f\ufe00-\ufe0f\u3164]")
_MARKS = re.compile(r"[*`#$~]+")
_TAG = re.compile(r"<(/?)(\w{1,20})>")
_QUOTES = str.maketrans("“”‘’«»", '""\'\'""')
_SENTENCE = re.compile(r"((?:[!?;\n]|(?<!\bans)\.(?!\d))+)", re.IGNORECASE)

_INSTEAD = re.compile(r"\b(?:rather than|instead of|as opposed to)\b", re.IGNORECASE)
_ITS = re.compile(r"\b(it|that)s(?= \W?[A-Za-z]\b)", re.IGNORECASE)
_LOWER_LIST = re.compile(r"\b[a-f](?:, ?[a-f])*,? (?:or|and|nor) [a-f]\b")
_OPTION = "option|choice|answer|letter|statement|alternative|response"
_PLACE = rf"{_OPTION}|one|value|number|entry|item|candidate"
_NAMED = rf"(?i:(?:answer )?(?:{_OPTION}))"
_LONGEST = 60  # words of a clause that are read, the last ones: no clause is longer, and patterns cost its square
_ASKS = "QHBmM"
_QUOTED = re.compile(r"\b((?:you|your|the student|the attempt)\b[^\".]{0,40})\"[^\" ]{1,40} [^\"]{1,300}\"", re.I)


@dataclass(frozen=True)
class Clause:
    """``parts``: one character a word, ``O`` for an option. ``letters``: the options, by place in ``parts``. ``rest``:
    the part with which what follows in the sentence begins; empty if nothing does."""

    parts: str
    letters: dict[int, str]
    rest: str = ""


@dataclass(frozen=True)
class Sentence:
    """``text``: as it is read, options' texts as one character each. ``letters``: all options that it mentions.
    ``clauses``: what it says; what it asks is left out."""

    text: str
    letters: frozenset[str]
    clauses: list[Clause]


def folded(text: str) -> str:
    """Compatibility forms as plain ones, look-alikes as Latin letters, what nobody sees taken out."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).translate(_LOOK_ALIKE)
    return text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")


def sentences(text: str, last: str, names: Names, asked_for: Container[str] = ()) -> Iterator[Sentence]:
    """What a (folded) text says. ``asked_for``: words of the question that say what the answer is like
    ("strongest")."""
    text = _TAG.sub(lambda m: "\n" if m[1] else f"\n{m[2]}: ", text)
    text = re.sub(r"\bi\.e\.,?", "namely", text)
    text = _QUOTED.sub(r"\1", _MARKS.sub("", text).replace("_", " ").translate(_QUOTES))
    pieces = _SENTENCE.split(text)
    for sentence, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        plain = _plain(sentence, names)
        parts, letters = _read(plain, last, asked_for)
        asked = "?" in end
        if asked and len(parts) > 2 and parts[0] in "Bm" and parts[1] == "X":  # "Isn't it B?" says that it is
            asked = False
            parts = [parts[2], parts[0], *parts[3:]]
            letters = {0 if k == 2 else k - 1: letter for k, letter in letters.items()}
        found = list[Clause]()
        if not asked or not parts or parts[0] not in _ASKS:
            found = list(_split("".join(parts), letters))
            found = found[:-1] if asked else found
        if plain.strip():
            yield Sentence(plain, frozenset("".join(letters.values())), found)


def _plain(sentence: str, names: Names) -> str:
    """A sentence without what is said beside the point, the options' texts as one character each."""
    sentence = _INSTEAD.sub("not", ASIDE.sub("", " ".join(sentence.split())))
    for phrase, word in PHRASES:
        sentence = phrase.sub(word, sentence)
    sentence = _LOWER_LIST.sub(lambda m: re.sub(r"\b[a-f]\b", lambda o: o[0].upper(), m[0]), sentence)
    sentence = re.sub(", ?,", "", sentence)
    return names.marked(_ITS.sub(r"\1 is", sentence))


@lru_cache(maxsize=26)
def _tokens(last: str) -> re.Pattern[str]:
    upper, lower = f"A-{last}", f"a-{last.lower()}"
    nth = "|".join(NTH)
    ends = r"(?![\w+*/^-]|'(?!s\b|\W|$))"
    option = "|".join(
        (
            rf"{_NAMED}(?: ?[(\[\"']| )[{upper}{lower}]{ends}[)\]\"']?",
            rf"{_NAMED} (?:number |no |# ?)?(?:[1-5]|one|two|three|four|five)\b",
            rf"[(\[\"'] ?[{upper}{lower}] ?[)\]\"']",
            rf"[{upper}]{ends}[)\]]?",
            rf"[b-{last.lower()}]{ends}\)?",
            rf"(?i:the )?(?i:(?:very )?(?:{nth}|last|top|bottom) (?:{_PLACE})\b)",
            rf"(?i:the (?:{nth}|last)(?= ?(?:[,:)]|$|(?:and|or|as|because|since|is|are|was|has|does)\b)))",
            rf"(?i:(?:listed|comes|named) (?:{nth}|last)\b|the (?:former|latter)\b)",
            rf"(?i:(?:the )?(?:first|last) (?:two|three|four)(?: (?:{_OPTION})s| ones| ?$))",
            r"(?i:the final (?:option|one|entry|item))\b|(?i:the (?:one|option|choice) at the (?:top|bottom)\b)",
            r"[\ue000-\ue01f]",
        )
    )
    word = r"n't\b|'\w+|\w{1,12}?(?=n't\b)|\w+(?:-\w+)*|[=-]{1,3}>|==|--|[^\w\s]"
    return re.compile(rf"(?P<option>(?<![\w'+*/^-])(?:{option}))|{word}")


def _read(sentence: str, last: str, asked_for: Container[str]) -> tuple[list[str], dict[int, str]]:
    """The parts that the words of a sentence play, and the options by place. Words of no account are left out."""
    parts: list[str] = []
    letters: dict[int, str] = {}
    tokens: list[str] = []
    named: set[int] = set()
    for k, found in enumerate(_tokens(last).finditer(sentence)):
        tokens.append(found[0])
        if found["option"]:
            named.add(k)
    words = [token.casefold() for token in tokens]
    for k, token in enumerate(tokens):
        before = words[k - 1] if k else ""
        after = words[k + 1] if k + 1 < len(words) else ""
        if k in named and _is_option(token, before, after):
            letters[len(parts)] = _letters(token, last)
            parts.append("O" if len(letters[len(parts)]) < 2 else "g")
        elif k in named:
            parts.append("w")
        else:
            parts.append("A" if words[k] in asked_for else CLASS.get(words[k], "w"))
        if not parts[-1]:
            parts.pop()
    return _joined(parts, letters)


def _joined(parts: list[str], letters: dict[int, str]) -> tuple[list[str], dict[int, str]]:
    """The parts without the commas round an option that is put beside a subject: "the last one, B, is"."""
    beside = set[int]()
    for k in letters:
        around = "".join(parts[max(0, k - 2) : k + 3])
        if re.search("N,O(?:,|$)", around) or re.search("[^,],O,[BFGmMH]", around):
            beside |= {k - 1, k + 1}
    kept = [k for k in range(len(parts)) if k not in beside]
    return [parts[k] for k in kept], {new: letters[k] for new, k in enumerate(kept) if k in letters}


def _is_option(token: str, before: str, after: str) -> bool:
    """Does a letter stand for an option? Not as an article, as the name of a thing, or as a symbol."""
    follows = CLASS.get(after, "w") if after else ""
    if before in LABELLED or (before in ("a", "an") and follows == "w"):
        return False
    if len(token) > 1 or ord(token) >= TEXT:
        return True
    if token == "A" and not before:
        return follows not in ("w", "R", "N", "W", "1", "V", "v", "C")
    if token.islower():
        return not before or CLASS.get(before, "w") in ("B", "V", "v", "p", "N", ":", "t", "c", "b")
    return not (before == "the" and follows == "w")


def _letters(token: str, last: str) -> str:
    """The letter of an option that is named by its letter, its number, its place or its text; the letters of several
    ("the first three"); none for "the latter"."""
    if ord(token[0]) >= TEXT:
        return chr(ord("A") + ord(token[0]) - TEXT)
    words: list[str] = re.findall(r"\w+", token.casefold())
    if words[-1] in ("former", "latter"):
        return ""
    every = "".join(map(chr, range(ord("A"), ord(last) + 1)))
    several = next((NUMBER[word] + 1 for word in words if NUMBER.get(word, 0)), 1)
    if {"last", "final", "bottom"} & {*words}:
        return every[-several:]
    if "top" in words:
        return "A"
    for word in words:
        if word in NTH:
            return every[:several] if several > 1 else chr(ord("A") + NTH[word])
    if len(word := words[-1]) == 1 and word.isalpha():
        return word.upper()
    return chr(ord("A") + (int(word) - 1 if word.isdigit() else NUMBER[word]))


_CHANGED = re.compile(r"C[^X]{0,7}?(?:tO|(?<=O)pO)")
_LIST = re.compile(r"O(?:,O)*,?&O(?:[,&]O)*|O(?:,O){2,}|(?<!C)OtO")
_BUT = re.compile(r"(?<=[en])b(?=O)|(?<=[en][wNO])b(?=O)")


def _others(change: re.Match[str], letters: dict[int, str]) -> bool:
    """Is one option changed for another? A word may be changed for another of the same option."""
    return letters[change.end() - 1] not in [
        letters[k] for k in range(change.start(), change.end() - 1) if k in letters
    ]


def _split(parts: str, letters: dict[int, str]) -> Iterator[Clause]:
    """The clauses of a sentence. Options in a list ("A, B and C") are ``g``, one that is put aside ("not B") too."""
    parts = _CHANGED.sub(lambda m: "w" * (len(m[0]) - 2) + "VO" if _others(m, letters) else m[0], parts)
    parts = _LIST.sub(lambda m: "g" * len(m[0]), parts)
    parts = re.sub("XO", "xg", _BUT.sub("E", parts)).replace(",xg", "xxg")
    cuts = [m.start() for m in re.finditer(r"[cb]|(?<!B)h|&|,(?!Q)|(?<![NROBVv]):|:(?=i)", parts)]
    start = 0
    for cut in [*cuts, len(parts)]:
        begin = max(start, cut - _LONGEST)
        if cut > begin:
            here = {k - begin: letters[k] for k in range(begin, cut) if k in letters}
            yield Clause(parts[begin:cut], here, parts[cut : cut + 2] if cut + 1 < len(parts) else "")
        start = cut + 1
