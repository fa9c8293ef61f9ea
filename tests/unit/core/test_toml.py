"""Users' TOML files: every fault is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from coopt.core.config.toml import flat, read_toml
from coopt.core.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--preset my.toml: no such file. Shipped: mini."),
        ("", "--preset my.toml: cannot be read (Is a directory)."),
        ("a = ", "--preset my.toml: not TOML ("),
        (b"a = '\xff'", "--preset my.toml: not TOML ("),
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
