"""Golden tensors and scores: preprocessing is part of the model, and neither may drift unseen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.inference import clip, manifest, sessions
from detectors.inference.preprocess import LONG_SIDE, PREPROCESS, canonical, two_views

ROOT = Path(__file__).resolve().parents[2]
GOLDEN: list[dict[str, Any]] = json.loads((ROOT / "tests/golden/generated.json").read_text(encoding="utf-8"))
LEVEL = 0.016  # one grey level in 255, in units of either network's input, CLIP's being the larger
SHAPES = ((700, 900), (640, 480), (150, 200))


def golden_picture(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The arithmetic picture that models/training/export.py describes, made here without PyTorch."""
    h, w = SHAPES[seed]
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    waves = [np.sin(x / (7 + 9 * c + seed)) + np.cos(y / (11 + 5 * c)) + np.sin((x + y) / 3) for c in range(3)]
    grain = np.random.default_rng(seed).normal(0, 0.15, (h, w, 3))
    return ((np.stack(waves, 2) / 6 + 0.5 + grain).clip(0, 1) * 255).astype(np.uint8)


def golden_views(golden: dict[str, Any]) -> int:
    """How many of the two views a model is given."""
    return 1 if golden["preprocess"] == "clip-whole/1" else 2


@pytest.mark.parametrize("seed", range(len(SHAPES)))
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: g["model"])
def test_golden(golden: dict[str, Any], seed: int) -> None:
    case, picture = golden["cases"][seed], golden_picture(seed)
    assert hashlib.sha256(picture.tobytes()).hexdigest() == case["picture_sha256"]
    views = PREPROCESS[golden["preprocess"]](two_views(canonical(picture)))
    assert views.shape == (golden_views(golden), 3, 224, 224)
    assert views.dtype == np.float32
    assert views.mean(axis=(2, 3)).ravel() == pytest.approx(case["mean"], abs=1e-3)
    assert views.std(axis=(2, 3)).ravel() == pytest.approx(case["deviation"], abs=1e-3)
    assert views[:, :, 10::67, 20::61].ravel() == pytest.approx(case["samples"], abs=LEVEL)
    feeds = clip.seen(views, clip.FEATURES, clip.TOKENS) if golden["model"] == "generated-clip" else {"pixels": views}
    logits = sessions.run(golden["model"], feeds)[0]
    # ONNX Runtime joins the unpacking of CLIP's int8 weights with the products, and rounds in it as the processor does:
    # these values, those of another processor, and those without that step lie up to 0.06 apart.
    assert logits.ravel() == pytest.approx(case["logits"], abs=0.1 if golden["model"] == "generated-clip" else 5e-3)


def test_golden_values_cover_every_shipped_model() -> None:
    ours = {e.id: e for e in manifest.manifest().values() if e.package is None}
    for e in ours.values():  # some are held to values of their own, by the tests of their detectors
        assert e.golden is not None, e.id
        assert json.loads((ROOT / e.golden).read_text(encoding="utf-8")), e.id
    assert {g["model"] for g in GOLDEN} == {e.id for e in ours.values() if e.golden == "tests/golden/generated.json"}
    for g in GOLDEN:
        assert ours[g["model"]].golden == "tests/golden/generated.json"
        assert ours[g["model"]].preprocess == g["preprocess"]
        assert len(g["cases"]) == len(SHAPES)


def test_a_shift_by_one_pixel_would_be_noticed() -> None:
    golden = GOLDEN[0]
    views = PREPROCESS[golden["preprocess"]](two_views(canonical(np.roll(golden_picture(0), 1, axis=1))))
    assert views[:, :, 10::67, 20::61].ravel() != pytest.approx(golden["cases"][0]["samples"], abs=LEVEL)


@pytest.mark.parametrize("shape", [(3000, 40), (40, 3000), (224, 224), (225, 300), (96, 5000), (1, 1)])
def test_every_shape_gives_two_views(shape: tuple[int, int]) -> None:
    small = canonical(np.full((*shape, 3), 128, np.uint8))
    assert max(small.size) <= max(LONG_SIDE, 1)
    assert two_views(small).shape == (2, 224, 224, 3)


def test_a_small_picture_is_never_enlarged_before_its_views() -> None:
    assert canonical(np.zeros((100, 200, 3), np.uint8)).size == (200, 100)


def test_an_unpinned_preprocess_is_not_in_the_manifest() -> None:
    used = {e.preprocess for e in manifest.manifest().values() if e.package is None}
    assert used
    own = {"face-square/1", "clip-face-square/1", "edit-tiles/1"}  # inference/faces.py, which need a box; local_edit.py
    assert used <= {*PREPROCESS, *own}
