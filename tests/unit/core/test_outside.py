"""What a parser would not survive is found before it begins."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from coopt.core.outside import TooMuchError, json_depth, parse_json, parse_toml, read_text


@pytest.mark.parametrize(
    ("value", "depth"), [(1, 0), ([], 1), ({"a": [{"b": []}, 2]}, 4), (["[[[", 'a"]{'], 1), ({"\\": ['"']}, 2)]
)
def test_depth(value: object, depth: int) -> None:
    assert json_depth(json.dumps(value)) == depth


@pytest.mark.parametrize("piece", ["[", '{"a":', '"', '\\"', '"\\'])
def test_depth_is_one_pass_over_any_text(piece: str) -> None:
    began = time.process_time()
    json_depth(piece * 300_000)
    assert time.process_time() - began < 2


DEEP = [
    "a = " + "[" * 50_000,
    "a = " + "{a = " * 50_000,
    ".".join(["a"] * 200_000) + " = 1",
    ".".join(['"#"'] * 200_000) + " = 1",
    "[" + " . ".join(["a"] * 100_000) + "]",
    "a = {" + ".".join(["a"] * 100_000) + " = 1}",
    "a = " + "9" * 5000,
    "".join(f"{'a.' * 90}b{k} = 1\n" for k in range(50)) + "x = " + ("{" + "a." * 90 + "a = ") * 60 + "1" + "}" * 60,
]


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_toml_that_no_parser_survives_is_one_short_error(text: str) -> None:
    began = time.process_time()
    with pytest.raises(TooMuchError) as found:
        parse_toml(text)
    assert len(str(found.value)) < 80
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"a":' * 100_000, "9" * 5000])
def test_json_that_no_parser_survives_is_one_short_error(text: str) -> None:
    with pytest.raises(TooMuchError):
        parse_json(text)


def test_ordinary_text_is_read() -> None:
    assert parse_toml('a.b = "x.y.z" # ' + "c." * 90 + "\n[t]\nl = [[1], {m = 2}]") == {
        "a": {"b": "x.y.z"}, "t": {"l": [[1], {"m": 2}]}
    }  # fmt: skip
    assert parse_json('{"a": ["[[["]}') == {"a": ["[[["]}


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(TooMuchError, match="more than 16 MB"):
        read_text(file)
