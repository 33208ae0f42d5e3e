"""Where something was seen: the sightings of an item, or those of text alone, with their screenshots, blurred."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from desktop.casebook.records import Sighting
from desktop.window import case_view
from desktop.window.dialogs import closing, plain
from desktop.window.picture_view import PictureView
from desktop.window.words import translate


class SightingsWindow(QDialog):
    """Shows what it is given; `packet_wanted`, `screenshot_wanted` and `deletion_wanted` carry the chosen Sighting."""

    packet_wanted = Signal(object)
    screenshot_wanted = Signal(object)
    deletion_wanted = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("sightings", "Sightings"))
        self._sightings: Sequence[Sighting] = ()
        self.list = QListWidget(self)
        self.list.setAccessibleName(translate("sightings", "Sightings, by the time seen"))
        self.list.setTabKeyNavigation(False)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.currentRowChanged.connect(lambda _row: self._show())
        self.words = plain("", self)
        self.picture = PictureView(self, self)
        self.add = QPushButton(translate("sightings", "&Attach a screenshot…"), self)
        self.add.clicked.connect(lambda: self._emit(self.screenshot_wanted))
        self.delete = QPushButton(translate("sightings", "&Delete this sighting…"), self)
        self.delete.clicked.connect(lambda: self._emit(self.deletion_wanted))
        self.packet = QPushButton(translate("sightings", "&Prepare a request…"), self)
        self.packet.clicked.connect(lambda: self._emit(self.packet_wanted))
        row = QHBoxLayout()
        for button in (self.packet, self.add, self.delete):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(self.list, 50)  # a Close button comes with a stretch of its own
        layout.addWidget(self.words)
        layout.addWidget(self.picture)
        layout.addLayout(row)
        closing(self, layout, 560)
        self.resize(600, 520)
        self._show()
        self.words.setText("")  # not known yet

    @property
    def chosen(self) -> Sighting | None:
        """The sighting that is chosen."""
        row = self.list.currentRow()
        return self._sightings[row] if 0 <= row < len(self._sightings) else None

    def show_sightings(self, sightings: Sequence[Sighting], chosen: int | None = None) -> None:
        """Brings everything up to date; what was chosen stays so, unless `chosen` is the id of another."""
        before = self.chosen
        wanted = chosen if chosen is not None or before is None else before.id
        self._sightings = sightings
        self.list.blockSignals(True)
        self.list.clear()
        for sighting in sightings:
            QListWidgetItem(case_view.sighting_line(sighting), self.list)
        self.list.blockSignals(False)
        rows = [n for n, s in enumerate(sightings) if s.id == wanted]
        self.list.setCurrentRow(rows[0] if rows else 0)
        self._show()

    def _show(self) -> None:
        sighting = self.chosen
        nothing = translate("sightings", "There is no sighting.")
        self.words.setText(nothing if sighting is None else case_view.sighting_text(sighting))
        kept = sighting is not None and sighting.has_screenshot
        self.picture.show_picture(sighting.id if sighting is not None and kept else None, None, ())
        self.picture.setVisible(kept)
        for button in (self.packet, self.add):
            button.setEnabled(sighting is not None and not sighting.maybe_minor)
        if kept:
            self.add.setText(translate("sightings", "&Another screenshot in its place…"))
        else:
            self.add.setText(translate("sightings", "&Attach a screenshot…"))
        why = translate("sightings", "Where someone may be under 18, only text is recorded.")
        self.add.setToolTip(why if sighting is not None and sighting.maybe_minor else "")
        self.add.setAccessibleDescription(self.add.toolTip())
        self.packet.setToolTip(self.add.toolTip())
        self.packet.setAccessibleDescription(self.add.toolTip())
        self.delete.setEnabled(sighting is not None)

    def _emit(self, signal: object) -> None:
        if self.chosen is not None:
            signal.emit(self.chosen)  # type: ignore[attr-defined]
