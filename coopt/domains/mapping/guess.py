"""A mapping proposed from the rows themselves: a shipped one that fits, or one made of what fields are called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core.errors import DataError
from coopt.core.names import domain_of_text
from coopt.core.outside.files import read_text
from coopt.domains.files import read_rows
from coopt.domains.mapping.fields import look_up, text_of
from coopt.domains.mapping.guess_files import SPLIT_NAMES, by_file, unnamed_columns
from coopt.domains.mapping.items import mapped
from coopt.domains.mapping.lettered import cut_options
from coopt.domains.mapping.schema import RowMapping, check_mapping, load_mapping
from coopt.domains.numbers import only_number
from coopt.domains.rows import Row, Selection

# Those that ask for more come first.
_ORDER = ("sciknoweval", "mmlu_pro", "supergpqa", "gpqa", "medmcqa", "sciq", "gsm8k", "arc", "mmlu", "plain")
_SAMPLE = 500  # rows that are looked at
_FITS = 0.9  # share of them that a mapping must read
_LEAST = 0.5  # share below which a guess is none
_QUESTIONS = "question query problem stem question_text prompt input text".split()
_PASSAGES = "passage context article paragraph body".split()
_LISTS = "choices options answers endings answer_choices".split()
_ANSWERS = (
    "answer answerkey answer_key answer_letter answer_idx answer_index correct_answer correct correct_option key gold"
    " label target solution"
).split()
_RIGHT = "correct_answer correct_choice right_answer best_answer right".split()
_WRONG = re.compile(r"(distractor|incorrect|wrong).*")
_COLUMNS = re.compile(r"(?:(?:option|choice|op|ending|answer)[_ ]?)?([a-j]|[0-9])")
_DOMAINS = "domain subject category discipline subject_name topic field".split()
_SOLUTIONS = "solution explanation rationale cot_content exp worked_solution".split()
_LETTER = re.compile(r"\(?[A-Za-z]\)?\.?")
_UNIT = re.compile(r"\s*\([^()\d]*\)$")  # 9 (apples)
_DECIMAL_COMMA = re.compile(r"[-+]?\d{1,3}(\.\d{3})*,\d+|[-+]?\d+,\d+")

Tree = dict[str, Any]


class Guess(NamedTuple):
    """``name``: the shipped mapping that it is; empty: made for these rows."""

    name: str
    toml: str
    mapping: RowMapping
    rows: list[Row]


def guess_mapping(source: str) -> Guess:
    """Raises ``DataError`` in one line that says what could not be found."""
    try:
        return _guess(source, [])
    except DataError:
        columns = unnamed_columns(source, _SAMPLE)
        if not columns:
            raise
    return _guess(source, columns)


def _guess(source: str, columns: list[str]) -> Guess:
    """``columns``: names for those of tables without a line of names."""
    rows = list(read_rows(source, columns, _SAMPLE))
    for name in _ORDER:
        mapping = load_mapping(name)
        if not columns and _share(rows, mapping) >= _FITS:
            return Guess(name, _of_these_rows(name, source), mapping, rows)
    told: Tree = {"source": {"path": source} | ({"columns": columns} if columns else {})} | by_file(rows)
    trees = [_told(told, tree) for tree in _candidates([r.value for r in rows if isinstance(r.value, Mapping)], source)]
    tried = [(t, check_mapping(t, "the guess")) for t in trees]
    best = max(tried, key=lambda pair: _share(rows, pair[1]))
    if _share(rows, best[1]) < _LEAST:
        reason = _read(rows, best[1]).left_out.most_common(1)[0][0]
        raise DataError(f"{source}: no mapping found that reads its rows; nearest: {reason}. Write one: docs/data.md.")
    return Guess("", as_toml(best[0]), best[1], rows)


def _of_these_rows(name: str, source: str) -> str:
    """A shipped mapping's text, with these rows for the hub's."""
    text = read_text(Path(__file__).parent / "shipped" / f"{name}.toml")
    own = as_toml({"source": {"path": source}})
    head, first, tables = re.sub(r"(?ms)^\[source\]\n.*?(?=^\[)", "", text).partition("[")
    return head + own + first + tables


def _told(by_files: Tree, tree: Tree) -> Tree:
    """What files tell, where the rows' own fields do not tell it."""
    named = "domain" in by_files and "field" not in tree["domain"]
    return by_files | {k: v for k, v in tree.items() if not (named and k == "domain")}


def shown(source: str, guess: Guess) -> Iterator[str]:
    """Three questions as a model would see them, and what to do next."""
    found = _read(guess.rows, guess.mapping)
    for item in found.items[:3]:
        yield f"\n--- {item.domain}\n{item.prompt}\n--> {item.answer}"
    read = f"\n{len(found.items)} of the first {len(guess.rows)} rows are read"
    left = "".join(f"; {n}: {why}" for why, n in found.left_out.most_common(3))
    yield read + (f" (left out{left[1:]})." if left else ".")
    name = guess.name or "MINE.toml"
    if guess.name:
        yield f"This is the shipped mapping {name}."
    else:
        yield f"A guess: look at it, and save it (coopt data guess {source} > {name})."
    yield f"Next: coopt data check {source} --mapping {name}"


def _read(rows: Sequence[Row], mapping: RowMapping) -> Selection:
    return mapped(rows, mapping, "", strict=False)


def _share(rows: Sequence[Row], mapping: RowMapping) -> float:
    """Of the rows that the filter keeps, how many are questions."""
    found = _read(rows, mapping)
    unwanted = sum(n for why, n in found.left_out.items() if why.endswith("filter)") or why.startswith("copy"))
    return len(found.items) / max(1, len(rows) - unwanted) if found.items else 0.0


# -- by what fields are called -------------------------------------------------------------------------


def _candidates(rows: Sequence[Mapping[str, Any]], source: str) -> list[Tree]:
    names = list(dict.fromkeys(_names(rows)))
    texts = [n for n in names if any(isinstance(look_up(r, n), str) for r in rows[:20])]
    question = _named(texts, _QUESTIONS)
    if not question:
        raise DataError(
            f"{source}: no field is called question (or {', '.join(_QUESTIONS[1:4])}). It has:"
            f" {', '.join(names[:12]) or 'no fields'}. Write a mapping: docs/data.md."
        )
    passage = _named(names, _PASSAGES)
    tree: Tree = {"question": f"{{{passage}}}\n\n{{{question}}}" if passage else question}
    solution = _named(names, _SOLUTIONS)
    tree |= {"solution": solution} if solution else {}
    tree |= _domain(rows, names, source)
    split = _named(names, ["split"])
    values = {str(look_up(r, split)) for r in rows} if split else set()
    if any(v.startswith("train") for v in values) and any(v.startswith("test") for v in values):
        tree["split"] = {"field": split, **SPLIT_NAMES}
    found = [tree | own for own in _answers(rows, names, tree["question"])]
    if not found:
        raise DataError(
            f"{source}: no field is called answer (or {', '.join(_ANSWERS[1:5])}). It has: {', '.join(names[:12])}."
            " Write a mapping: docs/data.md."
        )
    return found


def _names(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Fields, and those one level below as dotted paths."""
    for row in rows[:20]:
        for name, value in row.items():
            yield str(name)
            if isinstance(value, Mapping):
                yield from (f"{name}.{inner}" for inner in value)


def _named(names: Sequence[str], wanted: Sequence[str]) -> str:
    """The field that is called like one of ``wanted``, the first of these first; without regard to case."""
    folded = {n.rpartition(".")[2].strip().lower().replace(" ", "_").replace("-", "_"): n for n in reversed(names)}
    return next((folded[w] for w in wanted if w in folded), "")


def _answers(rows: Sequence[Mapping[str, Any]], names: Sequence[str], question: str) -> list[Tree]:
    """The ways in which options and answer may be meant."""
    wrong = [n for n in names if _WRONG.fullmatch(n.strip().lower())]
    right = _named(names, _RIGHT)
    if right and wrong:
        return [{"options": {"right": right, "wrong": wrong}}]
    columns = [n for n in names if _COLUMNS.fullmatch(n.strip().lower())]
    listed = _named(names, _LISTS)
    answer = _named([n for n in names if n not in columns], _ANSWERS)
    if not answer:
        return []
    options = {"field": listed} if listed else {"columns": columns} if len(columns) > 1 else None
    if options:
        ways: list[Tree] = [{"given": "letter"}, {"given": "text"}, *({"given": "index", "base": b} for b in (0, 1))]
        return [{"options": options, "answer": {"field": answer, **way}} for way in ways]
    values = [v for r in rows if (v := look_up(r, answer)) is not None]
    if values and all("####" in str(v) for v in values):
        return [{"answer": {"kind": "number", "field": answer, "after": "####"}}]
    within = sum(len(cut_options(text_of(r, question))[1]) > 1 for r in rows)
    if within >= _FITS * len(rows) and all(_LETTER.fullmatch(str(v).strip()) for v in values):
        return [{"options": {"field": question}, "answer": {"field": answer}}]
    texts = [_UNIT.sub("", str(v)).strip() for v in values]
    comma = any(map(_DECIMAL_COMMA.fullmatch, texts))
    texts = [t.replace(".", "").replace(",", ".") for t in texts] if comma else texts
    number = sum(only_number(t) is not None for t in texts) >= _FITS * max(1, len(texts))
    found: Tree = {"kind": "number" if number else "text", "field": answer}
    return [{"answer": found | ({"decimal": ","} if number and comma else {})}]


def _domain(rows: Sequence[Mapping[str, Any]], names: Sequence[str], source: str) -> Tree:
    field = _named(names, _DOMAINS)
    values = {look_up(r, field) for r in rows if isinstance(look_up(r, field), str)} if field else set()
    if values and len(values) <= max(2, len(rows) // 3):
        return {"domain": {"field": field}}
    return {"domain": {"name": domain_of_text(Path(source).name.partition(".")[0]) or "general"}}


def as_toml(tree: Tree) -> str:
    """A tree of texts, numbers, lists and tables."""
    plain = {k: v for k, v in tree.items() if not isinstance(v, dict)}
    lines = [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in plain.items()]
    for name, table in tree.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"
