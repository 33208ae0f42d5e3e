"""Exact search among PDQ hashes: four columns of 64 bits, compared by XOR and counted bits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

MATCH_DISTANCE = 31  # the reference's advice: a match is at most this far away

Rows = npt.NDArray[np.uint64]


def packed(pdqs: Iterable[str]) -> Rows:
    """Hashes of 64 hex digits as (n, 4) uint64. Raises ValueError when one is not such a hash."""
    data = bytes.fromhex("".join(pdqs))
    if len(data) % 32:
        raise ValueError("a PDQ has 64 hex digits")
    return np.frombuffer(data, dtype=">u8").astype(np.uint64).reshape(-1, 4)


class Index:
    """PDQ hashes, (n, 4) uint64 rows, that can be searched within a distance. Never changes once it is made."""

    def __init__(self, rows: Rows) -> None:
        self._columns = np.ascontiguousarray(rows.T)

    def within(self, queries: Rows, distance: int = MATCH_DISTANCE) -> tuple[npt.NDArray[np.intp], ...]:
        """All matches as three arrays: query number, row number, distance; ordered by query, then distance, then row.

        `queries`: (m, 4) uint64.
        """
        raise NotImplementedError

    def nearest(self, queries: Rows, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Row numbers and distances, each (m, count), of the nearest rows to each query, nearest first."""
        raise NotImplementedError
