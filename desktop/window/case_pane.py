"""The pane for one item of the casebook: its blurred image, if one is kept, its timeline, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from desktop.window import case_view, describe
from desktop.window.case_view import ItemContents
from desktop.window.detail_pane import WordsView
from desktop.window.dialogs import plain
from desktop.window.picture_view import PictureView
from desktop.window.words import translate


class CasePane(QWidget):
    """Shows one item. Each signal is something to be done with it."""

    copied = Signal(str)
    note_wanted = Signal()
    sighting_wanted = Signal()
    request_wanted = Signal()
    packet_wanted = Signal()
    description_wanted = Signal()
    deletion_wanted = Signal()
    maybe_minor = Signal()
    sightings_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.contents: ItemContents | None = None
        self.picture = PictureView(self, self)
        self.no_picture = plain(
            translate("case", "No image of this item is kept: only its fingerprints, findings and your words."), self
        )
        self.words = WordsView(self)
        self.words.setAccessibleName(translate("case", "The item and its timeline"))
        self.note = self._button(translate("case", "Add &note…"), self.note_wanted)
        self.sighting = self._button(translate("case", "Add si&ghting…"), self.sighting_wanted)
        self.packet = self._button(translate("case", "Prepare re&quest…"), self.packet_wanted)
        self.description = self._button(translate("case", "Des&cribe…"), self.description_wanted)
        self.hashes = QPushButton(translate("case", "F&ingerprints"), self)
        self.hashes.setAccessibleDescription(translate("case", "Shows the item’s hashes at the end of the text"))
        self.hashes.setCheckable(True)
        self.hashes.toggled.connect(self._write)
        self.more = QToolButton(self)
        self.more.setText(translate("case", "&More"))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.more)
        menu.addAction(translate("case", "Sightings and screenshots…"), self.sightings_wanted.emit)
        menu.addAction(translate("case", "Note a request made elsewhere…"), self.request_wanted.emit)
        menu.addAction(translate("case", "Copy as text"), self._copy)
        menu.addAction(translate("case", "Someone may be under 18…"), self.maybe_minor.emit)
        menu.addAction(translate("case", "Delete this item…"), self.deletion_wanted.emit)
        self.more.setMenu(menu)
        self.more.setAccessibleDescription(
            translate("case", "Sightings, a request made elsewhere, copy, or delete this item")
        )
        grid = QGridLayout()
        for place, button in enumerate(
            (self.note, self.sighting, self.packet, self.description, self.hashes, self.more)
        ):
            grid.addWidget(button, place // 3, place % 3)
            button.setSizePolicy(button.sizePolicy().Policy.Expanding, button.sizePolicy().verticalPolicy())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addWidget(self.no_picture)
        layout.addWidget(self.words, 1)
        layout.addLayout(grid)
        self.clear()

    def clear(self) -> None:
        """Forgets everything of the item."""
        self.contents = None
        self.picture.show_picture(None, None, ())
        self.words.clear()
        self.words.document().clearUndoRedoStacks()
        self.hashes.setChecked(False)

    def show_item(self, contents: ItemContents) -> None:
        """Another item, or the same one as it is now."""
        other = self.contents is None or self.contents.item.id != contents.item.id
        self.contents = contents
        item = contents.item
        self.no_picture.setVisible(not item.has_image)
        self.picture.setVisible(item.has_image)
        if other:
            self.hashes.setChecked(False)
        if other or not item.has_image:
            size = None if item.media is None else (int(item.media["width"]), int(item.media["height"]))
            self.picture.show_picture(item.id if item.has_image else None, size, contents.regions)
        self._write()

    def _button(self, text: str, signal: object) -> QPushButton:
        button = QPushButton(text, self)
        button.clicked.connect(lambda _checked=False: signal.emit())  # type: ignore[attr-defined]
        return button

    def _write(self) -> None:
        if self.contents is not None:
            bar = self.words.verticalScrollBar()
            before = bar.value()
            sections = case_view.item_sections(self.contents, fingerprints=self.hashes.isChecked())
            self.words.setHtml(describe.html_of(sections))
            bar.setValue(before)

    def _copy(self) -> None:
        if self.contents is not None:
            sections = case_view.item_sections(self.contents, fingerprints=self.hashes.isChecked())
            self.copied.emit(describe.text_of(case_view.item_name(self.contents.item), sections))
