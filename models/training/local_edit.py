"""The network behind `local_edit`, from labelled pictures to its card and, when it is good enough, to the product.

    python -m models.training.local_edit [--threads N]

Makes samples (edit_samples), trains (edit_network) and evaluates (edit_figures), each from the cache folder where it
was cut off. No model is written unless it passes `good_enough`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch

from detectors.signals.local_edit import MODEL, cells_of, network_input, raw_score, sheet
from models.training import card, data, entries, export
from models.training.edit_figures import evaluate
from models.training.edit_network import STEPS, EditNet, Shipped, train, write_graph

TOLERANCE = 1e-3
LEAST_AUC, LEAST_F1 = 0.85, 0.5
PREPROCESS_ID = "edit-sheet/1"
GOLDEN = "tests/golden/local_edit.json"
DERIVED_FROM = "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), its first blocks, trained by models/training"


def to_onnx(trained: EditNet, border: float, target: Path) -> None:
    """Writes the model. Raises RuntimeError when it differs from PyTorch by more than a thousandth."""
    net = Shipped(trained, border).eval()
    write_graph(net, target)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for picture in export.golden_pictures():
        x = network_input(sheet(picture))
        with torch.inference_mode():
            apart = float(np.abs(net(torch.from_numpy(x)).numpy() - session.run(None, {"pixels": x})[0]).max())
        if not apart < TOLERANCE:
            raise RuntimeError(f"{target.name} differs from PyTorch by {apart}")


def golden(target: Path) -> dict[str, Any]:
    """Expected values for tests."""
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    cases = []
    for picture in export.golden_pictures():
        x = network_input(sheet(picture))
        logits = session.run(None, {"pixels": x})[0]
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "shape": list(x.shape),
                "mean": [round(float(v), 5) for v in x.mean(axis=(0, 2, 3))],
                "samples": [round(float(v), 5) for v in x[0, :, 10::97, 20::91].ravel()],
                "logits": [round(float(v), 4) for v in logits[0, 0, ::9, ::7].ravel()],
                "raw": round(raw_score(cells_of(logits, picture)), 4),
            }
        )
    return {"model": MODEL, "preprocess": PREPROCESS_ID, "cases": cases}


def main() -> None:
    """Everything that is not in the cache yet, then the files that the product reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    net = train()
    figures = {"steps": STEPS[-1], **evaluate(net)}
    target = data.ROOT / f"models/{MODEL}.onnx"
    card.write("local_edit", figures)
    if not good_enough(figures):
        print("not good enough to ship: no model was written", file=sys.stderr)
        return
    to_onnx(net, figures["border"], target)
    entries.Entry(
        target,
        "local_edit.py",
        DERIVED_FROM,
        PREPROCESS_ID,
        GOLDEN,
        (1, 3, "height", "width"),
        detector="local_edit",
        profile="thorough",
        figures=figures,
        card="local_edit",
    ).write()
    (data.ROOT / GOLDEN).write_text(json.dumps(golden(target), indent=1) + "\n", encoding="utf-8")


def good_enough(figures: dict[str, Any]) -> bool:
    """Whether the model may reach people: it finds held-out inpaintings, and its map shows what the score rests on."""
    found, check = figures["test"]["inpaintings"], figures["sanity"]
    shows = check["score_drop_shown"] > max(0.0, check["score_drop_elsewhere"])
    return bool(found["auc"] >= LEAST_AUC and found["f1"] >= LEAST_F1 and shows)


if __name__ == "__main__":
    main()
