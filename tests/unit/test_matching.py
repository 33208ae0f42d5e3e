"""Views, search and groups: what an edit leaves recognisable is found, and nothing else. Pictures are the demo's."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageDraw

from detectors.fingerprints import hamming, search
from detectors.fingerprints.near_duplicates import groups, match_list, matches
from detectors.fingerprints.pdq import pdq
from detectors.fingerprints.phash import phash, phash_variants
from detectors.fingerprints.search import VARIANTS, Index, packed, variants
from detectors.fingerprints.views import MAX_REGIONS, views
from detectors.inputs import find_inputs
from detectors.report import Hashes, View
from detectors.scan import Scanner, ScanOptions


@dataclass(frozen=True)
class Hashed:
    hashes: Hashes | None
    views: tuple[View, ...]


def picture(image: Image.Image, name: str) -> Hashed:
    return Hashed(Hashes(name, name), views(np.asarray(image)))


def of_views(*pdqs: str, name: str = "", kind: str = "whole") -> Hashed:
    return Hashed(Hashes(name or pdqs[0], ""), tuple(View(kind, (0, 0, 100, 100), p, 100) for p in pdqs))


def random_pdq(rng: random.Random) -> str:
    return f"{rng.getrandbits(256):064x}"


def flipped(pdq: str, *bits: int) -> str:
    return f"{int(pdq, 16) ^ sum(1 << b for b in bits):064x}"


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return opened("01-plain-photo-cat.jpg")


def opened(name: str) -> Image.Image:
    with Image.open(Path(__file__).resolve().parents[2] / "resources" / "demo" / name) as image:
        return image.convert("RGB")


# Views ----------------------------------------------------------------------------------------------------------


def framed(image: Image.Image) -> Image.Image:
    out = Image.new("RGB", (image.width + 70, image.height + 90), "white")
    out.paste(image, (40, 30))
    return out


def captioned(image: Image.Image) -> Image.Image:
    out = Image.new("RGB", (image.width, image.height + 60), "black")
    out.paste(image, (0, 60))
    ImageDraw.Draw(out).text((20, 20), "words that somebody put above it " * 2, "white", font_size=22)
    return out


def screenshot(image: Image.Image) -> Image.Image:
    out = Image.new("RGB", (image.width, image.height + 320), (250, 250, 250))
    canvas = ImageDraw.Draw(out)
    canvas.rectangle((0, 0, out.width, 30), "black")
    canvas.text((10, 5), "21:47", "white", font_size=18)
    canvas.ellipse((10, 60, 60, 110), (90, 60, 200))
    canvas.text((75, 70), "somebody", "black", font_size=24)
    out.paste(image, (0, 130))
    for x in (20, 90, 160):
        canvas.ellipse((x, image.height + 150, x + 30, image.height + 180), outline="black", width=3)
    canvas.text((10, image.height + 200), "what somebody wrote under it, and more", "black", font_size=20)
    return out


def cropped(image: Image.Image) -> Image.Image:
    w, h = image.size
    return image.crop((round(0.11 * w), round(0.05 * h), round(0.93 * w), round(0.86 * h)))


EDITS = {
    "same": lambda i: i,
    "half the size": lambda i: i.resize((i.width // 2, i.height // 2)),
    "cropped": cropped,
    "mirrored": lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned left": lambda i: i.transpose(Image.Transpose.ROTATE_90),
    "turned right": lambda i: i.transpose(Image.Transpose.ROTATE_270),
    "upside down": lambda i: i.transpose(Image.Transpose.ROTATE_180),
    "framed": framed,
    "captioned": captioned,
    "screenshot": screenshot,
    "mirrored, cropped, captioned": lambda i: captioned(cropped(i.transpose(Image.Transpose.FLIP_LEFT_RIGHT))),
}
SAID = {
    "mirrored": "mirrored",
    "turned left": "turned_left",
    "turned right": "turned_right",
    "upside down": "turned_180",
    "mirrored, cropped, captioned": "mirrored",
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_matches_and_a_stranger_does_not(edit: str, cat: Image.Image) -> None:
    copy = EDITS[edit](cat)
    found = matches([picture(cat, "a"), picture(copy, "b"), picture(opened("02-plain-photo-rocket.jpg"), "c")])
    assert [(m.a, m.b) for m in found] == [(0, 1)]
    assert found[0].variant == SAID.get(edit, "as_it_is")
    assert found[0].distance <= 31


@pytest.mark.parametrize("edit", [framed, captioned, screenshot])
def test_the_surround_is_cut_off_to_the_pixel_or_two(edit: object, cat: Image.Image) -> None:
    around = edit(cat)  # type: ignore[operator]
    boxes = [v.box for v in views(np.asarray(around)) if v.kind == "trimmed"]
    left = (around.width - cat.width) * 40 // 70 if edit is framed else 0
    top = {framed: 30, captioned: 60, screenshot: 130}[edit]  # type: ignore[index]
    wanted = (left, top, cat.width, cat.height)
    assert min(max(abs(a - b) for a, b in zip(box, wanted, strict=True)) for box in boxes) <= 3


def test_views_are_few_lie_inside_and_are_worth_matching(cat: Image.Image) -> None:
    found = views(np.asarray(cat))
    assert found[0] == View("whole", (0, 0, cat.width, cat.height), *pdq(np.asarray(cat)))
    assert 10 < len(found) <= 2 * MAX_REGIONS + 5
    for view in found:
        x, y, w, h = view.box
        assert x >= 0 <= y
        assert x + w <= cat.width
        assert y + h <= cat.height
        assert view.quality >= 50
        assert View.from_json(view.to_json()) == view


@pytest.mark.parametrize("size", [(63, 300), (64, 64), (65, 400), (3, 3), (1, 1), (5000, 70)])
def test_odd_sizes_and_flat_pictures_do_no_harm(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for rgb in (np.full((*size, 3), 200, np.uint8), rng.integers(0, 256, (*size, 3), dtype=np.uint8)):
        assert min(size) >= 64 or views(rgb) == ()
        views(rgb)
    assert views(np.full((200, 200, 3), 255, np.uint8)) == ()


def test_regions_come_close_to_the_reference_on_the_same_crop(cat: Image.Image) -> None:
    distances = []
    for view in views(np.asarray(cat))[1:]:
        x, y, w, h = view.box
        distances.append(hamming(view.pdq, pdq(np.ascontiguousarray(np.asarray(cat)[y : y + h, x : x + w]))[0]))
    assert len(distances) > 10
    assert np.median(distances) <= 20


def test_a_crop_of_what_looks_like_a_caption_is_found(cat: Image.Image) -> None:
    """A plain wall above is taken for a surround where it is whole, and not where little is left of it."""
    wall = Image.new("RGB", (cat.width, cat.height * 3 // 2), (120, 130, 140))
    wall.paste(cat, (0, cat.height // 2))
    ImageDraw.Draw(wall).ellipse((20, 20, cat.width // 3, cat.height // 3), (200, 40, 40))
    copy = wall.crop((10, 12, wall.width - 25, wall.height - 30))
    boxes = [v.box for v in views(np.asarray(wall)) if v.kind == "region"]
    assert min(y for _, y, _, _ in boxes) < cat.height // 3
    assert max(y for _, y, _, _ in boxes) > cat.height // 2
    assert matches([picture(wall, "a"), picture(copy, "b")])


def test_a_large_picture_has_the_reference_hash() -> None:
    rng = np.random.default_rng(3)
    for w, h in ((641, 700), (900, 1283), (2049, 65), (1025, 640)):
        noise = rng.integers(0, 256, (h // 9 + 2, w // 9 + 2, 3), dtype=np.uint8)
        rgb = np.asarray(Image.fromarray(noise).resize((w, h), Image.Resampling.BICUBIC))
        bits, quality = pdqhash.compute(rgb)
        value, ours = pdq(rgb)
        assert hamming(value, np.packbits(bits.astype(np.uint8)).tobytes().hex()) <= 2
        assert abs(ours - quality) <= 1


# Search ---------------------------------------------------------------------------------------------------------


def test_variants_are_those_of_the_turned_pixels(cat: Image.Image) -> None:
    rgb = np.asarray(cat)
    turned = [
        rgb,
        rgb[:, ::-1],
        rgb[::-1],
        rgb[::-1, ::-1],
        rgb.transpose(1, 0, 2),
        np.rot90(rgb, -1),
        np.rot90(rgb),
        rgb[::-1, ::-1].transpose(1, 0, 2),
    ]
    values = variants(packed([pdq(rgb)[0]]))[:, 0]
    for name, value, pixels in zip(VARIANTS, values, turned, strict=True):
        true = packed([pdq(np.ascontiguousarray(pixels))[0]])[0]
        apart = np.bitwise_count(values ^ true).sum(axis=1)
        assert np.argmin(apart) == VARIANTS.index(name)
        assert np.bitwise_count(value ^ true).sum() <= 24, name


@pytest.mark.parametrize("rows", [0, 1, 300, 5000])
@pytest.mark.parametrize("n_queries", [1, 65])
def test_search_is_exact(rows: int, n_queries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_SMALL", 1000)  # so that tables and several blocks are tried with few rows too
    monkeypatch.setattr(search, "_BLOCK", 1024)
    monkeypatch.setattr(search, "_AT_ONCE", 4096)
    rng = np.random.default_rng(rows + n_queries)
    table = rng.integers(0, 2**64, (rows, 4), dtype=np.uint64)
    queries = rng.integers(0, 2**64, (n_queries, 4), dtype=np.uint64)
    for number in range(min(rows, 80)):
        bits = rng.choice(256, number % 40, replace=False)
        copy = queries[number % n_queries].copy()
        for bit in bits:
            copy[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        table[number] = copy
    apart = np.array([np.bitwise_count(table ^ q).sum(axis=1, dtype=np.int64) for q in queries]).reshape(
        n_queries, rows
    )
    wanted = {(q, r, apart[q, r]) for q, r in zip(*np.nonzero(apart <= 31), strict=True)}
    assert rows < 300 or len(wanted) >= 60
    query, row, distance = Index(table).within(queries)
    assert set(zip(query, row, distance, strict=True)) == wanted
    assert len(query) == len(wanted)
    assert list(zip(query, distance, row, strict=True)) == sorted(zip(query, distance, row, strict=True))


@pytest.mark.parametrize("exact", [True, False])
def test_pairs_are_those_of_every_row_in_every_turn(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_SMALL", 1000)  # so that tables, and several blocks of rows, are tried
    monkeypatch.setattr(search, "_ROWS_AT_ONCE", 300)
    monkeypatch.setattr(search, "_AT_ONCE", 4096)
    rng = np.random.default_rng(9)
    rows = rng.integers(0, 2**64, (1000, 4), dtype=np.uint64)
    for number in range(0, 900, 3):  # a copy beside each of these and far from it, turned, with 0 to 39 bits wrong
        copy = variants(rows[number : number + 1])[number % 8, 0].copy()
        for bit in rng.choice(256, number // 3 % 40, replace=False):
            copy[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        rows[number + 1 if number % 2 else 999 - number] = copy
    wanted = {}
    for turned, queries in enumerate(variants(rows)):
        apart = np.bitwise_count(queries[:, None] ^ rows).sum(axis=2, dtype=np.int64)
        wanted |= {(turned, a, b): apart[a, b] for a, b in zip(*np.nonzero(apart <= 31), strict=True) if a < b}
    met = {}
    for turned, (query, row, apart) in Index(rows).pairs(31, exact):
        met |= {(turned, a, b): d for a, b, d in zip(query, row, apart, strict=True) if a < b}
    assert len(wanted) > 150
    assert met.items() <= wanted.items()
    assert len(met) == len(wanted) if exact else len(met) >= 0.95 * len(wanted)


def test_faiss_stands_in_for_large_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 2**64, (500, 4), dtype=np.uint64)
    ours = Index(rows).within(rows[:3] ^ np.uint64(5))
    monkeypatch.setattr(search, "LARGE", 100)
    with_faiss = Index(rows)
    assert with_faiss._faiss is not None
    for a, b in zip(ours, with_faiss.within(rows[:3] ^ np.uint64(5)), strict=True):
        assert np.array_equal(a, b)
    assert len(ours[0]) == 3


def test_packing_refuses_what_is_no_pdq() -> None:
    with pytest.raises(ValueError, match="64 hex"):
        packed(["00" * 16])


# Groups ---------------------------------------------------------------------------------------------------------


def test_a_chain_does_not_merge_strangers() -> None:
    rng = random.Random(1)
    first = random_pdq(rng)
    chain = [first]
    for step in range(6):
        chain.append(flipped(chain[-1], *range(step * 30, step * 30 + 30)))
    found = groups([of_views(p) for p in chain])
    assert found
    for group in found:
        for member, match in zip(group.members[1:], group.matches, strict=True):
            assert (match.a, match.b) == (group.members[0], member)
            assert hamming(chain[match.a], chain[match.b]) == match.distance <= 31
        assert len(group.members) <= 3


def test_both_crops_come_to_their_original() -> None:
    rng = random.Random(2)
    a, b = random_pdq(rng), random_pdq(rng)
    pictures = [of_views(a), of_views(b), of_views(random_pdq(rng), a, b), of_views(random_pdq(rng))]
    (group,) = groups(pictures)
    assert group.members == (2, 0, 1)


def test_not_a_match_is_remembered() -> None:
    rng = random.Random(3)
    value = random_pdq(rng)
    pictures = [of_views(flipped(value, n), name=str(n)) for n in range(4)]
    assert groups(pictures)[0].members == (0, 1, 2, 3)
    wrong = {frozenset((0, 2)), frozenset((1, 2)), frozenset((2, 3))}
    assert [g.members for g in groups(pictures, wrong=wrong)] == [(0, 1, 3)]
    assert not [m for m in matches(pictures, wrong=wrong) if 2 in (m.a, m.b)]
    for group in groups(pictures, wrong={frozenset((1, 3))}):
        assert not {1, 3} <= set(group.members)


def test_equal_bytes_are_grouped_even_without_a_pdq() -> None:
    blank = Hashed(Hashes("same", ""), ())
    rng = random.Random(4)
    value = random_pdq(rng)
    pictures = [
        blank,
        of_views(value, name="x"),
        blank,
        of_views(flipped(value, 1), name="y"),
        of_views(value, name="x"),
    ]
    found = groups(pictures)
    assert [g.members for g in found] == [(1, 4, 3), (0, 2)]
    assert found[0].matches[0].same_bytes
    assert not found[0].matches[1].same_bytes
    assert [(m.same_bytes, m.distance) for m in found[1].matches] == [(True, 0)]
    assert groups([Hashed(None, ()), Hashed(None, ())]) == []
    assert groups([]) == []


def test_a_match_of_the_whole_is_not_said_to_be_of_a_part() -> None:
    rng = random.Random(6)
    whole, part = random_pdq(rng), random_pdq(rng)
    two = [
        Hashed(
            Hashes(str(n), ""), (*of_views(flipped(whole, *range(9 * n))).views, *of_views(part, kind="region").views)
        )
        for n in range(2)
    ]
    (match,) = matches(two)
    assert (match.distance, match.view_a and match.view_a.kind) == (9, "whole")


def of_little_detail(image: Image.Image, name: str) -> Hashed:
    rgb = np.asarray(image)
    value, quality = pdq(rgb)
    return Hashed(Hashes(name, "", value, quality, phash(rgb)), views(rgb))


def test_of_a_picture_of_little_detail_whole_copies_are_found(cat: Image.Image) -> None:
    sky = Image.new("RGB", (300, 240), (120, 150, 190))
    sky.paste(cat.resize((75, 50)), (60, 110))
    other = Image.new("RGB", (300, 240), (120, 150, 190))
    other.paste(cat.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((48, 48)), (190, 20))
    copies = [sky, sky.resize((150, 120)), sky.transpose(Image.Transpose.FLIP_LEFT_RIGHT), other]
    pictures = [of_little_detail(image, str(n)) for n, image in enumerate(copies)]
    for picture in pictures:
        assert picture.hashes is not None
        assert picture.hashes.pdq_quality is not None
        assert 10 <= picture.hashes.pdq_quality < 50
        assert not [v for v in picture.views if v.kind == "whole"]
    found = {(m.a, m.b): m.variant for m in matches(pictures)}
    assert found == {(0, 1): "as_it_is", (0, 2): "mirrored", (1, 2): "mirrored"}
    assert [sorted(g.members) for g in groups(pictures)] == [[0, 1, 2]]
    assert not matches(pictures, wrong={frozenset(p) for p in ((0, 1), (0, 2), (1, 2))})
    # A list's entry is never compared with a PDQ of so low a quality.
    assert match_list(pictures, [(p.hashes.pdq or "", "", "") for p in pictures if p.hashes]) == []


def test_of_a_picture_of_little_detail_both_hashes_must_be_near() -> None:
    rng = random.Random(11)
    value, seen = random_pdq(rng), f"{rng.getrandbits(64):016x}"
    far = f"{int(seen, 16) ^ 0x7FF:016x}"  # eleven bits

    def two(quality: int, other: str, phash_: str) -> list[Hashed]:
        return [
            Hashed(Hashes("a", "", value, 20, seen), ()),
            Hashed(Hashes("b", "", other, quality, phash_), ()),
        ]

    assert [m.distance for m in matches(two(30, flipped(value, 1), seen))] == [1]
    assert [m.distance for m in matches(two(90, flipped(value, *range(31)), seen))] == [31]
    assert matches(two(30, flipped(value, *range(32)), seen)) == []
    assert matches(two(30, value, far)) == []
    assert matches(two(9, value, seen)) == []


def test_phash_variants_are_those_of_the_turned_pixels(cat: Image.Image) -> None:
    rgb = np.asarray(cat)
    turned = [rgb, rgb[:, ::-1], rgb[::-1], rgb[::-1, ::-1]]
    turned += [t.transpose(1, 0, 2) for t in (rgb, rgb[::-1], rgb[:, ::-1], rgb[::-1, ::-1])]
    for name, value, pixels in zip(VARIANTS, phash_variants(phash(rgb)), turned, strict=True):
        apart = [hamming(v, phash(np.ascontiguousarray(pixels))) for v in phash_variants(phash(rgb))]
        assert apart.index(min(apart)) == VARIANTS.index(name)
        assert hamming(value, phash(np.ascontiguousarray(pixels))) <= 10, name


def test_large_sets_give_what_small_ones_give(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    bases = [random_pdq(rng) for _ in range(40)]
    pictures = [
        of_views(flipped(base, *rng.sample(range(256), 12)), name=f"{n}{base}") for n in range(3) for base in bases
    ]
    small = groups(pictures)
    monkeypatch.setattr(search, "_SMALL", 0)
    assert groups(pictures) == small
    assert len(small) == 40
    assert all(len(g.members) == 3 for g in small)


def test_a_list_is_matched_by_any_view_variant_and_by_bytes(cat: Image.Image) -> None:
    value = pdq(np.asarray(cat))[0]
    rng = random.Random(8)
    entries = [(random_pdq(rng), "", ""), (value, "", ""), ("", "b", ""), ("", "", "c")]
    mirrored = cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pictures = [picture(cat, "a"), picture(mirrored, "b"), picture(captioned(cat), "c"), Hashed(None, ())]
    found = match_list(pictures, entries)
    assert {(m.picture, m.entry) for m in found} == {(0, 1), (1, 1), (1, 2), (2, 1), (2, 3)}
    assert found == sorted(found, key=lambda m: (m.picture, m.distance, m.entry))
    assert len(found) == 5
    assert [m.variant for m in found if m.entry == 1] == ["as_it_is", "mirrored", "as_it_is"]
    assert [m.view and m.view.kind for m in found if m.entry == 1][::2] == ["whole", "trimmed"]
    assert match_list(pictures, []) == []


# Through the worker ---------------------------------------------------------------------------------------------


def test_scanner_gives_fingerprints_in_order_and_reasons(tmp_path: Path, demo: Path) -> None:
    Image.new("RGB", (300, 300), "white").save(tmp_path / "a-blank.png")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "b-small.png")
    (tmp_path / "c-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (tmp_path / "d-cat.jpg").write_bytes((demo / "01-plain-photo-cat.jpg").read_bytes())
    with Scanner(ScanOptions(jobs=2, added=())) as scanner:
        blank, small, broken, photo = list(scanner.fingerprints(find_inputs([str(tmp_path)])))
        assert scanner.fingerprint(str(tmp_path / "d-cat.jpg")).views == photo.views
        assert scanner.fingerprint(str(tmp_path / "no-such.jpg")).error is not None
    assert blank.hashes is not None
    assert "blank" in blank.hashes.note
    assert small.hashes is not None
    assert "too small" in small.hashes.note
    assert blank.views == small.views == ()
    assert broken.error is not None
    assert broken.hashes is None
    assert photo.error is None
    assert photo.hashes is not None
    assert photo.views[0].pdq == photo.hashes.pdq
