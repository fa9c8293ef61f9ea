"""Users' TOML files: every fault is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from coopt.core.config.load import load_config
from coopt.core.config.toml import flat, read_toml
from coopt.core.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--preset my.toml: no such file. Shipped: mini."),
        ("", "--preset my.toml: is a folder, not a file. Shipped: mini."),
        ("a = ", "--preset my.toml: not TOML ("),
        (b"a = 1\nb = '\xff'", "--preset my.toml: not UTF-8 text (byte 0xff in line 2)"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    path = tmp_path / "my.toml"
    if content == "":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        read_toml(path, "--preset my.toml", "Shipped: mini.")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_nested_tables_as_dotted_keys() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": [2]}, "e": {}}) == {"a.b.c": 1, "a.d": [2]}


def test_what_is_a_flag_is_no_setting() -> None:
    for setting in ("preset='paper'", "smoke=true"):
        name = setting.partition("=")[0]
        with pytest.raises(ConfigError, match=f"not a setting. Use --{name}."):
            load_config(settings=[setting])
    assert load_config(settings=["preset='mini'", "smoke=false"]).preset == "mini"


@pytest.mark.parametrize(
    "settings", [["seeds=1000000000"], ["rounds.rounds=1000000000"], ["seeds=5000", "rounds.rounds=5000"]]
)
def test_a_run_that_nobody_lives_to_see_is_refused_before_it_is_planned(settings: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"phases .* Most: 1,000,000"):
        load_config(settings=settings)


def test_a_seed_is_a_number_that_the_record_of_a_run_can_hold() -> None:
    with pytest.raises(ConfigError, match="setting seed"):
        load_config(settings=["seed=1000000000000000000000"])
