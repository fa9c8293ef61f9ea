"""Options by their words: in full, inflected ("mitochondria"), or by a word that no other option has ("perchloric").

A rule for endings takes the place of a stemmer: it has to tell "momenta" from "moments" and may leave the rest alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from coopt.methods.tutors.sanitise import contains

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_EMPTY = frozenset(
    """the and its his her their our your for from with that than this these those which into onto over under out not
    are was were is be been being has have had does did will can may all none any both each every some other above
    below yes no only more most less least very same too also but nor only one two three answer option choice
    correct right wrong true false of in on at to by or an it as stays""".split()
)
# Words that a question and what answers it use for the same.
_SAME_WORDS = (
    "make making made produce generate create synthesise synthesize supply",
    "most bulk majority mainly mostly",
    "zero vanish vanishes nil 0",
    "conserved constant unchanged preserved unaltered",
    "every all any each always",
    "top peak apex highest summit",
)
TEXT = 0xE000  # where the characters begin that stand for options in a text
_HELD = 5  # options of more words than that are known by all of them in order only
_APART = 24  # characters at most between two words of one option


def without_article(text: str) -> str:
    """An option's text as it stands inside another sentence."""
    return re.sub(r"^(?:the|an?) (?=\w{3})", "", " ".join(text.split()), flags=re.IGNORECASE)


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """One form for a noun and its plural, foreign ones too ("mitochondrion", "mitochondria")."""
    word = word.casefold()
    if len(word) > 4:
        for ending, one in (("ies", "y"), ("on", "~"), ("um", "~"), ("a", "~"), ("us", "^"), ("i", "^")):
            if word.endswith(ending):
                return word[: -len(ending)] + one
        if word.endswith(("sses", "xes", "zes", "ches", "shes")):
            return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is")) else word


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """One form for a word and what it becomes as a verb or an adjective ("acceleration", "accelerating")."""
    word = singular(word)
    for ending in ("i~", "ing", "ed", "e"):  # "i~": what "ion" has become
        if word.endswith(ending) and len(word) - len(ending) > 3:
            return word[: -len(ending)]
    return word


def stems(text: str) -> set[str]:
    """What a text speaks of: the stems of its words, those that mean the same as one."""
    found = map(stem, _WORD.findall(text))
    return {_SAME.get(word, word) for word in found}


_SAME = {stem(word): stem(words.split()[0]) for words in _SAME_WORDS for word in words.split()}


def _content(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if len(word) > 2 and word.casefold() not in _EMPTY]


@dataclass(frozen=True)
class Names:
    """What names the options: their texts (case folded), and the stems of the words that only one of them has."""

    texts: dict[str, str]
    heads: dict[str, str]

    @classmethod
    def of(cls, options: Sequence[str], question: str) -> Names:
        """``options``, folded, in order. What the (folded) question holds names none of them."""
        marks = {k: chr(TEXT + k) for k in range(len(options))}
        texts = {
            without_article(text).casefold(): marks[k]
            for k, text in enumerate(options)
            if len(text) > 2 and not contains(question, text)
        }
        asked, owners = stems(question), dict[str, set[int]]()
        for k, text in enumerate(options):
            for word in _content(text):
                owners.setdefault(stem(word), set()).add(k)
        heads = {
            word: marks[k]
            for word, ks in owners.items()
            if len(ks) == 1 and word not in asked and len(word) > 2
            for k in ks
            if len(_content(options[k])) <= _HELD
        }
        return cls(texts, heads)

    def marked(self, sentence: str) -> str:
        """A sentence with one character in place of each mention, a mention's words in any order."""
        if self.texts:
            either = "|".join(re.escape(text) for text in sorted(self.texts, key=len, reverse=True))
            sentence = re.sub(rf"(?<!\w)(?i:{either})(?!\w)", lambda m: self.texts.get(m[0].casefold(), m[0]), sentence)
        if not self.heads:
            return sentence
        pieces, at, last = list[str](), 0, ""
        for found in _WORD.finditer(sentence):
            mark = self.heads.get(stem(found[0]))
            if mark is None:
                continue
            between = sentence[at : found.start()]
            if mark == last and re.fullmatch(rf"[\w ]{{0,{_APART}}}", between):
                at = found.end()
                continue
            pieces += [between, mark]
            at, last = found.end(), mark
        return "".join([*pieces, sentence[at:]])


def holds(text: str, option: str, question: str) -> bool:
    """Does ``text`` hold the words of ``option``, in any order and number, that the question does not hold?"""
    if contains(question, option):
        return False
    if contains(text, option):
        return True
    wanted = {singular(word) for word in _content(option)}
    wanted = {word for word in wanted if "." in word or len(word.rstrip("0")) > (2 if word[0].isdigit() else 3)}
    if not wanted or len(wanted) > _HELD or wanted <= {singular(word) for word in _WORD.findall(question)}:
        return False
    return any(wanted <= near for near in _windows(text, wanted))


def _windows(text: str, wanted: set[str]) -> Iterator[set[str]]:
    """The words of ``wanted`` that stand close together, from each of them on."""
    run, at = set[str](), -_APART
    for found in _WORD.finditer(text):
        if (word := singular(found[0])) in wanted:
            if found.start() - at > _APART or re.search(r"[.;:!?\n]", text[at : found.start()]):
                run = set()
            run.add(word)
            at = found.end()
            yield run
