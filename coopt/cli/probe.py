"""``coopt probe``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coopt.core.errors import ConfigError, unknown

if TYPE_CHECKING:
    from coopt.driver.probe.probe import ProbeResult

_FORMATS = ("rich", "md", "csv", "json")


def probe(
    models: Annotated[
        list[str],
        typer.Argument(help="Model directories (or scimini, smollm2-135m); as tutors also http://HOST/v1#MODEL."),
    ],
    domains: Annotated[str, typer.Option(help="Comma list of domains.")] = "phys,chem",
    data: Annotated[str | None, typer.Option(help="Rows, as for coopt bench. (default: the embedded world)")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Settings: mini, smol, real, paper. (default: mini; real with --data; smol for smollm2-135m)"
        ),
    ] = None,
    questions: Annotated[int, typer.Option(min=1, help="Questions per domain.")] = 100,
    rollouts: Annotated[int, typer.Option(min=2, help="Answers per question.")] = 8,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "validation",
    parts: Annotated[
        str, typer.Option(help="Comma list: deference, candour, answers, rates. (default: all of them)")
    ] = "deference,candour,answers,rates",
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    style: Annotated[
        str | None, typer.Option("--format", help="rich, md, csv or json. (default: as --out ends)")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write there: FILE.json, .csv or .md.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any setting: key=value.")] = None,
) -> None:
    """What do models do with feedback? A probe before any training, by inference alone.

    Deference: does the self-teacher believe false feedback over its own right answer, by order and wording. Candour:
    does a tutor contradict right attempts at what it does not know. Break- and fix-rates with controls, how alike wrong
    answers are, and how near right workings are to the worked solutions. From these it predicts the net benefit of each
    edge. One model is its own tutor.

    \b
    Examples:
      coopt probe scimini
      coopt probe DIR1 DIR2 --data rows/ --questions 200 --out probe.json
      coopt probe DIR --data rows.jsonl --parts deference,candour --rollouts 4
    """
    form = _format(style, out)
    from coopt.core.config.load import load_config, preset_of
    from coopt.core.quiet import quiet_libraries
    from coopt.driver.probe.probe import probe_models

    quiet_libraries()
    small = "smol" if "smollm2-135m" in models else preset_of(settings or [], data=data)
    config = load_config(
        preset=preset or small,
        settings=settings or [],
        domains=domains,
        methods=(),
        data={"validation": questions} | ({"source": data} if data is not None else {}),
        rounds={"rollouts": rollouts},
        seed=seed,
    )
    wanted = [p.strip() for p in parts.split(",") if p.strip()]
    _tell(probe_models(models, config, split, wanted), form, out)


def _tell(found: ProbeResult, form: str, out: Path | None) -> None:
    """Print what was found, or write it to ``out``."""
    from coopt.core import store
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import render
    from coopt.reports.probe_tables import probe_tables

    if form == "rich":
        show(probe_tables(found, whole=False), output())
        return
    if form == "json":
        points = [p.model_dump() for p in found.points]
        text = json.dumps({"version": 1, **found._asdict(), "points": points}, indent=1, ensure_ascii=False) + "\n"
    else:
        text = render(probe_tables(found), form)  # type: ignore[arg-type]
    if out is None:
        print(text, end="")
    else:
        store.write_text(out, text)
        print(f"probe: {len(found.points)} measures in {out}")


def _format(style: str | None, out: Path | None) -> str:
    """What is asked for, or what the file's name ends in. Raises ``ConfigError``."""
    if style is not None and style not in _FORMATS:
        raise ConfigError(unknown("format", style, _FORMATS))
    if out is None:
        return style or "rich"
    found = style or out.suffix.lstrip(".")
    if found not in _FORMATS[1:]:
        raise ConfigError(f"--out {out}: give a file that ends in .json, .csv or .md, or --format json, csv or md.")
    if not out.resolve().parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.resolve().parent}.")
    return found
