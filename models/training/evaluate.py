"""Every figure in the card: out of fold, generators and sources held out, on untouched and on degraded copies.

    python -m models.training.evaluate

Writes models/cards/generated.json and the figures in models/cards/generated.md. Stops when the leak check fails.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from detectors.inference.manifest import Calibration
from detectors.inference.preprocess import LONG_SIDE, PREPROCESS, canonical
from detectors.signals.generated import stability_copies, steady
from detectors.verdict import Bands
from models.training import card, data, degrade, metrics
from models.training.export import PREPROCESS_ID, to_onnx

SEED = 20260101
COPIES = ("untouched", "messenger")
ENOUGH = 20  # a group with fewer pictures is counted in the pool, but gets no figure of its own
LEAK_LIMIT = 0.65
LOWEST_LIKELY = 0.0  # mean logit that no threshold at 1 % false positives comes near; checked below
AXES = 500  # of wide features, in a probe
MISSED = 0.10  # at most this share of synthetic pictures may fall in `no_signs`

Floats = npt.NDArray[np.float64]


def messenger_file(original: npt.NDArray[np.uint8], sides: list[int], index: int) -> bytes:
    """The degraded copy of picture `index`; the same bytes in every run."""
    return degrade.messenger(Image.fromarray(original), sides, np.random.default_rng((SEED, index)))


def fold_scores(run: int, all_items: list[data.Item]) -> dict[str, Floats]:
    """Logits of one held-out fold, kept in the cache: for each kind of copy (n, 3 pictures, 2 views).

    The three pictures are the copy itself and its two stability copies; NaN where the product would not look at them.
    """
    weights = data.cache_dir() / f"lite0-{run}.pt"
    kept = data.cache_dir() / f"scores-{run}.npz"
    if kept.exists() and kept.stat().st_mtime > weights.stat().st_mtime:
        with np.load(kept) as found:
            return {k: found[k] for k in COPIES}
    graph = weights.with_suffix(".onnx")
    to_onnx(weights, graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as the product does; run folds side by side to use more cores
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    sides = photo_sides(all_items)
    rows: dict[str, list[Floats]] = {k: [] for k in COPIES}
    for k, item in enumerate(all_items):
        if item.fold != run:
            continue
        original = data.pixels(item.path)
        with Image.open(io.BytesIO(messenger_file(original, sides, k))) as copy:
            degraded = np.asarray(copy.convert("RGB"))
        for kind, rgb in zip(COPIES, (original, degraded), strict=True):
            small = canonical(rgb)
            logits = [session.run(None, {"pixels": PREPROCESS[PREPROCESS_ID](rgb)})[0]]
            if logits[0].mean() > LOWEST_LIKELY:
                copies = stability_copies(small).values()
                logits += [session.run(None, {"pixels": PREPROCESS[PREPROCESS_ID](np.asarray(c))})[0] for c in copies]
            else:
                logits += [np.full(2, np.nan)] * 2
            rows[kind].append(np.stack(logits))
    scores = {k: np.stack(v).astype(np.float64) for k, v in rows.items()}
    np.savez(kept, **scores)  # type: ignore[arg-type]
    return scores


def photo_sides(all_items: list[data.Item]) -> list[int]:
    """Long sides of all photographs, from which target sizes are drawn."""
    sides = []
    for item in all_items:
        if item.label == 0:
            with Image.open(item.path) as image:
                sides.append(max(image.size))
    return sides


def traces(all_items: list[data.Item]) -> Floats:
    """What the encoder alone tells of the degraded copies: canonical sides, shape, JPEG tables, file size; (n, 6)."""
    sides = photo_sides(all_items)
    rows = []
    for k, item in enumerate(all_items):
        content = messenger_file(data.pixels(item.path), sides, k)
        with Image.open(io.BytesIO(content)) as image:
            tables, (w, h) = image.quantization, image.size
        long_side, short = min(LONG_SIDE, max(w, h)), min(w, h)
        rows.append([long_side, short, w / h, np.mean(tables[0]), np.mean(tables[1]), np.log(len(content))])
    return np.array(rows, np.float64)


def leak(all_items: list[data.Item]) -> float:
    """ROC area, out of fold, of a classifier on `traces` alone: squares and products too, so that it may bend."""
    x = traces(all_items)
    x = (x - x.mean(0)) / x.std(0)
    x = np.concatenate([x, *(x * np.roll(x, s, 1) for s in range(x.shape[1] // 2 + 1))], 1)
    x = (x - x.mean(0)) / x.std(0)
    return metrics.auc(held_out_probe(x, all_items, 1e-3), labels(all_items))


def held_out_probe(x: Floats, all_items: list[data.Item], ridge: float) -> Floats:
    """Logits of a group-weighted linear probe on features (n, d), each picture scored by a probe that never saw it."""
    y, fold = labels(all_items), np.array([i.fold for i in all_items])
    out = np.zeros(len(y))
    for f in range(data.FOLDS):
        chosen = data.training_items(all_items, f)
        weight = data.group_weights([all_items[k] for k in chosen])
        beta = probe(x[chosen], y[chosen], weight, ridge)
        out[fold == f] = x[fold == f] @ beta[:-1] + beta[-1]
    return out


def probe(x: Floats, y: npt.NDArray[np.int64], weight: Floats, ridge: float) -> Floats:
    """Coefficients (d + 1,) of a linear probe; wide features are first turned onto their main axes, and back after."""
    if x.shape[1] <= AXES:
        return metrics.logistic(x, y, weight, ridge)
    centre = x.mean(0)
    values, vectors = np.linalg.eigh((x - centre) @ (x - centre).T)
    top = slice(len(values) - AXES, None)
    axes = (x - centre).T @ (vectors[:, top] / np.sqrt(values[top]))
    beta = metrics.logistic((x - centre) @ axes, y, weight, ridge)
    wide = axes @ beta[:-1]
    return np.append(wide, beta[-1] - centre @ wide)


def labels(all_items: list[data.Item]) -> npt.NDArray[np.int64]:
    """1 synthetic, 0 photograph; (n,)."""
    return np.array([i.label for i in all_items])


def view_weights(logits: Floats, y: npt.NDArray[np.int64]) -> list[float]:
    """How much the whole view and the detail count, from a balanced logistic fit on logits (n, 2); they sum to 1."""
    spread = logits.std(0)
    beta = metrics.logistic(logits / spread, y, metrics.balanced(y), 1e-4)[:2] / spread
    whole = round(float(np.clip(beta[0] / beta.sum(), 0, 1)), 2)
    return [whole, round(1 - whole, 2)]


def table(raw: Floats, y: npt.NDArray[np.int64]) -> dict[str, list[float]]:
    """Platt's curve as the table that the manifest holds."""
    slope, intercept = metrics.platt(raw, y)
    if slope <= 0:
        raise ValueError("scores fall where they should rise")
    points = np.arange(-8, 8.01, 0.5)
    p = 1 / (1 + np.exp(-(slope * points + intercept)))
    return {"raw": [round(float(v), 2) for v in points], "probability": [round(float(v), 5) for v in p]}


def apply(calibration: dict[str, list[float]], raw: Floats) -> Floats:
    """The product's own calibration, element by element."""
    function = Calibration(tuple(calibration["raw"]), tuple(calibration["probability"]))
    return np.array([np.nan if np.isnan(v) else function(float(v)) for v in raw.ravel()]).reshape(raw.shape)


def operating_point(p: dict[str, Floats], y: npt.NDArray[np.int64]) -> Bands:
    """`likely` at 1 % false positives on either kind of copy; `clear` with at most 10 % of synthetic ones below."""
    likely = round(max(metrics.threshold_at(p[k][:, 0], y, 0.01) for k in COPIES) + 5e-4, 3)
    clear = round(min(float(np.quantile(p[k][y == 1, 0], MISSED)) for k in COPIES), 3)
    draft = Bands(likely, clear, 0.0, 0.0, 0.0, int((y == 0).sum()), int((y == 1).sum()))
    hit = shipped(p["messenger"], draft)
    return Bands(
        likely, clear,
        round(float((hit[y == 0] == 2).mean()), 4), round(float((hit[y == 1] == 2).mean()), 4),
        round(float((hit[y == 1] == 0).mean()), 4), draft.n_real, draft.n_synthetic,
    )  # fmt: skip


def shipped(p: Floats, bands: Bands) -> npt.NDArray[np.int64]:
    """The band the product gives, stability check included: 0 no signs, 1 inconclusive, 2 likely. `p` is (n, 3)."""
    if np.isnan(p[p[:, 0] >= bands.likely]).any():
        raise ValueError("a picture over the threshold has no stability scores: lower LOWEST_LIKELY")
    out = np.where(p[:, 0] < bands.clear, 0, 1)
    for k in np.flatnonzero(p[:, 0] >= bands.likely):
        out[k] = 2 if steady([float(v) for v in p[k, 1:]], bands) else 1
    return out


def copy_figures(raw: Floats, p: Floats, all_items: list[data.Item], bands: Bands, honest: Floats) -> dict[str, Any]:
    """Figures on one kind of copy. `raw` (n,), `p` (n, 3), `honest` (n,) calibrated without the picture's own fold."""
    y, group = labels(all_items), np.array([i.group for i in all_items])
    band = shipped(p, bands)
    fold = np.array([i.fold for i in all_items])
    known = sorted({g for g in group if (group == g).sum() >= ENOUGH})
    made, taken = ([g for g in known if y[group == g][0] == want] for want in (1, 0))
    places = {g: np.flatnonzero((group == g) | (y == 0)) for g in made}
    return {
        "auc": round(metrics.auc(raw, y), 4),
        "auc_interval": metrics.interval(metrics.auc, raw, y),
        "auc_per_fold": [round(metrics.auc(raw[fold == f], y[fold == f]), 4) for f in range(data.FOLDS)],
        "recall_1": round(metrics.recall_at(raw, y, 0.01), 4),
        "recall_1_interval": metrics.interval(lambda s, t: metrics.recall_at(s, t, 0.01), raw, y),
        "recall_5": round(metrics.recall_at(raw, y, 0.05), 4),
        "recall_5_interval": metrics.interval(lambda s, t: metrics.recall_at(s, t, 0.05), raw, y),
        "calibration_error": round(metrics.calibration_error(honest, y), 4),
        "shipped": {
            "false_positive_rate": round(float((band[y == 0] == 2).mean()), 4),
            "recall": round(float((band[y == 1] == 2).mean()), 4),
            "miss_rate": round(float((band[y == 1] == 0).mean()), 4),
            "inconclusive_real": round(float((band[y == 0] == 1).mean()), 4),
            "inconclusive_synthetic": round(float((band[y == 1] == 1).mean()), 4),
            "unsteady": round(float((band[p[:, 0] >= bands.likely] == 1).mean()), 4),
        },
        "auc_per_generator": {g: round(metrics.auc(raw[places[g]], y[places[g]]), 4) for g in made},
        "recall_per_generator": {g: round(float((band[group == g] == 2).mean()), 4) for g in made},
        "false_positive_rate_per_source": {g: round(float((band[group == g] == 2).mean()), 4) for g in taken},
        "pictures": {g: int((group == g).sum()) for g in made + taken},
    }


def teacher_figures(all_items: list[data.Item], student: Floats) -> dict[str, Any]:
    """Probes on CLIP's middle blocks, and their sum with the student, on degraded copies; {} when not extracted."""
    path = data.cache_dir() / "clip-messenger.npy"
    done = path.with_suffix(".done")
    if not done.exists() or int(done.read_text()) < len(all_items):
        return {}
    seen, y = np.load(path, mmap_mode="r"), labels(all_items)
    out: dict[str, Any] = {}
    for name, blocks, parts in (("5", (5,), (0,)), ("5_6_8", (5, 6, 8), (0,)), ("5_6_8_means", (5, 6, 8), (0, 1))):
        x = np.asarray(seen[:, :, list(blocks)][:, :, :, list(parts)], np.float64).reshape(len(y), -1)
        x = (x - x.mean(0)) / (x.std(0) + 1e-6)
        raw = held_out_probe(x, all_items, RIDGE * x.shape[1])
        both = raw / raw.std() + student / student.std()
        for label, score in ((f"clip_{name}", raw), (f"clip_{name}_and_student", both)):
            out[label] = {
                "auc": round(metrics.auc(score, y), 4),
                "recall_1": round(metrics.recall_at(score, y, 0.01), 4),
                "recall_5": round(metrics.recall_at(score, y, 0.05), 4),
            }
    return out


RIDGE = 1e-5


def evaluate() -> dict[str, Any]:
    """All figures. Raises SystemExit when encoder traces alone tell the classes apart."""
    all_items = data.items()
    y, fold = labels(all_items), np.array([i.fold for i in all_items])
    trace_auc = leak(all_items)
    print(f"encoder traces alone: AUC {trace_auc:.3f}", file=sys.stderr)
    if trace_auc > LEAK_LIMIT:
        raise SystemExit(f"leak: encoder traces alone reach AUC {trace_auc:.3f}, over {LEAK_LIMIT}")
    logits = {k: np.zeros((len(y), 3, 2)) for k in COPIES}
    for f in range(data.FOLDS):
        for kind, values in fold_scores(f, all_items).items():
            logits[kind][fold == f] = values
    weights = view_weights(np.concatenate([logits[k][:, 0] for k in COPIES]), np.concatenate([y] * 2))
    raw = {k: v @ np.array(weights) for k, v in logits.items()}
    calibration = table(np.concatenate([raw[k][:, 0] for k in COPIES]), np.concatenate([y] * 2))
    p = {k: apply(calibration, raw[k]) for k in COPIES}
    bands = operating_point(p, y)
    figures: dict[str, Any] = {
        "model": "generated-lite0",
        "seed": SEED,
        "folds": data.FOLDS,
        "real": int((y == 0).sum()),
        "synthetic": int((y == 1).sum()),
        "leak_auc": round(trace_auc, 4),
        "view_weights": weights,
        "calibration": calibration,
        "bands": {name: getattr(bands, name) for name in Bands.__slots__},
    }
    for kind in COPIES:
        honest = np.zeros(len(y))
        for f in range(data.FOLDS):
            others = np.concatenate([raw[k][fold != f, 0] for k in COPIES])
            honest[fold == f] = apply(table(others, np.concatenate([y[fold != f]] * 2)), raw[kind][fold == f, 0])
        figures[kind] = copy_figures(raw[kind][:, 0], p[kind], all_items, bands, honest)
    equal = {"lite0_equal_views": logits["messenger"][:, 0].mean(1)}
    views = {f"lite0_{name}": logits["messenger"][:, 0, v] for v, name in enumerate(("whole", "detail"))} | equal
    figures["steps"] = {
        **{n: {"auc": round(metrics.auc(s, y), 4), "recall_1": round(metrics.recall_at(s, y, 0.01), 4),
                          "recall_5": round(metrics.recall_at(s, y, 0.05), 4)} for n, s in views.items()},
        **teacher_figures(all_items, raw["messenger"][:, 0]),
    }  # fmt: skip
    return figures


def main() -> None:
    """Writes the figures and the card."""
    figures = evaluate()
    cards = Path(data.ROOT / "models/cards")
    (cards / "generated.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    card.write(cards / "generated.md", figures)


if __name__ == "__main__":
    main()
