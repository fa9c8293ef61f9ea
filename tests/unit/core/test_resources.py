"""What coopt remembers for a user, and that tests keep out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.resources import cache_dir


@pytest.mark.parametrize("which", ["first", "second"])
def test_what_one_test_remembers_another_does_not_know(which: str) -> None:
    assert not cache_dir("speeds").exists()
    store.write_json(cache_dir("speeds") / "one.json", {"by": which})
    assert Path.home() not in cache_dir("speeds").parents
