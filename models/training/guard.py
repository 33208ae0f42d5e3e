"""The guard in front of the learned detectors: is this a photograph at all? Fits, evaluates, exports.

    python -m models.training.guard

After `graphics`. Writes models/guard.onnx, its manifest entry, its golden values and its card.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from numpy.random import Generator
from PIL import Image
from torch import Tensor, nn

from detectors.inference.preprocess import canonical, halved, two_views
from models.training import card, data, degrade, entries, export, metrics
from models.training.distil import imagenet_file
from models.training.graphics import FOLD_OF, SEED, as_labelled, graphics
from models.training.network import Lite0, Probe, load_imagenet

KINDS = ("messenger", "harsh")
PER_GROUP = (45, 20, 40)  # photographs, generated pictures, graphics: the most to take of a group
TAPS, SIDE = (2, 4, 7, 10), 112
DERIVED_FROM = "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), its first blocks, with a probe"
RIDGE, AXES = 0.001, 256  # the probe reads the features along their main axes
REAL_RATE, GENERATED_RATE = 0.004, 0.015  # of them that may be turned away


def degraded(image: Image.Image, kind: str, photo: tuple[int, int] | None, rng: Generator) -> Image.Image:
    """One of KINDS of a picture as the labelled ones are: `harsh` is half to full size and JPEG 60-70."""
    if kind == "messenger":
        content = degrade.messenger(image, photo, rng)
    else:
        image = degrade.framed(image, photo, rng)
        side = max(degrade.SMALLEST, round(max(image.size) * rng.uniform(0.5, 1.0)))
        content = degrade.jpeg(degrade.to_long_side(image, side, rng), int(rng.integers(60, 71)))
    return Image.open(io.BytesIO(content)).convert("RGB")


def sample(label: Sequence[int], group: Sequence[str]) -> list[int]:
    """Places of at most PER_GROUP pictures of each group, drawn at random, in order."""
    taken: dict[tuple[int, str], int] = {}
    kept = []
    for k in np.random.default_rng(SEED).permutation(len(label)):
        key = (label[k], group[k])
        taken[key] = taken.get(key, 0) + 1
        if taken[key] <= PER_GROUP[label[k]]:
            kept.append(int(k))
    return sorted(kept)


def views(which: str, kind: str) -> npt.NDArray[np.uint8]:
    """The product's two views of one of KINDS of copies of the sampled pictures, (n, 2, 224, 224, 3) uint8, kept in
    the cache. `which`: `labelled` or `graphics`."""
    path = data.cache_dir() / f"guard-views-{which}-{kind}.npy"
    if not path.exists():
        labelled = data.items()
        sizes = [data.size(i.path) for i in labelled if i.label == 0]
        made = []
        if which == "labelled":
            for k in sample([i.label for i in labelled], [i.group for i in labelled]):
                rng = np.random.default_rng((SEED, k, KINDS.index(kind)))
                photo = None if labelled[k].label == 0 else sizes[int(rng.integers(len(sizes)))]
                image = degraded(Image.fromarray(data.pixels(labelled[k].path)), kind, photo, rng)
                made.append(two_views(canonical(np.asarray(image))))
        else:
            drawn = graphics()
            for k in sample([2] * len(drawn), [g.group for g in drawn]):
                first = np.random.default_rng((SEED, 1_000_000 + k))
                image = as_labelled(Image.fromarray(data.pixels(drawn[k].path)), first)
                rng = np.random.default_rng((SEED, 1_000_000 + k, KINDS.index(kind)))
                image = degraded(image, kind, sizes[int(rng.integers(len(sizes)))], rng)
                made.append(two_views(canonical(np.asarray(image))))
        np.save(path, np.stack(made))
    return np.asarray(np.load(path, mmap_mode="r"))


Floats = npt.NDArray[np.float64]


class Trunk(nn.Module):
    """EfficientNet-Lite0 up to its eleventh block, as ImageNet left it; pooled mean and deviation of four levels."""

    def __init__(self) -> None:
        super().__init__()
        whole = Lite0()
        load_imagenet(whole, imagenet_file())
        self.stem, self.blocks = whole.stem, whole.blocks[: TAPS[-1] + 1]

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) normalised pixels -> (n, 512) float32."""
        x = self.stem(x)
        pooled: list[Tensor] = []
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in TAPS:
                flat = x.flatten(2)
                mean = flat.mean(2)
                pooled += [mean, ((flat - mean.unsqueeze(2)).square().mean(2) + 1e-6).sqrt()]
        return torch.cat(pooled, 1)


def write_graph(net: nn.Module, target: Path) -> onnxruntime.InferenceSession:
    """The network as ONNX, input `pixels`, output `logits`, and a session on it with one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            net.eval(), (torch.zeros(2, 3, SIDE, SIDE),), str(target), input_names=["pixels"], output_names=["logits"],
            dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}}, dynamo=False, opset_version=17,
        )  # fmt: skip
    export.join_padding(target)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(target), options, providers=["CPUExecutionProvider"])


def features(which: str, kind: str) -> Floats:
    """The trunk's features of both views, (n, 1024), kept in the cache."""
    path = data.cache_dir() / f"guard-features-{which}-{kind}.npy"
    if not path.exists():
        session = write_graph(Trunk(), data.cache_dir() / "guard-trunk.onnx")
        rows = [session.run(None, {"pixels": halved(np.asarray(v))})[0].ravel() for v in views(which, kind)]
        np.save(path, np.stack(rows).astype(np.float32))
    return np.asarray(np.load(path), np.float64)


@dataclass(frozen=True)
class Examples:
    """Features (n, d) of each kind of copy; `label` 0 photograph, 1 generated, 2 graphic; group and fold of each."""

    features: dict[str, Floats]
    label: npt.NDArray[np.int64]
    group: npt.NDArray[np.str_]
    fold: npt.NDArray[np.int64]


def examples() -> Examples:
    """The sampled labelled pictures, then the graphics. Raises KeyError for a group of graphics that has no fold."""
    labelled, drawn = data.items(), graphics()
    labelled = [labelled[k] for k in sample([i.label for i in labelled], [i.group for i in labelled])]
    drawn = [drawn[k] for k in sample([2] * len(drawn), [g.group for g in drawn])]
    return Examples(
        {kind: np.concatenate([features("labelled", kind), features("graphics", kind)]) for kind in KINDS},
        np.array([i.label for i in labelled] + [2] * len(drawn)),
        np.array([i.group for i in labelled] + [g.group for g in drawn]),
        np.array([i.fold for i in labelled] + [FOLD_OF[g.group] for g in drawn]),
    )


def fit(seen: Examples, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Coefficients (d + 1,) from every kind of copy of the chosen pictures.

    Graphics weigh as much as all others; a third as much as the photographs do the generated pictures, since they are
    to be let through as well. Within each class a group weighs by the square root of its size.
    """
    label, group = seen.label[chosen], seen.group[chosen]
    sizes = {g: (group == g).sum() for g in np.unique(group)}
    weight = np.array([sizes[g] ** -0.5 for g in group])
    for value, share in ((0, 0.375), (1, 0.125), (2, 0.5)):
        weight[label == value] *= share / weight[label == value].sum()
    x = np.concatenate([seen.features[kind][chosen] for kind in KINDS])
    y, w = np.tile((label == 2).astype(np.int64), len(KINDS)), np.tile(weight, len(KINDS)) / len(KINDS)
    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = ((x - mean) / scale).astype(np.float32)
    first = z[: len(label)]
    axes = np.linalg.eigh(first.T @ first)[1][:, -AXES:]
    beta = metrics.logistic((z @ axes).astype(np.float64), y, w, RIDGE)
    wide = axes @ beta[:-1] / scale
    return np.append(wide, beta[-1] - mean @ wide)


def out_of_fold(seen: Examples) -> dict[str, Floats]:
    """Logits (n,) of each kind of copy, each picture's by a probe that saw none of its group or fold."""
    scores = {kind: np.zeros(len(seen.label)) for kind in KINDS}
    for f in range(data.FOLDS):
        beta = fit(seen, seen.fold != f)
        for kind, out in scores.items():
            out[seen.fold == f] = seen.features[kind][seen.fold == f] @ beta[:-1] + beta[-1]
    return scores


def threshold(scores: dict[str, Floats], seen: Examples, chosen: npt.NDArray[np.bool_]) -> float:
    """The logit that at most REAL_RATE of the chosen photographs and GENERATED_RATE of the generated pictures exceed,
    over all kinds of copies."""
    found = []
    for value, rate in ((0, REAL_RATE), (1, GENERATED_RATE)):
        ranked = np.sort(np.concatenate([s[chosen & (seen.label == value)] for s in scores.values()]))[::-1]
        found.append(float(ranked[int(rate * len(ranked))]))
    return max(found)


def rates(scores: Floats, seen: Examples, limits: Floats, draws: int) -> dict[str, Any]:
    """Figures of one kind of copy; `limits` (n,) is the threshold that holds for each picture."""
    over = scores > limits
    graphic = seen.label == 2
    groups = {str(g): round(float(over[seen.group == g].mean()), 4) for g in np.unique(seen.group[graphic])}
    sources = {
        str(g): round(float(over[seen.group == g].mean()), 4)
        for g in np.unique(seen.group[~graphic])
        if over[seen.group == g].any()
    }
    labels = graphic.astype(np.int64)
    return {
        "auc": round(metrics.auc(scores, labels), 4),
        "auc_interval": metrics.interval(metrics.auc, scores, labels, draws=draws),
        "photographs_rejected": round(float(over[seen.label == 0].mean()), 4),
        "generated_rejected": round(float(over[seen.label == 1].mean()), 4),
        "graphics_rejected": round(float(over[graphic].mean()), 4),
        "graphics_rejected_mean_of_groups": round(float(np.mean(list(groups.values()))), 4),
        "per_group": groups,
        "rejected_per_source": sources,
    }


def evaluate(seen: Examples, draws: int = 200) -> tuple[dict[str, Any], float]:
    """All figures of the card, and the shipped threshold on the logit."""
    scores, everything = out_of_fold(seen), np.ones(len(seen.label), bool)
    shipped = threshold(scores, seen, everything)
    nested = np.zeros(len(seen.label))
    for f in range(data.FOLDS):
        nested[seen.fold == f] = threshold(scores, seen, seen.fold != f)
    figures: dict[str, Any] = {
        "seed": SEED,
        "folds": data.FOLDS,
        "counts": {
            name: int((seen.label == k).sum()) for k, name in enumerate(("photographs", "generated", "graphics"))
        },
        "pictures": {str(g): int((seen.group == g).sum()) for g in np.unique(seen.group[seen.label == 2])},
        "shipped": {kind: rates(s, seen, np.full(len(s), shipped), draws) for kind, s in scores.items()},
        "nested": {kind: rates(s, seen, nested, draws) for kind, s in scores.items()},
    }
    np.savez(data.cache_dir() / "guard-scores.npz", shipped=shipped, **scores)
    return figures, shipped


def golden(target: Path) -> list[dict[str, Any]]:
    """What the shipped file says of the pictures that are made of arithmetic, for a test."""
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    cases = []
    for picture in export.golden_pictures():
        (added,) = session.run(None, {"pixels": halved(two_views(canonical(picture)))})
        digest = hashlib.sha256(picture.tobytes()).hexdigest()
        cases.append({"picture_sha256": digest, "logit": round(float(np.trace(added)), 4)})
    return cases


def main() -> None:
    """Evaluates, fits on everything, and writes the model, its entry, its golden values and its card."""
    seen, models = examples(), data.ROOT / "models"
    figures, shipped = evaluate(seen)
    beta = fit(seen, np.ones(len(seen.label), bool))
    beta[-1] -= shipped
    target = models / "guard.onnx"
    session = write_graph(Probe(Trunk(), torch.from_numpy(beta.astype(np.float32))), target)
    expected = float(features("graphics", KINDS[0])[0] @ beta[:-1] + beta[-1])
    found = float(np.trace(session.run(None, {"pixels": halved(np.asarray(views("graphics", KINDS[0])[0]))})[0]))
    if abs(found - expected) > 0.01:
        raise RuntimeError(f"the graph says {found}, the probe {expected}")
    entries.Entry(
        target, "guard.py", DERIVED_FROM, "guard-two-views/1", "tests/golden/guard.json", ("n", 3, SIDE, SIDE)
    ).write()
    (data.ROOT / "tests/golden/guard.json").write_text(json.dumps(golden(target), indent=1) + "\n", encoding="utf-8")
    card.write("guard", figures)


if __name__ == "__main__":
    main()
