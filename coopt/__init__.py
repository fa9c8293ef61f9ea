"""coopt: N-agent co-distillation of language models, measured honestly.

    import coopt

    config = coopt.load_config(topology="pair", domains="phys,chem", smoke=True)
    results = coopt.bench(config, out="runs/first", workers=2)   # call it under ``if __name__ == "__main__":``
    results = coopt.read_results("runs/first")

``Domain``, ``Engine``, ``Gate``, ``Method``, ``Trainer`` and ``Tutor`` are the protocols that variants implement.
Importing coopt imports no torch.
"""

from coopt.api import bench, read_results
from coopt.config.load import load_config
from coopt.config.schema import Config
from coopt.domains.base import Domain, Item
from coopt.engine.base import Engine
from coopt.errors import CooptError
from coopt.feedback.tutors import Tutor
from coopt.gates.base import Gate
from coopt.graph.files import load_topology
from coopt.graph.topology import Edge, Topology
from coopt.methods.base import Method
from coopt.metrics.results import Results
from coopt.training.base import Trainer

__all__ = [
    "Config",
    "CooptError",
    "Domain",
    "Edge",
    "Engine",
    "Gate",
    "Item",
    "Method",
    "Results",
    "Topology",
    "Trainer",
    "Tutor",
    "bench",
    "load_config",
    "load_topology",
    "read_results",
]
