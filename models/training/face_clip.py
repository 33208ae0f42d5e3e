"""The thorough profile's closer look at faces: a probe on what CLIP's blocks 5, 6 and 7 give of the largest ones.

    COUNTERPROOF_SHARED=… python -m models.training.face_clip [--until STAGE]

Needs no graphics card and no other weights than the shipped ones: `clip-trunk.onnx` gives the features, and
`face-swap.onnx` judges the faces that are not looked at closely. Stages: `figures` (features
of every face that is measured are kept in the cache folder), `export` (`face-swap-clip.onnx`, manifest entry, golden
values, card).

Nothing is chosen on what it is measured on: each fifth of the scenes is scored by a probe whose strength was chosen on
the other four fifths alone. Seeded. One processor core.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from detectors.finding import Profile
from detectors.inference.clip import FEATURES, TRUNK
from detectors.inference.faces import CLIP_SIDE, Pixels, clip_input, network_input, square
from detectors.signals.face_swap import CLOSELY, MODELS
from models.training import card, data, degrade, entries, export, metrics, probes
from models.training.face_figures import (
    at_the_point,
    calibration,
    calibration_error,
    operating_point,
    others,
    pairs_right,
    probability,
    shares,
    step,
    worst,
)
from models.training.face_samples import (
    COPY_KINDS,
    FOLDS,
    HELD_OUT,
    MOST,
    SEED,
    Floats,
    Item,
    Labels,
    folds_of,
    index,
    say,
    scenes,
    squares,
)

BATCH = 4
COPIES = 3  # degraded, of each labelled crop, beside the crop itself
RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
MODEL, SMALL = MODELS[Profile.THOROUGH], MODELS[Profile.FAST]
DERIVED_FROM = "A linear probe by models/training on CLIP ViT-B/16 (OpenAI, MIT), whose blocks are in clip-trunk"
GOLDEN = "tests/golden/face_swap_clip.json"
TOLERANCE = 1e-3
MARGIN = 3e-3  # a logit differs by some 0.05 between processors; a photograph just below must stay there
Table = dict[str, list[float]]


def session(model: bytes) -> onnxruntime.InferenceSession:
    """A model's bytes, on as many threads as OMP_NUM_THREADS says, by default one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def learnt(item: Item, scene: int, copy: int) -> Pixels:
    """A degraded copy of a labelled crop, every other one mirrored, (1, 224, 224, 3); crops of one scene are degraded
    alike."""
    rng = np.random.default_rng((SEED, scene, copy))
    image = Image.fromarray(data.pixels(item.path))
    if rng.random() < 0.5:
        image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(70, 96))))).convert("RGB")
    wide = image.width
    image = degrade.to_long_side(image, round(wide * rng.uniform(0.55, 1.0)), rng)
    image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(65, 93))))).convert("RGB")
    x, y, w, h = (v * image.width / wide for v in item.boxes[0])
    return square(np.asarray(image), (x, y, w, h), CLIP_SIDE)[np.newaxis, :, :: -1 if copy % 2 == 0 else 1]


class Trunk:
    """CLIP's blocks as they are shipped: faces to what the probe reads, cached by name."""

    def __init__(self) -> None:
        self.session = session((data.ROOT / "models" / f"{TRUNK}.onnx").read_bytes())

    def __call__(self, name: str, cuts: Iterator[Pixels]) -> Floats:
        """The features (faces, d) of squares that come picture by picture."""
        path = data.cache_dir() / f"face-clip-{name}.npy"
        if not path.exists():
            rows: list[npt.NDArray[np.float32]] = []
            for k, pixels in enumerate(cuts):
                for b in range(0, len(pixels), BATCH):
                    feeds = {"pixels": clip_input(pixels[b : b + BATCH])}
                    rows.append(self.session.run([FEATURES], feeds)[0])
                if k % 100 == 0:
                    say(f"{path.stem}: picture {k}")
            np.save(path, np.concatenate(rows))
        return np.asarray(np.load(path), np.float64)

    def of_items(self, name: str, kind: str, chosen: list[Item]) -> Floats:
        """Those of the CLOSELY largest faces of each picture."""
        return self(f"{name}-{kind}", (COPY_KINDS[kind](i, CLIP_SIDE, CLOSELY) for i in chosen))


@dataclass(frozen=True)
class Videos:
    """The labelled crops, and what CLIP sees of them: of what is fitted on, and of each kind of copy."""

    y: Labels
    scene: Labels
    fold: Labels
    fitted: list[Floats]
    copies: dict[str, Floats]


def videos(known: list[Item], trunk: Trunk) -> Videos:
    """All of it, from the cache where it is there."""
    crops = [i for i in known if i.video and i.boxes]
    scene = scenes([i.path for i in crops])
    copies = {kind: trunk.of_items("videos", kind, crops) for kind in COPY_KINDS}
    degraded = [degraded_copy(trunk, crops, scene, c) for c in range(COPIES)]
    y = np.array([int(i.kind == "face_swap") for i in crops])
    return Videos(y, scene, folds_of(scene), [copies["untouched"], *degraded], copies)


def degraded_copy(trunk: Trunk, crops: list[Item], scene: Labels, copy: int) -> Floats:
    """What CLIP sees of one degraded copy of each crop."""
    return trunk(f"videos-learnt-{copy}", (learnt(i, int(s), copy) for i, s in zip(crops, scene, strict=True)))


def score(x: Floats, beta: Floats) -> Floats:
    """(n, d) -> (n,) logits of a probe (d + 1,)."""
    return np.asarray(x @ beta[:-1] + beta[-1])


@dataclass(frozen=True)
class Choice:
    """What some folds chose for themselves: the strength of the probe, and what makes its score a logit."""

    ridge: float
    slope: float
    offset: float


class Fits:
    """Probes without some folds, each fitted once."""

    def __init__(self, v: Videos) -> None:
        self.v = v
        self.known: dict[tuple[frozenset[int], float], Floats] = {}

    def beta(self, without: frozenset[int], ridge: float) -> Floats:
        """The probe (d + 1,) that saw none of these folds; both classes count the same."""
        if (without, ridge) not in self.known:
            kept = ~np.isin(self.v.fold, list(without))
            y = np.tile(self.v.y[kept], len(self.v.fitted))
            x = np.concatenate([c[kept] for c in self.v.fitted])
            self.known[without, ridge] = probes.probe(x, y, metrics.balanced(y), ridge)
        return self.known[without, ridge]

    def inner(self, outer: int | None, ridge: float) -> Floats:
        """Scores (n,) of untouched crops, each by a probe that saw neither its fold nor the outer one; NaN for those of
        the outer fold."""
        x, out = self.v.copies["untouched"], np.full(len(self.v.y), np.nan)
        for f in set(range(FOLDS)) - {outer}:
            mine = self.v.fold == f
            out[mine] = score(x[mine], self.beta(frozenset({f} if outer is None else {f, outer}), ridge))
        return out

    def choose(self, outer: int | None) -> Choice:
        """By the folds other than the outer one (all for None): the ridge of the largest ROC area, and a logistic model
        of its scores."""
        kept = self.v.fold != outer
        y = self.v.y[kept]
        tried = {r: self.inner(outer, r)[kept] for r in RIDGES}
        ridge = max(tried, key=lambda r: metrics.auc(tried[r], y))
        slope, offset = metrics.logistic(tried[ridge][:, np.newaxis], y, metrics.balanced(y), 1e-4)
        return Choice(ridge, float(slope), float(offset))

    def probe(self, outer: int | None, choice: Choice) -> Floats:
        """The probe (d + 1,) without one fold (with all for None), its score made a logit."""
        beta = self.beta(frozenset() if outer is None else frozenset({outer}), choice.ridge) * choice.slope
        beta[-1] += choice.offset
        return beta

    def out_of_fold(self, choices: list[Choice], kind: str) -> Floats:
        """Logits (n,) of all crops of one kind, by probes and choices that nothing of their fold went into."""
        out = np.zeros(len(self.v.y))
        for f, choice in enumerate(choices):
            mine = self.v.fold == f
            out[mine] = score(self.v.copies[kind][mine], self.probe(f, choice))
        return out


@dataclass(frozen=True)
class Shipped:
    """The thorough profile as it is shipped, on any pictures."""

    trunk: Trunk
    beta: Floats
    table: Table
    rest: Table

    def probabilities(self, name: str, items: list[Item], kind: str = "untouched") -> Floats:
        """The worst face's probability of each picture (n,): of the CLOSELY largest by the probe, of the others by the
        small network and its own table."""
        pixels, owner = squares(name, items, kind)
        place = np.concatenate([np.arange(min(MOST, len(i.boxes))) for i in items])
        p = np.zeros(len(owner))
        p[place < CLOSELY] = probability(self.table, score(self.trunk.of_items(name, kind, items), self.beta))
        p[place >= CLOSELY] = probability(self.rest, quick(pixels[place >= CLOSELY]))
        return worst(p, owner)


def quick(pixels: Pixels) -> Floats:
    """The small network's logits (n,) of squares (n, 160, 160, 3)."""
    net = session((data.ROOT / "models" / f"{SMALL}.onnx").read_bytes())
    parts = [net.run(None, {"pixels": network_input(pixels[k : k + 16])})[0] for k in range(0, len(pixels), 16)]
    return np.concatenate([np.zeros((0, 1)), *parts])[:, 0]


def figures(known: list[Item], trunk: Trunk) -> tuple[dict[str, Any], Floats]:
    """Every figure of the thorough profile in the card, and the probe that ships, (d + 1,)."""
    v = videos(known, trunk)
    fits = Fits(v)
    choices, final = [fits.choose(f) for f in range(FOLDS)], fits.choose(None)
    raw = {kind: fits.out_of_fold(choices, kind) for kind in COPY_KINDS}
    beta, table = fits.probe(None, final), calibration(raw["untouched"], v.y)
    shipped = Shipped(trunk, beta, table, card.read("face_swap")["calibration"])
    held = [i for i in known if i.kind == "real" and i.boxes and not i.video and i.group in HELD_OUT]
    p_held = {kind: shipped.probabilities("held", held, kind) for kind in COPY_KINDS}
    p_videos = {kind: probability(table, x) for kind, x in raw.items()}
    sources = [i.group for i in held]
    bands = operating_point(p_held, p_videos, sources, v.y, v.fold, MARGIN)
    return {
        "seed": SEED,
        "closely": CLOSELY,
        "ridge": final.ridge,
        "ridges_without_a_fold": [c.ridge for c in choices],
        "copies": {kind: step(x, v.y) for kind, x in raw.items()},
        "pairs_right": round(pairs_right(raw["untouched"], v.y, v.scene), 4),
        "calibration": table,
        "calibration_error": round(calibration_error(raw["untouched"], v.y, v.fold), 4),
        "bands": bands,
        "shipped": at_the_point(p_held, p_videos, v.y, bands),
        "held_out_sources": shares(p_held["saved_again"], bands, sources),
        "others": others(known, shipped.probabilities, bands, ("sources_trained_on", "splices")),
    }, beta


def publish(beta: Floats, found: dict[str, Any]) -> None:
    """Probe, manifest entry, golden values, and the card with its figures. Raises RuntimeError when the file differs
    from the probe."""
    target = data.ROOT / "models" / f"{MODEL}.onnx"
    weight = numpy_helper.from_array(beta[:-1, np.newaxis].astype(np.float32), "weight")
    bias = numpy_helper.from_array(beta[-1:].astype(np.float32), "bias")
    shapes = {name: ["n", width] for name, width in ((FEATURES, len(beta) - 1), ("logits", 1))}
    seen, out = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    node = helper.make_node("Gemm", [FEATURES, "weight", "bias"], ["logits"])
    graph = helper.make_graph([node], MODEL, [seen], [out], [weight, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))
    cuts = np.stack([square(p, (40.0, 30.0, 90.0, 100.0), CLIP_SIDE) for p in export.golden_pictures()])
    features = session((data.ROOT / "models" / f"{TRUNK}.onnx").read_bytes()).run(
        [FEATURES], {"pixels": clip_input(cuts)}
    )[0]
    answers = session(target.read_bytes()).run(None, {FEATURES: features})[0][:, 0]
    gap = float(np.abs(answers - score(features.astype(np.float64), beta)).max())
    if not gap < TOLERANCE:
        raise RuntimeError(f"{target.name} differs from the probe by {gap}")
    entries.Entry(
        target,
        "face_clip.py",
        DERIVED_FROM,
        "clip-face-square/1",
        GOLDEN,
        ("n", len(beta) - 1),
        detector="face_swap",
        profile="thorough",
        figures=found,
        card="face_swap",
        source=FEATURES,
    ).write()
    cases = [
        {
            "square_sha256": hashlib.sha256(c.tobytes()).hexdigest(),
            "mean": [round(float(v), 4) for v in c.mean((0, 1))],
            "samples": [int(v) for v in c[8::53, 12::59].ravel()],
            "logit": round(float(a), 4),
        }
        for c, a in zip(cuts, answers, strict=True)
    ]
    (data.ROOT / GOLDEN).write_text(json.dumps({"model": MODEL, "cases": cases}, indent=1) + "\n", encoding="utf-8")
    card.write("face_swap", {**card.read("face_swap"), "thorough": found})


def main() -> None:
    """All stages, or those up to one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", choices=("figures", "export"), default="export")
    until = parser.parse_args().until
    found, beta = figures(index(), Trunk())
    say(json.dumps({k: v for k, v in found.items() if k not in ("calibration", "others")}, indent=1))
    if until == "export":
        publish(beta, found)


if __name__ == "__main__":
    main()
