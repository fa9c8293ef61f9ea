"""Where rows are: said by the mapping itself, a file beside it or a data set on the hub; and what a run is then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from coopt.core.config.load import load_config, preset_of
from coopt.core.config.schema import DataConfig
from coopt.core.errors import ConfigError, DataError
from coopt.domains.load import check_rows, load_domains
from coopt.domains.mapping.schema import check_mapping, load_mapping, mapping_names
from coopt.driver.folder import default_name, file_hashes
from tests.unit.domains.test_mapping import MINE, table

MAPPING = """
question = "question"
[source]
path = "rows.csv"
[options]
columns = ["A", "B"]
[answer]
field = "answer"
[domain]
field = "domain"
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A mapping in a folder of its own, its rows beside it."""
    (tmp_path / "deep").mkdir()
    table(tmp_path / "deep" / "rows.csv")
    path = tmp_path / "deep" / "mine.toml"
    path.write_text(MAPPING)
    return path


Hub = Callable[..., list[tuple[str, str | None, str]]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub that answers, or fails as told; the calls that it got."""

    def made(asked: Exception | None = None, read: Exception | None = None, *, offline: bool = False) -> list[Any]:
        calls: list[tuple[str, str | None, str]] = []

        def load_dataset(name: str, config: str | None, split: str) -> Iterator[dict[str, Any]]:
            calls.append((name, config, split))
            if read:
                raise read
            return iter([{"question": f"{split} {k}?", "choices": ["x", "y"], "answer": k % 2, "subject": "Law"}
                         for k in range(20)])  # fmt: skip

        def dataset_info(self: object, name: str, timeout: float) -> None:
            assert timeout <= 10
            assert not offline, "nobody is to be asked"
            if asked:
                raise asked

        fake = SimpleNamespace(load_dataset=load_dataset, get_dataset_split_names=lambda *_: ["train", "test"])
        monkeypatch.setitem(sys.modules, "datasets", fake)
        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
        return calls

    return made


@pytest.mark.parametrize(
    "way", [lambda p: {"source": p}, lambda p: {"mapping": p}, lambda p: {"source": p, "mapping": p}]
)
def test_a_mapping_with_its_rows_is_enough(mine: Path, monkeypatch: pytest.MonkeyPatch, way: Any) -> None:
    """Named by --data or by data.mapping, from whatever folder."""
    monkeypatch.chdir(mine.parent.parent)
    config = load_config(preset="real", domains="law,medicine", data=way("deep/mine.toml"))
    assert (config.data.source, config.data.mapping) == ("", "deep/mine.toml")
    assert load_config(preset="real", domains="law,medicine", data=config.data.model_dump()) == config
    found = load_domains(config)
    assert sum(len(d.rows) for d in found.values()) == 60  # type: ignore[attr-defined]
    assert check_rows("deep/mine.toml", len, 99)["domains"] == check_rows(None, len, 99, "deep/mine.toml")["domains"]


def test_given_rows_come_before_the_mappings_own(mine: Path, tmp_path: Path) -> None:
    table(tmp_path / "other.csv", rows=30)
    found = check_rows(str(tmp_path / "other.csv"), len, 99, str(mine))
    assert sum(d["rows"] for d in found["domains"].values()) == 30


def test_an_edited_mapping_is_another_run(mine: Path) -> None:
    config = load_config(preset="real", domains="law,medicine", data={"source": str(mine)})
    name = default_name(config)
    assert set(file_hashes(config)) == {str(mine)}
    mine.write_text(MAPPING.replace('"A", "B"', '"B", "A"'))
    assert default_name(config) != name


def test_runs_without_a_mapping_are_written_as_before_there_were_any() -> None:
    assert list(DataConfig().model_dump()) == ["source", "validation", "test", "solutions"]
    assert DataConfig(source="rows/").model_dump()["source"] == "rows/"
    assert load_config(data={"source": "rows/", "mapping": "arc"}).data.source == "rows/"


def test_the_preset_follows_the_rows() -> None:
    assert preset_of() == preset_of(["rounds.steps=1"], data="scimini", model="scimini") == "mini"
    assert preset_of(["data.mapping=mmlu"]) == preset_of(data="rows/") == preset_of(model="DIR") == "real"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": "a.toml", "mapping": "arc"}, "a.toml is a mapping, and so is data.mapping = arc"),
        ({"source": ""}, "data.source is empty"),
        ({"mapping": "plain"}, "mapping plain does not say where they are: add --data FILE"),
        ({"source": "scimini", "mapping": "arc"}, "the embedded world has none"),
        ({"source": "nowhere.toml"}, "mapping nowhere.toml: no such file"),
    ],
)
def test_rows_that_nobody_names_are_one_line(data: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_domains(load_config(preset="real", data=data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": "x", "hub": "a/b"}, "give path or hub"),
        ({"path": "x", "splits": ["test"]}, "config and splits belong to hub"),
        ({"hub": "mmlu"}, "'mmlu' is not of the form owner/name"),
        ({"pth": "x"}, "source unknown key 'pth'. Did you mean 'path'"),
    ],
)
def test_a_faulty_source_is_one_line(source: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_mapping(MINE | {"source": source}, "mine.toml")


def test_shipped_mappings_name_their_data_set() -> None:
    assert [n for n in mapping_names() if not load_mapping(n).source.given] == ["plain"]


def test_rows_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    calls = hub()
    assert check_rows(None, len, 99, "mmlu")["domains"]["law"]["rows"] == 60
    assert calls == [("cais/mmlu", "all", split) for split in ("test", "validation", "dev")]
    own = tmp_path / "own.toml"  # all splits, and which one is a field
    own.write_text(
        'question = "question"\n[source]\nhub = "me/mine"\n[options]\nfield = "choices"\n[answer]\nfield = "answer"\n'
        'given = "index"\n[domain]\nname = "law"\n[split]\nfield = "_file"\ntrain = ["train"]\ntest = ["test"]\n'
    )
    calls = hub(offline=True)
    found = check_rows(str(own), len, 99)["domains"]["law"]
    assert calls == [("me/mine", None, "train"), ("me/mine", None, "test")]
    assert found["train"] + found["validation"] == found["test"] == 20


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"asked": OSError("no route")}, r"cais/mmlu: the hub cannot be reached: no route\. .* HF_HUB_OFFLINE=1"),
        ({"read": ValueError("no config\nmore")}, r"rows cannot be read \(no config\). Give local rows"),
        ({"read": ConnectionError(""), "offline": True}, r"rows cannot be read \(ConnectionError\)"),
    ],
)
def test_a_hub_that_fails_is_one_line(hub: Hub, faults: dict[str, Any], message: str) -> None:
    calls = hub(**faults)
    with pytest.raises(DataError, match=message) as caught:
        check_rows(None, len, 99, "mmlu")
    assert "\n" not in str(caught.value)
    assert len(calls) == ("read" in faults)  # one that does not answer is not asked for rows: that takes half a minute


def test_without_the_extra_the_hub_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="with the extra 'hub'"):
        check_rows(None, len, 99, "mmlu")
