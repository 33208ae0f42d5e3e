"""Source match on drawn pictures: every edit is found and mapped; other pictures, shared logos and nonsense are not."""

from __future__ import annotations

import base64
import datetime
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from detectors.fingerprints import source_compare
from detectors.fingerprints import source_match as sm
from detectors.intake import decode
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture
from detectors.intake.protocol import ProtocolError

Pixels = npt.NDArray[np.uint8]
H, W = 300, 400


def drawn(seed: int, h: int = H, w: int = W) -> Pixels:
    """A picture with as much detail as a photograph: blots and strokes of many sizes over a soft ground."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(40, 216, (4, 5, 3)).astype(np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
    for size in np.geomspace(70, 4, 160):
        x, y, colour = int(rng.integers(w)), int(rng.integers(h)), [int(c) for c in rng.integers(0, 256, 3)]
        axes = int(size * rng.uniform(0.3, 1)) + 1, int(size * rng.uniform(0.3, 1)) + 1
        cv2.ellipse(ground, (x, y), axes, int(rng.integers(180)), 0, 360, colour, -1 if rng.random() < 0.6 else 2)
    return np.asarray(cv2.GaussianBlur(ground, (0, 0), 0.7), np.uint8)


def jpeg(rgb: Pixels, quality: int = 85) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality)
    return out.getvalue()


def opened(rgb: Pixels, quality: int = 85) -> Picture:
    return decode.decode(jpeg(rgb, quality), "0" * 64, Limits())


def features(picture: Picture) -> sm.Features:
    points, descriptors = source_compare.features(picture.rgb)
    return sm.Features(points, descriptors, picture.media.width)


def compared(photo: Picture, picture: Picture, mirrored: bool = False) -> sm.Match | None:
    """Photo and picture put to the whole check, one way round."""
    way = features(picture).mirrored() if mirrored else features(picture)
    alignment = sm.match(way, features(photo))
    if alignment is None:
        return None
    whole = sm.unmirrored(alignment.transform, picture.media.width) if mirrored else alignment.transform
    answer = {"compared": source_compare.compare(photo, picture, whole).to_json()}
    reference = sm.Reference("photo.jpg", "0" * 64, features(photo))
    return sm.Match(reference, alignment, mirrored, whole, **sm.checked_comparison(answer, b""))


def altered(found: sm.Match, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The map as a mask of (h, w) px."""
    overlay = found.altered_map
    cells = np.frombuffer(base64.b64decode(overlay["values"]), np.uint8).reshape(overlay["rows"], overlay["columns"])
    return np.asarray(cv2.resize(cells, size[::-1], interpolation=cv2.INTER_NEAREST)) > 0


def overlap(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def recoloured(rgb: Pixels) -> Pixels:
    return np.clip((rgb / 255.0) ** 1.3 * (0.9, 1.05, 0.8) * 255 + 8, 0, 255).astype(np.uint8)


def grey(rgb: Pixels) -> Pixels:
    return np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


COPIES: list[tuple[str, Callable[[Pixels], Pixels], int, bool, float]] = [
    ("as it is", lambda p: p, 90, False, 1.0),
    ("cropped", lambda p: p[40:260, 70:380], 85, False, 220 * 310 / (H * W)),
    ("mirrored", lambda p: p[:, ::-1], 85, True, 1.0),
    ("mirrored and cropped", lambda p: p[10:250, 90:][:, ::-1], 85, True, 240 * 310 / (H * W)),
    ("half size", lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 60, False, 1.0),
    ("enlarged", lambda p: cv2.resize(p, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC), 85, False, 1.0),
    ("stretched", lambda p: cv2.resize(p, None, fx=1.0, fy=1.08, interpolation=cv2.INTER_CUBIC), 85, False, 1.0),
    ("recoloured", recoloured, 85, False, 1.0),
    ("grey", grey, 85, False, 1.0),
]


@pytest.mark.parametrize(("name", "edit", "quality", "mirrored", "shown"), COPIES, ids=[c[0] for c in COPIES])
def test_a_copy_is_found_and_nothing_is_said_to_be_replaced(
    name: str, edit: Callable[[Pixels], Pixels], quality: int, mirrored: bool, shown: float
) -> None:
    photo = drawn(1)
    found = compared(opened(photo), opened(np.ascontiguousarray(edit(photo)), quality), mirrored)
    assert found is not None
    assert found.holds
    assert found.kept == 1.0
    assert not [r for r in found.regions if r.kind == "altered"]
    assert found.shown == pytest.approx(shown, abs=0.02)
    assert sm.worded(found).details["unaltered"] is True
    assert sm.worded(found).overlay is None
    assert (np.linalg.det(found.transform[:, :2]) < 0) == mirrored


def replaced(photo: Pixels, other: Pixels, mask: npt.NDArray[np.bool_]) -> Pixels:
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5)[..., None]
    return (photo * (1 - soft) + other * soft).astype(np.uint8)


def box_mask(y: slice, x: slice) -> npt.NDArray[np.bool_]:
    mask = np.zeros((H, W), bool)
    mask[y, x] = True
    return mask


ALTERED = {
    "a small region": box_mask(slice(60, 130), slice(180, 240)),
    "all below": box_mask(slice(110, None), slice(None)),
    "all around": ~box_mask(slice(80, 250), slice(130, 300)),
    "two regions": box_mask(slice(30, 110), slice(20, 110)) | box_mask(slice(180, 280), slice(260, 380)),
}


@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("mask", ALTERED.values(), ids=ALTERED.keys())
def test_what_was_replaced_is_mapped(mask: npt.NDArray[np.bool_], mirrored: bool) -> None:
    photo = drawn(2)
    made = replaced(photo, drawn(3), mask)
    if mirrored:
        made, mask = np.ascontiguousarray(made[:, ::-1]), mask[:, ::-1]
    found = compared(opened(photo), opened(made, 75), mirrored)
    assert found is not None
    assert found.holds
    seen = altered(found, (H, W))
    assert overlap(seen, mask) > 0.75
    assert overlap(~seen, ~mask) > 0.75
    boxes = [r.box for r in found.regions if r.kind == "altered"]
    assert len(boxes) == (
        2 if mask is ALTERED["two regions"] or (mirrored and mask.sum() == ALTERED["two regions"].sum()) else 1
    )
    finding = sm.worded(found)
    assert finding.details["unaltered"] is False
    assert "replaced" in finding.says
    assert finding.overlay is not None


def test_what_lies_beyond_the_photo_counts_as_replaced() -> None:
    photo = drawn(4)
    made = np.full((H + 80, W, 3), 20, np.uint8)
    made[:H] = photo
    found = compared(opened(photo), opened(made))
    assert found is not None
    assert found.holds
    assert found.beyond == pytest.approx(80 / (H + 80), abs=0.03)
    assert overlap(altered(found, (H + 80, W)), np.arange(H + 80)[:, None].repeat(W, 1) >= H) > 0.9
    assert "beyond the edges" in sm.worded(found).says


def logo(seed: int, side: int = 70) -> Pixels:
    return cv2.resize(drawn(seed, 2 * side, 2 * side), (side, side), interpolation=cv2.INTER_AREA)


def test_a_shared_logo_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = drawn(5), drawn(6)
    one[10:80, 20:90] = other[200:270, 300:370] = logo(7)
    found = compared(opened(one), opened(other))
    assert found is not None
    assert found.alignment.inliers >= sm.INLIERS
    assert found.agreement > sm.AGREEMENT
    assert not found.holds
    monkeypatch.setattr(sm, "AREA", 0.01)  # the guard is what keeps it out
    assert found.holds


def test_a_small_area_counts_where_a_whole_face_is_kept() -> None:
    one, other = drawn(5), drawn(6)
    one[10:80, 20:90] = other[200:270, 300:370] = logo(7)
    found = compared(opened(one), opened(other))
    assert found is not None
    assert found.face == 0.0
    assert replace(found, face=0.9).holds
    assert not replace(found, face=0.5).holds


def test_how_much_of_a_face_is_kept_is_measured_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = drawn(8)
    made = replaced(photo, drawn(9), ~box_mask(slice(100, 190), slice(150, 240)))

    class Face:
        box = (160, 110, 70, 70)

    monkeypatch.setattr(source_compare, "faces", lambda _: (Face(),))
    found = compared(opened(photo), opened(made))
    assert found is not None
    assert found.face > 0.9
    monkeypatch.setattr(Face, "box", (20, 20, 60, 60))
    moved = compared(opened(photo), opened(made))
    assert moved is not None
    assert moved.face == 0.0


def perspective(rgb: Pixels) -> Pixels:
    """The same flat scene from another place."""
    corners = np.array([(0, 0), (W, 0), (W, H), (0, H)], np.float32)
    seen = np.array([(30, 20), (W - 5, 0), (W, H), (0, H - 45)], np.float32)
    return np.asarray(cv2.warpPerspective(rgb, cv2.getPerspectiveTransform(corners, seen), (W, H)), np.uint8)


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("another picture", drawn(11)),
        ("from another place", perspective(drawn(10))),
        ("a quarter turn", np.ascontiguousarray(np.rot90(drawn(10)))),
        ("upside down", np.ascontiguousarray(drawn(10)[::-1, ::-1])),
        ("blank", np.full((H, W, 3), 128, np.uint8)),
        ("noise", np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8)),
    ],
)
def test_other_pictures_are_not_found(name: str, picture: Pixels) -> None:
    for mirrored in (False, True):
        found = compared(opened(drawn(10)), opened(picture), mirrored)
        assert found is None or not found.holds


def test_features_of_a_mirrored_picture_are_exact() -> None:
    picture = drawn(12)
    here, there = (source_compare.features(p) for p in (picture, np.ascontiguousarray(picture[:, ::-1])))
    made = sm.Features(*there, W).mirrored()
    alike = here[1].astype(np.float32) @ made.descriptors.astype(np.float32).T / 512**2
    nearest = alike.argmax(1)
    same = np.abs(here[0] - made.points[nearest])[:, :3].max(1) < 0.1
    assert same.mean() > 0.9
    assert np.median(alike.max(1)) > 0.99


def paired(count: int, outliers: int, seed: int = 0) -> tuple[sm.Points, sm.Points]:
    """Pairs under a known similarity (x 0.7, turned 6 degrees, moved), and pairs that belong to nothing."""
    rng = np.random.default_rng(seed)
    p = np.column_stack([rng.uniform(0, 600, (count, 2)), rng.uniform(2, 20, count), rng.uniform(0, 360, count)])
    turn = np.deg2rad(6)
    linear = 0.7 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    q = np.column_stack([p[:, :2] @ linear.T + (30, -12) + rng.normal(0, 0.2, (count, 2)), p[:, 2] * 0.7, p[:, 3] + 6])
    wrong = [
        np.column_stack(
            [rng.uniform(0, 600, (outliers, 2)), rng.uniform(2, 20, outliers), rng.uniform(0, 360, outliers)]
        )
        for _ in range(2)
    ]
    return np.concatenate([p, wrong[0]]).astype(np.float32), np.concatenate([q, wrong[1]]).astype(np.float32)


def test_a_similarity_is_found_among_many_wrong_pairs() -> None:
    found = sm.align(*paired(25, 400))
    assert found is not None
    assert found.inliers >= 22
    assert found.residual < 0.6
    turn = np.deg2rad(6)
    assert found.transform == pytest.approx(
        np.array([[0.7 * np.cos(turn), -0.7 * np.sin(turn), 30], [0.7 * np.sin(turn), 0.7 * np.cos(turn), -12]]),
        abs=1.0,
    )


def test_wrong_pairs_alone_align_on_nothing() -> None:
    for seed in range(5):
        found = sm.align(*paired(0, 300, seed))
        assert found is None or found.inliers < sm.FACE_INLIERS


def test_the_index_finds_the_photo_among_many() -> None:
    photos = [features(opened(drawn(100 + n, 150, 200))) for n in range(30)]
    index = sm.Index(photos)
    for n in (0, 13, 29):
        made = cv2.resize(drawn(100 + n, 150, 200)[20:, 30:], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
        assert index.candidates(features(opened(np.ascontiguousarray(made), 60)), 3)[0] == n
    assert len(index.candidates(photos[4], 5)) == 5
    assert sm.Index(photos[:3]).candidates(photos[0], 5) == [0, 1, 2]


POINT = np.array([1, 2, 3, 4], "<f4").tobytes()


@pytest.mark.parametrize(
    ("about", "payload"),
    [
        ({"count": 1, "width": 10, "taken": ""}, b"short"),
        ({"count": 2, "width": 10, "taken": ""}, POINT + bytes(128)),
        ({"count": -1, "width": 10, "taken": ""}, b""),
        ({"count": 10**9, "width": 10, "taken": ""}, b""),
        ({"count": 0, "width": 0, "taken": ""}, b""),
        ({"count": "many", "width": 10, "taken": ""}, b""),
        ({"width": 10}, b""),
        ([], b""),
        ({"count": 1, "width": 10, "taken": ""}, np.array([1, np.nan, 3, 4], "<f4").tobytes() + bytes(128)),
        ({"count": 1, "width": 10, "taken": ""}, np.array([1, 1e9, 3, 4], "<f4").tobytes() + bytes(128)),
        ({"count": 1, "width": 10, "taken": ""}, np.array([1, 2, 0, 4], "<f4").tobytes() + bytes(128)),
    ],
)
def test_malformed_features_are_refused(about: Any, payload: bytes) -> None:
    assert len(sm.features_of({"features": {"count": 1, "width": 10, "taken": ""}}, POINT + bytes(128)).points) == 1
    with pytest.raises(ProtocolError):
        sm.features_of({"features": about}, payload)


SOUND: dict[str, Any] = {
    **dict.fromkeys(("agreement", "kept", "textured", "shown", "beyond", "face"), 0.5),
    "kept_boxes": [[0, 0, 5, 5]],
    "altered_boxes": [],
    "altered_map": {"rows": 1, "columns": 1, "values": "AA==", "box": [0, 0, 9, 9]},
}


@pytest.mark.parametrize(
    "change",
    [
        {"kept": 1.5},
        {"agreement": float("nan")},
        {"face": "much"},
        {"kept_boxes": [[0, 0, 5]]},
        {"kept_boxes": [[0, 0, 5, -5]]},
        {"kept_boxes": [[0, 0, 5, 10**9]]},
        {"kept_boxes": [[0, 0, 5, 5]] * 100},
        {"altered_boxes": None},
        {"altered_map": {"rows": 10**6, "columns": 1, "values": "AA==", "box": [0, 0, 9, 9]}},
        {"altered_map": None},
    ],
    ids=str,
)
def test_malformed_comparisons_are_refused(change: dict[str, Any]) -> None:
    assert sm.checked_comparison({"compared": SOUND}, b"")["regions"][0].kind == "kept"
    with pytest.raises(ProtocolError):
        sm.checked_comparison({"compared": {**SOUND, **change}}, b"")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2025-05-03 press.jpg", datetime.date(2025, 5, 3)),
        ("IMG_20250503_101112.jpg", datetime.date(2025, 5, 3)),
        ("portrait_2025.05.03.png", datetime.date(2025, 5, 3)),
        ("a/2020-01-01/photo.jpg", None),
        ("20250231.jpg", None),
        ("120250503.jpg", None),
        ("2025-05_03.jpg", None),
        ("photo.jpg", None),
    ],
)
def test_the_date_in_a_name(name: str, day: datetime.date | None) -> None:
    assert sm.date_in(name) == day
