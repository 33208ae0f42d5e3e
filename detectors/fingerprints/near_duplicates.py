"""Which pictures are copies of each other: matches between their views, groups of pictures, matches with a list.

A group is a star: one picture, the representative, and those that match it. Were every match to join two groups, a
chain of chance or partial matches (a collage, a shared logo) would merge strangers; were all pairs required to match,
two crops of one picture that overlap too little would keep their original out. With a star, whoever looks at a group
can check each member against the one picture that it was put with.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detectors.fingerprints import hamming
from detectors.fingerprints.pdq import RELIABLE_QUALITY
from detectors.fingerprints.phash import phash_variants
from detectors.fingerprints.search import MATCH_DISTANCE, VARIANTS, Index, Numbers, packed, variants
from detectors.report import Hashes, View


class Hashed(Protocol):
    """What is compared: an item of a casebook, or what `Scanner.fingerprints` gives."""

    @property
    def hashes(self) -> Hashes | None:
        """None where there are none."""

    @property
    def views(self) -> Sequence[View]:
        """What may be matched."""


@dataclass(frozen=True, slots=True)
class Match:
    """Pictures number `a` and `b` show the same. `distance` is 0..256 bits between `view_a` and `view_b`.

    `variant` says how `a` must be turned to look like `b`: one of `VARIANTS`. `same_bytes`: the files are equal byte
    for byte; distance is then 0. The views are None where whole pictures match that have none.
    """

    a: int
    b: int
    distance: int
    view_a: View | None
    view_b: View | None
    variant: str = VARIANTS[0]
    same_bytes: bool = False

    def reversed(self) -> Match:
        """The same match seen from `b`."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            view_a=self.view_b,
            view_b=self.view_a,
            variant=_BACK.get(self.variant, self.variant),
        )


# The other variants undo themselves.
_BACK = {"turned_left": "turned_right", "turned_right": "turned_left"}
_BACK_NUMBER = tuple(VARIANTS.index(_BACK.get(variant, variant)) for variant in VARIANTS)
# Where PDQ alone is not reliable, pHash (64 bits) must agree as well, within so many bits; a picture of a lower quality
# than this is a flat colour with something in a corner, and like many others.
PHASH_DISTANCE, LEAST_QUALITY = 10, 10


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that belong together: their numbers, the representative first, then whole pictures, then those
    that match by a part, each by distance.

    `matches` holds each other member's match with the representative (which is its `a`), in the same order.
    """

    members: tuple[int, ...]
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class ListMatch:
    """Picture number `picture` matches entry number `entry` of a list. `view` is None where SHA-256 or MD5 matched."""

    picture: int
    entry: int
    distance: int
    view: View | None
    variant: str = VARIANTS[0]


def matches(
    pictures: Sequence[Hashed], distance: int = MATCH_DISTANCE, wrong: Collection[frozenset[int]] = ()
) -> list[Match]:
    """The pairs of pictures that match, nearest first. `wrong`: pairs of numbers that a person marked “not a match”.

    Files that are equal byte for byte stand for each other: each is given with the first of them, and only that one is
    compared with others. Whole and trimmed pictures are compared exactly; of the regions nine pairs in ten at the
    limit are met, and a cropped copy as a rule has several. A picture of little detail (quality 10 to 49) matches as a
    whole only, when its PDQ and its pHash are both near; such a match has no views.
    """
    firsts, copies = _by_bytes(pictures)
    found = [
        Match(first, copy, 0, _first_view(pictures[first]), _first_view(pictures[copy]), same_bytes=True)
        for first, others in copies.items()
        for copy in others
        if frozenset((first, copy)) not in wrong
    ]
    views = [(owner, view) for owner in firsts for view in pictures[owner].views]
    rows = packed(view.pdq for _, view in views)
    owners = np.array([owner for owner, _ in views], np.intp)
    larger = np.array([view.kind != "region" for _, view in views], bool)
    best: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for numbers, exact in ((np.flatnonzero(larger), True), (np.arange(len(views)), False)):
        here: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        for turned, (query, row, apart) in Index(rows[numbers]).pairs(distance, exact):
            _keep_best(here, owners, numbers[query], numbers[row], apart, turned)
        best = here | best  # what matches as a whole is not said to match in a part
    found += [
        Match(a, b, bits, None, None, VARIANTS[turned])
        for (a, b), (bits, turned) in _of_little_detail(pictures, firsts, distance).items()
        if (a, b) not in best and frozenset((a, b)) not in wrong
    ]
    for (a, b), (bits, turned, view_a, view_b) in best.items():
        if frozenset((a, b)) not in wrong:
            found.append(Match(a, b, bits, views[view_a][1], views[view_b][1], VARIANTS[turned]))
    return sorted(found, key=lambda m: (m.distance, m.a, m.b))


def found_as_a_whole(hashes: Hashes) -> bool:
    """Whether copies of the whole picture can be found, by PDQ and pHash together where PDQ alone is not reliable."""
    return bool(hashes.pdq and hashes.phash) and (hashes.pdq_quality or 0) >= LEAST_QUALITY


def groups(
    pictures: Sequence[Hashed], distance: int = MATCH_DISTANCE, wrong: Collection[frozenset[int]] = ()
) -> list[Group]:
    """Groups of two and more, largest first; each picture is in at most one. `wrong` pairs are never in one group."""
    near: dict[int, dict[int, Match]] = defaultdict(dict)
    for match in matches(pictures, distance, wrong):
        near[match.a][match.b] = match
        near[match.b][match.a] = match.reversed()
    _let_copies_stand_in(near, _by_bytes(pictures)[1], wrong)
    free, found = set(near), []
    # Whoever matches most of those left stands for them; of several, the one that matches as a whole and nearest.
    waiting = [(-len(others), sum(map(_far, others.values())), n) for n, others in near.items()]
    heapq.heapify(waiting)
    while waiting:
        count, total, best = heapq.heappop(waiting)
        left = near[best].keys() & free
        if best not in free or not left:
            continue
        if -count != len(left):
            heapq.heappush(waiting, (-len(left), total, best))
            continue
        members = [best]
        for other in sorted(left, key=partial(_nearness, near[best])):
            if not any(frozenset((other, m)) in wrong for m in members):
                members.append(other)
        free -= set(members)
        found.append(Group(tuple(members), tuple(near[best][m] for m in members[1:])))
    return sorted(found, key=lambda g: (-len(g.members), g.members))


def match_list(
    pictures: Sequence[Hashed], entries: Sequence[tuple[str, str, str]], distance: int = MATCH_DISTANCE
) -> list[ListMatch]:
    """Each picture's best match with each entry that it matches, by picture, then nearest first.

    `entries`: PDQ (64 hex), SHA-256 and MD5 of each, "" where the list has none. All views and the eight variants of a
    picture are compared, exactly.
    """
    found: dict[tuple[int, int], ListMatch] = {}
    by_digest: dict[str, list[int]] = defaultdict(list)
    for number, (_, *digests) in enumerate(entries):
        for digest in filter(None, digests):
            by_digest[digest].append(number)
    for number, picture in enumerate(pictures):
        if picture.hashes is not None:
            for entry in {e for d in (picture.hashes.sha256, picture.hashes.md5) for e in by_digest.get(d, ())}:
                found[number, entry] = ListMatch(number, entry, 0, None)
    with_pdq = [number for number, entry in enumerate(entries) if entry[0]]
    views = [(number, view) for number, picture in enumerate(pictures) for view in picture.views]
    index = Index(packed(entries[number][0] for number in with_pdq))
    for turned, queries in enumerate(variants(packed(view.pdq for _, view in views))):
        for query, row, apart in zip(*index.within(queries, distance), strict=True):
            number, view = views[query]
            key = (number, with_pdq[row])
            if key not in found or apart < found[key].distance:
                found[key] = ListMatch(*key, int(apart), view, VARIANTS[turned])
    return sorted(found.values(), key=lambda m: (m.picture, m.distance, m.entry))


def _by_bytes(pictures: Sequence[Hashed]) -> tuple[list[int], dict[int, list[int]]]:
    """The numbers of pictures with different bytes, and for the first of equal ones the others."""
    first: dict[str, int] = {}
    copies: dict[int, list[int]] = defaultdict(list)
    for number, picture in enumerate(pictures):
        if picture.hashes is not None:
            known = first.setdefault(picture.hashes.sha256, number)
            if known != number:
                copies[known].append(number)
    return list(first.values()), copies


def _of_little_detail(
    pictures: Sequence[Hashed], firsts: Sequence[int], distance: int
) -> dict[tuple[int, int], tuple[int, int]]:
    """Whole pictures that match though one or both have a PDQ quality below 50: PDQ and pHash must both be near.

    By pair: the distance of the PDQs and the number of the variant.
    """
    known = [(n, h) for n in firsts if (h := pictures[n].hashes) is not None and found_as_a_whole(h)]
    low = [(n, h) for n, h in known if (h.pdq_quality or 0) < RELIABLE_QUALITY]
    rows = packed(h.pdq or "" for _, h in known)
    asked = [phash_variants(h.phash or "") for _, h in low]
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for turned, queries in enumerate(variants(packed(h.pdq or "" for _, h in low))):
        for query, row, apart in zip(*Index(rows).within(queries, distance), strict=True):
            (a, _), (b, other) = low[query], known[row]
            near = a != b and hamming(asked[query][turned], other.phash or "") <= PHASH_DISTANCE
            way, pair = (turned, (a, b)) if a < b else (_BACK_NUMBER[turned], (b, a))
            if near and (int(apart), way) < found.get(pair, (distance + 1, 0)):
                found[pair] = (int(apart), way)
    return found


def _nearness(of: dict[int, Match], other: int) -> tuple[int, int]:
    return _far(of[other]), other


def _far(match: Match) -> int:
    """The distance; that of a part counts as farther than any of a whole picture."""
    part = any(v is not None and v.kind == "region" for v in (match.view_a, match.view_b))
    return match.distance + (256 if part and not match.same_bytes else 0)


def _first_view(picture: Hashed) -> View | None:
    return next(iter(picture.views), None)


def _keep_best(
    best: dict[tuple[int, int], tuple[int, int, int, int]],
    owners: Numbers,
    view_a: Numbers,
    view_b: Numbers,
    apart: npt.NDArray[np.uint8],
    turned: int,
) -> None:
    """Enter what was met, each pair of pictures with its nearest views; `best`: distance, variant, view and view."""
    rising = np.flatnonzero(owners[view_a] < owners[view_b])  # the other half is the same pairs, turned back
    a, b = owners[view_a[rising]], owners[view_b[rising]]
    order = np.lexsort((view_b[rising], view_a[rising], apart[rising], b, a))
    a, b, rising = a[order], b[order], rising[order]
    new = np.flatnonzero(np.diff(a, prepend=-1) | np.diff(b, prepend=-1))
    for n in new.tolist():
        pair, at = (int(a[n]), int(b[n])), rising[n]
        bits = int(apart[at])
        if pair not in best or (bits, turned) < best[pair][:2]:
            best[pair] = (bits, turned, int(view_a[at]), int(view_b[at]))


def _let_copies_stand_in(
    near: dict[int, dict[int, Match]], copies: dict[int, list[int]], wrong: Collection[frozenset[int]]
) -> None:
    """Give what matches a picture its copies too."""
    for first, others in copies.items():
        for other, match in list(near.get(first, {}).items()):
            for copy in others:
                if other != copy and not match.same_bytes and frozenset((other, copy)) not in wrong:
                    near[other][copy] = replace(match.reversed(), b=copy)
