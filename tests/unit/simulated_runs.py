"""Run directories as the bench leaves them, played by the simulator's own model: for tests of the calibration.

Every student gets its own difficulties of the validation questions (correlated by ``common``), so that scores, joint
answers and probes are consistent with one another as they are in a real run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.rng import generator
from coopt.driver.simulate import dynamics
from coopt.driver.simulate.constants import Constants
from coopt.driver.simulate.deciding import OPCOD, SDPO, Open
from coopt.driver.simulate.dynamics import World, simulate
from coopt.driver.simulate.history import History
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.network import Network
from coopt.graph.files import load_topology
from coopt.graph.topology import Topology
from coopt.runs.journal import Journal
from coopt.runs.run import Run

Floats = NDArray[np.float64]


def constants(**changes: float) -> Constants:
    """A set of constants that all data of a moderate size identify."""
    tree: dict[str, dict[str, float]] = {
        "items": {"steepness": 4.0, "guess": 0.03, "slip": 0.04, "common": 0.3},
        "contexts": {
            "kept": 0.9, "fix_own": 0.8, "break_own": 0.02, "fix_both": 0.82, "break_both": 0.03,
            "uptake": 0.7, "harm": 0.4, "noise": 0.05,
        },
        "learning": {"rate_own": 0.12, "rate_feedback": 0.15, "interference": 0.0, "lump": 0.05},
        "start": {"native": 1.0, "native_sd": 0.2, "foreign": 0.2, "foreign_sd": 0.3},
    }  # fmt: skip
    for key, value in changes.items():
        group, _, name = key.partition("__")
        tree[group][name] = value
    return Constants.model_validate(tree)


def change_ND(history: History) -> Floats:
    """Change of accuracy from start to end, students only."""
    moved = history.accuracy_RND[-1].astype(float) - history.accuracy_RND[0]
    return np.asarray(moved[history.nodes.students_N])


def write_run(directory: Path, model: Constants, monkeypatch: pytest.MonkeyPatch, **flags: Any) -> Path:
    """A finished run of simulated students; ``flags`` as for ``load_config``."""
    flags = {"topology": "ring", "nodes": 6, "domains": "phys,chem", "seeds": 3} | flags
    config = load_config(**flags)
    store.write_json(directory / "config.json", config.model_dump(mode="json"))
    store.write_json(directory / "provenance.json", {"commit": "0123456789abcdef", "data": {}})
    _Writer(directory, config, model, monkeypatch).write()
    return directory


class _Recorder(History):
    """A history that keeps competences and decisions."""

    def scored(self, round_: int, scores_ND: Floats, theta_ND: Floats, model: ItemModel) -> None:
        super().scored(round_, scores_ND, theta_ND, model)
        _THETAS.append(theta_ND.copy())

    def decided(self, round_: int, network: Network, opened: Open, collapsed_N: NDArray[np.bool_]) -> None:
        super().decided(round_, network, opened, collapsed_N)
        _OPENED.append((network, opened))


_THETAS: list[Floats] = []
_OPENED: list[tuple[Network, Open]] = []


class _Writer:
    def __init__(self, directory: Path, config: Config, model: Constants, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dynamics, "History", _Recorder)
        self.run, self.config, self.constants = Run(directory, config), config, model
        self.topology: Topology = load_topology(config.topology, config.domains, config.nodes)
        self.world = World(self.topology, config, model)
        self.journal = Journal(self.run.journal_path)

    def write(self) -> None:
        for seed in self.config.all_seeds:
            self.difficulty_NDQ = self._difficulties(seed)
            for method in self.config.methods:
                _THETAS.clear()
                _OPENED.clear()
                simulate(self.world, method, seed, lucky=False, matched_rate=0.5)
                self._scores(seed, method)
                self._gates(seed, method)
                if method == self.config.methods[0]:
                    self._probes(seed, _THETAS[0])

    def _difficulties(self, seed: int) -> Floats:
        """[students, domains, questions]"""
        students, domains = len(self.topology.students), len(self.config.domains)
        rng, common = generator(seed, "difficulties"), self.constants.items.common
        shared = rng.standard_normal((1, domains, self.config.data.validation))
        own = rng.standard_normal((students, domains, self.config.data.validation))
        return np.asarray(np.sqrt(common) * shared + np.sqrt(1 - common) * own)

    def _known(self, theta_ND: Floats) -> Floats:
        """Chance that a student knows a question [N, D, Q]."""
        return np.asarray(expit(self.constants.items.steepness * (theta_ND[..., None] - self.difficulty_NDQ)))

    def _scores(self, seed: int, method: str) -> None:
        samples = self.config.sampling.eval_samples
        for r, theta_ND in enumerate(_THETAS):
            known_NDQ = self._known(theta_ND)
            for k, student in enumerate(self.topology.students):
                rng = generator(seed, method if r else "init", r, student, "answers")
                grids = (rng.random((*known_NDQ[k].shape, samples)) < known_NDQ[k][..., None]).astype(int)
                domains = {d: {"correct": g.tolist()} for d, g in zip(self.config.domains, grids, strict=True)}
                store.write_json(self.run.scores_path(seed, method, "validation", r, student), {"domains": domains})

    def _gates(self, seed: int, method: str) -> None:
        for r, (network, opened) in enumerate(_OPENED, start=1):
            decisions = {}
            names = self.world.nodes.names
            for tutor, tutee, row in zip(network.tutor_E, network.tutee_E, opened.open_ED, strict=True):
                open_in = [d for d, is_open in zip(self.config.domains, row, strict=True) if is_open]
                decisions[f"{names[tutor]} -> {names[tutee]}"] = {
                    "open": bool(row.any()), "domains": open_in, "reason": "cognizant",
                    "gap": None, "gap_low": None, "gap_high": None, "flip": 0.0,
                }  # fmt: skip
            self.journal.once("gates", f"{seed}/{method}/r{r}", lambda found=decisions: found)  # type: ignore[misc]

    def _probes(self, seed: int, theta_ND: Floats) -> None:
        known_NDQ = self._known(theta_ND)
        index = self.topology.index
        for student in self.topology.students:
            rng = generator(seed, student, "probe")
            domains = {}
            for d, name in enumerate(self.config.domains):
                tutors = {t: known_NDQ[index[t], d] for t in self.topology.tutors_of(student)}
                domains[name] = _probe(known_NDQ[index[student], d], tutors, student, self, rng)
            store.write_json(self.run.break_rate_path(seed, student), {"domains": domains})


def _probe(
    known_Q: Floats, tutors: dict[str, Floats], student: str, writer: _Writer, rng: np.random.Generator
) -> dict[str, Any]:
    """0/1 grids [questions][n] by the model's contexts."""
    c, items, n = writer.constants.contexts, writer.constants.items, writer.config.rounds.rollouts
    p_Q = items.guess + (1 - items.guess - items.slip) * known_Q
    before = (rng.random((len(p_Q), n)) < p_Q[:, None]).astype(float)
    right = before.sum(axis=1, keepdims=True)
    has_own = right - before >= 1
    own = _answer(before, c.fix_own, c.break_own, rng)
    edges = {}
    for tutor, theirs_Q in tutors.items():
        knows = (rng.random(len(theirs_Q)) < theirs_Q)[:, None] * np.ones((1, n))
        kept = rng.random(before.shape) < c.kept
        f = _answer(before, c.uptake * knows, c.noise + c.harm * (1 - knows), rng)
        both = _answer(before, c.fix_both, c.break_both, rng)
        edges[f"{tutor} -> {student}"] = {
            "f": _grid(f, kept), "sf": _grid(both, kept & has_own), "kept": int(kept.sum()),
        }  # fmt: skip
    return {
        "items": [f"q{k}" for k in range(len(p_Q))],
        "before": before.astype(int).tolist(),
        "again": _grid(_answer(before, 0.1, c.noise, rng), np.ones(before.shape, dtype=bool)),
        "s": _grid(own, has_own),
        "edges": edges,
    }


def _answer(before: Floats, fix: Any, breaks: Any, rng: np.random.Generator) -> Floats:
    drawn = rng.random(before.shape)
    return np.where(before == 1, drawn >= breaks, drawn < fix).astype(float)


def _grid(after: Floats, asked: NDArray[np.bool_]) -> list[list[int | None]]:
    return [[int(x) if a else None for x, a in zip(r, m, strict=True)] for r, m in zip(after, asked, strict=True)]


METHODS = (SDPO, OPCOD, "always")
