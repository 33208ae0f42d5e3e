"""The pane beside the list: the blurred picture, and everything that is known of the chosen file, in words."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from desktop.window import describe
from desktop.window.picture_view import PictureView
from desktop.window.table import Row, Status
from desktop.window.words import translate
from detectors.finding import Overlay, Profile


class WordsView(QTextBrowser):
    """Rich text that follows no link and loads no resource, whatever a file managed to put into it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenLinks(False)
        self.setAcceptDrops(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )

    def loadResource(self, _type: int, _name: QUrl | str) -> Any:
        return None


class DetailPane(QWidget):
    """Shows one row. `copied` carries the text that the user asked to copy, `thorough_wanted` a path to check again."""

    copied = Signal(str)
    add_wanted = Signal()
    thorough_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row: Row | None = None
        self.picture = PictureView(self, self)
        self.words = WordsView(self)
        self.words.setAccessibleName(translate("detail", "What was found"))
        self.hashes = QPushButton(translate("detail", "Show fi&ngerprints"), self)
        self.hashes.setAccessibleDescription(translate("detail", "Shows the file’s hashes at the end of the text"))
        self.free_text = QPushButton(translate("detail", "Show file te&xt"), self)
        self.free_text.setAccessibleDescription(
            translate("detail", "Shows longer text found in the file, such as prompts; it may be upsetting to read")
        )
        self.maps = QCheckBox(translate("detail", "Sho&w the map on the picture"), self)
        self.maps.setAccessibleDescription(
            translate("detail", "While the picture is held, colours the places where a detector saw something")
        )
        self.maps.setChecked(True)
        self.maps.toggled.connect(self.picture.show_maps)
        self.thorough = QPushButton(translate("detail", "Check this one thoro&ughly"), self)
        self.thorough.setAccessibleDescription(translate("detail", "Runs the thorough check on this file"))
        self.thorough.clicked.connect(self._want_thorough)
        self.copy = QPushButton(translate("detail", "&Copy as text"), self)
        self.copy.setAccessibleDescription(translate("detail", "Copies what is shown, without the picture"))
        for button in (self.hashes, self.free_text):
            button.setCheckable(True)
            button.toggled.connect(self._write)
        self.copy.clicked.connect(self._copy)
        row = QHBoxLayout()
        row.addWidget(self.hashes)
        row.addWidget(self.free_text)
        row.addStretch(1)
        row.addWidget(self.copy)
        self._case_open = False
        self.add = QPushButton(translate("detail", "&Add to the casebook…"), self)
        self.add.clicked.connect(self.add_wanted)
        more = QHBoxLayout()
        more.addWidget(self.maps)
        more.addStretch(1)
        more.addWidget(self.thorough)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addLayout(more)
        layout.addWidget(self.words, 1)
        layout.addLayout(row)
        layout.addWidget(self.add)
        self.show_row(None)

    @property
    def row(self) -> Row | None:
        """The row that is shown."""
        return self._row

    def offer_casebook(self, is_open: bool) -> None:
        """Whether the file can be added to a casebook."""
        self._case_open = is_open
        hint = (
            translate("detail", "Records the chosen files’ fingerprints and findings")
            if is_open
            else translate("detail", "Open or make a casebook first, in the File menu")
        )
        self.add.setToolTip(hint)
        self.add.setAccessibleDescription(hint)
        self.add.setEnabled(is_open and self._row is not None and self._row.status is Status.SCANNED)

    def show_row(self, row: Row | None) -> None:
        """Another row, or None; what was revealed for the last one is covered again."""
        self._row = row
        for button in (self.hashes, self.free_text):
            button.blockSignals(True)
            button.setChecked(False)
            button.blockSignals(False)
        self.refresh()

    def refresh(self) -> None:
        """The same row, whose result has arrived."""
        row = self._row
        report = None if row is None else row.report
        analysis = None if report is None else report.analysis
        if row is None or report is None or analysis is None:
            overlays: list[Overlay] = []
            self.picture.show_picture(None, None, ())
        else:
            regions, overlays = describe.numbered_regions(report), list(describe.overlays(report).values())
            self.picture.show_picture(row.path, (analysis.media.width, analysis.media.height), regions, overlays)
        self.maps.setVisible(bool(overlays))
        self.thorough.setVisible(analysis is not None and analysis.profile is not Profile.THOROUGH)
        self.hashes.setEnabled(analysis is not None)
        self.free_text.setEnabled(row is not None and describe.has_free_text(row))
        self.copy.setEnabled(row is not None)
        self.offer_casebook(self._case_open)
        self._write()

    def _wanted(self) -> describe.Wanted:
        return describe.Wanted(self.hashes.isChecked(), self.free_text.isChecked())

    def _write(self) -> None:
        if self._row is None:
            self.words.setPlainText(translate("detail", "Choose a file in the list to read what was found."))
            return
        bar = self.words.verticalScrollBar()
        before = bar.value() if self.sender() in (self.hashes, self.free_text) else 0
        self.words.setHtml(describe.as_html(self._row, self._wanted()))
        bar.setValue(before)

    def _want_thorough(self) -> None:
        if self._row is not None:
            self.thorough_wanted.emit(self._row.path)

    def _copy(self) -> None:
        if self._row is not None:
            self.copied.emit(describe.as_text(self._row, self._wanted()))
