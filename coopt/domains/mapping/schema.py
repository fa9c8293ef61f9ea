"""What a mapping may say (docs/data.md), and where mappings are found."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from coopt.core.config.faults import first_fault
from coopt.core.config.section import Section
from coopt.core.config.toml import read_toml
from coopt.core.errors import ConfigError, unknown
from coopt.core.names import domain_of_text
from coopt.core.outside.files import from_home
from coopt.domains.base import SPLITS, AnswerKind, Split

_SHIPPED = Path(__file__).parent / "shipped"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
Names = tuple[str, ...]


class Source(Section):
    """Where the rows are, if no others are given (--data): ``path``, or ``hub``."""

    path: str = ""
    """A file or folder; a relative one is beside the mapping."""
    hub: str = ""
    """A hub data set, owner/name (extra hub)."""
    config: str = ""
    """The hub data set's configuration, where it has several."""
    splits: Names = ()
    """Its splits that are read; without it all. A row's split there is its `_file`."""
    columns: Names = ()
    """What the columns of a CSV or TSV are called whose first line is a row already."""

    @property
    def given(self) -> bool:
        return bool(self.path or self.hub)

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if self.path and self.hub:
            raise ValueError("give path or hub")
        if (self.config or self.splits) and not self.hub:
            raise ValueError("config and splits belong to hub")
        if self.hub and not _HUB_NAME.fullmatch(self.hub):
            raise ValueError(f"hub = '{self.hub}' is not of the form owner/name")
        return self


class Options(Section):
    """Where a row's options stand: one of ``field``, ``columns``, or ``right`` with ``wrong``."""

    field: str = ""
    """One field with all of them: a list of texts, label -> text, {text = [...], label = [...]}, a list of tables, or
    a text that names each by its letter (`A) one B) two`). If it is the question's own, they are cut out of it."""
    columns: Names = ()
    """A field an option, in their order; empty ones at the end are left out."""
    right: str = ""
    """The right one's field; options are then put in an order of coopt's own, the same one every time."""
    wrong: Names = ()
    """The others' fields, or one field with a list."""
    text: str = "text"
    label: str = "label"
    """What text and label are called in ``field``."""
    duplicates: Literal["drop", "keep"] = "drop"
    """What becomes of a row with two equal options."""

    @property
    def given(self) -> bool:
        return bool(self.field or self.columns or self.right or self.wrong)

    @model_validator(mode="after")
    def _one_way(self) -> Options:
        ways = [bool(self.field), bool(self.columns), bool(self.right or self.wrong)]
        if sum(ways) > 1:
            raise ValueError("give one of field, columns, or right with wrong")
        if bool(self.right) != bool(self.wrong):
            raise ValueError("right and wrong belong together")
        return self


class Answer(Section):
    """What is asked for, and how the row gives it."""

    kind: AnswerKind = "letter"
    field: str = ""
    """Field or template of the right answer (not needed with options.right)."""
    given: Literal["letter", "index", "text"] = "letter"
    """How the right option is named: by its letter or label, by its number, by its text."""
    base: Literal[0, 1] = 0
    """The first option's number."""
    after: str = ""
    """Only what comes after the last of these characters is the answer (GSM8K: ####)."""
    tolerance: float = Field(0.0, ge=0, le=1)
    """A number is right if it is off by at most this share of the right one."""
    decimal: Literal[".", ","] = "."
    """How the rows write numbers: 1,234.5, or 1.234,5. Models are asked for, and read with, a point."""


class DomainRule(Section):
    """A row's domain: what ``field`` says, else ``name``."""

    name: str = ""
    field: str = ""
    pattern: str = ""
    """A regular expression looked for in what the field says: its first group is the domain (of `_file`, say)."""
    map: dict[str, str] = Field(default_factory=dict)
    """What the field says -> the domain. Others get their own name (`Computer Science`: computer_science)."""

    @model_validator(mode="after")
    def _plain(self) -> DomainRule:
        if not self.name and not self.field:
            raise ValueError("give name (all rows are of one domain), field, or both")
        if self.pattern and not self.field:
            raise ValueError("pattern is looked for in field: say which")
        try:
            groups = re.compile(self.pattern).groups if self.pattern else 1
        except re.error as error:
            raise ValueError(f"pattern is not a regular expression ({error})") from None
        if not groups:
            raise ValueError("pattern has no group: put the name in parentheses")
        for name in filter(None, (self.name, *self.map.values())):
            if domain_of_text(name) != name:
                raise ValueError(f"'{name}' is not a domain name: use '{domain_of_text(name) or 'general'}'")
        return self


class SplitRule(Section):
    """A row's split by what ``field`` says (`*` stands for anything; field `_file`: the row's file). Without a field
    coopt splits 80/10/10 by a hash of the question."""

    field: str = ""
    train: Names = ()
    validation: Names = ()
    test: Names = ()

    def values(self, split: Split) -> Names:
        found: Names = getattr(self, split)
        return found

    @model_validator(mode="after")
    def _whole(self) -> SplitRule:
        if self.field and not (self.train and self.test):
            raise ValueError("with a field say which of its values are train and test (without validation a tenth of"
                             " train serves)")  # fmt: skip
        if not self.field and any(map(self.values, SPLITS)):
            raise ValueError("say which field holds the split")
        return self


class RowMapping(Section):
    """How the rows of a data set become questions. A field is a row's key, or keys joined by dots; a text with {field}
    in it is a template."""

    description: str = ""
    source: Source = Source()
    question: str
    solution: str = ""
    """A worked solution, where a row has one."""
    cluster: str = ""
    """What several questions share, such as a passage: they are no independent evidence. Empty: their text."""
    options: Options = Options()
    answer: Answer = Answer()
    domain: DomainRule
    split: SplitRule = SplitRule()
    filter: dict[str, Names] = Field(default_factory=dict)
    """Field -> the values of the rows that are kept."""

    @model_validator(mode="after")
    def _fits(self) -> RowMapping:
        if self.answer.kind == "letter" and not self.options.given:
            raise ValueError("answer.kind = 'letter' needs [options]; for free answers give kind = 'text' or 'number'")
        if self.answer.kind != "letter" and self.options.given and not self.options.right:
            raise ValueError(f"answer.kind = '{self.answer.kind}' shows no options: leave [options] out")
        if not self.answer.field and not self.options.right:
            raise ValueError("answer.field is missing: which field holds the right answer?")
        return self


def mapping_names() -> list[str]:
    """Names of the shipped mappings."""
    return sorted(p.stem for p in _SHIPPED.glob("*.toml"))


def load_mapping(name: str) -> RowMapping:
    """A shipped mapping, or one of a TOML file. Raises ``ConfigError`` in one line."""
    shipped = mapping_names()
    if not name.endswith(".toml") and name not in shipped:
        raise ConfigError(unknown("mapping", name, shipped) + " Or give a TOML file of your own (coopt data guess).")
    path = from_home(name) if name.endswith(".toml") else _SHIPPED / f"{name}.toml"
    tree = read_toml(path, f"mapping {name}", "coopt data guess FILE proposes one.")
    own = check_mapping(tree, f"mapping {name}")
    if not own.source.path:
        return own
    beside = path.parent / from_home(own.source.path)
    return own.model_copy(update={"source": own.source.model_copy(update={"path": str(beside)})})


def check_mapping(tree: Table[str, Any], what: str) -> RowMapping:
    """The mapping that a tree says; ``what`` names it in messages. Raises ``ConfigError`` in one line."""
    try:
        return RowMapping.model_validate(tree)
    except ValidationError as error:
        fault = first_fault(error)
    if fault.kind == "extra_forbidden":
        *above, leaf = fault.key.split(".")
        raise ConfigError(unknown("key", leaf, _keys(above), f"{what}: {'.'.join(above)} ".rstrip() + " "))
    if fault.kind == "missing":
        raise ConfigError(f"{what}: {fault.key} is missing. See docs/data.md, or coopt data guess FILE.")
    said = fault.message.removeprefix("value error, ")
    raise ConfigError(f"{what}: {fault.key + ': ' if fault.key else ''}{said}.")


def _keys(above: list[str]) -> list[str]:
    """The keys of the table that ``above`` leads to, or of the last one on the way that has keys of its own."""
    section: type[Section] = RowMapping
    for name in above:
        kind = section.model_fields[name].annotation if name in section.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, Section)):
            break
        section = kind
    return list(section.model_fields)
