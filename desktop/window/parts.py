"""The window's smaller parts: the empty page, the bars above and below the list, the list itself."""

from __future__ import annotations

from PySide6.QtCore import QPersistentModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QPainter, QPaintEvent, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop.window import summary, words
from desktop.window.results_model import ResultsModel
from desktop.window.table import Column, Counts, Show, Status, status_word
from desktop.window.words import translate
from detectors.verdict import Band

# Typing is not filtered letter by letter: the list is refreshed once, when the user pauses.
TYPING_MS = 200
# So much of a name must be seen.
NAME_CHARACTERS = 16


def column(*widgets: QWidget) -> QWidget:
    """The widgets one under another; the second takes the room."""
    page = QWidget()
    layout = QVBoxLayout(page)
    for number, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if number == 1 else 0)
    return page


class EmptyPage(QWidget):
    """What to do, before there is anything in the list."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        label = QLabel(
            translate(
                "window",
                "Drop pictures or folders here, or open them, and Counterproof tells you what it can about how they "
                "were made. Nothing leaves this computer, and the pictures stay blurred unless you press and hold one.",
            ),
            self,
        )
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        font = label.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        label.setFont(font)
        label.setMaximumWidth(38 * label.fontMetrics().averageCharWidth() * 2)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        label.setSizePolicy(policy)
        self.files, self.folder = _open_buttons(self)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.files)
        row.addWidget(self.folder)
        row.addStretch(1)
        no_picture = QLabel(
            translate(
                "window", "To have something taken down, you need no picture: the address where you saw it is enough."
            ),
            self,
        )
        no_picture.setWordWrap(True)
        no_picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.request = QPushButton(translate("window", "Prepare a request…"), self)
        self.request.setAccessibleDescription(no_picture.text())
        below = QHBoxLayout()
        below.addStretch(1)
        below.addWidget(self.request)
        below.addStretch(1)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(label, 8)
        middle.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(3)
        layout.addLayout(middle)
        layout.addSpacing(18)
        layout.addLayout(row)
        layout.addSpacing(24)
        layout.addWidget(no_picture)
        layout.addSpacing(4)
        layout.addLayout(below)
        layout.addStretch(4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A dashed outline says that things can be dropped here."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(self.rect().adjusted(24, 24, -24, -24), 12, 12)


class TopBar(QWidget):
    """Open, and filter. `changed` says that the filter did."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.files, self.folder = _open_buttons(self)
        self.show_only = QComboBox(self)
        self.show_only.setAccessibleName(translate("window", "Show only this verdict"))
        self.show_only.addItem(translate("window", "All verdicts"), Show.ALL)
        for band in Band:
            self.show_only.addItem(words.verdict(band), band)
        self.show_only.addItem(translate("window", "Not opened or not read"), Show.PROBLEMS)
        label = QLabel(translate("window", "&Show:"), self)
        label.setBuddy(self.show_only)
        self.text = QLineEdit(self)
        self.text.setPlaceholderText(translate("window", "Part of a name or folder"))
        self.text.setAccessibleName(translate("window", "Show only names with this text"))
        self.text.setClearButtonEnabled(True)
        self.text.setAcceptDrops(False)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self.changed)
        self.text.textChanged.connect(lambda _text: self._typing.start())
        self.show_only.currentIndexChanged.connect(lambda _index: self.changed.emit())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.files)
        layout.addWidget(self.folder)
        layout.addStretch(1)
        layout.addWidget(label)
        layout.addWidget(self.show_only)
        layout.addWidget(self.text, 2)

    def wanted(self) -> Show | Band:
        """What the filter lets through."""
        value = self.show_only.currentData()
        return Band(value) if value in set(Band) else Show(value)


class ResultsView(QTableView):
    """The list: rows of one height, so that 20,000 of them cost no more than a screenful.

    `menu_wanted` carries the place on the screen where a menu for the chosen rows was asked for.
    """

    menu_wanted = Signal(QPoint)

    def __init__(self, model: ResultsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.results = model
        self.setModel(model)
        self.setAccessibleName(translate("window", "Files and what was found"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setMinimumWidth(320)
        rows = self.verticalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 10)
        rows.hide()
        header = self.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        self._fit_columns()
        self.setSortingEnabled(True)

    def chosen_ids(self) -> list[int]:
        """The ids of the chosen rows, in shown order."""
        rows = sorted(self.selectionModel().selectedRows(), key=lambda index: index.row())
        return [row_id for index in rows if (row_id := self.results.row_id(index)) is not None]

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.selectionModel().hasSelection():
            self.menu_wanted.emit(event.globalPos())

    def sort_by(self, column: int) -> None:
        """Sorts by a column as a click on its heading does; by the same once more turns it round; -1 unsorts."""
        header = self.horizontalHeader()
        again = column >= 0 and header.sortIndicatorSection() == column
        turn = again and header.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
        self.sortByColumn(column, Qt.SortOrder.DescendingOrder if turn else Qt.SortOrder.AscendingOrder)

    def sort_again(self) -> None:
        """Sorts anew after results came in, while what the user looks at stays where it is on screen."""
        table = self.results.table
        if table.sorted_by is None or not table.order:
            return
        current = self.currentIndex()
        shown = self.viewport().rect().contains(self.visualRect(current)) if current.isValid() else False
        anchor = QPersistentModelIndex(current if shown else self.indexAt(self.viewport().rect().topLeft()))
        distance = anchor.row() - self.verticalScrollBar().value()
        column, descending = table.sorted_by
        self.results.sort(column, Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder)
        if anchor.isValid():
            self.verticalScrollBar().setValue(anchor.row() - distance)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        width = self.fontMetrics().horizontalAdvance
        pad = 18
        longest = {
            Column.STATE: max((status_word(s) for s in Status), key=width),
            Column.VERDICT: max((words.verdict(b) for b in Band), key=width),
            Column.INTIMACY: words.intimacy(None),
            Column.FORMAT: translate("column", "Format"),
        }
        for column, text in longest.items():
            self.setColumnWidth(column, width(text) + pad)
        # Where there is little room, a name that can be read comes before the columns that matter least.
        room = self.viewport().width() - width("0") * NAME_CHARACTERS
        for column in (Column.VERDICT, Column.INTIMACY, Column.STATE, Column.FORMAT):
            needed = width(longest[column]) + pad
            self.setColumnHidden(column, needed > room)
            room -= needed


class BottomBar(QWidget):
    """What is going on, how far it is, and how to stop it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.state = QLabel(self)
        self.state.setAccessibleName(translate("window", "What Counterproof is doing"))
        self.found = QLabel(self)
        self.found.setWordWrap(True)
        self.found.setAccessibleName(translate("window", "Found so far"))
        self.photos = QLabel(self)
        self.photos.setWordWrap(True)
        self.photos.setAccessibleName(translate("window", "Your own photos"))
        self.photos.hide()
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(translate("window", "Progress"))
        self.bar.setMinimumWidth(160)
        self.pause = QPushButton(translate("window", "&Pause"), self)
        self.pause.setAccessibleDescription(translate("window", "Rests, or goes on"))
        self.cancel = QPushButton(translate("window", "S&top"), self)
        self.cancel.setAccessibleDescription(translate("window", "Stops; what is done stays in the list"))
        top = QHBoxLayout()
        top.addWidget(self.state, 1)
        top.addWidget(self.bar)
        top.addWidget(self.pause)
        top.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.found)
        layout.addWidget(self.photos)

    def show_photos(self, line: str) -> None:
        """Whether a source photo is looked for, and among how many."""
        self.photos.setText(line)
        self.photos.setVisible(bool(line))

    def show_counts(self, counts: Counts, state: str, *, busy: bool, paused: bool) -> None:
        """Brings everything up to date."""
        self.state.setText(state)
        self.found.setText(summary.found(counts))
        self.bar.setRange(0, counts.total if busy else max(1, counts.total))
        self.bar.setVisible(busy or counts.total > 0)
        self.bar.setValue(counts.done)
        self.bar.setFormat(summary.progress(counts))
        self.pause.setText(translate("window", "&Resume") if paused else translate("window", "&Pause"))
        self.pause.setEnabled(busy)
        self.cancel.setEnabled(busy)


def _open_buttons(parent: QWidget) -> tuple[QPushButton, QPushButton]:
    files = QPushButton(translate("window", "&Open files…"), parent)
    files.setAccessibleDescription(translate("window", "Choose pictures to check"))
    folder = QPushButton(translate("window", "Open fol&der…"), parent)
    folder.setAccessibleDescription(translate("window", "Choose a folder; the folders in it are checked too"))
    return files, folder
