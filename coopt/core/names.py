"""Domain names: the long forms everywhere, short forms accepted on the command line."""

from __future__ import annotations

from collections.abc import Iterable

from coopt.core.errors import ConfigError, unknown

DOMAIN_NAMES = ("physics", "chemistry", "materials", "biology")
ALIASES = {
    "phys": "physics",
    "chem": "chemistry",
    "mat": "materials",
    "material": "materials",
    "bio": "biology",
}


def resolve_domain(name: str) -> str:
    """The long form of one domain name, in any case."""
    key = name.strip().lower()
    key = ALIASES.get(key, key)
    if key not in DOMAIN_NAMES:
        allowed = [*DOMAIN_NAMES, *(a for a in ALIASES if a != "material")]
        raise ConfigError(unknown("domain", name.strip(), allowed))
    return key


def resolve_domains(names: str | Iterable[str]) -> tuple[str, ...]:
    """Long forms of a comma list or a sequence; each domain once."""
    if not isinstance(names, (str, list, tuple)):
        raise ConfigError(f"domains = {names!r}: give a comma list. Allowed: {', '.join(DOMAIN_NAMES)}.")
    parts = names.split(",") if isinstance(names, str) else [str(n) for n in names]
    resolved = tuple(resolve_domain(p) for p in parts if p.strip())
    if not resolved:
        raise ConfigError(f"--domains is empty. Allowed: {', '.join(DOMAIN_NAMES)}.")
    twice = sorted({d for d in resolved if resolved.count(d) > 1})
    if twice:
        raise ConfigError(f"--domains names {', '.join(twice)} twice.")
    return resolved
