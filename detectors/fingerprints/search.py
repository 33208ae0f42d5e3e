"""Exact search among PDQ hashes: four columns of 64 bits, compared by XOR and counted bits.

A few queries are compared with every row. Many are looked up: hashes within 31 bits agree, in at least one of their
sixteen pieces of 16 bits, in all bits but one (31 / 16 < 2), so sixteen tables of 17 places each hold every match.
Source: Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

MATCH_DISTANCE = 31  # the reference's advice: a match is at most this far away
# How a picture was turned. Of a PDQ alone, the four that keep height and width in place, and the four that swap them.
VARIANTS = (
    *("as_it_is", "mirrored", "upside_down_mirrored", "turned_180"),
    *("turned_right_mirrored", "turned_right", "turned_left", "turned_left_mirrored"),
)

Rows = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.intp]
Found = tuple[Numbers, Numbers, npt.NDArray[np.uint8]]

LARGE = 1_000_000  # above this, faiss is used where it is installed (the extra `large`)
_FEW = 64
_SMALL = 1 << 20  # comparisons: all of them are then cheaper than tables
_BLOCK = 1 << 16
_PIECES, _PIECE_BITS = 16, 16
_AT_ONCE = 1 << 20
_ROWS_AT_ONCE = 1 << 18
# The bits of odd horizontal and of odd vertical frequencies: mirroring turns the sign of those, and of no others.
_ODD_ACROSS = np.uint64(0x5555555555555555)
_ODD_DOWN = np.uint64(0x0000FFFF0000FFFF)
_MIRRORED = (np.uint64(0), _ODD_ACROSS, _ODD_DOWN, _ODD_ACROSS ^ _ODD_DOWN)


def packed(pdqs: Iterable[str]) -> Rows:
    """Hashes of 64 hex digits as (n, 4) uint64. Raises ValueError when one is not such a hash."""
    data = bytes.fromhex("".join(pdqs))
    if len(data) % 32:
        raise ValueError("a PDQ has 64 hex digits")
    return np.frombuffer(data, dtype=">u8").astype(np.uint64).reshape(-1, 4)


def variants(rows: Rows) -> npt.NDArray[np.uint64]:
    """The hashes of the turned and mirrored pictures, (8, n, 4) in the order of VARIANTS, from (n, 4) hashes alone.

    Swapping height and width only moves bits. Mirroring turns the signs of the odd frequencies; their median, against
    which the bits are set, moves a little with them, so a few bits (6 or 7 as a rule) differ from the true hash's.
    """
    return np.stack([r ^ m for r in (rows, _swapped(rows)) for m in _MIRRORED])


def _swapped(rows: Rows) -> Rows:
    """The hashes with height and width swapped."""
    out = np.empty_like(rows)
    for start in range(0, len(rows), _BLOCK):  # so that the single bits do not fill the memory
        bits = np.unpackbits(rows[start : start + _BLOCK].astype(">u8").view(np.uint8), axis=1).reshape(-1, 16, 16)
        out[start : start + _BLOCK] = np.packbits(bits.transpose(0, 2, 1).reshape(-1, 256), axis=1).view(">u8")
    return out


class Index:
    """PDQ hashes, (n, 4) uint64 rows, that can be searched within a distance. Never changes once it is made."""

    def __init__(self, rows: Rows) -> None:
        self._rows = np.ascontiguousarray(rows)
        self._columns = np.ascontiguousarray(rows.T)

    @cached_property
    def _faiss(self) -> Any:
        return _faiss_index(self._rows) if len(self._rows) > LARGE else None

    def within(self, queries: Rows, distance: int = MATCH_DISTANCE) -> Found:
        """All matches as three arrays: query number, row number, distance; ordered by query, then distance, then row.

        `queries`: (m, 4) uint64; `distance`: 0..31. Exact.
        """
        if len(queries) <= _FEW and self._faiss is not None:
            found = _ask_faiss(self._faiss, queries, distance)
        elif len(queries) <= _FEW:
            found = _joined(self._scanned(queries, distance))
        else:
            found = _once(_joined(self._looked_up(queries, distance)), len(self._rows))
        query, row, apart = found
        order = np.lexsort((row, apart, query))
        return query[order], row[order], apart[order]

    def pairs(self, distance: int = MATCH_DISTANCE, exact: bool = True) -> Iterator[tuple[int, Found]]:
        """The pairs of rows that match, in pieces: the number of a variant, and the numbers of the row that is turned
        so, of the row that it then matches, and the distance. A pair may come several times, and either way round;
        that with the lower number first is always among them, where the pair is met at all.

        Without `exact`, only one place of each table is looked into: nine in ten of the pairs at 31 bits are met
        then, and 39 in 40 at 24, in a seventeenth of the time.
        """
        if len(self._rows) ** 2 <= _SMALL:
            for number, queries in enumerate(variants(self._rows)):
                yield number, _all_pairs(queries, self._rows, distance)
            return
        flips = [0, *(1 << bit for bit in range(_PIECE_BITS))] if exact else [0]
        bases = (self._rows, _swapped(self._rows))
        # The rows come in blocks, each asked for by itself and those before it: the rest is the same pairs turned back.
        for first in range(0, len(self._rows), _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, len(self._rows))
            for piece in range(_PIECES):
                table = _Table(self._columns[:, first:last], piece)
                for number in range(len(VARIANTS)):
                    asked, mask = bases[number // 4][:last], _MIRRORED[number % 4]
                    places = _piece(asked, piece) ^ _piece(np.full((1, 4), mask), piece)
                    for flip in flips:
                        for query, row, apart in table.met(asked, places ^ flip, distance, mask, exact):
                            yield number, (query, first + row, apart)

    def _looked_up(self, queries: Rows, distance: int) -> Iterator[Found]:
        """All matches, exactly, in no order; a pair comes as often as it is met."""
        if len(self._rows) * len(queries) <= _SMALL:
            yield _all_pairs(queries, self._rows, distance)
            return
        for piece in range(_PIECES):
            table, places = _Table(self._columns, piece), _piece(queries, piece)
            for flip in (0, *(1 << bit for bit in range(_PIECE_BITS))):
                yield from table.met(queries, places ^ flip, distance)

    def _scanned(self, queries: Rows, distance: int) -> Iterator[Found]:
        """Every row against each query, a block at a time so that it stays in the processor's cache."""
        for start in range(0, len(self._rows), _BLOCK):
            a, b, c, d = self._columns[:, start : start + _BLOCK]
            mixed, count, more = np.empty_like(a), np.empty(len(a), np.uint8), np.empty(len(a), np.uint8)
            for number, query in enumerate(queries):
                np.bitwise_count(np.bitwise_xor(a, query[0], out=mixed), out=count)
                np.bitwise_count(np.bitwise_xor(b, query[1], out=mixed), out=more)
                np.add(count, more, out=count)
                # Half of the bits already rule out nearly all rows.
                left = np.flatnonzero(count <= distance)
                if len(left):
                    rest = np.bitwise_count(c[left] ^ query[2]) + np.bitwise_count(d[left] ^ query[3])
                    apart = count[left] + rest
                    near = apart <= distance
                    yield np.full(int(near.sum()), number, np.intp), start + left[near], apart[near]


def _all_pairs(queries: Rows, rows: Rows, distance: int) -> Found:
    """Each of a few queries against each of a few rows."""
    apart = np.bitwise_count(queries[:, None] ^ rows).sum(axis=2, dtype=np.uint16)
    query, row = np.nonzero(apart <= distance)
    return query, row, apart[query, row].astype(np.uint8)


class _Table:
    """Rows, (4, n) uint64, sorted by the 16 bits of one piece."""

    def __init__(self, columns: Rows, piece: int) -> None:
        keys = _piece(columns.T, piece).astype(np.uint16)
        self._order = np.argsort(keys, kind="stable")
        self._starts = np.searchsorted(keys[self._order], np.arange((1 << _PIECE_BITS) + 1))
        self._rows = columns[:, self._order]
        # That of the piece comes last: in it, hashes that are met agree already.
        self._columns = sorted(range(4), key=lambda column: column == piece // 4)

    def met(
        self, queries: Rows, places: Numbers, distance: int, mask: np.uint64 = _MIRRORED[0], exact: bool = True
    ) -> Iterator[Found]:
        """Queries, (m, 4) with the bits of `mask` turned over, against the rows in their places of the table.

        Without `exact`, pairs go that differ in more than half of `distance` in the first column looked at: of true
        pairs at the very limit, that is one in a thousand.
        """
        starts = self._starts[places]
        counts = self._starts[places + 1] - starts
        ends = np.cumsum(counts)
        first = 0
        while first < len(queries):
            done = ends[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
            some = counts[first:last]
            query = np.repeat(np.arange(first, last), some)
            at = np.arange(len(query)) + np.repeat(starts[first:last] - (ends[first:last] - some - done), some)
            apart = np.zeros(len(query), np.uint8)
            for number, column in enumerate(self._columns):
                apart += np.bitwise_count(self._rows[column][at] ^ queries[query, column] ^ mask)
                if number or not exact:
                    near = np.flatnonzero(apart <= (distance if number else distance // 2 + 1))
                    query, at, apart = query[near], at[near], apart[near]
            if len(query):
                yield query, self._order[at], apart
            first = last


def _piece(rows: Rows, piece: int) -> Numbers:
    """The 16 bits of one piece of each hash."""
    shift = np.uint64(48 - _PIECE_BITS * (piece % 4))
    return ((rows[:, piece // 4] >> shift) & np.uint64(0xFFFF)).astype(np.intp)


def _joined(pieces: Iterable[Found]) -> Found:
    """The pieces as one."""
    kept = list(pieces)
    if not kept:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.uint8)
    query, row, apart = (np.concatenate(part) for part in zip(*kept, strict=True))
    return query, row, apart


def _once(found: Found, n_rows: int) -> Found:
    """Each pair once."""
    query, row, apart = found
    _, first = np.unique(query * n_rows + row, return_index=True)
    return query[first], row[first], apart[first]


def _faiss_index(rows: Rows) -> Any:
    """faiss's binary flat index of the rows, or None where faiss is not installed."""
    try:
        faiss = importlib.import_module("faiss")
    except ImportError:
        return None
    index = faiss.IndexBinaryFlat(256)
    index.add(rows.astype(">u8").view(np.uint8))
    return index


def _ask_faiss(index: Any, queries: Rows, distance: int) -> Found:
    """As `Index.within`, in no order."""
    limits, apart, row = index.range_search(queries.astype(">u8").view(np.uint8), distance + 1)
    query = np.repeat(np.arange(len(queries)), np.diff(limits).astype(np.intp))
    return query, row.astype(np.intp), apart.astype(np.uint8)
