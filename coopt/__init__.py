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
    from coopt.api import bench as bench
    from coopt.api import read_results as read_results
    from coopt.config.load import load_config as load_config
    from coopt.config.schema import Config as Config
    from coopt.domains.base import Domain as Domain
    from coopt.domains.base import Item as Item
    from coopt.engine.base import Engine as Engine
    from coopt.errors import CooptError as CooptError
    from coopt.feedback.tutors import Tutor as Tutor
    from coopt.gates.base import Gate as Gate
    from coopt.graph.files import load_topology as load_topology
    from coopt.graph.topology import Edge as Edge
    from coopt.graph.topology import Topology as Topology
    from coopt.methods.base import Method as Method
    from coopt.metrics.results import Results as Results
    from coopt.training.base import Trainer as Trainer

_HOME = {
    "Config": "coopt.config.schema",
    "CooptError": "coopt.errors",
    "Domain": "coopt.domains.base",
    "Edge": "coopt.graph.topology",
    "Engine": "coopt.engine.base",
    "Gate": "coopt.gates.base",
    "Item": "coopt.domains.base",
    "Method": "coopt.methods.base",
    "Results": "coopt.metrics.results",
    "Topology": "coopt.graph.topology",
    "Trainer": "coopt.training.base",
    "Tutor": "coopt.feedback.tutors",
    "bench": "coopt.api",
    "load_config": "coopt.config.load",
    "load_topology": "coopt.graph.files",
    "read_results": "coopt.api",
}
"""Name -> its module. No name may be a module of this package too: importing that would hide it."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'coopt' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
