"""The head behind `local_edit`, from labelled pictures to its card and, when it is good enough, to the product.

    python -m models.training.local_edit [--threads N]

Makes samples (edit_samples), trains on what CLIP makes of them (edit_network) and evaluates (edit_figures). What CLIP
makes of a picture is kept in the cache folder, so a run that was cut off goes on. No model is written unless it passes
`good_enough`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from detectors.inference.preprocess import canonical
from detectors.signals.local_edit import AXES as AXES_MODEL
from detectors.signals.local_edit import MODEL, patches, raw_score
from models.training import card, data, entries, export
from models.training.edit_figures import evaluate, runner
from models.training.edit_network import AXES, BLOCKS, PATCHES_A_TILE, TAUGHT, WIDTH, Head, Tokens, train, write_graphs
from models.training.edits import Pixels

TOLERANCE = 0.05  # logits; the recipe keeps tokens as float16
LEAST_AUC, LEAST_F1 = 0.85, 0.5
PREPROCESS_ID = "edit-tiles/1"
GOLDEN = "tests/golden/local_edit.json"
DERIVED_FROM = "Small heads by models/training on CLIP ViT-B/16 (OpenAI, MIT), whose blocks are in clip-trunk"


def to_onnx(heads: list[Head], tokens: Tokens, border: float, first: Path, second: Path) -> None:
    """Writes both models. Raises RuntimeError when they differ from PyTorch by more than allowed."""
    write_graphs(heads, tokens.axes, border, first, second)
    maps = runner(heads, tokens)
    for picture in export.golden_pictures():
        small = np.asarray(canonical(picture))
        apart = float(np.abs(maps(small) - border - by_models(small, tokens, first, second)).max())
        if not apart < TOLERANCE:
            raise RuntimeError(f"{second.name} differs from PyTorch by {apart}")


def by_models(small: Pixels, tokens: Tokens, first: Path, second: Path) -> npt.NDArray[np.float32]:
    """The map of a canonical picture as the product makes it, (rows, columns), from the files given."""
    axes, heads = (onnxruntime.InferenceSession(str(p), providers=["CPUExecutionProvider"]) for p in (first, second))
    cells = patches(small, lambda tile: np.asarray(axes.run(None, {"patches": tokens.of_tile(tile)})[0]))
    return np.asarray(heads.run(None, {"cells": cells[np.newaxis]})[0][0, 0])


def golden(tokens: Tokens, first: Path, second: Path) -> dict[str, Any]:
    """Expected values for tests, from pixels to logits."""
    cases = []
    for picture in export.golden_pictures():
        small = np.asarray(canonical(picture))
        x, logits = tokens.of_cells(small), by_models(small, tokens, first, second)
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "shape": list(x.shape),
                "mean": [round(float(v), 4) for v in x.reshape(-1, BLOCKS, WIDTH).mean((0, 2))],
                "deviation": [round(float(v), 4) for v in x.reshape(-1, BLOCKS, WIDTH).std((0, 2))],
                "logits": [round(float(v), 4) for v in logits[::5, ::4].ravel()],
                "raw": round(raw_score(logits), 4),
            }
        )
    return {"models": [AXES_MODEL, MODEL], "preprocess": PREPROCESS_ID, "cases": cases}


def main() -> None:
    """Everything that is not in the cache yet, then the files that the product reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    tokens = Tokens()
    heads = train(tokens)
    figures = {"taught": TAUGHT, "heads": len(heads), **evaluate(heads, tokens)}
    card.write("local_edit", figures)
    if not good_enough(figures):
        print("not good enough to ship: no model was written", file=sys.stderr)
        return
    first, second = (data.ROOT / f"models/{name}.onnx" for name in (AXES_MODEL, MODEL))
    to_onnx(heads, tokens, figures["border"], first, second)
    common = ("local_edit.py", DERIVED_FROM, PREPROCESS_ID, GOLDEN)
    axes_shape = (1, PATCHES_A_TILE, BLOCKS * WIDTH)
    entries.Entry(first, *common, axes_shape, source="patches", outputs=("cells",)).write()
    entries.Entry(
        second,
        *common,
        (1, "rows", "columns", AXES),
        source="cells",
        detector="local_edit",
        profile="thorough",
        figures=figures,
        card="local_edit",
    ).write()
    (data.ROOT / GOLDEN).write_text(json.dumps(golden(tokens, first, second), indent=1) + "\n", encoding="utf-8")


def good_enough(figures: dict[str, Any]) -> bool:
    """Whether the model may reach people: it finds held-out inpaintings, and its map shows what the score rests on."""
    found, check = figures["test"]["inpaintings"], figures["sanity"]
    shows = check["drop_undone"] > max(0.0, check["drop_undone_elsewhere"])
    return bool(found["auc"] >= LEAST_AUC and found["f1"] >= LEAST_F1 and shows)


if __name__ == "__main__":
    main()
