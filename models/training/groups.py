"""False positives by skin tone, by how a face presents, and on greyscale photographs.

    python -m models.training.groups

Reads the held-out verdicts that `evaluate` wrote. Nobody was asked who is in these pictures, so the groups are proxies:

- Tone: the individual typology angle (Chardon, Cretois and Hourseau, 1991) of the skin in the largest face,
  atan((L* - 50) / b*). It was made for lamps and colour charts; here light moves it by tens of degrees. Of 96 faces
  looked at in its order, 34 were under 10 degrees, and about 11 of those looked dark-skinned: the rest sat in shade or
  warm light. So it says how dark skin was rendered, and little of whose it is.
- Presentation: which of NudeNet's two face classes scores higher on that face. It calls nearly everybody FACE_FEMALE:
  22 of 40 such faces, drawn at random, looked like men. So it separates next to nothing, and stands in for nobody's
  gender. The app never shows it and no detector reads it.
- Greyscale: photographs without chroma.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors import quality
from detectors.inference import sessions
from detectors.inference.boxes import decode, letterbox
from models.training import data, metrics

SEED = 20260606
MODEL = "nudenet-320n"
FACE_CLASSES = {1: "FACE_FEMALE", 12: "FACE_MALE"}  # of NudeNet's 18
FACE_AT = 0.35
VIEWS = (320, 192)  # long sides; the smaller one finds heads that fill the picture
SMALLEST_FACE = 32  # px, of the shorter side of a box: below it there is too little skin to measure
# Chardon's six classes in three: very light and light; intermediate and tan; brown and dark.
TONES = (("lighter, over 41°", 41.0), ("middle, 10–41°", 10.0), ("darker, under 10°", -90.0))
ENOUGH = 20
DRAWS = 2000

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Traits:
    """What the pixels of one photograph say. `angle` in degrees and `presents` are None without a face to measure."""

    angle: float | None
    presents: str | None
    grey: bool


def traits(rgb: npt.NDArray[np.uint8]) -> Traits:
    """Of (h, w, 3) uint8. Raises SetupError when NudeNet is missing or altered."""
    grey, face = quality.is_grey(rgb), largest_face(rgb)
    if face is None:
        return Traits(None, None, grey)
    (left, top, right, bottom), presents = face
    if min(right - left, bottom - top) < SMALLEST_FACE:
        return Traits(None, presents, grey)
    return Traits(None if grey else typology_angle(rgb[top:bottom, left:right]), presents, grey)


def largest_face(rgb: npt.NDArray[np.uint8]) -> tuple[tuple[int, int, int, int], str] | None:
    """Left, top, right, bottom in px of the largest of NudeNet's faces, and the class that scores higher there."""
    image, thresholds = Image.fromarray(rgb), np.full(18, 2.0, np.float32)
    thresholds[list(FACE_CLASSES)] = 0.0
    for side in VIEWS:
        tensor, scale = letterbox(image, side)
        boxes = decode(sessions.run(MODEL, {"images": tensor})[0][0], thresholds, scale, image.size)
        sure = boxes[boxes.scores >= FACE_AT]
        if len(sure):
            sides = sure.corners[:, 2:] - sure.corners[:, :2]
            largest = sure.corners[int(np.argmax(sides.prod(1)))]
            here = boxes[(np.abs(boxes.corners - largest) < 1e-3).all(1)]
            best = int(here.kinds[int(np.argmax(here.scores))])
            left, top, right, bottom = (round(float(v)) for v in largest)
            return (left, top, right, bottom), FACE_CLASSES[best]
    return None


def typology_angle(face: npt.NDArray[np.uint8]) -> float | None:
    """Degrees, from the middle of a face (h, w, 3): medians of L* and b* in an ellipse over three fifths of its box.

    The darkest quarter there is left out as eyes, brows, hair and shadow, the lightest tenth as gloss. None where the
    skin has no yellow in it, since the angle then speaks of the light alone.
    """
    height, width = face.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = face[x**2 + y**2 <= 0.6**2].astype(np.float32)[np.newaxis] / 255
    lab = cv2.cvtColor(inside, cv2.COLOR_RGB2Lab)[0]
    low, high = np.quantile(lab[:, 0], [0.25, 0.9])
    lightness, _, yellow = np.median(lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)], axis=0)
    return None if yellow <= 0 else math.degrees(math.atan((float(lightness) - 50) / float(yellow)))


def tone(angle: float | None) -> str | None:
    """The name of the group that an angle falls in."""
    return None if angle is None else next(name for name, least in TONES if angle >= least)


def all_traits(photographs: Sequence[data.Item]) -> list[Traits]:
    """Of the untouched pictures, kept in the cache."""
    path = data.cache_dir() / "traits.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for item in photographs:
        if item.path.name not in known:
            known[item.path.name] = asdict(traits(data.pixels(item.path)))
    path.write_text(json.dumps(known), encoding="utf-8")
    return [Traits(**known[i.path.name]) for i in photographs]


def wilson(hits: int, count: int, z: float = 1.96) -> list[float]:
    """95 % interval of a rate (Wilson, 1927); it stays sound at no hits at all. Raises ZeroDivisionError for none."""
    rate, spread = hits / count, z * z / count
    middle = (rate + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(rate * (1 - rate) / count + spread / (4 * count))
    return [round(max(0.0, middle - reach), 4), round(min(1.0, middle + reach), 4)]


def ratio(hits: Sequence[int], counts: Sequence[int]) -> dict[str, Any]:
    """The worst rate over the best, and its 95 % interval by resampling pictures within groups. Seeded.

    `ratio` is None when a group has no hit: no finite ratio was seen. The interval adds half a hit to every group, so
    that it stays finite; with few hits it is wide, as it should be.
    """
    rates = [h / n for h, n in zip(hits, counts, strict=True)]
    rng = np.random.default_rng(SEED)
    drawn = np.stack([rng.binomial(n, (h + 0.5) / (n + 1), DRAWS) for h, n in zip(hits, counts, strict=True)])
    smooth = (drawn + 0.5) / (np.array(counts)[:, np.newaxis] + 1)
    low, high = np.quantile(smooth.max(0) / smooth.min(0), [0.025, 0.975])
    return {
        "ratio": round(max(rates) / min(rates), 3) if min(rates) > 0 else None,
        "interval": [round(float(low), 3), round(float(high), 3)],
    }


def chance(hit: Bools, group: npt.NDArray[np.str_], source: npt.NDArray[np.str_]) -> float:
    """How often groups dealt out anew within each source lie at least as far apart in their rates as these do, 0..1.

    Within sources, since a source whose photographs are hard would otherwise count against the people in it. Seeded.
    """
    names, rng = sorted(set(group)), np.random.default_rng(SEED)
    places = [np.flatnonzero(source == s) for s in sorted(set(source))]

    def apart(labels: npt.NDArray[np.str_]) -> float:
        rates = [float(hit[labels == n].mean()) for n in names]
        return max(rates) - min(rates)

    seen, dealt, as_far = apart(group), group.copy(), 1
    for _ in range(DRAWS):
        for p in places:
            dealt[p] = rng.permutation(dealt[p])
        as_far += apart(dealt) >= seen - 1e-12
    return round(as_far / (DRAWS + 1), 4)


def compare(hit: Bools, group: Sequence[str | None], source: Sequence[str]) -> dict[str, Any]:
    """Rates of each group with at least ENOUGH pictures, the worst over the best, and `chance`; None: in no group."""
    named = np.array([g or "" for g in group])
    rows: dict[str, dict[str, Any]] = {}
    for name in sorted({g for g in group if g is not None}):
        mine = hit[named == name]
        if len(mine) >= ENOUGH:
            count, hits = len(mine), int(mine.sum())
            rows[name] = {"n": count, "hits": hits, "rate": round(hits / count, 4), "interval": wilson(hits, count)}
    if len(rows) < 2:
        return {"groups": rows}
    kept = np.isin(named, list(rows))
    return {
        "groups": rows,
        **ratio([r["hits"] for r in rows.values()], [r["n"] for r in rows.values()]),
        "chance": chance(hit[kept], named[kept], np.array(source)[kept]),
    }


def held_out(kind: str) -> dict[str, dict[str, Any]]:
    """`evaluate`'s held-out verdicts on one kind of copy, by file name. Raises FileNotFoundError before it ran."""
    text = (data.cache_dir() / f"held-out-{kind}.jsonl").read_text(encoding="utf-8")
    return {Path(row["path"]).name: row for row in map(json.loads, text.splitlines())}


def figures(kinds: Mapping[str, str]) -> dict[str, Any]:
    """All figures for these kinds of copies (kind -> its name), on the photographs that have held-out verdicts.

    At the shipped threshold there is about one false positive in a hundred, too few to compare groups by; so the same
    is given at the threshold that 5 % of these photographs pass.
    """
    photographs = [i for i in data.items() if i.label == 0]
    rows: dict[str, Any] = {}
    for kind, name in kinds.items():
        verdicts = held_out(kind)
        kept = [i for i in photographs if i.path.name in verdicts]
        seen, source = all_traits(kept), [i.group for i in kept]
        p = np.array([verdicts[i.path.name]["p_synthetic"] for i in kept])
        passed = p > metrics.threshold_at(p, np.zeros(len(p), np.int64), 0.05)
        shipped = np.array([verdicts[i.path.name]["verdict"] == "likely_synthetic" for i in kept])
        divisions = {
            "tone": [tone(t.angle) for t in seen],
            "presentation": [t.presents for t in seen],
            "colour": ["greyscale" if t.grey else "colour" for t in seen],
        }
        rows[name] = {
            division: {"shipped": compare(shipped, group, source), "at_5_percent": compare(passed, group, source)}
            for division, group in divisions.items()
        }
    return {"seed": SEED, "copies": rows}


TITLES = {"tone": "skin tone (angle)", "presentation": "NudeNet's class of the face", "colour": "colour"}
POINTS = {"shipped": "shipped threshold", "at_5_percent": "threshold that 5 % pass"}


def render(found: Mapping[str, Any]) -> str:
    """Markdown of `figures`."""
    lines = [
        "Photographs by proxies for who is in them. Both are poor. Skin tone is the typology angle of the largest "
        "face, which light moves by tens of degrees: of 34 faces looked at in the darker group, about 11 looked "
        "dark-skinned. Presentation is which of NudeNet's two face classes scores higher: 22 of 40 faces that it "
        "calls FACE_FEMALE looked like men; it says nothing of anybody's gender, and the app never shows it. So near "
        "rates here do not show that people are treated alike; that takes photographs whose subjects said who they "
        "are. Rates of false positives with 95 % intervals (Wilson); the worst rate over the best with an interval by "
        "resampling; the last column says how often groups dealt out anew within each source lie as far apart. Groups "
        f"under {ENOUGH} pictures are left out.",
        "",
        "| | | group | photographs | false positives | worst : best | by chance |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, block in found["copies"].items():
        for division, title in TITLES.items():
            for point, called in POINTS.items():
                compared = block[division][point]
                for k, (group, row) in enumerate(compared["groups"].items()):
                    low, high = (v * 100 for v in row["interval"])
                    cells = [
                        name if k == 0 else "",
                        f"{title}, {called}" if k == 0 else "",
                        group,
                        str(row["n"]),
                        f"{row['hits']}: {row['rate'] * 100:.1f} % ({low:.1f}–{high:.1f})",
                        _ratio(compared) if k == 0 else "",
                        f"{compared['chance']:.2f}" if k == 0 and "chance" in compared else "",
                    ]
                    lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(compared: Mapping[str, Any]) -> str:
    if "interval" not in compared:
        return "one group only"
    low, high = compared["interval"]
    seen = "none seen" if compared["ratio"] is None else f"{compared['ratio']:.1f}"
    return f"{seen} ({low:.1f}–{high:.1f})"


def main() -> None:
    """The figures into the card."""
    from models.training import generated_card, grid

    grid.put("groups", figures(generated_card.DEGRADED))


if __name__ == "__main__":
    main()
