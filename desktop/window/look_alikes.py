"""Which pictures look alike, and how a pair is put into words. Qt-free; `compare` is for a thread: it takes a while."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desktop.window import words
from desktop.window.reveal import Source
from desktop.window.words import translate
from detectors.report import Hashes, View

if TYPE_CHECKING:
    from detectors.fingerprints.near_duplicates import Match

BITS = 256


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that can be compared. `size` is its width and height in pixels, where known.

    `shown` says whether there is something to show: an item of the casebook may be there without its image.
    """

    key: Source
    name: str
    hashes: Hashes | None
    views: tuple[View, ...]
    size: tuple[int, int] | None
    shown: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that match. `distance`, views and `variant` as in `near_duplicates.Match`."""

    a: Picture
    b: Picture
    distance: int
    view_a: View | None
    view_b: View | None
    variant: str
    same_bytes: bool

    @property
    def keys(self) -> frozenset[Source]:
        """What stands for this pair when it is marked as not a match."""
        return frozenset((self.a.key, self.b.key))


@dataclass(frozen=True, slots=True)
class Alike:
    """Pictures that belong together, and the pairs that say why: the first picture with each of the others."""

    pictures: tuple[Picture, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """All groups, largest first; the pairs that somebody marked as not a match; and what could not be compared.

    `compared` counts the pictures that took part.
    """

    groups: tuple[Alike, ...] = ()
    wrong: tuple[Pair, ...] = ()
    compared: int = 0
    not_compared: tuple[Picture, ...] = ()


def compare(pictures: Sequence[Picture], wrong: Collection[frozenset[Source]]) -> LookAlikes:
    """Groups of `pictures`; `wrong` are pairs of keys that are no match, whatever the numbers say."""
    from detectors.fingerprints import near_duplicates

    number = {picture.key: n for n, picture in enumerate(pictures)}
    pairs = [frozenset(number[k] for k in pair) for pair in wrong if all(k in number for k in pair)]
    groups = near_duplicates.groups(pictures, wrong=pairs)
    marked = []
    if pairs:
        marked = [m for m in near_duplicates.matches(pictures) if frozenset((m.a, m.b)) in pairs]
    comparable = [p for p in pictures if p.hashes is not None and (p.views or p.hashes.pdq is not None)]
    return LookAlikes(
        groups=tuple(
            Alike(tuple(pictures[n] for n in g.members), tuple(_pair(pictures, m) for m in g.matches)) for g in groups
        ),
        wrong=tuple(_pair(pictures, m) for m in marked),
        compared=len(comparable),
        not_compared=tuple(p for p in pictures if p not in comparable),
    )


def distance_words(pair: Pair) -> str:
    """How near the two are, in words and number."""
    from detectors.fingerprints.search import MATCH_DISTANCE

    if pair.same_bytes:
        return translate("alike", "The two files are the same, byte for byte.")
    said = translate("alike", "{n} of {all} bits differ; up to {most} counts as a match.")
    if pair.distance == 1:
        said = translate("alike", "1 of {all} bits differs; up to {most} counts as a match.")
    return said.format(n=pair.distance, all=BITS, most=MATCH_DISTANCE)


def how_words(pair: Pair) -> str:
    """Which parts of the two match, and how one is turned, in one or two sentences."""
    if pair.same_bytes:
        return ""
    parts = []
    if turn := turn_words(pair.variant):
        parts.append(turn)
    kinds = [view.kind if view is not None else "whole" for view in (pair.view_a, pair.view_b)]
    if kinds == ["region", "region"]:
        parts.append(translate("alike", "A part of the one matches a part of the other."))
        return " ".join(parts)
    for picture, view in ((pair.a, pair.view_a), (pair.b, pair.view_b)):
        if view is None or view.kind == "whole":
            continue
        said = (
            translate("alike", "Of “{name}”, what matches is the picture without its border or caption.")
            if view.kind == "trimmed"
            else translate("alike", "Of “{name}”, a part matches: the other one may be cut from it.")
        )
        parts.append(said.format(name=picture.name))
    return " ".join(parts) or translate("alike", "The whole pictures match.")


def turn_words(variant: str) -> str:
    """How the first picture is turned against the second; empty when it is not."""
    return {
        "mirrored": translate("alike", "One is a mirror image of the other."),
        "turned_left": translate("alike", "One is turned by a quarter."),
        "turned_right": translate("alike", "One is turned by a quarter."),
        "turned_180": translate("alike", "One is upside down."),
        "upside_down_mirrored": translate("alike", "One is upside down and mirrored."),
        "turned_left_mirrored": translate("alike", "One is turned by a quarter and mirrored."),
        "turned_right_mirrored": translate("alike", "One is turned by a quarter and mirrored."),
    }.get(variant, "")


def pair_name(pair: Pair) -> str:
    """A pair in one line for the list: the second picture, since all of a group are paired with the same first."""
    near = (
        translate("alike", "same file") if pair.same_bytes else translate("alike", "{n} bits").format(n=pair.distance)
    )
    return f"{words.visible(pair.b.name)}: {near}"


def group_name(first: Picture, size: int) -> str:
    """A group's heading: how many pictures, and the one that the others are compared with."""
    said = translate("alike", "{name} and {n} like it")
    return said.format(name=words.visible(first.name), n=f"{size - 1:,}")


def _pair(pictures: Sequence[Picture], match: Match) -> Pair:
    return Pair(
        pictures[match.a],
        pictures[match.b],
        match.distance,
        match.view_a,
        match.view_b,
        match.variant,
        match.same_bytes,
    )
