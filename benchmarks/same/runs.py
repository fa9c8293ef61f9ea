"""The benches and commands whose outcome has to stay the same: as small as they can be, and every part in one of them.

Only the command line is used, so that code may move as it likes. Commands of a run are performed one after another in
a folder of its own; what they print is kept there under ``said/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.same.inputs import FAR, GATE, ROWS


class Command(NamedTuple):
    """Words after ``coopt``, and the name of the file under ``said/`` that gets what it prints."""

    said: str
    words: tuple[str, ...]
    code: int = 0
    """The exit code that it must have."""
    kill_at: str = ""
    """Where the command is killed (the environment variable COOPT_KILL_AT)."""


class Run(NamedTuple):
    """A run of this tool. ``makes`` are performed by BASE's code and by the new code, each for itself; ``reads`` by
    both on what BASE made: there both must print the same bytes."""

    name: str
    says: str
    makes: tuple[Command, ...] = ()
    reads: tuple[Command, ...] = ()
    files: Mapping[str, str] = {}
    resumes: bool = False
    """The new code also goes on in BASE's finished folder, where nothing must be left to do. Keeps BASE's weights."""


def command(said: str, text: str, *more: str, code: int = 0, kill_at: str = "") -> Command:
    """A command as one types it; ``more`` are further words that hold blanks."""
    return Command(said, (*text.split(), *more), code, kill_at)


def _sets(**settings: object) -> str:
    """``--set`` for every setting; two underscores stand for a point."""
    return " ".join(f"--set {k.replace('__', '.')}={v}" for k, v in settings.items())


TINY = "bench --smoke --workers 1 " + _sets(
    rounds__steps=1, rounds__prompts=3, optimizer__warmup=1, data__validation=6, data__test=6, break_rate__minimum=1,
    run__bootstrap=100,
)  # fmt: skip
"""A warm-up of one step: the first step of all has learning rate 0, the second the whole. Specialists get the 20 steps
of a smoke run, because students of fewer say the same whatever they are asked, and then nothing depends on anything."""
QUICK = f"{TINY} {_sets(break_rate__questions=0, world__specialist_steps=12)}"
OPEN = _sets(gate__kind="always")
"""Students of so few steps are of little use to each other: a gate that reads scores may never open."""

BENCHES = (
    Run(
        "all",
        "every method for one round, two seeds; every table, figure, page and export of them",
        (
            command("bench.json", f"{TINY} --method all --seeds 2 --json"
                    f" {_sets(rounds__rounds=1, rounds__steps=2, rounds__prompts=2)}"),
        ),
        (
            command("report.md", "report RUN --format md"),
            command("report.json", "report RUN --format json"),
            command("report.csv", "report RUN --format csv"),
            command("report.tex", "report RUN --format latex"),
            command("report.txt", "report RUN"),
            command("page.txt", "report RUN --html page.html"),
            command("figure-feedback.txt", "report RUN --figure feedback --out feedback.svg"),
            command("figure-break-rate.txt", "report RUN --figure break-rate --out break-rate.svg"),
            command("figure-step-time.txt", "report RUN --figure step-time --out step-time.svg"),
            command("advantages.md", "advantages RUN --format md"),
            command("advantages.txt", "advantages RUN --method sdpo,opcod --html advantages.html --svg advantages.svg"),
            command("export.txt", "export RUN --out export"),
            command("entries.txt", "leaderboard add RUN --to entries"),
            command("board.md", "leaderboard build entries --format md"),
            command("predict.json", "simulate --predict RUN --json"),
        ),
    ),
    Run(
        "committee",
        "three students of three domains on a ring that judge one another's feedback; a graph's tables",
        (
            command("bench.json", f"{TINY} --topology ring --nodes 3 --domains phys,chem,mat --method opcod --json"
                    f" --set feedback.assign=committee {OPEN}"),
        ),
        (
            command("report.md", "report RUN --format md"),
            command("figure.txt", "report RUN --figure gates --out gates.svg"),
        ),
    ),
    Run(
        "ranks",
        "two processes that train one student together",
        (command("bench.json", f"{QUICK} --method opcod --json {OPEN} --set parallel.ranks=2"),),
        (command("report.md", "report RUN --format md"),),
        resumes=True,
    ),
    Run(
        "adversary",
        "one tutor that gives the answer away, one that misleads, and their honest selves; two rounds",
        (
            command("bench.txt", f"{QUICK} --adversary s2:leak --adversary s1:misleading {OPEN}"
                    " --method sdpo,honest,opcod,frozen_peers,merge_trained"),
        ),
        (command("report.md", "report RUN --format md"),),
    ),
    Run(
        "schedules",
        "simultaneous and sequential phases of the same students, compared; a run that was killed and went on",
        (
            command("killed.json", f"{QUICK} --method opcod --out one {OPEN}", code=-9, kill_at="step:1"),
            command("one.json", f"{QUICK} --method opcod --out one --json {OPEN}"),
            command("two.json", f"{QUICK} --method opcod --out two --json {OPEN} --set rounds.schedule=sequential"),
        ),
        (
            command("compare.md", "compare one two --format md"),
            command("compare.json", "compare one two --format json"),
            command("export.txt", "export two --out export"),
            command("figure.txt", "report one two --figure schedules --out schedules.svg"),
            command("report.md", "report two --format md"),
        ),
        resumes=True,
    ),
    Run(
        "gate",
        "a gate from a user's file, with options",
        (
            command("bench.json", f"{TINY} --topology star --nodes 3 --method opcod,per_domain --json"
                    " --set gate.kind=mine.py:Mine --set gate.options.slack=0.4 --set feedback.assign=all"),
        ),
        (command("report.md", "report RUN --format md"),),
        {"mine.py": GATE},
    ),
    Run(
        "endpoint",
        "a critic behind an OpenAI-compatible server, beside a peer",
        (command("bench.json", f"{TINY} --topology far.toml --method sdpo,opcod --json {OPEN}"),),
        (command("report.md", "report RUN --format md"),),
        {"far.toml": FAR},
    ),
    Run(
        "adapters",
        "adapters on one base, made from own correct answers; scores and break-rates of the models that come out",
        (
            command("bench.json", f"{QUICK} --method opcod,merge_trained,grpo --json {OPEN} --set model.weights=lora"
                    " --set model.shared_base=true --set model.specialise=own_correct --set specialise.questions=30"
                    " --set specialise.epochs=1 --set loss.shared_prefixes=true --set loss.top_k=20"
                    " --set teacher.kind=trust_region --set rounds.prompts=2"),
            command("eval.json", "eval --smoke --json RUN/seeds/0/init/s1/model RUN/seeds/0/opcod/r2/s1/model"),
            command("break-rate.json", "break-rate --smoke --json --questions 4 --out probed/run scimini"
                    " RUN/seeds/0/opcod/r2/s1/model"),
        ),
        (command("report.md", "report RUN --format md"),),
    ),
)  # fmt: skip

TOOLS = Run(
    "tools",
    "commands that train nothing: graphs, the simulator, plans, settings, and calls that are refused",
    (
        command("methods.txt", "env --methods"),
        command("settings.txt", "env --settings"),
        command("topologies.txt", "topo list"),
        command("show-pair.json", "topo show pair --json"),
        command("show-ring.txt", "topo show ring --nodes 8"),
        command("show-small-world.json", "topo show small_world --nodes 16 --domains phys,chem,mat,bio --json"),
        command("draw.txt", "topo draw random_matching --nodes 6 --round 2 --seed 1"),
        command("draw-svg.txt", "topo draw star --nodes 5 --out star.svg"),
        command("check.txt", "topo check far.toml"),
        command("simulate.json", "simulate --topology ring --nodes 8 --rounds 4 --seeds 3 --json"),
        command("simulate.md", "simulate --methods sdpo,opcod,always,random --seeds 5 --format md --picture s.svg"),
        command("paper.json", "simulate --rates paper --methods opcod,domain_selective --seeds 5 --json"),
        command("plan.json", f"{TINY} --dry-run --json --method all"),
        command("suites.txt", "sweep --list"),
        command("sweep.txt", "sweep seeds-smoke --dry-run --archive results/suites/seeds-smoke"),
        command("schema.json", "leaderboard schema"),
        command("rows.json", "data check rows.jsonl --json"),
        command("help.txt", "--help"),
        command("bench-help.txt", "bench --help"),
        command("unknown-setting.txt", "bench --set rounds.step=5", code=2),
        command("unknown-method.txt", "bench --method sdpoo", code=2),
        command("no-run.txt", "report nowhere", code=2),
    ),
    files={"far.toml": FAR, "rows.jsonl": ROWS},
)


ARCHIVED = "archived"
NAMES = (*(run.name for run in BENCHES), TOOLS.name, ARCHIVED)


def all_runs(results: Path) -> tuple[Run, ...]:
    """Every run, the longest first. ``results``: the folder of archived results, whose suites' tables are made."""
    suites = sorted(p.name for p in (results / "suites").iterdir() if p.is_dir())
    archived = Run(
        ARCHIVED,
        "the tables of every archived suite, and the leaderboard, from the files that are in BASE",
        (
            *(command(f"{s}.md", f"sweep {s} --table --format md --archive results/suites/{s}") for s in suites),
            command("check.txt", "leaderboard check results"),
            command("board.md", "leaderboard build results --format md"),
            command("board.txt", "leaderboard build results --format html --out board.html"),
        ),
    )
    return *BENCHES, TOOLS, archived
