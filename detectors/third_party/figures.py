"""From a model's raw scores on the user's own labelled pictures to a calibration, and to how good it is. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.errors import FileRefused
from detectors.third_party.store import Calibration

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

ENOUGH = 50  # pictures of each kind; fewer say next to nothing on 1 % of photographs
RATE = 0.01  # of the photographs may reach `likely`
MISSED = 0.1  # of the synthetic pictures may lie below `clear`
FOLDS, DRAWS, BINS, SEED = 5, 1000, 10, 1
_RIDGE = 1e-3  # on the standardised score: keeps the curve finite where the classes do not overlap


def calibrated(raw: Floats, labels: Labels, groups: Sequence[str]) -> Calibration:
    """The calibration for raw log-odds (n,) of photographs (label 0) and synthetic pictures (label 1).

    `groups` names what each picture came with (its folder); a fold holds out whole groups where each class has at least
    five, else single pictures. Raises FileRefused when there are too few pictures, or the model points the wrong way.
    """
    n_real, n_synthetic = int((labels == 0).sum()), int((labels == 1).sum())
    if min(n_real, n_synthetic) < ENOUGH:
        raise FileRefused(
            "too_few_pictures",
            f"{n_real} photographs and {n_synthetic} synthetic pictures could be used; {ENOUGH} of each are the least.",
            "Put more pictures of each kind into the two folders, from as many different sources as you can.",
        )
    slope, intercept = fit(raw, labels)
    if slope <= 0:
        raise FileRefused(
            "model_points_the_wrong_way",
            "The model gives your photographs higher scores than your synthetic pictures.",
            "Check “synthetic” and “index” in its card, and that the two folders were not mixed up; then add it again.",
        )
    likely, clear = thresholds(slope * raw + intercept, labels)
    folds, held_out = _folds(labels, groups)
    p = np.empty(len(raw))
    above, below = np.zeros(len(raw), bool), np.zeros(len(raw), bool)
    for fold in range(FOLDS):
        out = folds == fold
        a, b = fit(raw[~out], labels[~out])
        z = a * raw + b
        high, low = thresholds(z[~out], labels[~out])
        p[out] = _sigmoid(z[out])
        above[out], below[out] = p[out] >= high, p[out] < low
    false = int(above[labels == 0].sum())
    auc_low, auc_high = _interval(raw, labels)
    return Calibration(
        slope=slope,
        intercept=intercept,
        likely=likely,
        clear=clear,
        false_positive_rate=false / n_real,
        false_positive_bound=bound(false, n_real),
        recall=float(above[labels == 1].mean()),
        miss_rate=float(below[labels == 1].mean()),
        n_real=n_real,
        n_synthetic=n_synthetic,
        auc=auc(raw, labels),
        auc_low=auc_low,
        auc_high=auc_high,
        calibration_error=calibration_error(p, labels),
        held_out=held_out,
    )


def fit(raw: Floats, labels: Labels, rounds: int = 50) -> tuple[float, float]:
    """Platt's curve: slope and intercept of the log-odds, both classes counting the same (Newton's method)."""
    mean, spread = raw.mean(), raw.std() or 1.0
    x = np.stack([(raw - mean) / spread, np.ones(len(raw))], 1)
    weight = np.where(labels == 1, 0.5 / (labels == 1).sum(), 0.5 / (labels == 0).sum())
    penalty = np.array([_RIDGE, 0.0])
    beta = np.zeros(2)
    for _ in range(rounds):
        p = _sigmoid(x @ beta)
        gradient = x.T @ (weight * (p - labels)) + penalty * beta
        hessian = (x * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.clip(np.linalg.solve(hessian, gradient), -4, 4)  # far from the answer, Newton's steps overshoot
        beta = beta - step
        if np.abs(step).max() < 1e-7:
            break
    return float(beta[0] / spread), float(beta[1] - beta[0] * mean / spread)


def thresholds(z: Floats, labels: Labels) -> tuple[float, float]:
    """`likely` and `clear`, as probabilities, from log-odds.

    At most `RATE` of the photographs reach `likely`, which lies halfway to the next higher score and never under 0.5;
    at most `MISSED` of the synthetic pictures lie below `clear`, which is never over 0.5.
    """
    real = np.sort(z[labels == 0])[::-1]
    highest = real[math.floor(RATE * len(real))]
    higher = z[z > highest]
    likely = max(0.5, float(_sigmoid((highest + higher.min()) / 2 if len(higher) else highest + 0.5)))
    clear = float(_sigmoid(np.quantile(z[labels == 1], MISSED, method="lower")))
    return likely, min(clear, 0.5)


def auc(scores: Floats, labels: Labels) -> float:
    """Area under the ROC curve, ties at half."""
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


def calibration_error(p: Floats, labels: Labels) -> float:
    """Expected calibration error over ten equal bins of probability, both classes counting the same."""
    weight = np.where(labels == 1, 0.5 / (labels == 1).sum(), 0.5 / (labels == 0).sum())
    index = np.minimum((p * BINS).astype(int), BINS - 1)
    return float(sum(abs((weight * (p - labels))[index == b].sum()) for b in range(BINS)))


def bound(false: int, n: int) -> float:
    """The rate that is not exceeded with 95 % confidence after `false` of `n` (Clopper and Pearson, 1934)."""
    if false >= n:
        return 1.0
    low, high = false / n, 1.0
    for _ in range(50):
        q = (low + high) / 2
        if _at_most(false, n, q) > 0.05:
            low = q
        else:
            high = q
    return high


def _at_most(k: int, n: int, q: float) -> float:
    """The chance of at most `k` of `n` at rate `q`, 0 < q < 1."""
    ways = (math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k + 1))
    return sum(math.exp(w + i * math.log(q) + (n - i) * math.log1p(-q)) for i, w in enumerate(ways))


def _interval(raw: Floats, labels: Labels) -> tuple[float, float]:
    """95 % interval of the area by resampling pictures within each class."""
    rng = np.random.default_rng(SEED)
    places = [np.flatnonzero(labels == y) for y in (0, 1)]
    draws = []
    for _ in range(DRAWS):
        pick = np.concatenate([rng.choice(p, len(p)) for p in places])
        draws.append(auc(raw[pick], labels[pick]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _folds(labels: Labels, groups: Sequence[str]) -> tuple[npt.NDArray[np.int64], str]:
    """Each picture's fold, and whether `folders` or `files` are held out together. Every fold has both classes."""
    names = np.array(groups)
    held_out = "folders" if all(len(set(names[labels == y])) >= FOLDS for y in (0, 1)) else "files"
    if held_out == "files":
        names = np.arange(len(labels)).astype(str)
    rng = np.random.default_rng(SEED)
    folds = np.zeros(len(labels), np.int64)
    for y in (0, 1):
        found, sizes = np.unique(names[labels == y], return_counts=True)
        filled = np.zeros(FOLDS, np.int64)
        # Largest first, each into the emptiest fold; the shuffle only decides between equals.
        order = rng.permutation(len(found))
        for i in order[np.argsort(-sizes[order], kind="stable")]:
            fold = int(filled.argmin())
            filled[fold] += sizes[i]
            folds[(labels == y) & (names == found[i])] = fold
    return folds, held_out


def _sigmoid(z: Floats | float) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))
