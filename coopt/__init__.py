"""coopt: N-agent co-distillation of language models, measured honestly.

    import coopt

    config = coopt.load_config(topology="pair", domains="phys,chem", smoke=True)
    results = coopt.bench(config, out="runs/first", workers=2)
    results.to_dataframe()
    results = coopt.read_results("runs/first")

``Domain``, ``Engine``, ``Gate``, ``Trainer`` and ``Tutor`` are the protocols that variants implement. A gate of your
own is an ``EdgeByEdge`` or a ``Gate``; a method of your own is a ``Trained`` or a ``SelfDistillation``, entered by
``@method``. ``coopt.testing`` checks both.
Names are imported when they are first used: ``coopt --help`` needs neither torch nor numpy nor networkx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coopt.core.version import __version__ as __version__

if TYPE_CHECKING:
    from coopt.core.config.load import load_config as load_config
    from coopt.core.config.schema import Config as Config
    from coopt.core.config.schema import GateConfig as GateConfig
    from coopt.core.config.section import Section as Section
    from coopt.core.errors import CooptError as CooptError
    from coopt.domains.base import Domain as Domain
    from coopt.domains.base import Item as Item
    from coopt.driver.api import bench as bench
    from coopt.graph.files import load_topology as load_topology
    from coopt.graph.gates.base import Decision as Decision
    from coopt.graph.gates.base import Decisions as Decisions
    from coopt.graph.gates.base import EdgeByEdge as EdgeByEdge
    from coopt.graph.gates.base import Gate as Gate
    from coopt.graph.gates.base import View as View
    from coopt.graph.topology import Edge as Edge
    from coopt.graph.topology import Topology as Topology
    from coopt.lm.engines.base import Draws as Draws
    from coopt.lm.engines.base import Engine as Engine
    from coopt.lm.training.base import Trainer as Trainer
    from coopt.lm.training.base import TrainRow as TrainRow
    from coopt.methods.algorithms.self_distillation import SelfDistillation as SelfDistillation
    from coopt.methods.base import Average as Average
    from coopt.methods.base import Method as Method
    from coopt.methods.base import Trained as Trained
    from coopt.methods.base import method as method
    from coopt.methods.base import with_settings as with_settings
    from coopt.methods.rollouts import Context as Context
    from coopt.methods.rollouts import Rollout as Rollout
    from coopt.methods.rollouts import RolloutGroup as RolloutGroup
    from coopt.methods.rollouts import Told as Told
    from coopt.methods.step import Learnt as Learnt
    from coopt.methods.step import Step as Step
    from coopt.methods.tutors.base import Tutor as Tutor
    from coopt.runs.measures.summary import read_results as read_results
    from coopt.runs.results import Results as Results

_HOME = {
    "Average": "coopt.methods.base",
    "Config": "coopt.core.config.schema",
    "Context": "coopt.methods.rollouts",
    "CooptError": "coopt.core.errors",
    "Decision": "coopt.graph.gates.base",
    "Decisions": "coopt.graph.gates.base",
    "Domain": "coopt.domains.base",
    "Draws": "coopt.lm.engines.base",
    "Edge": "coopt.graph.topology",
    "EdgeByEdge": "coopt.graph.gates.base",
    "Engine": "coopt.lm.engines.base",
    "Gate": "coopt.graph.gates.base",
    "GateConfig": "coopt.core.config.schema",
    "Item": "coopt.domains.base",
    "Learnt": "coopt.methods.step",
    "Method": "coopt.methods.base",
    "Results": "coopt.runs.results",
    "Rollout": "coopt.methods.rollouts",
    "RolloutGroup": "coopt.methods.rollouts",
    "Section": "coopt.core.config.section",
    "SelfDistillation": "coopt.methods.algorithms.self_distillation",
    "Step": "coopt.methods.step",
    "Told": "coopt.methods.rollouts",
    "Topology": "coopt.graph.topology",
    "TrainRow": "coopt.lm.training.base",
    "Trained": "coopt.methods.base",
    "Trainer": "coopt.lm.training.base",
    "Tutor": "coopt.methods.tutors.base",
    "View": "coopt.graph.gates.base",
    "bench": "coopt.driver.api",
    "load_config": "coopt.core.config.load",
    "load_topology": "coopt.graph.files",
    "method": "coopt.methods.base",
    "read_results": "coopt.runs.measures.summary",
    "with_settings": "coopt.methods.base",
}
"""Name -> its module. No name may be a module of this package too: importing that would hide it."""


if not TYPE_CHECKING:  # else a name that is not there would pass as Any

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'coopt' has no attribute '{name}'")
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
