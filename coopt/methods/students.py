"""How an initial student is made: ready, by the world's own lessons, or by fine-tuning on text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core.config.schema import Config, WorldConfig
from coopt.core.config.ways import EMBEDDED, FAMILY, KNOBS, RATIONALES, WAYS, way_of
from coopt.core.errors import ConfigError, CooptError
from coopt.core.meter import Meter
from coopt.core.outside.files import from_home, read_text
from coopt.core.version import __version__
from coopt.domains.base import Domain
from coopt.domains.rationales import read_rationales
from coopt.domains.rows import content_hash
from coopt.domains.scimini.facts import Fact
from coopt.domains.scimini.tasks import TaskMix
from coopt.domains.scimini.traits import Traits, traits_of
from coopt.graph.files import load_topology
from coopt.graph.topology import Node, Topology
from coopt.lm.bases import base_directory, check_model_files


def check_students(config: Config, topology: Topology) -> None:
    """Refuse settings from which no student can be made. Raises ``ConfigError`` or ``ModelError``."""
    way = way_of(config)
    if way not in WAYS and not way.startswith(RATIONALES):
        raise ConfigError(f"setting model.specialise = '{way}'. Allowed: {', '.join(WAYS)}.")
    if way == "world" and (config.data.source != "scimini" or config.model.path not in EMBEDDED):
        raise ConfigError("setting model.specialise = 'world' needs the embedded data and base. Else use none,"
                          " own_correct, answers or rationales:FILE (--set model.specialise=own_correct).")  # fmt: skip
    turned = [k for k in KNOBS if getattr(config.world, k) != WorldConfig.model_fields[k].default]
    if turned and not traits_of(config).family:
        raise ConfigError(f"setting world.{turned[0]} is of the family of worlds, which has a base of its own: add"
                          f" --model {FAMILY} (docs/worlds.md).")  # fmt: skip
    if way.startswith(RATIONALES):
        read_rationales(way.removeprefix(RATIONALES), f"model.specialise = '{way}'")
    if config.one_base and config.model.weights != "lora":
        raise ConfigError("setting model.shared_base = true needs adapters: add --set model.weights=lora.")
    if config.one_base and config.parallel.ranks > 1:
        raise ConfigError("setting model.shared_base = true needs parallel.ranks = 1: a base that students share is not"
                          " sharded. Leave one of the two out.")  # fmt: skip
    for domain, directory in config.model.students.items():
        if domain not in config.domains:
            raise ConfigError(f"--students names {domain}, which is not among the run's {', '.join(config.domains)}.")
        check_model_files(base_directory(directory))
    check_model_files(base_directory(config.model.path))
    for node in topology.nodes.values():
        if node.model and not node.endpoint:
            try:
                check_model_files(base_directory(node.model))
            except CooptError as error:
                raise ConfigError(f"topology {topology.name}: node '{node.id}': {error}") from None
        needs_text = way in ("own_correct", "answers") or way.startswith(RATIONALES)
        if node.role == "critic" and needs_text and not (node.model or node.snapshot_of or node.native):
            raise ConfigError(
                f"critic '{node.id}' of topology {topology.name} has nothing to be made from. Give it model (a"
                " directory), snapshot_of (a student) or endpoint in a topology file of your own (coopt topo show"
                f" {topology.name})."
            )


def origins(config: Config) -> dict[str, Path]:
    """Student -> the model directory that is its start, or from which its start is made."""
    topology = load_topology(config.topology, config.domains, config.nodes)
    return {s: _origin(config, topology.nodes[s])[0] for s in topology.students}


def _origin(config: Config, node: Node) -> tuple[Path, bool]:
    """The directory, and whether it is the start as it is."""
    if node.model:
        return base_directory(node.model), True
    if node.role == "student" and node.native in config.model.students:
        return base_directory(config.model.students[node.native]), True
    return base_directory(config.model.path), way_of(config) == "none"


def make_student(
    config: Config,
    topology: Topology,
    domains: Mapping[str, Domain],
    seed: int,
    student: str,
    target: Path,
    meter: Meter,
) -> None:
    """Write the student's model directory (a link where nothing has to be trained)."""
    node = topology.nodes[student]
    origin, is_start = _origin(config, node)
    native, way = node.native, way_of(config)
    if is_start:
        target.symlink_to(origin)
    elif way == "world":
        _world_specialist(config, topology, seed, student, target, meter)
    else:
        from coopt.lm.policy import save_policy
        from coopt.lm.saving import check_saving
        from coopt.lm.sft import specialise_on_text
        from coopt.lm.shared import load_student

        policy = load_student(config, origin, trained=True)
        check_saving(policy, origin)
        key = _domain_key(topology, seed, student)
        save_policy(specialise_on_text(policy, config, domains[native], key, meter), target)


def recipe(
    config: Config, topology: Topology, domains: Mapping[str, Domain], seed: int, student: str
) -> dict[str, Any] | None:
    """All that decides a specialist, as JSON: two of the same recipe are the same weights. None where nothing is
    trained."""
    node, way = topology.nodes[student], way_of(config)
    origin, is_start = _origin(config, node)
    if is_start:
        return None
    model = config.model.model_dump(include={"weights", "lora_rank", "dtype"}) | {"shared_base": config.one_base}
    files = {p.name: [p.stat().st_size, p.stat().st_mtime_ns] for p in sorted(origin.iterdir()) if p.is_file()}
    common = {"way": way, "seed": seed, "model": model, "origin": [str(origin.resolve()), files]}
    common |= {"coopt": __version__, **{p: version(p) for p in ("torch", "transformers", "peft")}}
    if way == "world":
        lessons = _lessons(config, topology, seed, student)
        own = {"known": sorted(map(str, lessons.known)), "mix": astuple(lessons.mix), "steps": lessons.steps}
        if lessons.traits.family:
            own["traits"] = asdict(lessons.traits)
        return common | own | {"student": student, "domains": list(config.domains)}
    domain = domains[node.native]
    questions = content_hash(*(repr(i) for i in domain.items("train")), repr(domain.wording))
    made = common | {
        "key": _domain_key(topology, seed, student),
        "questions": questions,
        "specialise": config.specialise.model_dump(),
    }
    if way.startswith(RATIONALES):
        made["rationales"] = content_hash(read_text(from_home(way.removeprefix(RATIONALES)), None))
    if way == "own_correct":
        made["sampled"] = [
            config.rounds.rollouts, config.sampling.max_response_tokens, config.data.extraction, config.engine.kind,
        ]  # fmt: skip
    return made


def _domain_key(topology: Topology, seed: int, student: str) -> tuple[int, str, int]:
    """By domain and not by name: "the chemistry student" is one start, whoever it is paired with. The number tells
    students of the same domain apart."""
    native = topology.nodes[student].native
    alike = [n.id for n in topology.nodes.values() if n.native == native]
    return seed, native, alike.index(student)


class _Lessons(NamedTuple):
    """What a student of the embedded world is taught."""

    known: frozenset[Fact]
    mix: TaskMix
    steps: int
    traits: Traits


def _lessons(config: Config, topology: Topology, seed: int, student: str) -> _Lessons:
    from coopt.lm.embedded.specialist import CRITIC_MIX, FAMILY_MIX, MIX, generalist_facts, known_facts

    world, critic = config.world, topology.nodes[student].role == "critic"
    if critic and not topology.nodes[student].native:
        known = generalist_facts(student, seed, world.own_share, world.foreign_share, config.domains)
    else:
        natives = {n.id: n.native for n in topology.nodes.values() if n.native}
        known = known_facts(natives, student, seed, world.own_share, world.foreign_share, config.domains)
    traits = traits_of(config)
    if critic:
        return _Lessons(known, CRITIC_MIX, world.critic_steps, traits)
    return _Lessons(known, FAMILY_MIX if traits.family else MIX, world.specialist_steps, traits)


def _world_specialist(config: Config, topology: Topology, seed: int, student: str, target: Path, meter: Meter) -> None:
    """Fine-tune the embedded base on the facts that this student is to know."""
    from coopt.lm.embedded.specialist import teach
    from coopt.lm.policy import save_policy
    from coopt.lm.shared import load_student
    from coopt.lm.training.adapters import make_trainable

    lessons = _lessons(config, topology, seed, student)
    meter.units = lessons.steps
    policy, key = load_student(config, base_directory(config.model.path), trained=True), (seed, student)
    if config.one_base:
        policy = make_trainable(policy, "lora", config.model.lora_rank, *key, "specialise")
    teach(policy.model, policy.tokenizer, lessons.known, config.domains, lessons.steps, key, lambda *_: meter.add(1),
          lessons.mix, lessons.traits)  # fmt: skip
    save_policy(policy, target)
