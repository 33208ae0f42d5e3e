"""The list as data: rows, sorting, filtering, counts. Qt-free, so that it is tested without a window.

Rows have an id, which is their order of arrival. `order` holds the ids that are shown, in shown order. Results that
arrive never reorder what is on screen: a row keeps its place until the user sorts, and a row that starts to match the
filter is added at the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from desktop.window import words
from desktop.window.packed import Packed, unpack
from desktop.window.words import translate
from detectors.report import Report
from detectors.verdict import Band

BANDS = tuple(Band)
INTIMACY_ORDER = ("explicit", "suggestive", "none_found")


class Status(StrEnum):
    """Where a row stands."""

    WAITING = "waiting"
    STOPPED = "stopped"
    LEFT_OUT = "left_out"
    SCANNED = "scanned"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


class Column(IntEnum):
    """The list's columns, in order."""

    NAME = 0
    STATE = 1
    VERDICT = 2
    INTIMACY = 3
    FORMAT = 4


class Show(StrEnum):
    """What the filter lets through, beside the single bands."""

    ALL = "all"
    PROBLEMS = "problems"


@dataclass(slots=True)
class Row:
    """One input. `result` is None until there is one.

    `path` is the untouched path, `name` is safe to draw, and `folded` is what the text filter looks at.
    """

    path: str
    name: str
    folded: str = ""
    status: Status = Status.WAITING
    result: Packed | None = None

    @property
    def report(self) -> Report | None:
        """The whole report, unpacked anew each time."""
        return None if self.result is None else unpack(self.result)

    @property
    def band(self) -> Band | None:
        """The verdict's band."""
        return None if self.result is None else self.result.band

    def fill(self, result: Packed) -> None:
        """Takes the result."""
        self.result = result
        self.status = Status(result.status)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows there are of each sort."""

    total: int
    done: int
    problems: int
    bands: dict[Band, int]


def status_word(status: Status) -> str:
    """A row's state in words."""
    return {
        Status.WAITING: translate("row", "Waiting"),
        Status.STOPPED: translate("row", "Not checked"),
        Status.LEFT_OUT: translate("row", "Left out"),
        Status.SCANNED: translate("row", "Checked"),
        Status.REFUSED: translate("row", "Not opened"),
        Status.UNREADABLE: translate("row", "Not readable"),
    }[status]


def column_title(column: Column) -> str:
    """A column's heading."""
    return {
        Column.NAME: translate("column", "Name"),
        Column.STATE: translate("column", "State"),
        Column.VERDICT: translate("column", "Verdict"),
        Column.INTIMACY: translate("column", "Intimacy"),
        Column.FORMAT: translate("column", "Format"),
    }[column]


def cell(row: Row, column: Column) -> str:
    """The text of one cell; empty while there is nothing to say."""
    if column is Column.NAME:
        return row.name
    if column is Column.STATE:
        return status_word(row.status)
    if column is Column.VERDICT:
        return "" if row.band is None else words.verdict(row.band)
    if row.result is None or row.result.format is None:
        return ""
    return words.intimacy(row.result.level) if column is Column.INTIMACY else row.result.format


def spoken(row: Row) -> str:
    """The whole row as one sentence, for screen readers."""
    parts = [row.name, status_word(row.status)]
    if row.band is not None:
        parts.append(f"{column_title(Column.VERDICT)}: {cell(row, Column.VERDICT)}")
        parts.append(f"{column_title(Column.INTIMACY)}: {cell(row, Column.INTIMACY)}")
    return ", ".join(parts)


class Table:
    """All rows, which of them are shown, and in which order."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.order: list[int] = []
        self.sorted_by: tuple[Column, bool] | None = None
        self.show: Show | Band = Show.ALL
        self.text = ""
        self._place: dict[int, int] = {}
        self._done = 0
        self._problems = 0
        self._bands = dict.fromkeys(Band, 0)

    def place(self, row_id: int) -> int | None:
        """Where a row is shown, counted from 0; None while the filter hides it."""
        return self._place.get(row_id)

    def counts(self) -> Counts:
        """Kept up to date as results arrive; costs nothing to ask."""
        return Counts(len(self.rows), self._done, self._problems, dict(self._bands))

    def matching_new(self, paths: Sequence[str]) -> list[int]:
        """The ids that `paths` will get and that the filter lets through. Changes nothing."""
        first = len(self.rows)
        # A row that waits has no verdict yet, so only the text can let it through.
        if self.show is not Show.ALL:
            return []
        return [first + i for i, path in enumerate(paths) if not self.text or self.text in _folded(path)]

    def add(self, paths: Sequence[str]) -> None:
        """Adds waiting rows, at the end; those that match the filter are shown."""
        shown = self.matching_new(paths)
        self.rows.extend(Row(path, _name(path), _folded(path)) for path in paths)
        self.append_shown(shown)

    def append_shown(self, ids: Iterable[int]) -> None:
        """Shows rows at the end of the list."""
        for row_id in ids:
            self._place[row_id] = len(self.order)
            self.order.append(row_id)

    def fill(self, results: Iterable[tuple[int, Packed]]) -> tuple[list[int], list[int]]:
        """Takes results by row id. Gives the shown places that changed, and the ids that now match the filter.

        The caller shows the latter with `append_shown`, when it has told its view.
        """
        changed: list[int] = []
        appearing: list[int] = []
        for row_id, result in results:
            row = self.rows[row_id]
            if row.status is Status.LEFT_OUT:
                continue
            self._count(row, -1)
            row.fill(result)
            self._count(row, +1)
            place = self._place.get(row_id)
            if place is not None:
                changed.append(place)
            elif self._matches(row):
                appearing.append(row_id)
        return changed, appearing

    def stop_waiting(self) -> None:
        """Marks the rows that nobody will look at any more."""
        self._set_status(Status.WAITING, Status.STOPPED, range(len(self.rows)))

    def wait_again(self, ids: Iterable[int]) -> None:
        """Marks stopped and left-out rows as waiting, because the user added them again."""
        ids = list(ids)
        self._done -= sum(self.rows[i].status is Status.LEFT_OUT for i in ids)
        self._set_status(Status.STOPPED, Status.WAITING, ids)
        self._set_status(Status.LEFT_OUT, Status.WAITING, ids)

    def leave_out(self, ids: Iterable[int]) -> None:
        """Drops what is known of these rows and marks them; they stay in the list, so that one sees which they are."""
        for row_id in ids:
            row = self.rows[row_id]
            if row.status is not Status.LEFT_OUT:
                self._count(row, -1)
                row.result, row.status = None, Status.LEFT_OUT
                self._done += 1

    def sort(self, column: Column | None, descending: bool = False) -> None:
        """Sorts what is shown, by `column`, or by order of arrival when it is None. Equal rows keep their order."""
        self.sorted_by = None if column is None else (column, descending)
        self._rebuild(self.order)

    def filter(self, show: Show | Band, text: str) -> None:
        """Shows the rows of one verdict (or all, or the problems) whose name or folder contains `text`."""
        self.show, self.text = show, text.casefold().strip()
        self._rebuild([i for i, row in enumerate(self.rows) if self._matches(row)])

    def clear(self) -> None:
        """Forgets every row; keeps filter and sorting."""
        self.rows, self.order, self._place = [], [], {}
        self._done = self._problems = 0
        self._bands = dict.fromkeys(Band, 0)

    def _set_status(self, old: Status, new: Status, ids: Iterable[int]) -> None:
        for row_id in ids:
            if self.rows[row_id].status is old:
                self.rows[row_id].status = new

    def _rebuild(self, ids: Sequence[int]) -> None:
        order = sorted(ids)
        if self.sorted_by is not None:
            column, descending = self.sorted_by
            key = _KEYS[column]
            order.sort(key=lambda i: key(self.rows[i]), reverse=descending)
        self.order = order
        self._place = {row_id: place for place, row_id in enumerate(order)}

    def _matches(self, row: Row) -> bool:
        if self.show is Show.PROBLEMS:
            if row.status not in (Status.REFUSED, Status.UNREADABLE):
                return False
        elif self.show is not Show.ALL and row.band is not self.show:
            return False
        return not self.text or self.text in row.folded

    def _count(self, row: Row, step: int) -> None:
        if row.result is None:
            return
        self._done += step
        if row.band is None:
            self._problems += step
        else:
            self._bands[row.band] += step


def _name(path: str) -> str:
    return words.visible(os.path.basename(path) or path)


def _folded(path: str) -> str:
    return words.visible(path).casefold()


def _verdict_key(row: Row) -> tuple[int, float]:
    """Strongest band first, and in a band the highest probability first; rows without a verdict last."""
    if row.result is None or row.result.band is None:
        return len(BANDS), 0.0
    return BANDS.index(row.result.band), -(row.result.p or 0.0)


def _intimacy_key(row: Row) -> int:
    level = None if row.result is None else row.result.level
    return INTIMACY_ORDER.index(level) if level in INTIMACY_ORDER else len(INTIMACY_ORDER)


_STATUS_ORDER = tuple(Status)
_KEYS: dict[Column, Callable[[Row], Any]] = {
    Column.NAME: lambda row: row.name.casefold(),
    Column.STATE: lambda row: _STATUS_ORDER.index(row.status),
    Column.VERDICT: _verdict_key,
    Column.INTIMACY: _intimacy_key,
    Column.FORMAT: lambda row: cell(row, Column.FORMAT),
}
