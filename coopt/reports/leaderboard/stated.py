"""What an entry says of itself, set against its settings, its provenance, and the worlds, graphs and methods that
coopt has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from coopt.core.config.load import check as check_config
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError, CooptError, EntryError
from coopt.core.names import BASE, INIT
from coopt.domains.load import data_hashes, load_domains
from coopt.graph.build import build_topology
from coopt.graph.files import is_shipped, load_topology, topology_names
from coopt.graph.topology import Topology
from coopt.lm.bases import NAMED
from coopt.methods.registry import all_methods
from coopt.reports.leaderboard.answers import GradedAnswers, Question
from coopt.reports.leaderboard.entry import Entry, plain, world_of
from coopt.reports.leaderboard.floors import CONSTANT, SHIPPED, base_scores
from coopt.runs.run import Run

_MOST_EDGES = 4096
_BY_CHANCE = 20  # questions answered both right and wrong: two seeds do not agree on so many answer by answer
_OF_ANSWERS = ("eval_temperature", "eval_top_p", "max_response_tokens")
_FAR = 0.05  # the shipped base's seeds differ by a tenth of that
Trust = Literal["verified", "checked", "claimed"]


class StatedRun(Run):
    """The run of an entry, without its folder: settings and graph."""

    def __init__(self, config: Config, topology: Topology) -> None:
        here = tuple(m for m in config.methods if m in all_methods())
        super().__init__(Path(), config.model_copy(update={"methods": here}))
        self.topology = topology


def stated_config(path: Path, entry: Entry) -> Config:
    """An entry's settings. Raises ``EntryError``."""
    try:
        return check_config(entry.config)
    except ConfigError as error:
        raise EntryError(f"{path}: config: {plain(str(error))}") from None


def check_words(path: Path, entry: Entry, config: Config) -> None:
    """What an entry says of itself agrees with its settings and with itself. Raises ``EntryError``."""
    if config.smoke:
        raise EntryError(f"{path}: from a smoke run, whose scores mean nothing. Run it without --smoke.")
    expected: dict[str, tuple[Any, Any]] = {
        "domains": (list(config.domains), entry.domains),
        "samples": (config.sampling.eval_samples, entry.samples),
        "name": (f"{entry.run}-{entry.method}", entry.name),
        "topology": (Path(config.topology).stem, entry.topology),
        "model": (Path(config.model.path).name, entry.model),
        "world": (world_of(config.data), entry.world),
        "data": (sorted(config.domains), sorted(entry.data)),
        "native": (sorted(entry.students), sorted(entry.native)),
        "seeds": (sorted(set(entry.seeds)), entry.seeds),
        "measures.constants": (list(config.domains), [c.domain for c in entry.measures.constants]),
    }
    for key, (right, found) in expected.items():
        if right != found:
            raise _contradicts(path, key, found, right)
    if not set(entry.native.values()) <= set(entry.domains):
        raise EntryError(f"{path}: native: {sorted(set(entry.native.values()))}; domains are {entry.domains}.")
    if entry.method not in config.methods:
        raise EntryError(f"{path}: method {entry.method} is not among config.methods {list(config.methods)}.")
    alike = [m for m in (*all_methods(), INIT, BASE, CONSTANT) if _squeezed(m) == _squeezed(entry.method)]
    if alike and entry.method not in all_methods():
        raise EntryError(f"{path}: method {entry.method} reads like {alike[0]}. Rename it, and run again.")
    if any((record.model_extra or {}).get("simulated") for record in entry.provenance):
        raise EntryError(f"{path}: from a simulation, which has no answers to questions.")
    if entry.model in NAMED and config.model.path != entry.model:
        raise EntryError(
            f"{path}: model: a folder of your own may not have the name of a shipped base ({entry.model})."
        )
    for k, record in enumerate(entry.provenance):
        if record.data != entry.data:
            raise EntryError(f"{path}: provenance.{k}.data is not the entry's data.")
    _check_seeds(path, entry, config)


def _squeezed(name: str) -> str:
    """A name as somebody remembers it."""
    return "".join(c for c in name.casefold() if c.isalnum())


def _contradicts(path: Path, key: str, found: object, right: object) -> EntryError:
    return EntryError(f"{path}: {key}: {plain(repr(found))}, but by the rest of the entry it is {plain(repr(right))}.")


def _check_seeds(path: Path, entry: Entry, config: Config) -> None:
    """Every seed that was run is in the entry, and no other. The folders of a sweep's arm have one each; that of a run
    which was given more seeds later says with which it began."""
    own = list(range(config.seed, config.seed + min(config.seeds, len(entry.seeds) + 1)))
    began = sorted({seed for record in entry.provenance for seed in record.seeds})
    if len(entry.provenance) == 1 and own != entry.seeds:
        raise _contradicts(path, "seeds", entry.seeds, own)
    if not set(own) <= set(entry.seeds):
        raise _contradicts(path, "seeds", entry.seeds, sorted({*own, *entry.seeds}))
    if not set(began) <= set(entry.seeds):
        raise EntryError(f"{path}: seeds: {entry.seeds}, but provenance has {began}.")
    told = all(record.seeds for record in entry.provenance)
    if told and len(entry.provenance) > 1 and sorted({*own, *began}) != entry.seeds:
        raise EntryError(f"{path}: seeds: {entry.seeds}, but provenance has {began}.")


def check_seeds_differ(path: Path, answers: GradedAnswers) -> None:
    """No seed is another one's answers again. Raises ``EntryError``."""
    seen: dict[bytes, int] = {}
    for k, seed in enumerate(answers.seeds):
        first = seen.setdefault(answers.of_seed(k), seed)
        if first != seed and answers.undecided(k) >= _BY_CHANCE:
            raise EntryError(f"{path}: seeds: {seed} has the same answers as {first}, one by one.")


def check_world(path: Path, entry: Entry, config: Config, answers: GradedAnswers) -> None:
    """The embedded world's questions, keys, clusters and hashes, which are always here; of rows they are what the entry
    says. Raises ``EntryError``."""
    if entry.world != "scimini":
        return
    # Their worked solutions lie where the run was made, and nothing of them is asked here.
    domains = load_domains(config.model_copy(update={"data": config.data.model_copy(update={"solutions": ""})}))
    for name, domain in domains.items():
        if [Question.of(i) for i in domain.items("test")] != list(answers.questions[name]):
            raise EntryError(
                f"{path}: the questions of {name}, their answers or clusters, are not the embedded world's."
            )
    hashes = data_hashes(domains)
    for name, splits in entry.data.items():
        if splits != hashes[name]:
            raise EntryError(f"{path}: data.{name} is not the hash of the embedded world's questions.")
    _check_base(path, entry, config, answers)


def _check_base(path: Path, entry: Entry, config: Config, answers: GradedAnswers) -> None:
    """The shipped base's score on questions on which it was measured, sampled as it was then."""
    sampling, usual = config.sampling, load_config(preset="mini").sampling
    if entry.model != SHIPPED or any(getattr(sampling, key) != getattr(usual, key) for key in _OF_ANSWERS):
        return
    for name in entry.domains:
        known = base_scores().get(entry.data[name]["test"])
        found = answers.score(BASE, BASE, name).value
        if known is not None and abs(found - known) > _FAR:
            raise EntryError(f"{path}: base scores {found:.3f} in {name}; the shipped one has {known:.3f}.")


def check_graph(path: Path, entry: Entry, config: Config) -> Topology:
    """The entry's graph: the shipped one, or that of its tables, with these students in these domains. Raises
    ``EntryError``."""
    if config.nodes not in (None, len(entry.students)):
        raise EntryError(f"{path}: config.nodes is {config.nodes}, but it has {len(entry.students)} students.")
    try:
        topology = _shipped(path, entry, config) if is_shipped(config.topology) else _own(path, entry)
    except EntryError:
        raise
    except CooptError as error:
        raise EntryError(f"{path}: config: {plain(str(error))}") from None
    for key, right, found in (
        ("students", topology.students, entry.students),
        ("native", topology.native, entry.native),
    ):
        if right != found:
            raise EntryError(
                f"{path}: {key}: {plain(str(found))}, but of the graph {entry.topology} they are {plain(str(right))}."
            )
    return topology


def _shipped(path: Path, entry: Entry, config: Config) -> Topology:
    if entry.graph is not None:
        raise EntryError(f"{path}: graph: {entry.topology} is a shipped one, for which an entry holds no tables.")
    return load_topology(config.topology, config.domains, config.nodes)


def _own(path: Path, entry: Entry) -> Topology:
    if entry.topology in topology_names():
        raise EntryError(
            f"{path}: topology: a graph of your own may not have the name of a shipped one ({entry.topology}). Rename"
            " its file, and run again."
        )
    if entry.graph is None:
        raise EntryError(f"{path}: graph: missing, and {entry.topology} is not a shipped one. Add the run again.")
    edges = entry.graph.get("edges")
    if isinstance(edges, list) and len(edges) > _MOST_EDGES:
        raise EntryError(f"{path}: graph: {len(edges):,} edges; an entry may have {_MOST_EDGES:,}.")
    return build_topology(entry.topology, entry.graph, entry.domains, where=f"graph {entry.topology}")


def check_informed(path: Path, entry: Entry, config: Config, topology: Topology) -> None:
    """Whether worked solutions reached the students, by method and graph. Raises ``EntryError``."""
    if not knows_method(entry):
        return
    try:
        informed = StatedRun(config, topology).is_informed(entry.method)
    except CooptError as error:
        raise EntryError(f"{path}: config: {plain(str(error))}") from None
    if informed != entry.informed:
        raise _contradicts(path, "informed", entry.informed, informed)


def knows_method(entry: Entry) -> bool:
    """Whether the entry's method is installed here, so that what it reads is known."""
    return entry.method in all_methods()


def trust_in(entry: Entry) -> dict[Trust, list[str]]:
    """What of an entry was worked out again, what only agrees with the rest of it, and what nobody can see from it."""
    embedded, shipped = entry.world == "scimini", entry.graph is None
    found: dict[Trust, list[str]] = {
        "verified": ["scores, intervals, changes and verdicts follow from the answers"],
        "checked": [
            "settings, seeds, answers per question and domains agree with one another",
            "settings are those of the command that began the run, as far as it names them",
        ],
        "claimed": [
            "that these students gave these answers",
            "seconds, tokens, memory, hardware, packages and commit",
            "settings that the command leaves to its preset",
        ],
    }
    steps = "number of steps, by rounds, students and seeds"
    if knows_method(entry):
        found["checked"].append(f"{steps}; fewer only by whole rounds")
    else:
        found["claimed"].append(f"{steps}, below their upper bound")
    world = "questions, right answers and hashes of the data"
    if embedded:
        found["verified"].append(f"{world} are the embedded world's")
    else:
        found["checked"].append("the hash of the test questions' names")
        found["claimed"].append(f"{world}, but for that")
    where = "shipped graph" if shipped else "graph that the entry holds"
    found["verified" if shipped else "checked"].append(f"students and native domains are the {where}'s")
    told = "whether worked solutions reach the students, by method and graph"
    found["verified" if knows_method(entry) and shipped else "checked" if knows_method(entry) else "claimed"].append(
        told
    )
    if entry.model not in NAMED:
        found["claimed"].append(f"that the base is {entry.model}")
    return found
