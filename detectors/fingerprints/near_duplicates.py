"""Which pictures are copies of each other: matches between their views, and groups of pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from detectors.fingerprints.search import MATCH_DISTANCE
from detectors.report import Hashes, View


class Hashed(Protocol):
    """What is compared: an item of a casebook, or what `Scanner.fingerprints` gives."""

    @property
    def hashes(self) -> Hashes | None: ...

    @property
    def views(self) -> Sequence[View]: ...


@dataclass(frozen=True, slots=True)
class Match:
    """Pictures number `a` and `b` (`a` < `b`) show the same. `distance` is 0..256 bits between `view_a` and `view_b`.

    `variant` says how `a` was turned to match: one of `VARIANTS`. `same_bytes`: the files are equal byte for byte;
    distance is then 0.
    """

    a: int
    b: int
    distance: int
    view_a: View | None
    view_b: View | None
    variant: str
    same_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that belong together: their numbers, the representative first, then by distance from it.

    `matches` holds each other member's match with the representative, in the same order.
    """

    members: tuple[int, ...]
    matches: tuple[Match, ...]


def matches(
    pictures: Sequence[Hashed], distance: int = MATCH_DISTANCE, wrong: Collection[frozenset[int]] = ()
) -> list[Match]:
    """Every pair of pictures that match, best first. `wrong`: pairs of numbers that a person marked “not a match”."""
    raise NotImplementedError


def groups(
    pictures: Sequence[Hashed], distance: int = MATCH_DISTANCE, wrong: Collection[frozenset[int]] = ()
) -> list[Group]:
    """Groups of two and more, largest first; each picture is in at most one. `wrong` pairs are never in one group."""
    raise NotImplementedError
