"""coopt: N-agent co-distillation of language models, measured honestly.

    import coopt

    config = coopt.load_config(topology="pair", domains="phys,chem", smoke=True)
    results = coopt.bench(config, out="runs/first", workers=2)   # call it under ``if __name__ == "__main__":``
    results = coopt.read_results("runs/first")

``Domain``, ``Engine``, ``Gate``, ``Method``, ``Trainer`` and ``Tutor`` are the protocols that variants implement.
Names are imported when they are first used: ``coopt --help`` needs neither torch nor numpy nor networkx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coopt.core.config.load import load_config as load_config
    from coopt.core.config.schema import Config as Config
    from coopt.core.errors import CooptError as CooptError
    from coopt.domains.base import Domain as Domain
    from coopt.domains.base import Item as Item
    from coopt.driver.api import bench as bench
    from coopt.driver.api import read_results as read_results
    from coopt.graph.files import load_topology as load_topology
    from coopt.graph.gates.base import Gate as Gate
    from coopt.graph.topology import Edge as Edge
    from coopt.graph.topology import Topology as Topology
    from coopt.lm.engines.base import Engine as Engine
    from coopt.lm.training.base import Trainer as Trainer
    from coopt.methods.base import Method as Method
    from coopt.methods.tutors.base import Tutor as Tutor
    from coopt.runs.measures.results import Results as Results

_HOME = {
    "Config": "coopt.core.config.schema",
    "CooptError": "coopt.core.errors",
    "Domain": "coopt.domains.base",
    "Edge": "coopt.graph.topology",
    "Engine": "coopt.lm.engines.base",
    "Gate": "coopt.graph.gates.base",
    "Item": "coopt.domains.base",
    "Method": "coopt.methods.base",
    "Results": "coopt.runs.measures.results",
    "Topology": "coopt.graph.topology",
    "Trainer": "coopt.lm.training.base",
    "Tutor": "coopt.methods.tutors.base",
    "bench": "coopt.driver.api",
    "load_config": "coopt.core.config.load",
    "load_topology": "coopt.graph.files",
    "read_results": "coopt.driver.api",
}
"""Name -> its module. No name may be a module of this package too: importing that would hide it."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'coopt' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
