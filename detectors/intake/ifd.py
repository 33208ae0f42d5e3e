"""Image file directories, as TIFF and EXIF use them (TIFF 6.0, section 2; BigTIFF). Bounded and loop-proof.

Directories are only ever read one at a time at a given offset, so a file cannot lead the reader round in circles.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAX_ENTRIES = 1000
"""Entries of one directory that are read. The fullest camera files have about 120."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}
_CODES |= {17: "q", 18: "Q"}


class Raw(NamedTuple):
    """One entry's value: TIFF type, number of values, and their bytes (a view, not a copy)."""

    kind: int
    length: int
    data: memoryview


class Directories:
    """Reads directories from the bytes of a TIFF file or an EXIF block.

    `first` is the offset of the first directory; `broken` turns True when an entry had to be skipped.
    Raises ValueError when the header is not TIFF's.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        head = bytes(view[:16])
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            raise ValueError("not a TIFF header")
        self._data = view
        self._order = order
        self._big = struct.unpack_from(order + "H", head, 2)[0] == 43
        if self._big and len(head) < 16:
            raise ValueError("BigTIFF header cut short")
        self.first = int(struct.unpack_from(order + ("Q" if self._big else "I"), head, 8 if self._big else 4)[0])
        self.broken = False

    def read(self, offset: int) -> dict[int, Raw]:
        """The entries by tag at a byte offset; entries that point outside are skipped. Raises struct.error."""
        count, start, step = self._count(offset)
        if count > MAX_ENTRIES:
            count, self.broken = MAX_ENTRIES, True
        found: dict[int, Raw] = {}
        fields, inline = (self._order + "HHQ", 8) if self._big else (self._order + "HHI", 4)
        for at in range(start, start + count * step, step):
            tag, kind, n = struct.unpack_from(fields, self._data, at)
            size = _SIZES.get(kind, 0) * n
            where = at + step - inline
            if size > inline:
                where = struct.unpack_from(self._order + ("Q" if self._big else "I"), self._data, where)[0]
            if size == 0 or where + size > len(self._data):
                self.broken = True
                continue
            found[tag] = Raw(kind, n, self._data[where : where + size])
        return found

    def next(self, offset: int) -> int:
        """The offset of the directory that follows the one at `offset`, 0 at the end. Raises struct.error."""
        count, start, step = self._count(offset)
        return int(struct.unpack_from(self._order + ("Q" if self._big else "I"), self._data, start + count * step)[0])

    def numbers(self, raw: Raw, at_most: int = 16) -> list[int | float]:
        """The first values of a numeric entry (rationals as pairs); empty for text and unknown types."""
        code = _CODES.get(raw.kind)
        if code is None:
            return []
        n = min(raw.length, at_most)
        return list(struct.unpack_from(self._order + code * n, raw.data))

    def number(self, entries: dict[int, Raw], tag: int, default: int) -> int:
        """The first value of a tag as an int, or the default when it is absent or not a whole number."""
        raw = entries.get(tag)
        values = self.numbers(raw, 1) if raw else []
        return values[0] if values and isinstance(values[0], int) else default

    def _count(self, offset: int) -> tuple[int, int, int]:
        """Number of entries at `offset`, the offset of the first, and the bytes of each."""
        if offset < 0 or offset > len(self._data):
            raise struct.error("directory outside the data")
        if self._big:
            return int(struct.unpack_from(self._order + "Q", self._data, offset)[0]), offset + 8, 20
        return int(struct.unpack_from(self._order + "H", self._data, offset)[0]), offset + 2, 12
