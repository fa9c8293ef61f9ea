"""Checks for authors of plug-ins, to be called from their own tests.

from coopt.testing import check_gate, check_method

def test_my_gate():
    check_gate(MyGate(GateConfig()))

def test_my_method():
    check_method("my_method")
"""

from coopt.testing.gates import check_gate
from coopt.testing.methods import check_method

__all__ = ["check_gate", "check_method"]
