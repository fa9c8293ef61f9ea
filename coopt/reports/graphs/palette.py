"""The colours and short names of native domains in every drawing of a graph."""

from __future__ import annotations

from collections.abc import Iterable

from coopt.core.names import ALIASES
from coopt.core.rng import stable_hash

_KNOWN = {"physics": "#56B4E9", "chemistry": "#E69F00", "materials": "#2FB98A", "biology": "#DE8FBB", "": "#C4C4C4"}
# Domain -> fill, '': critics. After Okabe and Ito, told apart by colour-blind readers; black text reads on each.
_OTHERS = ("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00")
# For domains that rows bring: Paul Tol's light scheme, made for the same readers.


def colours(domains: Iterable[str]) -> dict[str, str]:
    """Domain -> fill, also of ``''`` (critics). A name that coopt does not know gets a colour by its own hash, or the
    next one that no name before it has; with more names than colours some repeat."""
    found = dict(_KNOWN)
    taken: set[str] = set()
    for name in dict.fromkeys(domains):
        if name not in found:
            start = stable_hash("colour", name) % len(_OTHERS)
            turned = [*_OTHERS[start:], *_OTHERS[:start]]
            found[name] = next((c for c in turned if c not in taken), turned[0])
            taken.add(found[name])
    return found


def native_colours(natives: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """The same colours for a graph's native domains, whatever ``others`` are listed beside it."""
    return colours([*sorted(set(natives)), *others])


def domain_short(domain: str) -> str:
    """``phys`` for physics."""
    return next((short for short, name in ALIASES.items() if name == domain), domain)
