"""Checksums of what was written: files, parts of large ones, folders in folders, links."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest

from coopt.core import seals, store
from coopt.core.errors import DamagedError, RunError


def test_a_small_file_has_the_digest_that_everybody_computes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    found = seals.sums({"a": tmp_path / "a"})["a"]
    assert found == (hashlib.sha256(b"text").hexdigest(), 4) == seals.sum_of(b"text")


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_the_parts_of_a_large_file_are_read_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(seals, "_PART", 1000)
    monkeypatch.setattr(seals, "_READ", 300)
    monkeypatch.setattr(seals, "_INLINE", -1)
    data = bytes(k % 251 for k in range(size))
    (tmp_path / "a").write_bytes(data)
    found = seals.sums({"a": tmp_path / "a", "b": tmp_path / "a"})
    assert found["a"] == found["b"] == seals.sum_of(data)
    for place in {0, size // 2, size - 1} if size else ():
        (tmp_path / "c").write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        assert seals.sums({"c": tmp_path / "c"})["c"] != found["a"]


def made(folder: Path) -> Path:
    """A folder with a link and a sealed folder in it, and a file beside it."""
    (folder.parent / "beside.jsonl").write_text("{}\n")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    with store.new_directory(folder, {"a": "b"}, [folder.parent / "beside.jsonl", folder.parent / "none"]) as inside:
        (inside / "file").write_text("x")
        (inside / "linked").symlink_to(elsewhere)
        with store.new_directory(inside / "state") as state:
            (state / "tensors").write_text("y")
    return folder


def test_the_seal_of_a_folder_has_everything_in_it_and_beside_it(tmp_path: Path) -> None:
    seal = seals.read_seal(made(tmp_path / "out"))
    assert seal
    assert set(seal.files) == {"beside.jsonl", "out/file", "out/linked", "out/state/tensors", "out/state/COMPLETE"}
    assert seal.made_from == {"a": "b"}
    assert seals.faults(tmp_path / "out", seal) == []
    assert seals.read_seal(tmp_path / "out/state")


def test_what_a_folder_in_it_has_sealed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    digest = seals._digest

    def counted(path: Path, start: int) -> bytes:
        read.append(path.name)
        return digest(path, start)

    monkeypatch.setattr(seals, "_digest", counted)
    made(tmp_path / "out")
    assert sorted(read) == ["COMPLETE", "beside.jsonl", "file", "tensors"]


def test_faults_are_named(tmp_path: Path) -> None:
    out = made(tmp_path / "out")
    seal = seals.read_seal(out)
    assert seal
    (out / "file").write_text("z")
    (out / "state/tensors").write_text("longer")
    (out / "linked").unlink()
    (out / "linked").symlink_to(tmp_path)
    (tmp_path / "beside.jsonl").unlink()
    (tmp_path / "beside.jsonl").mkdir()
    assert [f.name for f in seals.faults(out, seal)] == ["beside.jsonl", "out/file", "out/linked", "out/state/tensors"]
    assert [f.name for f in seals.faults(out, seal, "state")] == ["out/state/tensors"]
    assert [f.name for f in seals.faults(out, seal, reading="none")] == [
        "beside.jsonl", "out/linked", "out/state/tensors",
    ]  # fmt: skip
    with pytest.raises(DamagedError, match="tensors: has 6 bytes instead of 1"):
        seals.check(out, "state")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret", "out/../../x"])
def test_a_seal_speaks_of_files_beside_it_alone(tmp_path: Path, name: str) -> None:
    tree = seals.Seal({name: seals.sum_of(b"")}).tree()
    (tmp_path / "f.json").write_text("{}")
    store.write_json(tmp_path / "f.json.seal", tree)
    with pytest.raises(DamagedError, match="the seal itself is damaged"):
        seals.read_seal(tmp_path / "f.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "{}", '{"own": 3}', "[" * 5000, '{"version": 2}', "\xff"])
def test_a_damaged_seal_is_one_line(tmp_path: Path, text: str) -> None:
    store.write_sealed(tmp_path / "f.json", "{}")
    (tmp_path / "f.json.seal").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedError, match="the seal itself is damaged") as said:
        store.read_sealed(tmp_path / "f.json")
    assert "\n" not in str(said.value)


def test_the_seal_is_there_before_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two, a task has left no output; the other way round it would have left one without a seal."""
    import os

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: killed() if str(b).endswith("f.json") else replace(a, b))
    with pytest.raises(KeyboardInterrupt):
        store.write_sealed(tmp_path / "f.json", "{}")
    assert [p.name for p in tmp_path.iterdir()] == ["f.json.seal"]


def test_a_kept_text_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    store.write_sealed(path, '{"a": 1}', kept=True)
    path.write_text('{"a": 2}')
    assert store.read_kept(path) == {"a": 1}
    path.unlink()
    assert store.read_kept(path) == {"a": 1}
    path.write_text('{"a": 1}')
    (tmp_path / "f.json.seal").write_text("")
    assert store.read_kept(path) == {"a": 1}
    path.write_text("")
    with pytest.raises(DamagedError, match="its copy is damaged"):
        store.read_kept(path)
    path.unlink()
    with pytest.raises(DamagedError, match="its copy is damaged"):
        store.read_kept(path)


def test_equal_weights_have_equal_fingerprints_whatever_lies_beside_them(tmp_path: Path) -> None:
    found = []
    for number in range(2):
        folder = tmp_path / str(number) / "s1"
        folder.parent.mkdir()
        (folder.parent / "s1.steps.jsonl").write_text(json.dumps({"seconds": number}) + "\n")
        with store.new_directory(folder, {"x": str(number)}, [folder.parent / "s1.steps.jsonl"]) as inside:
            (inside / "weights").write_text("w")
        seal = seals.read_seal(folder)
        assert seal
        found.append((seal.fingerprint(folder), seal.digest))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_an_error_keeps_its_output_on_its_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(DamagedError("what", Path("a/b"))))
    assert (str(error), error.output) == ("what", Path("a/b"))


def test_a_process_reads_a_file_once_that_nobody_touches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size, times and place; the times of a file that has just been written may still hide a change."""
    read: list[str] = []
    digest = seals._digest

    def noted(path: Path, start: int) -> bytes:
        read.append(path.name)
        return digest(path, start)

    monkeypatch.setattr(seals, "_digest", noted)
    monkeypatch.setattr(seals, "_SETTLED", 1 << 60)  # all has just been written, however slow this machine is
    with store.new_directory(tmp_path / "out") as folder:
        for name in "ab":
            (folder / name).write_text("weights")
            os.utime(folder / name, (1, 1))  # so that a later change leaves another time, however fast it is
    read.clear()
    for _ in range(2):
        seals.check(tmp_path / "out", reading="once")
    assert sorted(read) == ["a", "a", "b", "b"]
    monkeypatch.setattr(seals, "_SETTLED", 0)
    seals.check(tmp_path / "out", reading="once")
    read.clear()
    seals.check(tmp_path / "out", reading="once")
    assert read == []
    seals.check(tmp_path / "out")
    assert sorted(read) == ["a", "b"]
    os.utime(tmp_path / "out/a")  # touched, and still the same
    seals.check(tmp_path / "out", reading="once")
    (tmp_path / "out/b").write_text("weighty")
    with pytest.raises(DamagedError, match="out/b"):
        seals.check(tmp_path / "out", reading="once")


def test_what_was_written_larger_than_is_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it again would make it as large; one that has grown is damaged."""
    path = tmp_path / "long.json"
    store.write_sealed(path, '["' + "x" * 2000 + '"]')
    monkeypatch.setattr(seals, "MOST_OF_A_RUN", 1000)
    with pytest.raises(RunError, match=r"long\.json: it has more than 1,000 bytes, as it was written\.") as found:
        seals.checked(path, path)
    assert not isinstance(found.value, DamagedError)
    path.write_text(path.read_text() + " ")
    with pytest.raises(DamagedError, match=r"long\.json: is damaged: it has more than 1,000 bytes"):
        seals.checked(path, path)
