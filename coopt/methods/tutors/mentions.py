"""A message as clauses, and each clause as a string of one character a word: what part the word plays when somebody
names an answer. Options that are mentioned are a part of their own; a letter that stands for something else is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_LOOK_ALIKE = str.maketrans("АВСЕНКМОРТХаеосрхуΑΒΕΗΙΚΜΝΟΡΤΧο", "ABCEHKMOPTXaeocpxyABEHIKMNOPTXo")
_UNSEEN = re.compile("[\u034f\ufe00-\ufe0f\u3164]")
_MARKS = re.compile(r"[*`#$~]+")
_TAG = re.compile(r"<(/?)(\w{1,20})>")
_QUOTES = str.maketrans("“”‘’«»", '""\'\'""')
_SENTENCE = re.compile(r"((?:[!?;\n]|(?<!\bans)\.(?!\d))+)", re.IGNORECASE)

# The parts that words play. A word that is not here plays none ("w").
_PARTS = {
    "N": """answer answers option choice letter one response solution pick alternative ans key vote guess bet money
        winner label ticket verdict conclusion result""",
    "R": """correct right best proper intended expected true final actual obvious keyed winning accurate valid
        correctly rightly ✓ ✔ ☑ ✅""",
    "B": """is was are be been being were 's 're 'm reads read equals seems looks sounds appears feels lies named
        called labelled labeled marked happens turns stays becomes""",
    "m": "would can could may might has have had having to do does did 'd 've shall get gets got",
    "M": "will 'll should must need needs want wanted wants ought supposed looking after seeking better know find",
    "V": """pick choose chose chosen select selected opt tick circle submit bubble lock picked ticked circled
        recommend suggest prefer endorse""",
    "v": """mark take took taken taking enter write wrote written say said says saying give put try use respond pencil
        trust shade fill keep""",
    "C": "change switch swap move revise",
    "G": """go goes going gone went settle settled point points pointing lead leads leading leave leaves leaving left
        bring brings land lands arrive arrives come comes converge bets lean stick boils narrow narrows narrowed
        end ends vote voting give gives yields yield indicates means makes make making confirms favours favors
        supports proves shows identifies singles tells tell remains head conclude concludes stand""",
    "F": """fits fit works work matches match survives remains wins stands holds satisfies answers explains stays
        prevails corresponds agrees""",
    "X": "not never neither nor cannot hardly n't without scarcely",
    "n": "no none nobody nothing",
    "W": """wrong incorrect false worst mistake mistakes error errors trap traps tempting tempted temptation tempts
        distractor fail fails failed ruled eliminate eliminated exclude excluded discard cross reject rejected
        impossible contradicts violates rule rules drop drops dropped avoid doubt""",
    "S": """you your yours student student's attempt they he she their his her others most many people students
        someone anyone somebody attempt's""",
    "I": "i we my our me us mine",
    "Q": """if suppose supposing assume assuming whether unless why how when imagine before until claim claims idea
        belief assumption choosing picking selecting argument thinking hypothetically argue""",
    "L": "compare between among versus both either than unlike over beyond like against from",
    "E": "except but besides excluding save",
    "e": "everything all each every everyone anything any other",
    "H": "what where whatever",
    "i": "it this that these which",
    "1": "only sole solely exclusively",
    "k": "as",
    "t": "to",
    "p": "of in for with at on by under about towards toward into through upon",
    "&": "and or / &",
    ",": ",",
    ":": ": = => -> → ⇒ - – — == -->",
    "c": """but while whereas yet although though because since so thus hence therefore ergo then where given however
        once""",
    "": """the a an clearly indeed definitely surely obviously simply just really very here there please honestly well
        certainly absolutely undoubtedly plainly also ( ) [ ] " ' ... instead rather now again down still quite
        perfectly exactly nicely precisely simply straight ahead safely probably likely hint actually""",
}
# Said beside the point: with them out of the way, what is said is nearer to its verb.
_ASIDE = re.compile(
    r"\b(?:i\.e\.,?|of (?:all|them all|the (?:three|four|five|lot))|(?:this|that|which)(?: is|'s) why"
    r"|(?:in|on|from) the (?:list|sheet|page|options|choices)|for (?:sure|certain|this (?:one|question|item|problem))"
    r"|without (?:a |any )?(?:shadow of a )?doubt|no doubt|no question|beyond (?:any |a )?doubt|hands down|all the way"
    r"|of course|in fact|in (?:my|our) (?:view|opinion|book)|if (?:you ask me|i (?:were|was) you|i had to \w+|in doubt)"
    r"|if needed|after all(?: that)?|by far|all along|(?:this|next) time|at the end of the day|to me|in the end)\b"
    r"|\b100 ?%",
    re.IGNORECASE,
)
# What is lettered and no option: "point B", "vitamin A".
_LABELLED = frozenset(
    """point points plan vitamin hepatitis group grade class ball balls block mass body figure fig case step part
    complex type step stage phase line section table panel graph curve car particle object system region
    area side angle vertex node team person student sample tube beaker flask compound substance element
    molecule species gene allele strain virus influenza antigen protein enzyme factor formula equation theorem lemma
    variable constant coefficient matrix vector event field plane circuit resistor capacitor lamp wire charge
    planet star tank container gas liquid metal reaction reactant product process path route trial experiment
    category level appendix chapter exhibit subunit chain ring band layer cell site position location station train
    ship town city country company drug treatment schedule series apolipoprotein immunoglobulin blood""".split()
)
_NTH = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4}
_NUMBER = {"one": 0, "two": 1, "three": 2, "four": 3, "five": 4}
_CLASS = {word: part for part, words in _PARTS.items() for word in words.split()}


_INSTEAD = re.compile(r"\b(?:rather than|instead of|as opposed to)\b", re.IGNORECASE)
_ITS = re.compile(r"\b(it|that)s(?= \W?[A-Za-z]\b)", re.IGNORECASE)
_LOWER_LIST = re.compile(r"\b[a-f](?:, ?[a-f])*,? (?:or|and|nor) [a-f]\b")
_OPTION = "option|choice|answer|letter|statement|alternative|response"
_NAMED = rf"(?i:(?:answer )?(?:{_OPTION}))"
_LONGEST = 60  # words of a clause that are read, the last ones: no clause is longer, and patterns cost its square
_ASKS = "QHBmM"
_TEXT = 0xE000  # where the characters begin that stand for options' texts


@dataclass(frozen=True)
class Clause:
    """``parts``: one character a word, ``O`` for an option. ``letters``: the options, by place in ``parts``. ``rest``:
    the part with which what follows in the sentence begins; empty if nothing does."""

    parts: str
    letters: dict[int, str]
    rest: str = ""


def folded(text: str) -> str:
    """Compatibility forms as plain ones, look-alikes as Latin letters, what nobody sees taken out."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).translate(_LOOK_ALIKE)
    return text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")


def clauses(text: str, last: str, options: Sequence[str] = (), asked_for: Container[str] = ()) -> Iterator[Clause]:
    """What a (folded) text says, clause by clause; what it asks is left out. ``options``: their texts, which mention
    them too. ``asked_for``: words of the question that say what the answer is like ("strongest")."""
    text = _TAG.sub(lambda m: "\n" if m[1] else f"\n{m[2]}: ", text)
    pieces = _SENTENCE.split(_MARKS.sub("", text).replace("_", " ").translate(_QUOTES))
    for sentence, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        parts, letters = _read(_plain(sentence, options), last, asked_for)
        asked = "?" in end
        if asked and len(parts) > 2 and parts[0] in "Bm" and parts[1] == "X":  # "Isn't it B?" says that it is
            asked = False
            parts = [parts[2], parts[0], *parts[3:]]
            letters = {0 if k == 2 else k - 1: letter for k, letter in letters.items()}
        if not asked or not parts or parts[0] not in _ASKS:
            found = list(_split("".join(parts), letters))
            yield from found[:-1] if asked else found


def _plain(sentence: str, options: Sequence[str]) -> str:
    """A sentence without what is said beside the point, the options' texts as one character each."""
    sentence = _INSTEAD.sub("not", _ASIDE.sub("", " ".join(sentence.split())))
    sentence = _LOWER_LIST.sub(lambda m: re.sub(r"\b[a-f]\b", lambda o: o[0].upper(), m[0]), sentence)
    sentence = _ITS.sub(r"\1 is", sentence)
    texts = {without_article(text).casefold(): chr(_TEXT + k) for k, text in enumerate(options) if len(text) > 2}
    if not texts:
        return sentence
    either = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?i:{either})(?!\w)", lambda m: texts.get(m[0].casefold(), m[0]), sentence)


def without_article(text: str) -> str:
    """An option's text, folded, as it stands inside another sentence."""
    return re.sub(r"^(?:the|an?) (?=\w{3})", "", " ".join(folded(text).split()), flags=re.IGNORECASE)


@lru_cache(maxsize=26)
def _tokens(last: str) -> re.Pattern[str]:
    upper, lower = f"A-{last}", f"a-{last.lower()}"
    nth = "|".join(_NTH)
    ends = r"(?![\w+*/^-]|'(?!s\b|\W|$))"
    option = "|".join(
        (
            rf"{_NAMED}(?: ?[(\[\"']| )[{upper}{lower}]{ends}[)\]\"']?",
            rf"{_NAMED} (?:number |no |# ?)?(?:[1-5]|one|two|three|four|five)\b",
            rf"[(\[\"'] ?[{upper}{lower}] ?[)\]\"']",
            rf"[{upper}]{ends}[)\]]?",
            rf"[b-{last.lower()}]{ends}\)?",
            rf"(?i:the )?(?i:(?:very )?(?:{nth}|last|top|bottom) (?:{_OPTION}|one)\b)",
            rf"(?i:the (?:{nth}|last)(?= ?(?:[,:)]|$|and\b|as\b|because\b)))",
            r"(?i:the (?:one|option|choice) at the (?:top|bottom)\b)",
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
            letters[len(parts)] = _letter(token, last)
            parts.append("O")
        elif k in named:
            parts.append("w")
        else:
            parts.append("A" if words[k] in asked_for else _CLASS.get(words[k], "w"))
        if not parts[-1]:
            parts.pop()
    return parts, letters


def _is_option(token: str, before: str, after: str) -> bool:
    """Does a letter stand for an option? Not as an article, as the name of a thing, or as a symbol."""
    follows = _CLASS.get(after, "w") if after else ""
    if before in _LABELLED or (before in ("a", "an") and follows == "w"):
        return False
    if len(token) > 1 or ord(token) >= _TEXT:
        return True
    if token == "A" and not before:
        return follows not in ("w", "R", "N", "W", "1", "V", "v", "C")
    if token.islower():
        return not before or _CLASS.get(before, "w") in ("B", "V", "v", "p", "N", ":", "t", "c")
    return not (before == "the" and follows == "w")


def _letter(token: str, last: str) -> str:
    """The letter of an option that is named by its letter, its number, its place or its text."""
    if ord(token[0]) >= _TEXT:
        return chr(ord("A") + ord(token[0]) - _TEXT)
    words: list[str] = re.findall(r"\w+", token.casefold())
    if "last" in words or "bottom" in words:
        return last
    if "top" in words:
        return "A"
    for word in words:
        if word in _NTH:
            return chr(ord("A") + _NTH[word])
    if len(word := words[-1]) == 1 and word.isalpha():
        return word.upper()
    return chr(ord("A") + (int(word) - 1 if word.isdigit() else _NUMBER[word]))


_LIST = re.compile(r"O(?:,O)*,?&O(?:[,&]O)*|O(?:,O){2,}|(?<!C)OtO")
_BUT = re.compile(r"(?<=[en])c(?=O)|(?<=[en][wNO])c(?=O)")


def _split(parts: str, letters: dict[int, str]) -> Iterator[Clause]:
    """The clauses of a sentence. Options in a list ("A, B and C") are ``g``, one that is put aside ("not B") too."""
    parts = re.sub(r"C[^X]{0,6}?tO", lambda m: "w" * (len(m[0]) - 2) + "VO", parts)
    parts = _LIST.sub(lambda m: "g" * len(m[0]), parts)
    parts = re.sub("XO", "xg", _BUT.sub("E", parts))
    cuts = [m.start() for m in re.finditer(r"c|&|,(?!Q)|(?<![NROBVv]):", parts)]
    start = 0
    for cut in [*cuts, len(parts)]:
        begin = max(start, cut - _LONGEST)
        if cut > begin:
            here = {k - begin: letters[k] for k in range(begin, cut) if k in letters}
            yield Clause(parts[begin:cut], here, parts[cut : cut + 2] if cut + 1 < len(parts) else "")
        start = cut + 1
