"""Visible marks of generators: found where they are printed, mirrored too; nowhere else, and not on photographs."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from detectors.finding import Finding, Profile, State
from detectors.signals.visible_mark import LINE_LEAST, SQUARES_MOST, STAR_MOST, detector, matches
from tests.unit.signal_pictures import by_hand, from_bytes, jpeg, scene

PHOTOGRAPHS = ("01-plain-photo-cat.jpg", "02-plain-photo-rocket.jpg", "03-plain-photo-portrait.jpg")
# The colours that DALL-E 2 prints, left to right.
COLOURS = ((255, 255, 102), (66, 255, 255), (81, 218, 76), (255, 110, 60), (60, 70, 255))


def find(rgb: np.ndarray) -> Finding:
    return detector.find(by_hand(rgb=np.ascontiguousarray(rgb)), Profile.FAST)


def photograph(demo: Path, name: str) -> np.ndarray:
    return from_bytes((demo / name).read_bytes()).rgb


def squares(
    rgb: np.ndarray, side: int = 12, colours: tuple[tuple[int, ...], ...] = COLOURS, right: int = 0, bottom: int = 0
) -> np.ndarray:
    """The picture with a row of squares, `right` and `bottom` px away from the corner."""
    marked = rgb.copy()
    h, w = rgb.shape[:2]
    for k, colour in enumerate(colours):
        x, y = w - right - (len(colours) - k) * side, h - bottom - side
        marked[y : y + side, x : x + side] = colour
    return marked


def star(rgb: np.ndarray, size: float = 0.0, points: int = 4, right: int = 0, opacity: float = 0.5) -> np.ndarray:
    """The picture with a translucent white star of concave sides, two thirds of its size from both edges.

    `size` in px; by default as Gemini prints it at 1376 x 768.
    """
    h, w = rgb.shape[:2]
    size = size or min(h, w) / 16
    fine = 8
    mask = Image.new("L", (w * fine, h * fine))
    x, y = (w - right - size * 7 / 6) * fine, (h - size * 7 / 6) * fine
    outline = []
    for a in np.linspace(0, 2 * np.pi, 721):
        if points == 4:
            # |x|^p + |y|^p = r^p in polar form, p = 0.7.
            r = 1.03 * size / 2 * fine / (abs(np.cos(a)) ** 0.7 + abs(np.sin(a)) ** 0.7) ** (1 / 0.7)
        else:
            r = size / 2 * fine * (0.65 + 0.35 * np.cos(points * a))
        outline.append((x + r * np.cos(a), y + r * np.sin(a)))
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    cover = np.asarray(mask.resize((w, h), Image.Resampling.BOX), np.float32)[..., None] / 255 * opacity
    return np.round(rgb * (1 - cover) + 255 * cover).astype(np.uint8)


def mirrored(rgb: np.ndarray) -> np.ndarray:
    return rgb[:, ::-1]


def messenger(rgb: np.ndarray, share: float, quality: int) -> np.ndarray:
    """Resized and saved as JPEG, as messengers do."""
    size = (round(rgb.shape[1] * share), round(rgb.shape[0] * share))
    small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    return np.asarray(Image.open(io.BytesIO(jpeg(small, quality))))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("draw", [squares, star])
def test_a_drawn_mark_is_found_named_and_shown(demo: Path, name: str, draw: Callable[..., np.ndarray]) -> None:
    rgb = photograph(demo, name)
    assert find(rgb).score == 0.0
    marked = draw(rgb)
    finding = find(marked)
    assert (finding.state, finding.score) == (State.OK, 1.0)
    assert ("DALL-E 2" if draw is squares else "Gemini") in finding.says
    assert "copied onto another picture" in finding.says
    assert finding.details["source"]
    (region,) = finding.regions
    assert region.kind == "generator_mark"
    ys, xs = np.nonzero((marked != rgb).any(axis=2))
    drawn = (xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min())
    assert np.abs(np.array(region.box) - drawn).max() <= 5


@pytest.mark.parametrize("draw", [squares, star])
def test_a_mirrored_mark_is_found_at_the_other_side(demo: Path, draw: Callable[..., np.ndarray]) -> None:
    finding = find(mirrored(draw(photograph(demo, PHOTOGRAPHS[0]))))
    assert finding.score == 1.0
    assert "mirrored" in finding.says
    x, _, w, _ = finding.regions[0].box
    assert x + w < 100


# A star of 19 px, at 0.6, is at the limit of what can be told after JPEG 70.
@pytest.mark.parametrize(("draw", "share"), [(squares, 1.0), (squares, 0.6), (star, 1.0), (star, 0.8)])
@pytest.mark.parametrize("quality", [92, 70])
def test_marks_survive_messengers(demo: Path, draw: Callable[..., np.ndarray], share: float, quality: int) -> None:
    marked = draw(photograph(demo, PHOTOGRAPHS[2]))
    assert find(messenger(marked, share, quality)).score == 1.0


@pytest.mark.parametrize("side", [5, 8, 13, 16])
def test_squares_are_found_at_any_size(side: int) -> None:
    assert find(squares(scene(480, 512), side)).score == 1.0


@pytest.mark.parametrize("size", [20, 24, 29, 34])
def test_stars_are_found_at_any_size(size: int) -> None:
    assert find(star(scene(512, 512), size)).score == 1.0


@pytest.mark.parametrize(
    "change",
    [
        lambda p: squares(p, colours=COLOURS[::-1]),
        lambda p: squares(p, colours=(*COLOURS[1:], COLOURS[0])),
        lambda p: squares(p, colours=((128, 128, 128),) * 5),
        lambda p: squares(p, right=30),
        lambda p: squares(p, bottom=20),
        lambda p: squares(p)[:-14],
        lambda p: squares(squares(p, bottom=12)),
        lambda p: star(p, right=25),
        lambda p: star(p, points=5),
        lambda p: star(p, opacity=1.0),
        lambda p: star(p)[:, :-25],
        lambda p: 255 - star(255 - p),
    ],
    ids=[
        "colours reversed", "colours turned", "grey", "moved left", "moved up", "cropped away", "bars",
        "star moved", "five points", "opaque", "star cropped away", "black star",
    ],
)  # fmt: skip
def test_what_only_resembles_a_mark_is_none(demo: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    finding = find(change(photograph(demo, PHOTOGRAPHS[0])))
    assert (finding.state, finding.score, finding.regions) == (State.OK, 0.0, ())
    assert "proves little" in finding.says


def test_no_corner_of_a_demo_photograph_shows_a_mark(demo: Path) -> None:
    examined = 0
    for path in sorted(demo.iterdir()):
        if "cut-short" in path.name or path.suffix == ".toml":
            continue
        rgb = from_bytes(path.read_bytes()).rgb
        for turns in range(4):
            finding = find(np.rot90(rgb, turns))
            assert finding.score == 0.0, (path.name, turns)
            examined += 1
    assert examined == 13 * 4


@pytest.mark.parametrize("level", [0, 100, 128, 255])
def test_flat_pictures_have_none(level: int) -> None:
    assert find(np.full((300, 300, 3), level, np.uint8)).score == 0.0


@pytest.mark.parametrize("shape", [(128, 128), (129, 4000), (4000, 131), (3000, 3000)])
def test_odd_shapes_do_no_harm(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert find(noise).score == 0.0


def test_very_small_pictures_do_not_apply() -> None:
    finding = find(squares(scene(), 5)[-127:])
    assert (finding.state, finding.score) == (State.NOT_APPLICABLE, None)


def test_the_region_of_a_reduced_picture_is_at_full_size() -> None:
    marked = squares(scene(512, 512), 8)
    picture = by_hand(rgb=marked, scale=0.5)
    finding = detector.find(picture, Profile.FAST)
    assert finding.regions[0].box == picture.box_at_full_size(512 - 40, 512 - 8, 40, 8)


def test_cost_is_bounded() -> None:
    """A picture of 22 times the pixels costs less than 4 times as much: only its corners are looked at."""
    best = {}
    for side in (512, 2400):
        rgb = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
        times = []
        for _ in range(20):
            start = time.process_time()
            matches(rgb, mirrored=False), matches(rgb, mirrored=True)
            times.append(time.process_time() - start)
        best[side] = min(times)
    assert best[2400] < 4 * best[512]


def labelled(shared: Path) -> list[dict[str, str]]:
    text = (shared / "data" / "images" / "labels.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def pixels(shared: Path, row: dict[str, str]) -> np.ndarray:
    with Image.open(shared / "data" / "images" / row["file"]) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("group", "mark", "least"), [("dall-e-2", "squares", 1.0), ("stylegan2-tpdne", "line", 0.8)])
def test_marks_of_labelled_pictures_are_found(shared: Path, group: str, mark: str, least: float) -> None:
    rows = [r for r in labelled(shared) if r["group"] == group][:40]
    findings = [find(messenger(pixels(shared, r), 0.8, 80)) for r in rows]
    hits = [f for f in findings if f.score == 1.0]
    assert len(rows) == 40
    assert {f.details["mark"] for f in hits} == {mark}
    assert len(hits) >= least * len(rows)


def test_no_false_positive_on_real_photographs(shared: Path) -> None:
    rows = [r for r in labelled(shared) if r["label"] == "0"]
    examined, hits = 0, []
    nearest: dict[str, list[float]] = {"squares": [], "star": [], "line": []}
    for i in np.random.default_rng(0).permutation(len(rows))[:400]:
        finding = find(pixels(shared, rows[i]))
        if finding.state is State.NOT_APPLICABLE:
            continue
        examined += 1
        hits += [rows[i]["file"]] if finding.score else []
        for mark, values in nearest.items():
            values += [finding.details[mark]] if mark in finding.details else []
    assert examined >= 350
    assert hits == []
    assert min(nearest["squares"]) > 1.4 * SQUARES_MOST
    assert min(nearest["star"]) > 1.1 * STAR_MOST
    assert max(nearest["line"]) < 0.7 * LINE_LEAST
