"""Source match on pictures made from labelled photographs: recall and overlap by edit, false matches, speed.

    python tests/benchmarks/bench_source_match.py [--half test] [--bases 60] [--references 320] [--pairs 2000]

The sources are split into two halves (seeded): thresholds were chosen on `dev`, and `test` is what is reported. Needs
the folder of labelled images (COUNTERPROOF_SHARED, or ../shared). Edited pictures live in memory only. Everything that
a scan does is done: reference photos are read and compared in worker processes. Unrelated pairs are judged one by one,
each both ways round, without the index that would keep most of them from being looked at.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from detectors.fingerprints import source_compare
from detectors.fingerprints import source_match as sm
from detectors.inference.faces import faces
from detectors.intake import decode
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture

ROOT = Path(__file__).resolve().parents[2]
SEED = 6
# Sources that share people, events or designs are one: a photo of one never helps to judge another's.
FAMILIES = ("fossasia", "pirati", "website_templates", "18f", "fab13")
# Sources of one event or of one circle of people: the same persons, rooms, backdrops and logos again and again.
EVENTS = (
    *("fossasia", "geomundus", "india_bvpcsi", "18f", "thailand_mps"),
    *("pirati", "fab13", "writethedocs", "djangogirls", "latam"),
)
SMALLEST = 320  # px, the long side of a reference photo


@dataclass
class Photo:
    """One labelled photograph: `face` is x, y, w, h in px of `rgb`, or None."""

    file: str
    group: str
    picture: Picture
    face: tuple[int, int, int, int] | None = None

    @property
    def rgb(self) -> np.ndarray:
        return self.picture.rgb


@dataclass
class Edited:
    """A picture made from `base`: its JPEG bytes, and which of its pixels are still the base's (h, w) bool."""

    edit: str
    base: int
    data: bytes
    kept: np.ndarray
    mirrored: bool = False


def images() -> Path:
    return Path(os.environ.get("COUNTERPROOF_SHARED", ROOT.parent / "shared")) / "data" / "images"


def family(group: str) -> str:
    return next((f for f in FAMILIES if group.startswith(f)), group)


def halves() -> dict[str, set[str]]:
    """The families of each half."""
    with open(images() / "labels.csv", newline="") as file:
        groups = {r["group"] for r in csv.DictReader(file) if r["label"] == "0"}
    names = sorted({family(g) for g in groups} - {"dfdc"})
    random.Random(SEED).shuffle(names)
    return {"dev": set(names[::2]), "test": set(names[1::2])}


def listed(half: str) -> list[dict[str, str]]:
    """The photographs of a half, in a seeded order."""
    with open(images() / "labels.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["label"] == "0" and family(r["group"]) in halves()[half]]
    random.Random(SEED + 1).shuffle(rows)
    return rows


def load(row: dict[str, str], find_face: bool = True) -> Photo:
    data = (images() / row["file"]).read_bytes()
    picture = decode.decode(data, hashlib.sha256(data).hexdigest(), Limits())
    found = faces(picture) if find_face else ()
    return Photo(row["file"], row["group"], picture, found[0].box if found else None)


def photographs(half: str, count: int, most: int = 40) -> Iterator[Photo]:
    """Photographs of a half, at most `most` of one source, none smaller than SMALLEST."""
    taken: defaultdict[str, int] = defaultdict(int)
    for row in listed(half):
        if (
            count
            and taken[row["group"]] < most
            and max(int(row[f"original_{d}"]) for d in ("width", "height")) >= SMALLEST
        ):
            photo = load(row)
            if max(photo.rgb.shape) >= SMALLEST:
                taken[row["group"]] += 1
                count -= 1
                yield photo


def jpeg(rgb: np.ndarray, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality)
    return out.getvalue()


def crop(rgb, kept, rng):
    """10 to 40 % of the area off, anywhere."""
    h, w = kept.shape
    area, shape = rng.uniform(0.6, 0.9), rng.uniform(0.85, 1.18)
    ch, cw = min(h, round(h * np.sqrt(area) * shape)), min(w, round(w * np.sqrt(area) / shape))
    y, x = rng.integers(0, h - ch + 1), rng.integers(0, w - cw + 1)
    return rgb[y : y + ch, x : x + cw], kept[y : y + ch, x : x + cw]


def colour(rgb, rng):
    """Gain, gamma and saturation, or no colour at all."""
    out = (rgb / 255.0) ** rng.uniform(0.7, 1.4) * rng.uniform(0.8, 1.15, 3) + rng.uniform(-0.04, 0.04)
    grey = out.mean(2, keepdims=True)
    out = grey + (out - grey) * (0.0 if rng.random() < 0.25 else rng.uniform(0.4, 1.6))
    return (np.clip(out, 0, 1) * 255).astype(np.uint8)


def filled(donor, h, w, rng):
    """(h, w) of another photo's content."""
    scale = max(h / donor.shape[0], w / donor.shape[1]) * rng.uniform(1.0, 1.4)
    big = cv2.resize(donor, (max(w, round(donor.shape[1] * scale)), max(h, round(donor.shape[0] * scale))))
    y, x = rng.integers(0, big.shape[0] - h + 1), rng.integers(0, big.shape[1] - w + 1)
    return big[y : y + h, x : x + w]


def blended(rgb, other, mask, feather):
    """`other` where the mask is, with a soft edge."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), feather)[..., None]
    return (rgb * (1 - soft) + other * soft).astype(np.uint8)


def replace_face(rgb, box, donor, rng):
    """Another face, in an ellipse; by Poisson blending (Perez et al. 2003) or with a soft edge."""
    x, y, w, h = box
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.ellipse(mask, (x + w // 2, y + h // 2), (max(2, int(w * 0.45)), max(2, int(h * 0.5))), 0, 0, 360, 255, -1)
    fx, fy, fw, fh = donor.face
    face = cv2.resize(donor.rgb[fy : fy + fh, fx : fx + fw], (w, h), interpolation=cv2.INTER_AREA)
    other = rgb.copy()
    other[y : y + h, x : x + w] = face
    mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = 0, 0, 0, 0
    kept = mask == 0  # now: seamlessClone writes into the mask
    if rng.random() < 0.5 and min(w, h) > 16:
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        centre = (int(xs[0] + xs[-1] + 1) // 2, int(ys[0] + ys[-1] + 1) // 2)
        return cv2.seamlessClone(other, rgb, mask, centre, cv2.NORMAL_CLONE), kept
    return blended(rgb, other, mask > 0, max(1.0, w / 40)), kept


def replace_body(rgb, box, donor, rng):
    """Everything below the face."""
    _, y, _, h = box
    mask = np.zeros(rgb.shape[:2], bool)
    mask[int(y + h * 1.05) :] = True
    return blended(rgb, filled(donor.rgb, *mask.shape, rng), mask, 2.0), ~mask


def person(box, shape):
    """Where the person is: about three faces wide, from above the hair to the lower edge."""
    x, y, w, h = box
    top, left, right = max(0, int(y - 0.6 * h)), max(0, int(x - 1.0 * w)), min(shape[1], int(x + 2.0 * w))
    mask = np.zeros(shape, bool)
    mask[top : int(y + 5 * h), left:right] = True
    return mask


def replace_background(rgb, box, donor, rng):
    """Everything but the person's box: painted over from the edges, or another photo."""
    kept = person(box, rgb.shape[:2])
    if rng.random() < 0.5:
        small = cv2.resize(rgb, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        hole = cv2.resize((~kept).astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        other = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), rgb.shape[1::-1])
    else:
        other = filled(donor.rgb, *kept.shape, rng)
    return blended(rgb, other, ~kept, 2.0), kept


def keep_head(rgb, box, donor, rng):
    """Only the head is left, on another photo: harder than what is asked for, and what some tools leave."""
    x, y, w, h = box
    kept = np.zeros(rgb.shape[:2], bool)
    kept[max(0, int(y - 0.25 * h)) : int(y + 1.1 * h), max(0, int(x - 0.15 * w)) : int(x + 1.15 * w)] = True
    return blended(rgb, filled(donor.rgb, *kept.shape, rng), ~kept, 2.0), kept


ASKED = ("crop", "mirror", "recompressed", "colour", "face", "body", "background", "combined")
EDITS = ("copy", *ASKED, "head")


def edited(edit: str, number: int, base: Photo, donor: Photo, rng: np.random.Generator) -> Edited:
    """One edit of a photo; `donor` is another photo with a face."""
    rgb, kept, mirrored = base.rgb, np.ones(base.rgb.shape[:2], bool), False
    quality = int(rng.integers(75, 96))
    if edit in ("face", "combined"):
        rgb, kept = replace_face(rgb, base.face, donor, rng)
    if edit == "body":
        rgb, kept = replace_body(rgb, base.face, donor, rng)
    if edit == "background":
        rgb, kept = replace_background(rgb, base.face, donor, rng)
    if edit == "head":
        rgb, kept = keep_head(rgb, base.face, donor, rng)
    if edit == "colour":
        rgb = colour(rgb, rng)
    if edit in ("crop", "combined"):
        rgb, kept = crop(rgb, kept, rng)
    if edit in ("mirror", "combined"):
        rgb, kept, mirrored = rgb[:, ::-1], kept[:, ::-1], True
    if edit == "recompressed":
        rgb = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        kept = np.ones(rgb.shape[:2], bool)
    if edit in ("recompressed", "combined"):
        quality = int(rng.integers(50, 81))
    return Edited(edit, number, jpeg(np.ascontiguousarray(rgb), quality), np.ascontiguousarray(kept), mirrored)


def usable(photo: Photo) -> bool:
    """Whether each edit makes sense: a face of some size, with something above or beside it and something below."""
    if photo.face is None:
        return False
    _, y, _, h = photo.face
    below = 1 - (y + 1.05 * h) / photo.rgb.shape[0]
    box = person(photo.face, photo.rgb.shape[:2]).mean()
    return h >= 40 and 0.15 <= below <= 0.85 and box <= 0.85


def with_edits(
    photos: Sequence[Photo], strangers: Sequence[Photo], bases: int, rng: np.random.Generator
) -> Iterator[Edited]:
    """Every edit of so many photos. What is put in is from strangers of another source: no second photo is in it."""
    donors = [p for p in strangers if p.face is not None and p.face[3] >= 60]
    usable_ones = [i for i, p in enumerate(photos) if usable(p)][:bases]
    for i in usable_ones:
        others = [d for d in donors if family(d.group) != family(photos[i].group)]
        for edit in EDITS:
            yield edited(edit, i, photos[i], others[int(rng.integers(len(others)))], rng)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks; 1 for two empty ones."""
    return float((a & b).sum() / (a | b).sum()) if (a | b).any() else 1.0


def measure_edits(
    photos: Sequence[Photo], strangers: Sequence[Photo], sources: sm.Sources, bases: int, jobs: int
) -> None:
    """The table of edits."""
    rng = np.random.default_rng(SEED)
    asked: defaultdict[str, list[tuple[bool, float, float | None, bool, float]]] = defaultdict(list)

    def one(query: Edited) -> None:
        found = sources.finding(query.data, hashlib.sha256(query.data).hexdigest())
        base = str(images() / photos[query.base].file)
        right = found.score == 1.0 and found.details["source"]["reference"] == base
        if not right:
            print(f"  missed: {query.edit} of {photos[query.base].file}: {found.says}", flush=True)
            asked[query.edit].append((False, 0.0, 0.0, False, found.ms))
            return
        altered = np.zeros(query.kept.shape, bool)
        if (overlay := found.overlay) is not None:  # there is none where nothing was replaced
            cells = np.frombuffer(overlay.values, np.uint8).reshape(overlay.rows, overlay.columns)
            altered = cv2.resize(cells, query.kept.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        whole = bool(query.kept.all())
        over = None if whole else overlap(altered, ~query.kept)
        asked[query.edit].append((True, overlap(~altered, query.kept), over, whole and bool(altered.any()), found.ms))

    with ThreadPoolExecutor(jobs) as threads:
        list(threads.map(one, with_edits(photos, strangers, bases, rng)))
    print("edit          pictures  recall  IoU kept  IoU altered  altered shown, none there")
    every = [r for edit in ASKED for r in asked[edit]]
    for edit, rows in [*((e, asked[e]) for e in EDITS), ("all asked for", every)]:
        hits = [r for r in rows if r[0]]
        altered = [r[2] for r in rows if r[2] is not None]
        print(
            f"{edit:13} {len(rows):8} {len(hits) / len(rows):7.3f} {np.mean([r[1] for r in rows]):9.3f} "
            f"{np.mean(altered) if altered else float('nan'):12.3f} {sum(r[3] for r in rows):8}"
        )
    ms = [r[4] for r in every]
    print(f"ms a picture, {jobs} at a time: median {np.median(ms):.0f}, 95 % below {np.percentile(ms, 95):.0f}")


def features(photo: Photo) -> sm.Features:
    points, descriptors = source_compare.features(photo.rgb)
    return sm.Features(points, descriptors, photo.rgb.shape[1])


def judged(query: Photo, photo: Photo, of_query: sm.Features, of_photo: sm.Features) -> sm.Match | None:
    """What a scan would say of a picture and one photo: the match that holds, or None."""
    for mirrored, way in ((False, of_query), (True, of_query.mirrored())):
        alignment = sm.match(way, of_photo)
        if alignment is None or alignment.inliers < sm.FACE_INLIERS:
            continue
        whole = sm.unmirrored(alignment.transform, of_query.width) if mirrored else alignment.transform
        compared = source_compare.compare(photo.picture, query.picture, whole)
        fields = sm.checked_comparison({"compared": compared.to_json()}, b"")
        reference = sm.Reference(photo.file, photo.picture.sha256, of_photo)
        found = sm.Match(reference, alignment, mirrored, whole, **fields)
        if found.holds:
            return found
    return None


def likeness(photos: Sequence[Photo]) -> np.ndarray:
    """(n, n): how alike the photos are at 16 x 16 px in colour, by correlation."""
    small = np.array(
        [cv2.resize(p.rgb, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() for p in photos]
    )
    small -= small.mean(1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
    return small @ small.T


def unrelated(photos: Sequence[Photo], count: int) -> list[tuple[int, int, str]]:
    """Pairs of different photos: three quarters of any two sources; an eighth of the same event or circle of people, at
    random, and an eighth of these that look most alike."""
    rng = random.Random(SEED + 2)
    alike = likeness(photos)
    same = [
        (i, j)
        for i in range(len(photos))
        for j in range(i)
        if photos[i].group == photos[j].group and photos[i].group.startswith(EVENTS)
    ]
    nearest = sorted(same, key=lambda p: -alike[p])[: count // 8]
    rest = sorted(set(same) - set(nearest))
    pairs = [(i, j, "alike") for i, j in nearest]
    pairs += [(i, j, "same event") for i, j in rng.sample(rest, count // 8)]
    while len(pairs) < count:
        i, j = rng.randrange(len(photos)), rng.randrange(len(photos))
        if family(photos[i].group) != family(photos[j].group):
            pairs.append((i, j, "any"))
    return pairs


def measure_pairs(photos: Sequence[Photo], pairs: Sequence[tuple[int, int, str]], jobs: int) -> None:
    """False matches; the same exposure twice in the data is none, so look at each pair that is listed."""
    wanted = sorted({n for i, j, _ in pairs for n in (i, j)})
    with ThreadPoolExecutor(jobs) as threads:
        made = dict(zip(wanted, threads.map(lambda n: features(photos[n]), wanted), strict=True))
        found = list(threads.map(lambda p: judged(photos[p[0]], photos[p[1]], made[p[0]], made[p[1]]), pairs))
    held: defaultdict[str, list[bool]] = defaultdict(list)
    for (i, j, kind), match in zip(pairs, found, strict=True):
        held[kind].append(match is not None)
        if match is not None:
            print(
                f"  matched ({kind}): {photos[i].file} {photos[j].file} inliers {match.alignment.inliers}, kept "
                f"{match.kept:.2f}, agreement {match.agreement:.3f}, residual {match.alignment.residual:.2f}",
                flush=True,
            )
    for kind, all_of in held.items():
        print(f"unrelated pairs, {kind:11}: {sum(all_of)} of {len(all_of)} matched")
    print(f"unrelated pairs, all        : {sum(map(sum, held.values()))} of {len(pairs)} matched")


def measure_video_frames(count: int, jobs: int) -> None:
    """Real face crops of the dfdc videos (224 px), one a video: the pairs that look most alike. The data does not say
    which videos show the same actor, so likeness stands in for it."""
    with open(images() / "labels.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["label"] == "0" and r["group"] == "dfdc"]
    photos = [load(r, find_face=False) for r in rows]
    alike = likeness(photos)
    pairs = [(i, j) for i in range(len(photos)) for j in range(i)]
    nearest = sorted(pairs, key=lambda p: -alike[p])[:count]
    measure_pairs(photos, [(i, j, "dfdc, alike") for i, j in nearest], jobs)


def measure_strangers(photos: Sequence[Photo], sources: sm.Sources, jobs: int) -> None:
    """Pictures whose source is not in the folder."""

    def one(photo: Photo) -> bool:
        data = (images() / photo.file).read_bytes()
        found = sources.finding(data, hashlib.sha256(data).hexdigest())
        if found.score == 1.0:
            print(f"  matched: {photo.file}: {found.says} {found.details['source']}", flush=True)
        return found.score == 1.0

    with ThreadPoolExecutor(jobs) as threads:
        hits = list(threads.map(one, photos))
    print(f"pictures without a source in the folder: {sum(hits)} of {len(hits)} matched")


def measure_folder(own: Sequence[Photo], others: Sequence[Photo], bases: int, jobs: int) -> None:
    """What a scan does against a folder of `own` photos; what is put into edited pictures is from `others`."""
    print(f"{len(own)} reference photos from {len({p.group for p in own})} sources", flush=True)
    started = time.perf_counter()
    sources = sm.Sources([str(images() / p.file) for p in own], Limits(), jobs, 1)
    try:
        for problem in sources.read():
            print(f"  left out: {problem.path}: {problem.error and problem.error.message}")
        each = (time.perf_counter() - started) * 1000 / len(own)
        print(f"reading the references: {each:.0f} ms each, {jobs} at a time", flush=True)
        measure_edits(own, others, sources, bases, jobs)
        measure_strangers(others, sources, jobs)
    finally:
        sources.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--bases", type=int, default=60)
    parser.add_argument("--references", type=int, default=320)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--dfdc", type=int, default=300, help="pairs of video frames besides; 0 leaves a part out")
    parser.add_argument("--strangers", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    wanted = parser.parse_args()
    cv2.setNumThreads(1)
    decode.init()
    if wanted.dfdc:
        measure_video_frames(wanted.dfdc, wanted.jobs)
    photos = list(photographs(wanted.half, wanted.references + wanted.strangers))
    if wanted.pairs:
        measure_pairs(photos, unrelated(photos, wanted.pairs), wanted.jobs)
    if wanted.bases:
        measure_folder(photos[: wanted.references], photos[wanted.references :], wanted.bases, wanted.jobs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
