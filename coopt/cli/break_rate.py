"""``coopt break-rate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coopt.core.errors import ConfigError


def break_rate(
    models: Annotated[list[str], typer.Argument(help="Two or more model directories (or scimini, smollm2-135m).")],
    domains: Annotated[str, typer.Option(help="Comma list of domains.")] = "phys,chem",
    data: Annotated[str | None, typer.Option(help="Rows, as for coopt bench. (default: the embedded world)")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Settings: mini, smol, real, paper. (default: mini; real with --data)")
    ] = None,
    questions: Annotated[int, typer.Option(min=1, help="Validation questions per domain.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Run directory. (default: runs/NAME)")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Use only a few questions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any setting: key=value.")] = None,
) -> None:
    """Does one model's feedback turn another's right answers wrong? The paper's Appendix E, without any training.

    Every model answers, every other one critiques each answer, and the first answers again: with and without a correct
    answer of its own to look at, and with two controls. If it is killed, the same command resumes it.

    \b
    Examples:
      coopt break-rate DIR1 DIR2 --domains phys,chem
      coopt break-rate DIR1 DIR2 --data rows/ --questions 400 --json
    """
    if len(models) < 2:
        raise ConfigError("coopt break-rate takes two model directories or more: coopt break-rate DIR1 DIR2.")
    from coopt.core import store
    from coopt.core.config.load import load_config, preset_of
    from coopt.core.quiet import quiet_libraries
    from coopt.core.tables.screen import output, show
    from coopt.driver.pairing import graph_of_models, pairing_name
    from coopt.lm.bases import base_directory
    from coopt.reports.break_tables import probe_tables

    quiet_libraries()
    directories = [base_directory(m).resolve() for m in models]
    graph = (out.parent if out else Path("runs")) / f"{pairing_name(directories)}.json"
    store.write_json(graph, graph_of_models(directories))
    config = load_config(
        preset=preset or preset_of(settings or [], data=data),
        smoke=smoke,
        settings=settings or [],
        topology=str(graph),
        domains=domains,
        methods=(),
        data={"test": 1} | ({"source": data} if data is not None else {}),  # test questions are not used here
        break_rate={"questions": questions},
        model={"path": str(directories[0]), "specialise": "none"},
        seed=seed,
    )
    from coopt.driver.api import bench

    results = bench(config, out, workers)
    if as_json:
        print(results.model_dump_json(indent=1))
    else:
        names = [f"m{k}: {d}" for k, d in enumerate(models, start=1)]
        show(probe_tables(results, names), output())
