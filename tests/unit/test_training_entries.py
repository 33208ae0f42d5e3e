"""Manifest entries as the recipes write them: readable by the product, replaced in place, nothing else touched."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.training.entries import Entry

RATES = {"false_positive_rate": 0.01, "recall": 0.5, "miss_rate": 0.1, "n_real": 7, "n_synthetic": 8}
FIGURES: dict[str, Any] = {
    "calibration": {"raw": [-1.0, 2.0], "probability": [0.1, 0.9]},
    "bands": {"likely": 0.8, "clear": 0.2, **RATES, "by_quality": {"small": RATES}},
}


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    target = tmp_path / "some-model.onnx"
    target.write_bytes(b"weights")
    shape = ("n", 3, 224, 224)
    return Entry(
        target, "x.py", "nothing", "p/1", "g.json", shape, "generated", "fast", FIGURES, "some", ("other", 0.25)
    )


def test_the_entry_says_what_it_was_given(entry: Entry) -> None:
    (row,) = tomllib.loads(entry.text())["model"]
    assert (row["id"], row["file"], row["bytes"]) == ("some-model", "some-model.onnx", 7)
    assert row["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert row["input"] == [{"name": "pixels", "shape": ["n", 3, 224, 224]}]
    assert (row["detector"], row["profile"]) == ("generated", "fast")
    assert row["companion"] == {"id": "other", "weight": 0.25}
    assert row["calibration"] == FIGURES["calibration"]
    assert row["bands"] == FIGURES["bands"]


def test_a_model_without_figures_has_no_operating_point(entry: Entry) -> None:
    (row,) = tomllib.loads(Entry(entry.target, "x.py", "nothing", "p/1", "g.json", (1, 3, "h", "w")).text())["model"]
    assert not {"calibration", "bands", "detector", "profile", "companion"} & set(row)
    assert row["input"][0]["shape"] == [1, 3, "h", "w"]
    assert row["outputs"] == ["logits"]


def test_an_entry_can_name_another_input_and_more_outputs(entry: Entry) -> None:
    other = replace(entry, source="features", shape=("n", 5), outputs=("logits", "more"))
    (row,) = tomllib.loads(other.text())["model"]
    assert row["input"] == [{"name": "features", "shape": ["n", 5]}]
    assert row["outputs"] == ["logits", "more"]


def test_an_entry_is_added_once_and_then_replaced_in_place(entry: Entry, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.toml"
    manifest.write_text("# head\n", encoding="utf-8")
    entry.write(manifest)
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n# tail\n", encoding="utf-8")
    before = manifest.read_text(encoding="utf-8")
    entry.target.write_bytes(b"other weights")
    entry.write(manifest)
    after = manifest.read_text(encoding="utf-8")
    assert after.startswith("# head\n")
    assert after.endswith("\n# tail\n")
    assert after.count("[[model]]") == before.count("[[model]]") == 1
    assert hashlib.sha256(b"other weights").hexdigest() in after
