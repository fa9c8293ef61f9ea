"""``coopt data``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from coopt.core.errors import ConfigError
from coopt.core.secrets import shown_url

_MAPPING = "How the rows are read: a shipped mapping (coopt data mappings) or a TOML file."
data = typer.Typer(help="Look at benchmark rows; remake the embedded world's files.", no_args_is_help=True)


@data.command()
def check(
    path: Annotated[
        str | None,
        typer.Argument(
            help="Rows: .csv, .tsv, .jsonl, .json, .parquet, a folder; or a mapping that says where (.toml)."
        ),
    ] = None,
    mapping: Annotated[str, typer.Option(help=f"{_MAPPING} (default: SciKnowEval's schema)")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    max_tokens: Annotated[int, typer.Option(help="Prompts longer than this count as too long.")] = 2048,
    model: Annotated[str | None, typer.Option(help="Count prompt lengths with this model's tokenizer.")] = None,
) -> None:
    """Count rows, splits and the best constant answer per domain; say what is left out and why.

    Without --model a prompt's length is counted as one token per character, which no tokenizer exceeds by much.

    \b
    Examples:
      coopt data check rows/ --json
      coopt data check rows/Physics.jsonl --model smollm2-135m
      coopt data check mine.csv --mapping plain
      coopt data check mine.toml
      coopt data check --mapping mmlu_pro
    """
    if path is None and not mapping:
        raise ConfigError("coopt data check takes rows, or --mapping NAME of a mapping that says where they are.")
    from coopt.domains.load import check_rows

    length = len if model is None else _token_length(model)
    answer = check_rows(path, length, max_tokens, mapping)
    if as_json:
        print(json.dumps(answer, indent=1))
        return
    _show(answer)


def _show(answer: dict[str, Any]) -> None:
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import Table

    rows = []
    for name, d in answer["domains"].items():
        constant = f"{d['constant_letter']['letter']} {100 * d['constant_letter']['share']:.1f} %"
        rows.append([name, *(str(d[k]) for k in ("rows", "train", "validation", "test")), constant, str(d["too_long"])])
    columns = ["domain", "rows", "train", "validation", "test", f"best constant {_what(answer)}", "too long"]
    title = "Questions" if "mapping" in answer else "Level-3 multiple-choice rows"
    tables = [Table(title, columns, rows, [] if answer["left_out"] else ["left out: nothing"])]
    if answer["left_out"]:
        first = answer.get("first", {})
        left = [[str(n), reason, first.get(reason, "–")] for reason, n in answer["left_out"].items()]
        tables.append(Table("Left out", ["rows", "why", "first"], left))
    show(tables, output())


def _what(answer: dict[str, Any]) -> str:
    return str(answer.get("answer", "letter"))


@data.command()
def guess(
    path: Annotated[str, typer.Argument(help="Rows: .csv, .tsv, .jsonl, .json, .parquet, or a folder of them.")],
) -> None:
    """Propose a mapping for rows: prints it as TOML, then (to stderr) three rows as a model would see them.

    \b
    Examples:
      coopt data guess mine.csv
      coopt data guess mine.csv > mine.toml
    """
    from coopt.domains.mapping.guess import guess_mapping, shown

    found = guess_mapping(path)
    print(found.toml, end="")
    for line in shown(path, found):
        print(line, file=sys.stderr)


@data.command()
def mappings() -> None:
    """The shipped mappings, for --set data.mapping=NAME.

    \b
    Example:
      coopt data mappings
    """
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import Table
    from coopt.domains.mapping.schema import load_mapping, mapping_names

    rows = [[name, load_mapping(name).answer.kind, load_mapping(name).description] for name in mapping_names()]
    show([Table("Shipped mappings", ["name", "answer", "rows"], rows)], output())


def _token_length(model: str) -> Any:
    from coopt.lm.bases import base_directory
    from coopt.lm.policy import load_policy

    tokenizer = load_policy(base_directory(model), device="cpu").tokenizer
    return lambda text: len(tokenizer(text)["input_ids"])


@data.command()
def rationales(
    source: Annotated[str, typer.Argument(help="Rows: a file, a folder, a mapping that says where; or scimini.")],
    model: Annotated[str, typer.Option(help="A local model directory, or with --endpoint the model's name there.")],
    out: Annotated[Path, typer.Option(help="The file to write (JSON Lines); an existing one is continued.")],
    endpoint: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible server, for example http://host/v1.")
    ] = None,
    domains: Annotated[str, typer.Option(help="Comma list: phys, chem, or what the rows have.")] = "phys,chem",
    mapping: Annotated[str, typer.Option(help=f"{_MAPPING} (default: SciKnowEval's schema)")] = "",
    questions: Annotated[int, typer.Option(min=1, help="Training questions per domain, at most.")] = 1_000_000,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest solution, in tokens.")] = 1024,
) -> None:
    """Have a model write worked solutions of the training questions, for specialists.

    A solution is kept if it ends in the correct answer. The key of an endpoint comes from COOPT_ENDPOINT_KEY.

    \b
    Examples:
      coopt data rationales rows/ --endpoint http://127.0.0.1:8000/v1 --model Qwen3-32B --out rationales.jsonl
      coopt data rationales rows/ --model DIR --domains mat --questions 200 --out rationales.jsonl
      coopt bench --data rows/ --set model.specialise=rationales:rationales.jsonl
    """
    from rich.progress import Progress

    from coopt.core.config.load import load_config
    from coopt.core.quiet import quiet_libraries
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import Table
    from coopt.domains.load import load_domains
    from coopt.domains.rationales import solved_in
    from coopt.methods.rationales import write_rationales

    solved_in(out)  # what cannot be continued is refused before a model is loaded
    preset = "mini" if source == "scimini" else "real"
    config = load_config(preset=preset, domains=domains, data={"source": source, "mapping": mapping})
    found = load_domains(config)
    quiet_libraries()
    speaker = _speaker(model, endpoint)
    total = sum(min(questions, len(d.items("train"))) for d in found.values())
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("asking", total=total)
        asked = write_rationales(
            found, speaker, out, questions=questions, max_tokens=max_tokens, on_chunk=lambda n: progress.advance(bar, n)
        )
    rows = [[a.domain, str(a.questions), str(a.before), str(a.kept), str(a.wrong)] for a in asked]
    columns = ["domain", "questions", "there before", "kept", "not the answer"]
    notes = ["Solutions that do not end in the correct answer between <answer> and </answer> are not written."]
    show([Table(f"Worked solutions in {out}", columns, rows, notes)], output())


def _speaker(model: str, endpoint: str | None) -> Any:
    from coopt.core.config.schema import CriticConfig

    if endpoint is not None:
        from coopt.methods.tutors.endpoint import EndpointSpeaker, check_client

        check_client(model)
        if not shown_url(endpoint):
            raise ConfigError("--endpoint is not an http(s)://HOST[:PORT]/PATH address.")
        return EndpointSpeaker(model, endpoint, model, CriticConfig())
    from functools import lru_cache

    from coopt.lm.bases import base_directory, check_model_files
    from coopt.lm.engines.hf import HFEngine
    from coopt.lm.policy import load_policy
    from coopt.methods.tutors.local import LocalSpeaker

    directory = base_directory(model)
    check_model_files(directory)
    return LocalSpeaker(lru_cache(maxsize=1)(lambda: load_policy(directory, dtype="auto", trained=False)), HFEngine(32))


@data.command("make-base")
def make_base(
    out: Annotated[
        Path | None, typer.Argument(help="Where to write the model directory. (default of --family: the user's cache)")
    ] = None,
    family: Annotated[
        bool, typer.Option("--family", help="The base of the family of worlds (docs/worlds.md).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of weights and lessons.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Training steps. (default: the recipe's)")] = None,
) -> None:
    """Train the embedded base model (about twenty minutes on one core; with --family ten).

    \b
    Examples:
      coopt data make-base /tmp/base
      coopt data make-base --family     # what --model scimini-family reads
    """
    import dataclasses

    import torch
    from rich.progress import track

    from coopt.core import store
    from coopt.core.quiet import quiet_libraries
    from coopt.core.tables.screen import output, show
    from coopt.domains.scimini.facts import common_knowledge
    from coopt.lm.bases import family_directory
    from coopt.lm.embedded.learn import BASE, FAMILY_BASE, train_base, train_family
    from coopt.lm.embedded.measure import measure, measured_table

    if out is None and not family:
        raise ConfigError("coopt data make-base: say where to write it, for example 'coopt data make-base my-base'.")
    out = out or family_directory()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: not an empty folder. Give another one.")
    recipe = FAMILY_BASE if family else BASE
    schooling = dataclasses.replace(recipe, steps=steps) if steps else recipe
    quiet_libraries()
    torch.set_num_threads(1)  # so that the same weights come out whatever the number of cores
    screen = Console(stderr=True)
    ticks = iter(track(range(schooling.steps), "training", console=screen))
    losses: list[float] = []

    def report(step: int, loss: float) -> None:
        next(ticks)
        losses.append(loss)
        if not screen.is_terminal and step % max(1, schooling.steps // 20) == 0:
            print(f"training: step {step} of {schooling.steps}, loss {loss:.3f}", file=sys.stderr, flush=True)

    model, tokenizer = (train_family if family else train_base)(seed, schooling, report)
    next(ticks, None)  # the bar moves on when the next tick is asked for
    out.parent.mkdir(parents=True, exist_ok=True)
    with store.new_directory(out) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    print(f"{out}: {schooling.steps} steps, last loss {losses[-1]:.4f}", flush=True)
    if family:
        show([measured_table(measure(model, tokenizer, common_knowledge(), 20 if steps else 200))], output())
