"""What a parser would not survive is found before it begins."""

from __future__ import annotations

import io
import json
import lzma
import math
import tarfile
import time
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest

from coopt.core.outside.archive import files_in
from coopt.core.outside.files import TooMuchError, UnreadableError, read_text
from coopt.core.outside.parse import (
    json_depth,
    parse_json,
    parse_lines,
    parse_literal,
    parse_own,
    parse_row,
    parse_toml,
    parse_xml,
)  # fmt: skip
from coopt.core.outside.tables import arrow_stream


@pytest.mark.parametrize(
    ("value", "depth"),
    [(1, 0), ([], 1), ({"a": [{"b": []}, 2]}, 4), (["[[[", "]{"], 1), (["[[[", 'a"]{'], 1), ({"\\": ['"']}, 2),
     ([[[[[[[[[[[1, {}]]]]]]]]]], [[]]], 12)],
)  # fmt: skip
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
    *(".".join([key] * 200_000) + " = 1" for key in ("'#'", "' '", "'\"'", "'\\'", '"\\""')),
    "[[" + " . ".join(["'='", '"="'] * 100_000) + "]]",
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
    dots = "c." * 200 + "c"
    for quotes in ('"', "'", '"""', "'''"):
        assert parse_toml(f"a = {quotes}{dots}{quotes} # '{dots}") == {"a": dots}
    assert parse_json('{"a": ["[[["]}') == {"a": ["[[["]}


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(TooMuchError, match="more than 16 MB"):
        read_text(file)


# -- what a parser would read as something else ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "key 'a' appears twice"),
        ('[{"b": {"c": 1, "c": 1}}]', "key 'c' appears twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("[1e999]", "the number 1e999 is too large"),
        (r'["\ud800"]', "half a surrogate pair"),
        ('{\n"a": 1,\n"b": }', r"not JSON \(Expecting value, line 3, column 6\)"),
        ('{"b": }', r"not JSON \(Expecting value, column 7\)"),
    ],
)
def test_json_that_has_two_meanings_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        parse_json(text)


def test_json_that_has_one_is_read() -> None:
    assert parse_json(r'{"a": "\ud83d\ude00", "b": [1e308, -0.0]}') == {"a": "😀", "b": [1e308, -0.0]}
    assert math.isnan(parse_row('{"a": NaN}')["a"])
    assert parse_own(r'{"a": "x\udcffy"}') == {"a": "x?y"}


@pytest.mark.parametrize("text", ["a = 1e999", "a = [-1e400]"])
def test_toml_that_would_be_infinite_is_refused(text: str) -> None:
    with pytest.raises(TooMuchError, match="too large"):
        parse_toml(text)


def test_toml_may_say_that_it_is_infinite() -> None:
    assert parse_toml("a = -inf") == {"a": -math.inf}


def test_lines() -> None:
    assert parse_lines('{"a": "\u2028"}\n\n[2]\n{"torn') == [{"a": "\u2028"}, [2]]
    with pytest.raises(UnreadableError, match="line 2: not JSON"):
        parse_lines("1\nx\n3\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a>", "not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "a document type"),
        ("<a>" * 200_000, "deeper than 100"),
        ("<a>" * 101 + "</a>" * 101, "deeper than 100"),
    ],
)
def test_xml(text: str, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        parse_xml(text)


def test_xml_that_is_read() -> None:
    assert parse_xml('<a><!-- <b><b> --><b x="1 > 0"/><b>t</b></a>')[1].text == "t"


def test_literals() -> None:
    assert parse_literal("['a', ('b',)]") == ["a", ("b",)]
    for text in ("f()", "[" * 100_000, "['a'"):
        with pytest.raises(UnreadableError):
            parse_literal(text)


def test_an_arrow_stream_whose_texts_lie_nowhere_is_refused(tmp_path: Path) -> None:
    made = pa.table({"a": ["one", "two"]})
    with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as sink, pa.ipc.new_stream(sink, made.schema) as stream:
        stream.write_table(made)
    data = (tmp_path / "x.arrow").read_bytes()
    place = data.index((3).to_bytes(4, "little") + (6).to_bytes(4, "little"))
    (tmp_path / "x.arrow").write_bytes(data[:place] + (1 << 30).to_bytes(4, "little") + data[place + 4 :])
    with (
        pytest.raises(UnreadableError, match="not a readable Arrow stream"),
        arrow_stream(tmp_path / "x.arrow") as found,
    ):
        list(found)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x"])
def test_an_archive_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "x.tar.xz", "w:xz") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(UnreadableError, match="it holds"):
        list(files_in(tmp_path / "x.tar.xz"))


def test_an_archive_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coopt.core.outside.archive.MOST_OF_A_RUN", 1000)
    with tarfile.open(tmp_path / "x.tar.xz", "w:xz") as tar:
        for name in "ab":
            member = tarfile.TarInfo(name)
            member.size = 600
            tar.addfile(member, io.BytesIO(b"\x00" * 600))
    with pytest.raises(TooMuchError):
        list(files_in(tmp_path / "x.tar.xz"))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_head_of_an_archive_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes) -> None:
    monkeypatch.setattr("coopt.core.outside.archive.MOST_OF_A_RUN", 1_000_000)
    head = tarfile.TarInfo("x")
    head.type, head.size = kind, 100_000_000
    (tmp_path / "x.tar.xz").write_bytes(lzma.compress(head.tobuf(tarfile.GNU_FORMAT) + bytes(head.size), preset=0))
    tracemalloc.start()
    with pytest.raises(TooMuchError):
        list(files_in(tmp_path / "x.tar.xz"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_key_twice_among_many_is_found_in_one_pass() -> None:
    keys = ", ".join(f'"k{k}": 1' for k in range(100_000))
    began = time.process_time()
    with pytest.raises(UnreadableError, match="key 'k99999' appears twice"):
        parse_json(f'{{{keys}, "k99999": 2}}')
    assert time.process_time() - began < 5
