"""What is refused before any work begins: settings, methods, gates, models and data that do not go together."""

from __future__ import annotations

from pathlib import Path

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError, unknown
from coopt.core.names import ORACLE
from coopt.domains.load import check_names, check_solutions
from coopt.driver.slurm.executors import check_cluster
from coopt.driver.tasks.cards import cards_here
from coopt.driver.tracking.beside import check_tracking
from coopt.graph.gates.code import UnreadGate, file_of, only_looked_at
from coopt.graph.gates.registry import check_options, make_gate, wants
from coopt.lm.bases import base_directory
from coopt.lm.engines.make import check_engine
from coopt.methods.base import Trained
from coopt.methods.registry import make_method
from coopt.methods.students import check_students
from coopt.methods.tutors.endpoint import check_client
from coopt.runs.run import Run

_MEANT_FOR_CPUS = 1e9
"""Bytes of weights up to which a run without GPUs is nothing odd."""


def check_run(config: Config) -> None:
    """Everything that can be refused before work begins. Raises a ``CooptError``."""
    check_cluster(config.cluster)
    check_plan(config)


def check_plan(config: Config) -> None:
    """Everything but that this machine has the cluster, which a plan can do without. Raises a ``CooptError``."""
    check_settings(config)
    check_engine(config)
    check_gpus(config)
    check_tracking(config.tracking)
    run = Run(Path(), config)
    check_students(config, run.cast)
    domains = run.domains  # loading checks them
    for name in config.methods:
        run.method(name).check(config, domains)
        _check_styles_of(run, name)


def check_gpus(config: Config) -> None:
    """Refuse SLURM jobs without a GPU for a model that is too large to be meant for CPUs, and with fewer than their
    vLLM is split over; and jobs of this machine where it has GPUs. Raises ``ConfigError``."""
    if config.cluster.kind == "local" and cards_here(config):
        # submitit shows each job as many as it asks for, counted from the first.
        raise ConfigError(
            "--cluster local: every job would see this machine's first GPUs (cluster.gpus of them for a rank), whatever"
            " other jobs do with them. Leave --cluster out: worker processes have GPUs of their own. Or compute on"
            " CPUs: --set run.device=cpu."
        )
    split = config.engine.tensor_parallel if config.engine.kind == "vllm" else 1
    if config.cluster.kind == "slurm" and 0 < config.cluster.gpus < split:
        raise ConfigError(
            f"--cluster slurm: jobs ask for cluster.gpus = {config.cluster.gpus}, and engine.tensor_parallel = {split}"
            f" splits vLLM over as many. Set cluster.gpus={split}, or engine.tensor_parallel=1."
        )
    asked = config.cluster.gpus or any(key == "gres" or key.startswith("gpus") for key in config.cluster.options)
    if config.cluster.kind != "slurm" or asked or config.run.device == "cpu":
        return
    size = sum(f.stat().st_size for f in base_directory(config.model.path).glob("*.safetensors"))
    if size > _MEANT_FOR_CPUS:
        raise ConfigError(
            f"--cluster slurm: jobs would run a model of {size / 1e9:.1f} GB without a GPU. Ask for one: --profile gpu"
            " (or your own: slurm/gpu.toml), or confirm that it is to use CPUs: --set run.device=cpu."
        )


def check_one_method(run: Run, name: str, *, models: bool) -> None:
    """What one method of a run needs, ``models`` and rows among it. Raises a ``CooptError``."""
    method = make_method(name, run.config.options)
    _check_gates_of(run, name)
    if models:
        if run.tutoring(name, run.topology)[0].nodes != run.topology.nodes:  # nodes of its own
            check_students(run.config, run.cast)
        method.check(run.config, run.domains)
        _check_styles_of(run, name)


def check_settings(config: Config) -> None:
    """What can be refused without models, data and what else is to be installed. Raises a ``CooptError``."""
    check_names(config)
    for name in (*config.methods, *config.options):
        make_method(name, config.options)
    if len(set(config.methods)) < len(config.methods):
        raise ConfigError("--method takes each method once, for example sdpo,opcod.")
    make_gate(config.gate)
    run = Run(Path(), config)
    for critic in run.topology.critics:
        if run.topology.nodes[critic].endpoint:
            check_client(critic)
    _check_gates(run)
    _check_gate_options(run)
    _check_adversaries(run)


def check_graph(run: Run) -> None:
    """The models and the gates that a graph's nodes and edges name are there. Raises a ``CooptError``."""
    check_students(run.config, run.topology)
    _check_gates(run)


def _check_gates(run: Run) -> None:
    """Every edge's gate can be made and has what it reads."""
    for name in (*run.config.methods, "opcod"):
        _check_gates_of(run, name)


def _check_gates_of(run: Run, name: str) -> None:
    config, methods = run.config, run.config.methods
    before = methods[: methods.index(name)] if name in methods else ()
    for edge, own in run.tutoring(name, run.topology)[1].items():
        try:
            gate = make_gate(own)
        except ConfigError as error:
            here = f"topology {config.topology}: edge {edge}: " if edge in run.topology.settings else ""
            raise ConfigError(f"{here}{error}") from None
        reads = gate.reads_scores and not isinstance(gate, UnreadGate)
        if edge.tutor != ORACLE and run.cast.nodes[edge.tutor].endpoint and reads:
            raise ConfigError(
                f"edge {edge}: gate {own.kind} reads scores, and an endpoint is not scored. Give the edge"
                " gate = 'always', 'never' or 'random'."
            )
        if wants(gate, "reads_probe") and not config.break_rate.questions:
            raise ConfigError(
                f"gate {own.kind} reads the break-rate probe: set break_rate.questions above 0, for example 200."
            )
        if own.kind == "random" and own.rate is None and ("opcod" not in before or not _measures(run)):
            raise ConfigError(
                "gate random needs gate.rate, or method opcod with gate cognizance before it in the same run"
                " (--method sdpo,opcod,random), whose open share it then matches."
            )


def _check_gate_options(run: Run) -> None:
    """Somebody reads each of ``gate.options``: the run's gate, or one on an edge or of a method."""
    methods = run.config.methods
    check_options([run.config.gate, *(g for n in methods for g in run.tutoring(n, run.topology)[1].values())])


def imported(run: Run) -> list[str]:
    """A line for each file of code that the run imports: its gates, by setting or edge; and whether a plan has not."""
    kinds = {"gate.kind": run.config.gate.kind} | {f"edge {e}": s.gate for e, s in run.topology.settings.items()}
    found = {where: file_of(kind) for where, kind in kinds.items()}
    not_now = ". This dry run has neither imported nor checked it: --trust does" if only_looked_at() else ""
    return [f"imports code: {file[0]} ({where}){not_now}" for where, file in found.items() if file]


def _measures(run: Run) -> bool:
    """Whether any gate of opcod reads scores: without one there is no share of cognizant edges to match."""
    return any(make_gate(g).reads_scores for g in run.tutoring("opcod", run.topology)[1].values())


def _check_styles_of(run: Run, name: str) -> None:
    """Tutors that hand the worked solution over, or are given it, have one to read."""
    graph, gates = run.tutoring(name, run.topology)
    method = run.method(name)
    reads = isinstance(method, Trained) and method.reads_peers  # such peers write no feedback
    for edge in () if reads else gates:
        if run.informs(graph, edge):
            style = graph.style_of(edge) or run.config.feedback.style
            check_solutions(run.domains, f"method {name}: edge {edge} of style {style}")


def _check_adversaries(run: Run) -> None:
    for name, kind in run.config.adversary.items():
        if name not in run.topology.nodes:
            raise ConfigError(unknown("node", name, run.topology.nodes, "--adversary: "))
        if not run.topology.graph.out_degree(name):
            raise ConfigError(f"--adversary {name}:{kind}: '{name}' tutors nobody.")
