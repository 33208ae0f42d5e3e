"""The intimacy signal: geometry and suppression on made-up tensors, the level's rules, the model on safe pictures."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Role, State
from detectors.inference import sessions
from detectors.inference.boxes import Boxes, covered, decode, join, letterbox, overlap, suppress
from detectors.inference.nudenet import CLASSES, EXPLICIT, FACE, KINDS, MODEL, SECOND_LOOK, views
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import intimacy
from detectors.signals.intimacy import HINTS, WEAK_HINTS, detector, level, mistaken, strength

ANCHORS = 50


def gradient(width: int, height: int) -> npt.NDArray[np.uint8]:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], 2).astype(np.uint8)


def picture(rgb: npt.NDArray[np.uint8], scale: float = 1.0) -> Picture:
    media = Media("PNG", round(rgb.shape[1] / scale), round(rgb.shape[0] / scale), 1)
    return Picture(rgb=rgb, media=media, sha256="0" * 64, data=b"", scale=scale)


def boxes(*rows: tuple[str, float, tuple[float, float, float, float]]) -> Boxes:
    """Boxes from (kind, score, corners)."""
    corners = np.array([r[2] for r in rows], np.float32).reshape(-1, 4)
    return Boxes(
        corners, np.array([r[1] for r in rows], np.float32), np.array([KINDS.index(r[0]) for r in rows], np.intp)
    )


def tensor(rows: Iterable[tuple[int, float, tuple[float, float, float, float]]]) -> npt.NDArray[np.float32]:
    """A (22, anchors) output with one anchor for each (class index, score, (centre x, centre y, w, h))."""
    output = np.zeros((4 + len(CLASSES), ANCHORS), np.float32)
    for i, (label, score, box) in enumerate(rows):
        output[:4, i] = box
        output[4 + label, i] = score
    return output


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, ...]]]:
    """Makes the model answer with given boxes, by the long side of the view; returns the shapes that it was fed."""

    def plant(
        first: Iterable[tuple[int, float, tuple[float, float, float, float]]],
        second: Iterable[tuple[int, float, tuple[float, float, float, float]]] = (),
    ) -> list[tuple[int, ...]]:
        fed: list[tuple[int, ...]] = []

        def run(model_id: str, feeds: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
            assert model_id == MODEL
            shape = feeds["images"].shape
            fed.append(shape)
            return [tensor(second if max(shape[2:]) == SECOND_LOOK else first)[None]]

        monkeypatch.setattr(sessions, "run", run)
        return fed

    return plant


# Letterbox ------------------------------------------------------------------------------------------------------


@given(width=st.integers(1, 900), height=st.integers(1, 900), side=st.sampled_from([192, 320, 512]))
def test_letterbox_keeps_the_aspect_and_pads_right_and_below(width: int, height: int, side: int) -> None:
    white = Image.new("RGB", (width, height), "white")
    padded, scale = letterbox(white, side)
    _, channels, rows, columns = padded.shape
    assert (channels, rows % 32, columns % 32, padded.dtype) == (3, 0, 0, np.float32)
    assert scale == side / max(width, height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    assert max(w, h) == side
    assert rows - h < 32
    assert columns - w < 32
    assert (padded[0, :, :h, :w] == 1).all()
    assert padded.sum() == 3 * w * h


def test_letterbox_is_rgb_in_0_to_1() -> None:
    padded, _ = letterbox(Image.new("RGB", (100, 100), (255, 51, 0)), 320)
    assert np.allclose(padded[0, :, 10, 10], [1.0, 0.2, 0.0])


def test_letterbox_golden() -> None:
    padded, scale = letterbox(Image.fromarray(gradient(640, 400)), 320)
    assert (padded.shape, scale) == ((1, 3, 224, 320), 0.5)
    assert np.allclose(padded[0, :, 100, 200] * 255, [159, 127, 147], atol=1.01)
    assert padded[0, :, 200:].max() == 0


@given(
    size=st.tuples(st.integers(40, 3000), st.integers(40, 3000)),
    place=st.tuples(*[st.floats(0.0, 0.6)] * 2),
    extent=st.tuples(*[st.floats(0.1, 0.4)] * 2),
    side=st.sampled_from([192, 320, 640]),
)
def test_a_box_survives_letterbox_and_decoding(
    size: tuple[int, int], place: tuple[float, float], extent: tuple[float, float], side: int
) -> None:
    scale = side / max(size)
    left, top = place[0] * size[0], place[1] * size[1]
    width, height = extent[0] * size[0], extent[1] * size[1]
    planted = tensor(
        [(3, 0.9, ((left + width / 2) * scale, (top + height / 2) * scale, width * scale, height * scale))]
    )
    found = decode(planted, np.full(len(CLASSES), 0.5, np.float32), scale, size)
    assert len(found) == 1
    assert found.kinds.tolist() == [3]
    assert np.allclose(found.corners[0], [left, top, left + width, top + height], atol=0.01 * max(size))


# Decoding -------------------------------------------------------------------------------------------------------


def test_decode_gives_one_box_for_each_class_over_its_own_threshold() -> None:
    output = tensor([(3, 0.3, (50, 50, 20, 20))])
    output[4 + 16, 0] = 0.6  # the same anchor looks covered as well
    output[4 + 1, 0] = 0.24
    thresholds = np.full(len(CLASSES), 0.25, np.float32)
    thresholds[3] = 0.3
    found = decode(output, thresholds, 1.0, (100, 100))
    assert sorted(zip(found.kinds.tolist(), found.scores.tolist(), strict=True)) == [
        (3, pytest.approx(0.3)),
        (16, pytest.approx(0.6)),
    ]


def test_decode_clips_and_drops_what_lies_in_the_padding() -> None:
    output = tensor([(1, 0.9, (0, 0, 40, 40)), (1, 0.9, (50, 210, 20, 20))])
    found = decode(output, np.full(len(CLASSES), 0.5, np.float32), 1.0, (100, 200))
    assert found.corners.tolist() == [[0, 0, 20, 20]]


def test_decode_of_nothing_is_empty() -> None:
    assert len(decode(tensor([]), np.full(len(CLASSES), 0.1, np.float32), 1.0, (10, 10))) == 0


# Suppression ----------------------------------------------------------------------------------------------------


def test_overlap_and_covered() -> None:
    one = np.array([0, 0, 10, 10], np.float32)
    many = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 20, 20], [0, 0, 0, 0]], np.float32)
    assert np.allclose(overlap(one, many), [1, 1 / 3, 0, 0.25, 0])
    assert np.allclose(covered(one, many), [1, 0.5, 0, 1, 0])


CANDIDATES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.floats(0.125, 1.0, width=32),
        st.tuples(*[st.integers(0, 30)] * 2),
        st.tuples(*[st.integers(1, 30)] * 2),
    ),
    min_size=0,
    max_size=25,
)


@given(rows=CANDIDATES, limit=st.sampled_from([0.3, 0.45, 0.7]))
def test_suppression_keeps_the_best_and_only_drops_what_a_better_rival_overlaps(rows: list[Any], limit: float) -> None:
    corners = np.array([[x, y, x + w, y + h] for _, _, (x, y), (w, h) in rows], np.float32).reshape(-1, 4)
    all_boxes = Boxes(
        corners, np.array([r[1] for r in rows], np.float32), np.array([r[0] for r in rows], dtype=np.intp)
    )
    kept = suppress(all_boxes, rival=0, limit=limit)

    def compete(a: int, b: int) -> bool:
        return a == b or 0 in (a, b)

    assert list(kept.scores) == sorted(kept.scores, reverse=True)
    for i in range(len(kept)):
        for j in range(i):
            if compete(kept.kinds[i], kept.kinds[j]):
                assert overlap(kept.corners[i], kept.corners[j : j + 1])[0] <= limit
    kept_rows = {(int(k), float(s), tuple(c)) for k, s, c in zip(kept.kinds, kept.scores, kept.corners, strict=True)}
    for kind, score, box in zip(all_boxes.kinds, all_boxes.scores, all_boxes.corners, strict=True):
        if (int(kind), float(score), tuple(box)) in kept_rows:
            continue
        rivals = kept[(kept.scores >= score) & np.array([compete(kind, k) for k in kept.kinds], dtype=bool)]
        assert (overlap(box, rivals.corners) > limit).any()


def test_a_face_and_a_part_do_not_share_a_place_but_two_parts_may() -> None:
    same = (10.0, 10.0, 50.0, 50.0)
    parts = boxes(("female_breast_exposed", 0.3, same), ("female_breast_covered", 0.6, same))
    assert len(suppress(parts, FACE, 0.45)) == 2
    with_face = join([parts, boxes(("face", 0.4, same))])
    assert [KINDS[k] for k in suppress(with_face, FACE, 0.45).kinds] == [
        "female_breast_covered",
        "female_breast_exposed",
    ]
    better_face = join([parts, boxes(("face", 0.9, same))])
    assert [KINDS[k] for k in suppress(better_face, FACE, 0.45).kinds] == ["face"]


# The level ------------------------------------------------------------------------------------------------------

PLACE = (0.0, 0.0, 10.0, 10.0)


@pytest.mark.parametrize("kind", sorted(EXPLICIT))
def test_any_exposed_part_is_explicit_from_its_threshold(kind: str) -> None:
    assert level(strength(boxes((kind, 0.21, PLACE)))) == "explicit"
    assert level(strength(boxes((kind, 0.19, PLACE)))) == "suggestive"
    assert level(strength(boxes((kind, 0.11, PLACE)))) == "suggestive"
    assert level(strength(boxes((kind, 0.05, PLACE)))) == "none_found"


@pytest.mark.parametrize("kind", sorted(HINTS))
def test_a_hint_is_suggestive_and_never_explicit(kind: str) -> None:
    assert level(strength(boxes((kind, 0.26, PLACE)))) == "suggestive"
    assert level(strength(boxes((kind, 1.0, PLACE)))) == "suggestive"


def test_ordinary_parts_alone_are_nothing_and_two_weak_hints_are_one() -> None:
    for kind in sorted(set(KINDS) - EXPLICIT - HINTS):
        assert level(strength(boxes((kind, 1.0, PLACE)))) == "none_found", kind
    first, second, *_ = sorted(WEAK_HINTS)
    assert level(strength(boxes((first, 0.5, PLACE), (second, 0.3, PLACE)))) == "suggestive"
    assert level(strength(boxes((first, 0.5, PLACE), (first, 0.5, PLACE)))) == "none_found"
    assert level(strength(boxes())) == "none_found"


@given(
    scores=st.lists(st.floats(0, 1), min_size=len(KINDS), max_size=len(KINDS)),
    raised=st.integers(0, len(KINDS) - 1),
    by=st.floats(0, 1),
)
def test_a_higher_score_never_lowers_p(scores: list[float], raised: int, by: float) -> None:
    before = strength(boxes(*[(k, s, PLACE) for k, s in zip(KINDS, scores, strict=True)]))
    scores[raised] = min(1.0, scores[raised] + by)
    after = strength(boxes(*[(k, s, PLACE) for k, s in zip(KINDS, scores, strict=True)]))
    assert 0 <= before <= after <= 1


def test_a_face_at_second_look_clears_only_an_unconfirmed_part_inside_it() -> None:
    part, face = (30.0, 30.0, 60.0, 60.0), (10.0, 10.0, 100.0, 110.0)
    first = boxes(("female_genitalia_exposed", 0.4, part), ("female_breast_covered", 0.4, part))
    assert mistaken(first, boxes(("face", 0.8, face))).tolist() == [True, False]
    assert mistaken(first, boxes()).tolist() == [False, False]
    assert mistaken(first, boxes(("face", 0.8, (55.0, 30.0, 110.0, 110.0)))).tolist() == [False, False]
    confirmed = boxes(("face", 0.8, face), ("anus_exposed", 0.15, part))
    assert mistaken(first, confirmed).tolist() == [False, False]


# The detector ---------------------------------------------------------------------------------------------------


def test_views_grow_with_the_picture_and_the_profile() -> None:
    assert [views(n, Profile.FAST) for n in (100, 1400, 1401)] == [(320,), (320,), (320, 512)]
    assert [views(n, Profile.THOROUGH) for n in (640, 641, 1401)] == [(320,), (320, 640), (320, 640, 960)]


def test_regions_are_at_full_size_and_name_no_gender(plant: Callable[..., Any]) -> None:
    fed = plant([(1, 0.9, (80, 60, 40, 40)), (12, 0.8, (240, 60, 40, 40)), (12, 0.7, (81, 61, 40, 40))])
    found = detector.find(picture(gradient(640, 480), scale=0.5), Profile.FAST)
    assert fed == [(1, 3, 256, 320)]
    assert [(r.kind, r.box) for r in found.regions] == [
        ("face", (240, 160, 160, 160)),
        ("face", (880, 160, 160, 160)),
    ]
    assert found.regions[0].score == pytest.approx(0.9)
    assert found.details == {"level": "none_found", "p": 0.0, "views": [320]}
    assert found.says == "Nothing intimate was found; the check can miss things."
    assert not any("male" in kind.split("_") and "face" in kind for kind in KINDS)


def test_an_exposed_part_gets_a_second_look_and_stays(plant: Callable[..., Any]) -> None:
    fed = plant([(3, 0.5, (100, 100, 40, 40))])
    found = detector.find(picture(gradient(320, 320)), Profile.FAST)
    assert fed == [(1, 3, 320, 320), (1, 3, 192, 192)]
    assert (found.detector, found.role, found.state) == ("intimacy", Role.INTIMACY, State.OK)
    assert [r.kind for r in found.regions] == ["female_breast_exposed"]
    assert found.details["level"] == "explicit"
    assert found.score == found.details["p"] > 0.5
    assert found.model is not None
    assert found.model.id == MODEL
    assert Finding.from_record(found.to_record()) == found


def test_a_face_taken_for_a_part_is_cleared_at_second_look(plant: Callable[..., Any]) -> None:
    plant([(4, 0.5, (160, 160, 120, 120))], second=[(1, 0.8, (96, 96, 150, 150))])
    found = detector.find(picture(gradient(320, 320)), Profile.FAST)
    assert [r.kind for r in found.regions] == ["face"]
    assert found.details["level"] == "none_found"


def test_a_model_that_gives_no_numbers_is_an_error_and_not_nothing_found(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = np.full((1, 22, 10), np.nan, np.float32)
    monkeypatch.setattr(sessions, "run", lambda model_id, feeds: [broken])
    with pytest.raises(SetupError) as caught:
        detector.find(picture(gradient(64, 64)), Profile.FAST)
    assert caught.value.remedy


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (2000, 3)])
def test_odd_shapes_run(size: tuple[int, int]) -> None:
    found = detector.find(picture(gradient(*size)), Profile.FAST)
    assert found.details["level"] == "none_found"


# The model ------------------------------------------------------------------------------------------------------


def test_classes_are_the_models_own() -> None:
    names = sessions.session(MODEL).get_modelmeta().custom_metadata_map["names"]
    theirs = [part.split("'")[1].lower() for part in names.strip("{}").split(",")]
    assert ["face" if name in ("face_female", "face_male") else name for name in theirs] == list(CLASSES)


def test_golden_output_on_a_gradient() -> None:
    padded, _ = letterbox(Image.fromarray(gradient(640, 400)), 320)
    output = sessions.run(MODEL, {"images": padded})[0]
    assert output.shape == (1, 22, 1470)
    expected = [159.261, 110.215, 85.113, 65.298, 164.469, 136.842, 61.746, 54.867, 4.698]
    probes = [*output[0, :4].mean(axis=1), *output[0, :4, 700], output[0, 4:].max() * 1000]
    assert np.allclose(probes, expected, rtol=2e-3, atol=2e-2)
    assert output[0, 4:].max() < 0.05


def test_the_package_is_never_imported() -> None:
    """It would load OpenCV into every worker."""
    code = (
        "import sys, numpy as np\n"
        "from detectors.finding import Profile\n"
        "from detectors.intake.media import Media\n"
        "from detectors.intake.picture import Picture\n"
        "from detectors.signals.intimacy import detector\n"
        "rgb = np.zeros((64, 64, 3), np.uint8)\n"
        "detector.find(Picture(rgb, Media('PNG', 64, 64, 1), '0', b''), Profile.FAST)\n"
        "print(sorted({'nudenet', 'cv2', 'detectors.inference.sessions'} & set(sys.modules)))\n"
    )
    root = Path(intimacy.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "['detectors.inference.sessions']"


# On labelled pictures -------------------------------------------------------------------------------------------


def labelled(shared: Path, groups: set[str], count: int) -> list[Path]:
    with (shared / "data" / "images" / "labels.csv").open(newline="") as f:
        files = sorted(r["file"] for r in csv.DictReader(f) if r["group"] in groups)
    assert len(files) >= count
    return [shared / "data" / "images" / "whole" / Path(f).name for f in files[:: len(files) // count][:count]]


def look_at(path: Path) -> Finding:
    with Image.open(path) as image:
        return detector.find(picture(np.asarray(image.convert("RGB"))), Profile.FAST)


def test_boxes_agree_with_the_package(shared: Path) -> None:
    nudenet = pytest.importorskip("nudenet")
    reference = nudenet.NudeDetector()
    clear = matched = 0
    for path in labelled(shared, {"ffhq_real_faces", "india_bvpcsi", "website_templates"}, 18):
        found = look_at(path)
        for theirs in reference.detect(str(path)):
            if theirs["score"] < 0.4:  # near the threshold, another resampling filter decides
                continue
            kind = "face" if theirs["class"].startswith("FACE") else theirs["class"].lower()
            x, y, w, h = theirs["box"]
            ours = np.array([r.box for r in found.regions if r.kind == kind], np.float32).reshape(-1, 4)
            ours[:, 2:] += ours[:, :2]
            clear += 1
            matched += bool((overlap(np.array([x, y, x + w, y + h], np.float32), ours) >= 0.5).any())
    assert clear >= 12
    assert matched >= 0.9 * clear


def test_safe_portraits_and_tight_face_crops_raise_few_alarms(shared: Path) -> None:
    levels, with_face = [], 0
    for path in labelled(shared, {"ffhq_real_faces", "18f_team", "dfdc"}, 40):
        found = look_at(path)
        levels.append(found.details["level"])
        with_face += any(r.kind == "face" for r in found.regions)
    assert levels.count("explicit") <= 4
    assert levels.count("none_found") >= 32
    assert with_face >= 34
