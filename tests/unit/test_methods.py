"""Every registered method keeps the rules that ``coopt.testing.check_method`` asserts for authors."""

from __future__ import annotations

from typing import Any

import pytest

from coopt.methods.registry import all_methods
from coopt.testing import check_method

NEEDS: dict[str, dict[str, Any]] = {"honest": {"adversary": {"s2": "empty"}}}


@pytest.mark.parametrize("name", all_methods())
def test_a_method_keeps_the_rules(name: str) -> None:
    check_method(name, **NEEDS.get(name, {}))
