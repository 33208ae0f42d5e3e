"""The page of the guided form with the places where it was seen: thousands of them, each with a box to tick."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QListView, QPlainTextEdit, QPushButton, QWidget

from desktop.packets.request import Request, RequestSighting
from desktop.window import packet_view, words
from desktop.window.dialogs import plain
from desktop.window.packet_pages import PageWidget
from desktop.window.packet_questions import Page
from desktop.window.packet_view import Place, place_of
from desktop.window.words import translate

_Index = QModelIndex | QPersistentModelIndex
_TICK = Qt.ItemDataRole.CheckStateRole
_SPOKEN = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)


class PlacesModel(QAbstractListModel):
    """Places in lines, and which of them are ticked. `asked` are those that another request is about already."""

    def __init__(
        self,
        places: Sequence[RequestSighting],
        ticked: Collection[Place],
        asked: Collection[Place],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.places, self._asked = places, asked
        self.ticked = [place_of(place) in ticked for place in places]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - as Qt has it
        return 0 if parent.isValid() else len(self.places)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == _TICK:
            return Qt.CheckState.Checked if self.ticked[index.row()] else Qt.CheckState.Unchecked
        return self.line(index.row()) if role in _SPOKEN else None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != _TICK or not index.isValid():
            return False
        self.ticked[index.row()] = Qt.CheckState(value) is Qt.CheckState.Checked
        self.dataChanged.emit(index, index, [_TICK])
        return True

    def flags(self, index: _Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsUserCheckable

    def line(self, row: int) -> str:
        """A place in words."""
        place = self.places[row]
        said = place_line(place)
        if place_of(place) not in self._asked:
            return said
        return translate("packet", "{place} (in another request)").format(place=said)

    def tick(self, ticked: Sequence[bool]) -> None:
        """Ticks these and no others."""
        self.ticked = list(ticked)
        self.dataChanged.emit(self.index(0), self.index(len(self.places) - 1), [_TICK])


class WherePage(PageWidget):
    """The places where it was seen, each with a box to tick, and a field for further addresses."""

    def __init__(
        self, page: Page, request: Request, everything: Request, asked: Collection[Place], parent: QWidget
    ) -> None:
        super().__init__(page, parent)
        self.everything, self.now = everything, datetime.datetime.now(datetime.UTC)
        known = {place_of(s): s for s in (*request.sightings, *everything.sightings)}
        self.places = list(known.values())
        self.model = PlacesModel(self.places, {place_of(s) for s in request.sightings}, asked, self)
        self.list = QListView(self)
        self.list.setModel(self.model)
        self.list.setAccessibleName(translate("packet", "Places where it was seen"))
        self.list.setTabKeyNavigation(False)
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        palette = self.list.palette()
        if palette.base().color().lightness() < palette.text().color().lightness():
            # The edge of a box is drawn darker than the window, and would not be seen on a dark list.
            palette.setColor(QPalette.ColorRole.Window, palette.text().color())
            self.list.setPalette(palette)
        self.list.setMinimumHeight(self.list.fontMetrics().lineSpacing() * 5)
        self.all = QPushButton(translate("packet", "Choose &all"), self)
        self.none = QPushButton(translate("packet", "Choose non&e"), self)
        row = QHBoxLayout()
        for button, on in ((self.all, True), (self.none, False)):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, on=on: self.model.tick([on] * len(self.places)))
            row.addWidget(button)
        self.hosts = self._hosts()
        row.addWidget(self.hosts)
        row.addStretch(1)
        self.count = plain("", self)
        self.count.setWordWrap(False)
        row.addWidget(self.count)
        if self.places:
            self.list.setCurrentIndex(self.model.index(0))
            self.add(self.list, 1)
            self.body.addLayout(row)
        else:
            for widget in (self.list, self.all, self.none, self.hosts, self.count):
                widget.hide()
        self.more = QPlainTextEdit(self)
        self.more.setTabChangesFocus(True)
        self.more.setAcceptDrops(False)
        self.more.setPlaceholderText(translate("packet", "For example: https://example.org/post/123"))
        self.more.setFixedHeight(self.more.fontMetrics().lineSpacing() * 4 + 14)
        self.body.addWidget(self.label(translate("packet", "A&ddresses to add, one on each line:"), self.more))
        self.add(self.more)
        note = translate(
            "packet",
            "They are recorded in the casebook too, as seen now. Copy them from your browser; nothing is opened here.",
        )
        self.body.addWidget(plain(note, self))
        if not self.places:
            self.body.addStretch(1)
        self.model.dataChanged.connect(lambda *_: self._say_count())
        self._say_count()

    def collect(self, request: Request) -> Request:
        chosen = tuple(place for place, on in zip(self.places, self.model.ticked, strict=True) if on)
        if [place_of(s) for s in chosen] != [place_of(s) for s in request.sightings]:
            request = packet_view.with_places(request, chosen, self.everything)
        good, _bad = self.added()
        return packet_view.with_addresses(request, good, self.now) if good else request

    def added(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The addresses that were typed, and the lines that are none."""
        return packet_view.addresses(self.more.toPlainText())

    def unready(self) -> str:
        good, bad = self.added()
        if len(good) > packet_view.MOST_ADDED:
            said = translate(
                "packet", "These are {n} addresses. At most {most} are added at once: the rest can follow."
            )
            return said.format(n=f"{len(good):,}", most=f"{packet_view.MOST_ADDED:,}")
        if not bad:
            return ""
        said = translate("packet", "This is not an address: {line}. Copy it from your browser, from http to the end.")
        return said.format(line=words.visible(bad[0][:80]))

    def _say_count(self) -> None:
        said = translate("packet", "{n} of {all} chosen")
        self.count.setText(said.format(n=f"{sum(self.model.ticked):,}", all=f"{len(self.places):,}"))

    def _hosts(self) -> QComboBox:
        """Chooses those on one site, where there are several."""
        box = QComboBox(self)
        box.setAccessibleName(translate("packet", "Choose only those on one site"))
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(16)
        found = dict.fromkeys(packet_view.host(place.url) for place in self.places if place.url)
        box.addItem(translate("packet", "Choose only those on…"), "")
        for host in found:
            box.addItem(words.visible(host), host)
        box.setVisible(len(found) > 1)
        box.activated.connect(lambda _index: self._only(str(box.currentData())))
        return box

    def _only(self, host: str) -> None:
        if host:
            self.model.tick([packet_view.host(place.url) == host for place in self.places])


def place_line(place: RequestSighting) -> str:
    """A place in one line: platform, account, address."""
    said = " · ".join(p for p in (place.platform, place.handle, place.url) if p)
    return words.visible(said) or translate("packet", "A place without an address")
