"""Newer generators: the list is sound, and nothing of a held-out fold is learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.training import data, newer

# Families with labelled generators of the same maker, and one of those: they are held out together.
KIN = {
    "stable-diffusion-1-2": "stable-diffusion-2.1",
    "stable-diffusion-3": "stable-diffusion-3",
    "sdxl": "sdxl",
    "flux": "flux.1-dev",
    "openai": "gpt-image-1",
    "google": "nano-banana-pro",
}


def items() -> list[data.Item]:
    """Eight photographs, one a fold; the last shares the site of the first."""
    repos = [*(f"r{f}" for f in range(data.FOLDS - 1)), "r0"]
    return [data.Item(Path(f"{f}.jpg"), 0, f"source{f}", repo, f) for f, repo in enumerate(repos)]


def test_the_list_is_sound() -> None:
    rows = newer.listed()
    assert len({(r.member, r.frame) for r in rows}) == len(rows) > 200
    packages = {w.rsplit("-", 1)[0] for w in newer.WHEELS}
    for r in rows:
        left, top, right, bottom = r.box
        assert min(right - left, bottom - top) >= 160, r.member
        assert r.member.split("/")[0] in packages
        assert 0 <= r.fold < data.FOLDS


def test_each_family_is_held_out_as_a_whole_and_with_its_kin() -> None:
    folds: dict[str, set[int]] = {}
    for r in newer.listed():
        folds.setdefault(r.family, set()).add(r.fold)
    assert all(len(f) == 1 for f in folds.values())
    assert set(KIN) <= set(folds)
    assert {family: {data.FOLD_OF[kin]} for family, kin in KIN.items()} == {family: folds[family] for family in KIN}


def test_nothing_of_a_held_out_fold_is_learnt_from() -> None:
    all_items = items()
    samples = [newer.Sample(1, f, 0, f"family{f}", f) for f in range(data.FOLDS)]
    samples += [newer.Sample(0, k, 0, i.group, i.fold) for k, i in enumerate(all_items)]
    chosen = [samples[k] for k in newer.learnt(samples, all_items, 0)]
    assert {s.fold for s in chosen if s.label == 1} == set(range(1, data.FOLDS))
    assert {s.index for s in chosen if s.label == 0} == set(range(1, data.FOLDS - 1))  # the last is of a held-out site
    assert len(newer.learnt(samples, all_items, None)) == len(samples)


def test_each_class_has_its_share_and_families_count_by_the_root_of_their_size() -> None:
    samples = [newer.Sample(1, k, 0, "many" if k < 4 else "few", 0) for k in range(5)]
    samples += [newer.Sample(0, k, 0, "source", 1) for k in range(3)]
    weight, label = newer.weights(samples), np.array([s.label for s in samples])
    assert [weight[label == y].sum() for y in (0, 1)] == pytest.approx([newer.SHARE / 2] * 2)
    assert weight[:4].sum() == pytest.approx(2 * weight[4])


def test_another_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(iter(newer.WHEELS))
    (tmp_path / f"{name}-py3-none-any.whl").write_bytes(b"another")
    monkeypatch.setenv("COUNTERPROOF_NEWER", str(tmp_path))
    newer.wheel.cache_clear()
    with pytest.raises(ValueError, match="another wheel"):
        newer.wheel(name.rsplit("-", 1)[0])
