"""The constants of the model, with their allowed ranges, and the TOML file that holds them.

What each constant does is in ``docs/simulator.md``; where the committed values come from is in their file's header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from coopt.core.config.faults import first_fault
from coopt.core.config.section import Section
from coopt.core.config.toml import read_toml
from coopt.core.errors import ConfigError, unknown

SHIPPED = Path(__file__).parent / "constants.toml"
_CALIBRATE = "Write one with --calibrate RUN --out FILE."


class Items(Section):
    """What a question is to a student of a given competence."""

    steepness: float = Field(gt=0, ge=0.5, le=20)
    """How sharply a question is known or unknown, per unit of competence (one standard deviation of difficulty)."""
    guess: float = Field(ge=0, le=0.3)
    """Chance that a rollout on an unknown question is right."""
    slip: float = Field(ge=0, le=0.3)
    """Chance that a rollout on a known question is wrong."""
    common: float = Field(ge=0, le=0.95)
    """Correlation of a question's difficulty between two students, from initial ones."""


class Contexts(Section):
    """What the self-teacher makes of a rollout when it reads s, f, or both."""

    kept: float = Field(ge=0, le=1)
    """Share of feedback that passes the filter."""
    fix_own: float = Field(ge=0, le=1)
    """Wrong rollouts that become right with s."""
    break_own: float = Field(ge=0, le=1)
    """Right rollouts that become wrong with s."""
    fix_both: float = Field(ge=0, le=1)
    """Wrong rollouts that become right with s and f."""
    break_both: float = Field(ge=0, le=1)
    """Right rollouts that become wrong with s and f."""
    uptake: float = Field(ge=0, le=1)
    """Wrong rollouts without s that become right with f, where the tutor knows the answer."""
    harm: float = Field(ge=0, le=1)
    """Right rollouts without s that become wrong with f, where the tutor does not know the answer, beyond noise."""
    noise: float = Field(ge=0, le=1)
    """Right rollouts that become wrong when answered again with nothing."""


class Learning(Section):
    """The change of competence per training step whose prompts are all of the domain."""

    rate_own: float = Field(ge=0, le=5)
    """Per unit of D, the net share of rollouts that own demonstrations mend."""
    rate_feedback: float = Field(ge=0, le=5)
    """Per unit of F, the net share of rollouts that feedback mends beyond that."""
    interference: float = Field(0.0, ge=-2, le=2)
    """Share of the other domains' mean update that the native domain loses."""
    lump: float = Field(ge=0, le=2)
    """Competence that is gained at once: learning goes in jumps of this size."""


class Start(Section):
    """The initial students: competence in the native domain and in the others, normal over students."""

    native: float = Field(ge=-4, le=4)
    native_sd: float = Field(ge=0, le=4)
    foreign: float = Field(ge=-4, le=4)
    foreign_sd: float = Field(ge=0, le=4)


class Fit(Section):
    """How the constants were got; empty where they were set by hand."""

    runs: tuple[str, ...] = ()
    commit: str = ""
    date: str = ""
    gains: int = 0
    """Gains (student, domain, round) that the learning rule was fitted to."""
    r2: float | None = None
    rmse: float | None = None
    mean_gain: dict[str, float] = Field(default_factory=dict)
    """Method -> mean gain from start to end of the runs; ``all``: over all methods."""
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    not_identified: dict[str, str] = Field(default_factory=dict)
    """Constant -> why the data do not tell it."""


class Constants(Section):
    """Everything that the model takes from data."""

    items: Items
    contexts: Contexts
    learning: Learning
    start: Start
    fit: Fit = Fit()
    name: str = Field("", exclude=True)
    """The file that they were read from, and what was changed by hand."""


GROUPS: dict[str, type[Section]] = {"items": Items, "contexts": Contexts, "learning": Learning, "start": Start}


def allowed_range(key: str) -> tuple[float, float]:
    """The range of a constant such as ``items.slip``."""
    group, _, name = key.partition(".")
    field = GROUPS[group].model_fields[name]
    low = max(m.ge for m in field.metadata if hasattr(m, "ge"))
    high = min(m.le for m in field.metadata if hasattr(m, "le"))
    return float(low), float(high)


def constant_keys() -> list[str]:
    """All constants in reading order: ``items.steepness``, ..."""
    return [f"{group}.{name}" for group, kind in GROUPS.items() for name in kind.model_fields]


def load_constants(path: str | Path | None = None, changes: Iterable[str] = ()) -> Constants:
    """The constants of a file (None: the committed ones), with ``changes`` such as ``start.native=0.5``.

    A file may hold some constants only; the others are the committed ones. Raises ``ConfigError``.
    """
    tree = read_toml(SHIPPED, f"--constants {SHIPPED}", _CALIBRATE)
    name = f"coopt/driver/simulate/{SHIPPED.name}"
    if path is not None:
        own = read_toml(Path(path), f"--constants {path}", _CALIBRATE)
        if set(own) - {"fit"} - set(GROUPS):
            wrong = sorted(set(own) - {"fit"} - set(GROUPS))[0]
            raise ConfigError(unknown("table", wrong, [*GROUPS, "fit"], f"--constants {path}: "))
        for group, table in own.items():
            if not isinstance(table, Mapping):
                raise ConfigError(f"--constants {path}: {group} must be a table, [{group}].")
        whole = set(GROUPS) <= set(own)
        tree = {g: {**tree[g], **own.get(g, {})} for g in GROUPS} | {"fit": own.get("fit", {}) if whole else {}}
        name = str(path)
    changed = list(changes)
    for change in changed:
        _apply(tree, change)
    return _check(tree | {"name": ", ".join([name, *changed])}, name)


def _apply(tree: dict[str, Any], change: str) -> None:
    key, found, text = change.partition("=")
    try:
        value = float(text)
    except ValueError:
        found = ""
    if not found:
        raise ConfigError(f"--constant takes KEY=NUMBER, for example start.native=0.5; got '{change}'.")
    if key not in constant_keys():
        raise ConfigError(unknown("constant", key, constant_keys(), "--constant: "))
    group, _, name = key.partition(".")
    tree[group][name] = value


def _check(tree: Mapping[str, Any], name: str) -> Constants:
    try:
        return Constants.model_validate(tree)
    except ValidationError as error:
        fault = first_fault(error)
        if fault.kind == "extra_forbidden":
            raise ConfigError(unknown("constant", fault.key, constant_keys(), f"--constants {name}: ")) from None
        raise ConfigError(f"constant {fault.line} ({name}).") from None


def write_constants(constants: Constants, path: Path, header: str) -> None:
    """Write a constants file; ``header`` becomes its comment."""
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for group in GROUPS:
        lines += ["", f"[{group}]"]
        lines += [f"{k} = {v!r}" for k, v in getattr(constants, group).model_dump().items()]
    fit = constants.fit
    lines += ["", "[fit]", f"runs = {_texts(fit.runs)}", f'commit = "{fit.commit}"', f'date = "{fit.date}"']
    lines += [f"gains = {fit.gains}"]
    lines += [f"{k} = {v!r}" for k, v in (("r2", fit.r2), ("rmse", fit.rmse)) if v is not None]
    lines += ["", "[fit.mean_gain]", *(f'"{k}" = {v!r}' for k, v in fit.mean_gain.items())]
    lines += ["", "[fit.intervals]", *(f'"{k}" = [{a!r}, {b!r}]' for k, (a, b) in fit.intervals.items())]
    lines += ["", "[fit.not_identified]", *(f'"{k}" = "{why}"' for k, why in fit.not_identified.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"
