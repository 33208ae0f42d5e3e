"""The list's Qt model: a thin layer over Table. A batch of rows costs the batch, never the whole list."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from desktop.window.packed import Packed
from desktop.window.table import Column, Row, Show, Table, cell, column_title, spoken
from desktop.window.words import visible
from detectors.verdict import Band

Index = QModelIndex | QPersistentModelIndex


class ResultsModel(QAbstractTableModel):
    """Rows of a Table, in its shown order."""

    def __init__(self, table: Table, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.table = table

    def rowCount(self, parent: Index | None = None) -> int:
        """Shown rows."""
        return 0 if parent is not None and parent.isValid() else len(self.table.order)

    def columnCount(self, parent: Index | None = None) -> int:
        """Always the same."""
        return 0 if parent is not None and parent.isValid() else len(Column)

    def row(self, index: Index) -> Row | None:
        """The row behind an index."""
        if not index.isValid() or index.row() >= len(self.table.order):
            return None
        return self.table.rows[self.table.order[index.row()]]

    def row_id(self, index: Index) -> int | None:
        """The id of the row behind an index."""
        return self.table.order[index.row()] if self.row(index) is not None else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell, its full path as a tooltip, and the whole row as one sentence for screen readers."""
        if role == Qt.ItemDataRole.DisplayRole:
            row = self.row(index)
            return None if row is None else cell(row, Column(index.column()))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            row = self.row(index)
            if row is None:
                return None
            return spoken(row) if index.column() == Column.NAME else cell(row, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            row = self.row(index)
            return None if row is None else visible(row.path)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Column headings."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return column_title(Column(section))
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sorts what is shown; -1 goes back to the order of arrival. The selection stays on its row."""
        wanted = None if column < 0 else Column(column)
        self._reorder(lambda: self.table.sort(wanted, order == Qt.SortOrder.DescendingOrder))

    def add(self, paths: list[str]) -> None:
        """Adds waiting rows at the end."""
        ids = self.table.matching_new(paths)
        self._insert(ids, lambda: self.table.add(paths))

    def fill(self, results: list[tuple[int, Packed]]) -> None:
        """Takes results: rows change in place, and those that now match the filter appear at the end."""
        changed, appearing = self.table.fill(results)
        self._changed(changed)
        self._insert(appearing, lambda: self.table.append_shown(appearing))

    def wait_again(self, ids: list[int]) -> None:
        """Rows that the user added again."""
        self.table.wait_again(ids)
        self._changed([p for i in ids if (p := self.table.place(i)) is not None])

    def leave_out(self, ids: list[int]) -> None:
        """Rows that shall not be opened, or of which nothing shall be kept."""
        self.table.leave_out(ids)
        self._changed([p for i in ids if (p := self.table.place(i)) is not None])

    def stop_waiting(self) -> None:
        """Rows that nobody will look at any more."""
        self.table.stop_waiting()
        self._changed([0, len(self.table.order) - 1] if self.table.order else [])

    def filter(self, show: Show | Band, text: str) -> None:
        """Shows a part of the rows."""
        self.beginResetModel()
        self.table.filter(show, text)
        self.endResetModel()

    def clear(self) -> None:
        """Forgets every row."""
        self.beginResetModel()
        self.table.clear()
        self.endResetModel()

    def _insert(self, ids: list[int], change: Any) -> None:
        first = len(self.table.order)
        if ids:
            self.beginInsertRows(QModelIndex(), first, first + len(ids) - 1)
        change()
        if ids:
            self.endInsertRows()

    def _changed(self, places: list[int]) -> None:
        if places:
            last = self.index(max(places), len(Column) - 1)
            self.dataChanged.emit(self.index(min(places), 0), last, [Qt.ItemDataRole.DisplayRole])

    def _reorder(self, change: Any) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        ids = [self.table.order[i.row()] for i in before]
        change()
        after = []
        for index, row_id in zip(before, ids, strict=True):
            place = self.table.place(row_id)
            after.append(QModelIndex() if place is None else self.index(place, index.column()))
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()
