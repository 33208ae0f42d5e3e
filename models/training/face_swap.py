"""The face network: from photographs and labelled swaps to weights, card, manifest entry and golden values.

    COUNTERPROOF_SHARED=… python -m models.training.face_swap [--until STAGE]

Needs the distilled network (`python -m models.training.distil`). Stages, each kept in the cache folder and resumed from
there: `index` (faces of every labelled picture, by the product's own code), `pairs` (self-blended faces), `blends` (a
network that learns from them alone), `folds` (that network taught further on the labelled swaps, five times without a
fifth of their scenes), `figures` (these two beside a probe on the distilled network, which is what ships), `export`.

What is held apart: the labelled swaps by video; the photographs of HELD_OUT by source, from every network, the shipped
one included. Seeded. One processor core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from detectors.inference.faces import SIDE, Pixels, network_input, square
from models.training import card, data, entries, export
from models.training.face_figures import figures
from models.training.face_network import (
    FaceNetwork,
    blends_network,
    distilled,
    fold_network,
    learnt_from,
    probe_network,
)
from models.training.face_samples import FOLDS, MODEL, index, material, say

DERIVED_FROM = (
    "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), distilled from CLIP, probed on faces by models/training"
)
GOLDEN = "tests/golden/face_swap.json"
TOLERANCE = 1e-2  # weights are stored as float16


def golden_squares() -> Pixels:
    """Three squares made of nothing but arithmetic, (3, SIDE, SIDE, 3)."""
    return np.stack([square(p, (40.0, 30.0, 90.0, 100.0)) for p in export.golden_pictures()])


def write_model(net: FaceNetwork, target: Path) -> npt.NDArray[np.float32]:
    """The ONNX file, input `pixels`, output `logits`; gives its answers to the golden squares, (3, 1).

    Raises RuntimeError when they differ from PyTorch's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            net, (torch.zeros(2, 3, SIDE, SIDE),), str(target), input_names=["pixels"], output_names=["logits"],
            dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}}, dynamo=False, opset_version=17,
        )  # fmt: skip
    export.join_padding(target)
    export.halve(target)
    pixels = network_input(golden_squares())
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    found: npt.NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
    with torch.inference_mode():
        gap = float(np.abs(found - net(torch.from_numpy(pixels)).numpy()).max())
    if not gap < TOLERANCE:
        raise RuntimeError(f"{target.name} differs from PyTorch by {gap}")
    return found


def publish(net: FaceNetwork, found: dict[str, Any]) -> None:
    """Weights, manifest entry, golden values, and the card with its figures."""
    models = data.ROOT / "models"
    target = models / f"{MODEL}.onnx"
    answers = write_model(net, target)
    entries.Entry(
        target,
        "face_swap.py",
        DERIVED_FROM,
        "face-square/1",
        GOLDEN,
        ("n", 3, SIDE, SIDE),
        detector="face_swap",
        profile="fast",
        figures=found,
        card="face_swap",
    ).write()
    cases = [
        {
            "square_sha256": hashlib.sha256(s.tobytes()).hexdigest(),
            "mean": [round(float(v), 4) for v in s.mean((0, 1))],
            "samples": [int(v) for v in s[8::37, 12::41].ravel()],
            "logit": round(float(a[0]), 4),
        }
        for s, a in zip(golden_squares(), answers, strict=True)
    ]
    (data.ROOT / GOLDEN).write_text(json.dumps({"model": MODEL, "cases": cases}, indent=1) + "\n", encoding="utf-8")
    card.write("face_swap", {**found, "thorough": card.read("face_swap")["thorough"]})  # of models.training.face_clip


def main() -> None:
    """All stages, or those up to one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", choices=("index", "pairs", "blends", "folds", "figures", "export"), default="export")
    until = parser.parse_args().until
    torch.set_num_threads(1)
    known = index()
    if until == "index":
        return
    photographs, videos = material(known)
    if until == "pairs":
        return
    base = blends_network(photographs)
    if until == "blends":
        return
    tuned = [fold_network(f, base, photographs, videos) for f in range(FOLDS)]
    if until == "folds":
        return
    net = distilled()
    seen = learnt_from(net, videos)
    networks = [probe_network(f, net, seen, videos) for f in (*range(FOLDS), None)]
    found = figures(known, videos, base, tuned, networks)
    say(json.dumps({k: v for k, v in found.items() if k not in ("calibration", "others")}, indent=1))
    if until == "export":
        publish(networks[-1], found)


if __name__ == "__main__":
    main()
