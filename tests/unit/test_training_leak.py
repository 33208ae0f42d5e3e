"""The leak check goes red when the encoder gives the label away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="evaluation needs the extra `train`")
pytest.importorskip("onnx", reason="evaluation needs the extra `train`")

from models.training import data, evaluate, metrics, probes


def _items(n: int) -> list[data.Item]:
    return [data.Item(Path("x"), k % 2, f"g{k % 6}", f"r{k % 6}", (k % 6) // 2) for k in range(n)]


def test_clean_traces_are_near_chance_and_planted_ones_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    some = _items(600)
    noise = np.random.default_rng(0).normal(0, 1, (600, 3))
    monkeypatch.setattr(evaluate, "traces", lambda _items: noise)
    assert abs(evaluate.leak(some) - 0.5) < 0.1
    planted = noise.copy()
    planted[:, 0] += 3 * evaluate.labels(some)
    monkeypatch.setattr(evaluate, "traces", lambda _items: planted)
    assert evaluate.leak(some) > 0.9
    monkeypatch.setattr(data, "items", lambda: some)
    with pytest.raises(SystemExit, match="leak"):
        evaluate.evaluate()


def test_a_wide_probe_tells_classes_apart_on_fresh_draws() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    x = rng.normal(0, 1, (400, 700)) + y[:, None] * 0.2
    beta = probes.probe(x, y, np.full(400, 1 / 400), 0.3)
    assert beta.shape == (701,)
    fresh = rng.normal(0, 1, (400, 700)) + y[:, None] * 0.2
    assert metrics.auc(fresh @ beta[:-1] + beta[-1], y) > 0.9
