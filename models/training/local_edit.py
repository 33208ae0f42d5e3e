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
import onnxruntime
import torch

from detectors.inference.preprocess import canonical
from detectors.signals.local_edit import MODEL, raw_score
from models.training import card, data, entries, export
from models.training.edit_figures import evaluate
from models.training.edit_network import BLOCKS, TAUGHT, WIDTH, Head, Shipped, Tokens, train, write_graph

TOLERANCE = 0.05  # logits; the recipe keeps tokens as float16
LEAST_AUC, LEAST_F1 = 0.85, 0.5
PREPROCESS_ID = "edit-tiles/1"
GOLDEN = "tests/golden/local_edit.json"
DERIVED_FROM = "Small heads by models/training on CLIP ViT-B/16 (OpenAI, MIT), whose blocks are in clip-trunk"


def to_onnx(heads: list[Head], tokens: Tokens, border: float, target: Path) -> None:
    """Writes the model. Raises RuntimeError when it differs from PyTorch by more than allowed."""
    net = Shipped(heads, tokens.axes, border).eval()
    write_graph(net, target)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for picture in export.golden_pictures():
        small = np.asarray(canonical(picture))
        on = torch.from_numpy(tokens(small).astype(np.float32)).permute(2, 0, 1)[np.newaxis]
        with torch.inference_mode():
            expected = net.of_tokens(on).numpy()
        apart = float(np.abs(expected - session.run(None, {"patches": tokens.of_cells(small)[np.newaxis]})[0]).max())
        if not apart < TOLERANCE:
            raise RuntimeError(f"{target.name} differs from PyTorch by {apart}")


def golden(target: Path, tokens: Tokens) -> dict[str, Any]:
    """Expected values for tests, from pixels to logits."""
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    cases = []
    for picture in export.golden_pictures():
        x = tokens.of_cells(np.asarray(canonical(picture)))[np.newaxis]
        logits = session.run(None, {"patches": x})[0]
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "shape": list(x.shape),
                "mean": [round(float(v), 4) for v in x.reshape(-1, BLOCKS, WIDTH).mean((0, 2))],
                "deviation": [round(float(v), 4) for v in x.reshape(-1, BLOCKS, WIDTH).std((0, 2))],
                "logits": [round(float(v), 4) for v in logits[0, 0, ::5, ::4].ravel()],
                "raw": round(raw_score(logits[0, 0]), 4),
            }
        )
    return {"model": MODEL, "preprocess": PREPROCESS_ID, "cases": cases}


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
    target = data.ROOT / f"models/{MODEL}.onnx"
    card.write("local_edit", figures)
    if not good_enough(figures):
        print("not good enough to ship: no model was written", file=sys.stderr)
        return
    to_onnx(heads, tokens, figures["border"], target)
    entries.Entry(
        target,
        "local_edit.py",
        DERIVED_FROM,
        PREPROCESS_ID,
        GOLDEN,
        (1, "rows", "columns", BLOCKS * WIDTH),
        source="patches",
        detector="local_edit",
        profile="thorough",
        figures=figures,
        card="local_edit",
    ).write()
    (data.ROOT / GOLDEN).write_text(json.dumps(golden(target, tokens), indent=1) + "\n", encoding="utf-8")


def good_enough(figures: dict[str, Any]) -> bool:
    """Whether the model may reach people: it finds held-out inpaintings, and its map shows what the score rests on."""
    found, check = figures["test"]["inpaintings"], figures["sanity"]
    shows = check["drop_undone"] > max(0.0, check["drop_undone_elsewhere"])
    return bool(found["auc"] >= LEAST_AUC and found["f1"] >= LEAST_F1 and shows)


if __name__ == "__main__":
    main()
