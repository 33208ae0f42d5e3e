"""Figures: ROC area, recall at a false-positive rate, calibration error, intervals; and the logistic fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def auc(scores: Floats, labels: Labels) -> float:
    """Area under the ROC curve, ties at half. Raises ValueError unless both classes are there."""
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    if not len(positive) or not len(negative):
        raise ValueError("both classes are needed")
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


def threshold_at(scores: Floats, labels: Labels, rate: float) -> float:
    """The score that at most `rate` of the photographs exceed."""
    negative = np.sort(scores[labels == 0])[::-1]
    return float(negative[int(rate * len(negative))])


def recall_at(scores: Floats, labels: Labels, rate: float) -> float:
    """Share of synthetic pictures above `threshold_at`."""
    return float((scores[labels == 1] > threshold_at(scores, labels, rate)).mean())


def balanced(labels: Labels) -> Floats:
    """Weights under which both classes count the same. Sum to 1."""
    share = np.array([(labels == 0).mean(), (labels == 1).mean()])
    return np.asarray(0.5 / share[labels] / len(labels))


def calibration_error(p: Floats, labels: Labels, bins: int = 10) -> float:
    """Expected calibration error over equal bins of probability, both classes counting the same."""
    weight = balanced(labels)
    index = np.minimum((p * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        chosen = index == b
        if chosen.any():
            total += abs(float((weight * (p - labels))[chosen].sum()))
    return total


def reliability(p: Floats, labels: Labels, bins: int = 10) -> list[list[float]]:
    """The diagram behind `calibration_error`: for each bin that holds pictures its mean probability, its share of
    synthetic pictures, both classes counting the same, and its count."""
    weight = balanced(labels)
    index = np.minimum((p * bins).astype(int), bins - 1)
    rows = []
    for b in range(bins):
        k = index == b
        if k.any():
            w = weight[k] / weight[k].sum()
            rows.append([round(float(w @ p[k]), 4), round(float(w @ labels[k]), 4), int(k.sum())])
    return rows


def logistic(x: Floats, y: Labels, weight: Floats, ridge: float, rounds: int = 25) -> Floats:
    """Ridge logistic regression by Newton's method: coefficients, the last one the intercept.

    `x` (n, d) should be standardised; `weight` (n,) sums to 1; `ridge` is per coefficient, the intercept is free.
    """
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0
    beta = np.zeros(x.shape[1])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (weight * (p - y)) + penalty * beta
        hessian = (x * (weight * np.maximum(p * (1 - p), 1e-4))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < 1e-5:
            break
    return beta


def by_fold(x: Floats, betas: Sequence[Floats], fold: Labels) -> Floats:
    """Logits (n,) of features (n, d), each by the probe that its fold was held out of."""
    return np.array([row @ betas[f][:-1] + betas[f][-1] for row, f in zip(x, fold, strict=True)])


def interval(
    figure: Callable[[Floats, Labels], float], scores: Floats, labels: Labels, seed: int = 1, draws: int = 1000
) -> list[float]:
    """95 % interval of a figure by resampling pictures within each class."""
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(labels == y) for y in (0, 1)]
    values = []
    for _ in range(draws):
        pick = np.concatenate([rng.choice(p, len(p)) for p in places])
        values.append(figure(scores[pick], labels[pick]))
    return [round(float(v), 4) for v in np.quantile(values, [0.025, 0.975])]
