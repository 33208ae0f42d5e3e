"""How many edited copies are found, and how many strangers are taken for copies: ours beside PDQ and imagehash.

    python tests/benchmarks/bench_matching.py FOLDER [--half report] [--pictures 150] [--slow 20] [--seed 6]
    python tests/benchmarks/bench_matching.py FOLDER --strangers 3000 [--list pairs.txt]
    python tests/benchmarks/bench_matching.py FOLDER --folder-of 20000

FOLDER holds `labels.csv` and the pictures it names. Photographs (label 0) of at least 128 px are used. Sources are
split in two by the hash of their names: parameters were chosen on `tune`, figures are given for `report`. Each edit is
drawn at random (position, size, strength) from the seed, and every copy ends as JPEG. imagehash: phash at distance
<= 10 of 64, the widest that its authors' examples use; crop_resistant_hash with its own `matches` at its defaults (one
segment within a quarter of the bits), and at the widest limit that takes no two different photographs for copies.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import resource
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from detectors.fingerprints import hamming, near_duplicates, search
from detectors.fingerprints.pdq import MINIMUM_SIDE, RELIABLE_QUALITY, pdq
from detectors.fingerprints.phash import phash
from detectors.fingerprints.views import views
from detectors.report import Hashes, View

PHASH_DISTANCE, SEGMENT_DISTANCE = 10, 16
LEAST_SIDE = 128
Draw = np.random.Generator
Edit = Callable[[Image.Image, Draw], Image.Image]


@dataclass(frozen=True)
class Hashed:
    """What near_duplicates compares."""

    hashes: Hashes | None
    views: tuple[View, ...]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Through a JPEG file."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def resized(image: Image.Image, share: float) -> Image.Image:
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BICUBIC)


def cropped(most: float) -> Edit:
    """Off each side a share drawn from 0 to `most`; off one side, drawn too, all of `most`."""

    def edit(image: Image.Image, draw: Draw) -> Image.Image:
        off = draw.uniform(0, most, 4)
        off[draw.integers(4)] = most
        w, h = image.size
        return image.crop((round(off[0] * w), round(off[1] * h), round(w - off[2] * w), round(h - off[3] * h)))

    return edit


def mirrored(image: Image.Image, draw: Draw) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def turned(image: Image.Image, draw: Draw) -> Image.Image:
    way = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)[draw.integers(2)]
    return image.transpose(way)


WORDS = (
    "when",
    "they",
    "said",
    "it",
    "would",
    "be",
    "fine",
    "and",
    "nobody",
    "asked",
    "what",
    "she",
    "thought",
    "today",
)


def text(canvas: ImageDraw.ImageDraw, at: tuple[int, int], width: int, height: int, colour: str, draw: Draw) -> None:
    """Lines of words that fill a box, more or less."""
    lines = int(draw.integers(1, 4))
    font = ImageFont.load_default(max(8, height / (lines * 1.5)))
    for line in range(lines):
        words = " ".join(draw.choice(WORDS, 12))
        while canvas.textlength(words, font) > width * 0.94 and " " in words:
            words = words.rsplit(" ", 1)[0]
        x = at[0] + (width - canvas.textlength(words, font)) / 2
        canvas.text((x, at[1] + height * (line + 0.15) / lines), words, colour, font)


def captioned(image: Image.Image, draw: Draw) -> Image.Image:
    """A white or black band with words above or below, 12 to 25 % of the height."""
    band = round(image.height * draw.uniform(0.12, 0.25))
    dark, above = draw.random() < 0.5, draw.random() < 0.6
    out = Image.new("RGB", (image.width, image.height + band), "black" if dark else "white")
    out.paste(image, (0, band if above else 0))
    place = (0, 0 if above else image.height)
    text(ImageDraw.Draw(out), place, image.width, band, "white" if dark else "black", draw)
    return out


def bordered(image: Image.Image, draw: Draw) -> Image.Image:
    """A frame of one colour, 3 to 12 % of the width, not the same on all sides."""
    off = [round(image.width * s) for s in draw.uniform(0.03, 0.12, 4)]
    colour = tuple(int(v) for v in draw.choice([0, 255, 235, 20, 128], 3)) if draw.random() < 0.4 else (255,) * 3
    out = Image.new("RGB", (image.width + off[0] + off[2], image.height + off[1] + off[3]), colour)
    out.paste(image, (off[0], off[1]))
    return out


def letterboxed(image: Image.Image, draw: Draw) -> Image.Image:
    """Black bars above and below, or beside, to another aspect ratio."""
    share = draw.uniform(0.1, 0.5)
    w, h = image.size
    size = (w, round(h * (1 + share))) if draw.random() < 0.5 else (round(w * (1 + share)), h)
    out = Image.new("RGB", size, "black")
    out.paste(image, ((size[0] - w) // 2, (size[1] - h) // 2))
    return out


def screenshot(image: Image.Image, draw: Draw) -> Image.Image:
    """A phone's screen with the picture in an app: status bar, header with a round portrait and a name, the picture as
    wide as the screen, buttons, a line of text, a bar of icons; light or dark. Cropped by the user, or not."""
    width = 720
    dark = draw.random() < 0.5
    ground, ink = ((18, 18, 18), (235, 235, 235)) if dark else ((255, 255, 255), (20, 20, 20))
    margin = 0 if draw.random() < 0.6 else int(draw.integers(8, 40))
    picture = image.resize((width - 2 * margin, round(image.height * (width - 2 * margin) / image.width)))
    above, below = int(draw.integers(140, 320)), int(draw.integers(180, 420))
    out = Image.new("RGB", (width, above + picture.height + below), ground)
    canvas = ImageDraw.Draw(out)
    bar = (0, 0, 0) if draw.random() < 0.3 else ground
    canvas.rectangle((0, 0, width, 40), bar)
    small, middle = ImageFont.load_default(22), ImageFont.load_default(30)
    canvas.text((24, 6), "21:47", ink if bar == ground else (255, 255, 255), small)
    canvas.rectangle((width - 70, 10, width - 24, 30), outline=ink if bar == ground else (255, 255, 255), width=3)
    if draw.random() < 0.4:
        canvas.rectangle((0, 40, width, 110), tuple(int(v) for v in draw.integers(20, 200, 3)))
    canvas.ellipse((24, above - 84, 88, above - 20), tuple(int(v) for v in draw.integers(40, 220, 3)))
    canvas.text((108, above - 80), " ".join(draw.choice(WORDS, 2)), ink, middle)
    canvas.text((108, above - 44), " ".join(draw.choice(WORDS, 3)), (130, 130, 130), small)
    out.paste(picture, (margin, above))
    bottom = above + picture.height
    for icon in range(4):
        canvas.ellipse((30 + icon * 110, bottom + 24, 70 + icon * 110, bottom + 64), outline=ink, width=4)
    for line in range((below - 100) // 40):
        canvas.text((28, bottom + 84 + line * 38), " ".join(draw.choice(WORDS, int(draw.integers(3, 9)))), ink, small)
    return out


def after(*edits: Edit) -> Edit:
    def edit(image: Image.Image, draw: Draw) -> Image.Image:
        for one in edits:
            image = one(image, draw)
        return image

    return edit


EDITS: dict[str, Edit] = {
    "resized to 50 %": lambda image, draw: resized(image, 0.5),
    "JPEG 60": lambda image, draw: image,
    "cropped, up to 5 % a side": cropped(0.05),
    "cropped, up to 10 % a side": cropped(0.10),
    "cropped, up to 15 % a side": cropped(0.15),
    "cropped, up to 20 % a side": cropped(0.20),
    "mirrored": mirrored,
    "turned by 90°": turned,
    "caption band": captioned,
    "border": bordered,
    "letterbox": letterboxed,
    "screenshot": screenshot,
    "mirrored, cropped 10 %, resized": after(mirrored, cropped(0.10), lambda i, d: resized(i, d.uniform(0.5, 1.2))),
    "cropped 10 %, caption band": after(cropped(0.10), captioned),
    "mirrored, screenshot": after(mirrored, screenshot),
    "caption band, screenshot": after(captioned, screenshot),
    "cropped 10 %, border, resized 60 %": after(cropped(0.10), bordered, lambda i, d: resized(i, 0.6)),
}
METHODS = ("ours", "PDQ", "phash", "ours, same pictures", "crop-resistant", "crop-resistant, strict")


def photographs(folder: Path, half: str) -> list[Path]:
    """Photographs of one half of the sources, or of all; `any`: all pictures, made by a model or not."""
    with (folder / "labels.csv").open(encoding="utf-8") as lines:
        rows = [r for r in csv.DictReader(lines) if half == "any" or r["label"] == "0"]
    wanted = {"tune": (0,), "report": (1,), "all": (0, 1), "any": (0, 1)}[half]
    rows = [r for r in rows if hashlib.sha256(r["group"].encode()).digest()[0] % 2 in wanted]
    return [folder / r["file"] for r in rows]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def hashed_image(image: Image.Image, name: str) -> Hashed:
    """As the product hashes a picture whose file has the SHA-256 `name`."""
    rgb = np.asarray(image)
    value, quality = pdq(rgb) if min(image.size) >= MINIMUM_SIDE else ("", 0)
    hashes = Hashes(name, "", value if quality else None, quality or None, phash(rgb))
    return Hashed(hashes, views(rgb, (value, quality)) if value else ())


def plain_pdq(a: Hashed, b: Hashed) -> bool:
    """PDQ as its authors advise: the whole pictures, quality at least 50, distance at most 31."""
    one, other = a.hashes, b.hashes
    if one is None or other is None or not one.pdq or not other.pdq:
        return False
    enough = min(one.pdq_quality or 0, other.pdq_quality or 0) >= RELIABLE_QUALITY
    return enough and hamming(one.pdq, other.pdq) <= search.MATCH_DISTANCE


def segments(image: Image.Image) -> np.ndarray:
    """imagehash's crop-resistant hash of `image`: one number of 64 bits for each of its segments."""
    import imagehash

    return np.array([int(str(h), 16) for h in imagehash.crop_resistant_hash(image).segment_hashes], np.uint64)


def segment_distance(a: np.ndarray, b: np.ndarray) -> int:
    """What imagehash's `matches` compares with 16 (a quarter of the bits), its default: the nearest two segments."""
    return int(np.bitwise_count(a[:, None] ^ b).min())


@dataclass(frozen=True)
class Outcome:
    """What each method makes of one pair; `nearest` is None where crop_resistant_hash was not asked."""

    ours: bool
    pdq: bool
    phash: bool
    nearest: int | None


def compared(job: tuple[Path, int, bool]) -> dict[str, Outcome] | None:
    """What each method makes of each edited copy of one picture; None where the picture is too small."""
    path, seed, slow = job
    image = opened(path)
    if min(image.size) < LEAST_SIDE:
        return None
    draw = np.random.default_rng([seed, int(path.stem, 16) % 2**32])
    original, parts = hashed_image(image, "a"), segments(image) if slow else None
    found = {}
    for name, edit in EDITS.items():
        copy = jpeg(edit(image, draw), 60 if name == "JPEG 60" else int(draw.integers(70, 91)))
        other = hashed_image(copy, "b")
        found[name] = Outcome(
            bool(near_duplicates.matches([original, other])),
            plain_pdq(original, other),
            hamming(original.hashes.phash, other.hashes.phash) <= PHASH_DISTANCE,
            None if parts is None else segment_distance(parts, segments(copy)),
        )
    return found


def recall(folder: Path, half: str, count: int, seed: int, slow: int, n_strangers: int) -> None:
    paths = np.random.default_rng(seed).permutation(np.array(photographs(folder, half), object))
    jobs = [(path, seed, number < slow) for number, path in enumerate(paths[: count * 5 // 4])]
    with ProcessPoolExecutor(2) as pool:
        results = [r for r in pool.map(compared, jobs, chunksize=1) if r][:count]
        strangers = list(pool.map(peer_hashed, paths[-n_strangers:], chunksize=4))
    strict = peers_and_strangers(strangers, half)
    n_slow = sum(found["JPEG 60"].nearest is not None for found in results)
    print(f"\n{len(results)} photographs ({n_slow} for crop-resistant), half “{half}”, seed {seed}, share found:\n")
    print("| edit | " + " | ".join(METHODS) + " |\n| --- |" + " ---: |" * len(METHODS))
    for name in EDITS:
        all_, few = [f[name] for f in results], [f[name] for f in results if f[name].nearest is not None]
        columns = [[o.ours for o in all_], [o.pdq for o in all_], [o.phash for o in all_], [o.ours for o in few]]
        columns += [[o.nearest <= most for o in few] for most in (SEGMENT_DISTANCE, strict)]
        print(f"| {name} | " + " | ".join(f"{np.mean(c):.3f}" if c else "" for c in columns) + " |", flush=True)


def peer_hashed(path: Path) -> tuple[Hashed, np.ndarray]:
    image = opened(path)
    return hashed_image(image, path.name), segments(image)


def peers_and_strangers(both: list[tuple[Hashed, np.ndarray]], half: str) -> int:
    """Print how many pairs of different photographs each method takes for copies; the widest cutoff at which
    crop_resistant_hash takes none, apart from the pairs that ours finds too (those were looked at: copies)."""
    pictures, found_by = [h for h, _ in both], {}
    ours = {(m.a, m.b) for m in near_duplicates.matches(pictures)}
    pairs = [(a, b) for a in range(len(both)) for b in range(a + 1, len(both))]
    distances = {(a, b): segment_distance(both[a][1], both[b][1]) for a, b in pairs}
    found_by["ours"] = ours
    found_by["PDQ"] = {p for p in pairs if plain_pdq(pictures[p[0]], pictures[p[1]])}
    hashes = [h.hashes.phash for h in pictures]
    found_by["phash"] = {p for p in pairs if hamming(hashes[p[0]], hashes[p[1]]) <= PHASH_DISTANCE}
    found_by["crop-resistant"] = {p for p, apart in distances.items() if apart <= SEGMENT_DISTANCE}
    print(f"{len(both)} photographs of half “{half}”, {len(pairs):,} pairs; taken for copies:")
    for name, found in found_by.items():
        print(f"  {name}: {len(found)} ({len(found) / len(pairs):.5%}), of them not found by ours: {len(found - ours)}")
    strict = min(apart for pair, apart in distances.items() if pair not in ours) - 1
    print(f"  crop-resistant takes no stranger at <= {strict} of 64 (strict)")
    return strict


def hashed(path: Path) -> Hashed | None:
    image = opened(path)
    if min(image.size) < MINIMUM_SIDE:
        return None
    return hashed_image(image, hashlib.sha256(path.read_bytes()).hexdigest())


def all_hashed(paths: Iterable[Path]) -> tuple[list[Path], list[Hashed]]:
    paths = list(paths)
    with ProcessPoolExecutor(2) as pool:
        both = [(p, h) for p, h in zip(paths, pool.map(hashed, paths, chunksize=16), strict=True) if h is not None]
    return [p for p, _ in both], [h for _, h in both]


def strangers(folder: Path, half: str, count: int, seed: int, listing: str | None) -> None:
    """Every pair among different photographs that the product takes for copies."""
    paths = np.random.default_rng(seed).permutation(np.array(photographs(folder, half), object))[:count]
    paths, pictures = all_hashed(paths)
    start = time.perf_counter()
    found = near_duplicates.matches(pictures)
    seconds = time.perf_counter() - start
    n_views = sum(len(p.views) for p in pictures)
    n_pairs = len(pictures) * (len(pictures) - 1) // 2
    print(f"{len(pictures)} pictures, {n_views:,} views, {n_pairs:,} pairs: {seconds:.1f} s")
    print(f"pairs that match: {len(found)}, of which equal byte for byte: {sum(m.same_bytes for m in found)}")
    for limit in (31, 28, 24, 20):
        near = [m for m in found if m.distance <= limit and m.view_a and m.view_b]
        parts = sum("region" in (m.view_a.kind, m.view_b.kind) for m in near if m.view_a and m.view_b)
        print(f"  at <= {limit}: {len(near)}, of them by regions {parts}")
    if listing:
        with open(listing, "w", encoding="utf-8") as out:
            for m in found:
                if not m.same_bytes and m.view_a and m.view_b:
                    boxes = f"{m.view_a.kind}\t{m.view_a.box}\t{m.view_b.kind}\t{m.view_b.box}"
                    out.write(f"{paths[m.a]}\t{paths[m.b]}\t{m.distance}\t{m.variant}\t{boxes}\n")


def folder_of(folder: Path, count: int, seed: int) -> None:
    """How long grouping takes for a folder of `count` pictures: real views, shaken until they are strangers, and as
    every twentieth a copy of the one before it."""
    _, pictures = all_hashed(photographs(folder, "all")[::24])
    draw, many = np.random.default_rng(seed), []
    for number in range(count):
        # A quarter of the bits turned over at random: no match is left, the unevenness of real hashes is. Of a copy, a
        # sixteenth.
        copy = number % 20 == 19
        base = many[-1] if copy else pictures[number % len(pictures)]
        many.append(Hashed(Hashes(str(number), ""), tuple(shake(v, draw, 4 if copy else 2) for v in base.views)))
    before, start, used = peak_mib(), time.perf_counter(), time.process_time()
    found = near_duplicates.groups(many)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(f"{count:,} pictures, {sum(len(p.views) for p in many):,} views: {seconds:.0f} s, {used:.0f} s of one core")
    right = sum(
        len(g.members) == 2 and max(g.members) % 20 == 19 and abs(g.matches[0].a - g.matches[0].b) == 1 for g in found
    )
    print(f"{right} of {count // 20} planted pairs found, {len(found) - right} other groups")
    print(f"memory at most {peak_mib():,} MiB, of it {before:,} MiB before the comparison")


def peak_mib() -> int:
    """The most memory that this process has held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def shake(view: View, draw: Draw, halvings: int) -> View:
    flips = (1 << 256) - 1
    for _ in range(halvings):
        flips &= int.from_bytes(draw.bytes(32))
    return View(view.kind, view.box, f"{int(view.pdq, 16) ^ flips:064x}", view.quality)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("tune", "report", "all", "any"), default="report")
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--slow", type=int, default=20, help="how many pictures crop_resistant_hash sees: 0.6 s each")
    parser.add_argument("--peer-strangers", type=int, default=200, help="for how many pictures all pairs are compared")
    parser.add_argument("--strangers", type=int)
    parser.add_argument("--list", metavar="FILE", help="with --strangers: write the pairs that match")
    parser.add_argument("--folder-of", type=int, metavar="N")
    args = parser.parse_args()
    if args.strangers:
        strangers(args.folder, "any" if args.half == "any" else "all", args.strangers, args.seed, args.list)
    elif args.folder_of:
        folder_of(args.folder, args.folder_of, args.seed)
    else:
        recall(args.folder, args.half, args.pictures, args.seed, args.slow, args.peer_strangers)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
