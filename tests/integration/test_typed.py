"""What mypy and the run time say of a user's script that gets a keyword wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import coopt
from coopt.core.config.load import Flags
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError

SCRIPT = """
import coopt

config = coopt.load_config(topology="pair", domains="phys,chem", smoke=True, methods=("sdpo",), rounds={"steps": 1})
coopt.load_config(topolgy="pair")
coopt.load_config(seeds="three")
coopt.bench(config, worker=2)
coopt.bnech(config)
"""
SETTINGS = """
[mypy]
strict = true
[mypy-torch.*,transformers.*,numpy.*,networkx.*,scipy.*,peft.*,pandas.*,rich.*]
follow_imports = skip
"""


@pytest.mark.slow
def test_mypy_sees_the_keywords(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--follow-imports=silent", "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    found = [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line]
    assert found == ["5", "6", "7", "8"], done.stdout
    assert 'Unexpected keyword argument "topolgy" for "load_config"' in done.stdout


def test_every_field_is_a_keyword() -> None:
    assert set(Flags.__annotations__) == set(Config.model_fields) - {"version", "preset", "smoke"}


def test_a_wrong_keyword_is_told_the_right_one() -> None:
    with pytest.raises(ConfigError, match=r"^load_config: unknown keyword 'topolgy'\. Did you mean 'topology'\?"):
        coopt.load_config(topolgy="pair")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match=r"no keyword 'steps'\. Did you mean settings=\['rounds\.steps=\.\.\.'\]"):
        coopt.load_config(steps=5)  # type: ignore[call-arg]
