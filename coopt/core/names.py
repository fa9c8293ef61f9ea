"""Names that mean the same everywhere: of domains, with the short forms that users may type, and of what is beside
the methods."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from coopt.core.errors import ConfigError

ORACLE = "oracle"
"""A method, and the tutor in it, which is not a node of any graph."""

INIT, BASE = "init", "base"
"""The initial students, and the base model: what stands beside the methods in folders, scores and tables."""

Order = Literal["s_f", "f_s"]
"""Which stands first before a self-teacher: its own correct rollout (s) or a tutor's feedback (f)."""

# The domains of the embedded world and of SciKnowEval. Rows may bring any others.
DOMAIN_NAMES = ("physics", "chemistry", "materials", "biology")
ALIASES = {
    "phys": "physics",
    "chem": "chemistry",
    "mat": "materials",
    "material": "materials",
    "bio": "biology",
}


LONGEST = 40
"""Characters of a name: it stands in tables, charts and names of files."""
_SLUG = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST - 1}}}")
_TAKEN = frozenset({"all", "mean"})  # words of the tables


def same_file(name: str) -> str:
    """What two names have in common that are one file where case, or the form of a character, makes no difference."""
    return unicodedata.normalize("NFKC", name).casefold()


def resolve_domain(name: str) -> str:
    """The long form of one domain name, in any case. Rows may bring any plain name; whether they have it is seen when
    they are read."""
    key = name.strip().lower()
    key = ALIASES.get(key, key)
    if not _SLUG.fullmatch(key) or key in _TAKEN:
        raise ConfigError(
            f"domain {name.strip()[:60]!r} is not a plain name. Use letters, digits, '-' and '_', at most 40 (and not"
            " 'all' or 'mean'), for example law or computer_science."
        )
    return key


def domain_of_text(text: str) -> str:
    """The plain name for what a row calls its domain (`Computer Science`: computer_science); empty: it has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9_-]+", "_", plain).strip("_-")[:40].rstrip("_-")
    key = ALIASES.get(key, key)
    return "" if key in _TAKEN else key


def resolve_domains(names: str | Iterable[str]) -> tuple[str, ...]:
    """Long forms of a comma list or a sequence; each domain once."""
    if not isinstance(names, (str, list, tuple)):
        raise ConfigError(f"domains = {names!r}: give a comma list, for example phys,chem.")
    parts = names.split(",") if isinstance(names, str) else [str(n) for n in names]
    resolved = tuple(resolve_domain(p) for p in parts if p.strip())
    if not resolved:
        raise ConfigError("--domains is empty. Give a comma list, for example phys,chem.")
    twice = sorted(name for name, times in Counter(resolved).items() if times > 1)
    if twice:
        raise ConfigError(f"--domains names {', '.join(twice)} twice.")
    return resolved
