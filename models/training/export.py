"""PyTorch weights to ONNX, and the product's files that pin them: manifest entry and golden values.

    python -m models.training.export

Writes models/generated-lite0.onnx from the run on all data, its entry in models/manifest.toml (calibration and
operating point from models/cards/generated.json, which `evaluate` wrote), and tests/golden/generated.json.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn

from detectors.inference.preprocess import PREPROCESS
from models.training import data
from models.training.network import Lite0

MODEL = "generated-lite0"
PREPROCESS_ID = "lite-two-views/1"
TOLERANCE = 1e-3
BEGIN, END = f"# {MODEL}: written by models/training/export.py", f"# end of {MODEL}"


class LogitOnly(nn.Module):
    """What is shipped: the logit alone."""

    def __init__(self, net: Lite0) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 224, 224) -> (n,)."""
        logit: Tensor = self.net(x)[0]
        return logit


def golden_pictures() -> list[npt.NDArray[np.uint8]]:
    """Three pictures made of nothing but arithmetic: large landscape, portrait, and smaller than a view."""
    pictures = []
    for seed, (h, w) in enumerate(((700, 900), (640, 480), (150, 200))):
        y, x = np.mgrid[0:h, 0:w].astype(np.float64)
        waves = [np.sin(x / (7 + 9 * c + seed)) + np.cos(y / (11 + 5 * c)) + np.sin((x + y) / 3) for c in range(3)]
        grain = np.random.default_rng(seed).normal(0, 0.15, (h, w, 3))
        pictures.append(((np.stack(waves, 2) / 6 + 0.5 + grain).clip(0, 1) * 255).astype(np.uint8))
    return pictures


def to_onnx(weights: Path, target: Path) -> None:
    """Writes the graph and checks it against PyTorch on the golden pictures. Raises RuntimeError when they differ."""
    net = Lite0()
    net.load_state_dict(torch.load(weights, weights_only=True))
    shipped = LogitOnly(net.eval()).eval()
    axes = {"pixels": {0: "n"}, "logit": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            shipped, (torch.zeros(2, 3, 224, 224),), str(target), input_names=["pixels"], output_names=["logit"],
            dynamic_axes=axes, dynamo=False, opset_version=17,
        )  # fmt: skip
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    views = np.concatenate([PREPROCESS[PREPROCESS_ID](p) for p in golden_pictures()])
    with torch.inference_mode():
        expected = shipped(torch.from_numpy(views)).numpy()
    difference = float(np.abs(session.run(None, {"pixels": views})[0] - expected).max())
    if not difference < TOLERANCE:
        raise RuntimeError(f"the ONNX graph differs from PyTorch by {difference}")


def golden(model: Path) -> dict[str, Any]:
    """Expected values for tests: moments and samples of each input tensor, and the logits."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    cases = []
    for picture in golden_pictures():
        views = PREPROCESS[PREPROCESS_ID](picture)
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "mean": [round(float(v), 5) for v in views.mean(axis=(2, 3)).ravel()],
                "deviation": [round(float(v), 5) for v in views.std(axis=(2, 3)).ravel()],
                "samples": [round(float(v), 5) for v in views[:, :, 10::67, 20::61].ravel()],
                "logits": [round(float(v), 4) for v in session.run(None, {"pixels": views})[0]],
            }
        )
    return {"model": MODEL, "preprocess": PREPROCESS_ID, "cases": cases}


def manifest_entry(model: Path, figures: dict[str, Any]) -> str:
    """The entry's TOML."""
    content = model.read_bytes()
    bands, table = figures["bands"], figures["calibration"]
    lines = [
        BEGIN,
        "[[model]]",
        f'id = "{MODEL}"',
        f'file = "{model.name}"',
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        f"bytes = {len(content)}",
        'licence = "AGPL-3.0-or-later"',
        'derived_from = "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), fine-tuned by models/training"',
        f'preprocess = "{PREPROCESS_ID}"',
        'outputs = ["logit"]',
        f"view_weights = {figures['view_weights']}",
        'golden = "tests/golden/generated.json"',
        "",
        "[[model.input]]",
        'name = "pixels"',
        'shape = ["n", 3, 224, 224]',
        "",
        "[model.calibration]  # weighted logit of the two views -> probability, straight lines between",
        f"raw = {table['raw']}",
        f"probability = {table['probability']}",
        "",
        "[model.bands]  # on the probability; rates measured out of fold, see cards/generated.md",
        *(f"{name} = {value}" for name, value in bands.items()),
        END,
    ]
    return "\n".join(lines)


def write_entry(manifest: Path, text: str) -> None:
    """Puts the entry in place of the last one, or at the end."""
    old = manifest.read_text(encoding="utf-8")
    if BEGIN in old:
        before, rest = old.split(BEGIN, 1)
        after = rest.split(END, 1)[1]
        manifest.write_text(before + text + after, encoding="utf-8")
    else:
        manifest.write_text(old.rstrip() + "\n\n" + text + "\n", encoding="utf-8")


def main() -> None:
    """Exports the run on all data."""
    models = data.ROOT / "models"
    target = models / f"{MODEL}.onnx"
    to_onnx(data.cache_dir() / "lite0-all.pt", target)
    figures = json.loads((models / "cards/generated.json").read_text(encoding="utf-8"))
    write_entry(models / "manifest.toml", manifest_entry(target, figures))
    text = json.dumps(golden(target), indent=1) + "\n"
    (data.ROOT / "tests/golden/generated.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
