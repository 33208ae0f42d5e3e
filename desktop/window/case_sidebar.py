"""The sidebar: one incident of the open casebook, its items, requests and look-alikes; or that it is locked."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from enum import StrEnum

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.window import case_view, describe, look_alikes, words
from desktop.window.case_session import CaseState
from desktop.window.case_view import Contents
from desktop.window.detail_pane import WordsView
from desktop.window.dialogs import plain
from desktop.window.look_alikes import LookAlikes
from desktop.window.words import translate

WHAT = Qt.ItemDataRole.UserRole
KEY = Qt.ItemDataRole.UserRole + 1


class What(StrEnum):
    """What an entry of the sidebar stands for."""

    HEADING = "heading"
    ITEM = "item"
    REQUEST = "request"
    GROUP = "group"
    SIGHTING = "sighting"


class CaseSidebar(QWidget):
    """Shows what it is given and says what was chosen; knows nothing of how a casebook is kept.

    `chosen` carries the id of an item (None for anything else), `request_wanted` that of a request, `group_wanted`
    the number of a group, `sighting_wanted` the id of a sighting of text alone, `incident_chosen` that of an incident.
    """

    chosen = Signal(object)
    request_wanted = Signal(int)
    group_wanted = Signal(int)
    sighting_wanted = Signal(int)
    incident_chosen = Signal(int)
    edit_wanted = Signal()
    packet_wanted = Signal()
    lock_wanted = Signal()
    unlock_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self._locked_page())
        self.pages.addWidget(self._open_page())
        layout = QVBoxLayout(self)
        layout.addWidget(self.pages)
        self.setMinimumWidth(200)
        self._filling = False
        self._entries: dict[tuple[What, int], QTreeWidgetItem] = {}
        self.show_state(CaseState.CLOSED)

    def show_state(self, state: CaseState) -> None:
        """Hidden while there is no casebook; without anything of it while it is locked."""
        if state is not CaseState.OPEN:
            self.clear()
        locked = state is CaseState.LOCKED
        text = translate("case", "Locked. Enter the passphrase to go on.") if locked else translate("case", "Opening…")
        self.state.setText(text)
        self.unlock.setEnabled(locked)
        self.pages.setCurrentIndex(1 if state is CaseState.OPEN else 0)
        self.setVisible(state is not CaseState.CLOSED)

    def clear(self) -> None:
        """Forgets everything of the casebook."""
        self._filling = True
        self._entries.clear()
        self.tree.clear()
        self.incidents.clear()
        self.about.clear()
        self._filling = False

    def show_contents(self, contents: Contents, today: datetime.date) -> None:
        """Fills the sidebar; what was chosen stays chosen where it is still there."""
        before = self._current()
        self.clear()
        self._filling = True
        for incident in contents.incidents:
            self.incidents.addItem(words.visible(incident.title), incident.id)
        if contents.incident is not None:
            self.incidents.setCurrentIndex(self.incidents.findData(contents.incident.id))
        self.edit.setEnabled(contents.incident is not None)
        self.packet.setEnabled(contents.incident is not None)
        self.about.setHtml(describe.html_of(case_view.incident_sections(contents), "h4", "h4"))
        seen = contents.seen or {}
        lines = [(case_view.item_line(i, seen.get(i.id, 0)), i.id) for i in contents.items]
        nothing = translate("case", "None yet.")
        self._section(translate("case", "Items"), What.ITEM, [("\n".join(t), k) for t, k in lines], nothing)
        requests = [("\n".join(case_view.request_entry(r, today, contents.packets)), r.id) for r in contents.requests]
        self._section(translate("case", "Requests"), What.REQUEST, requests, translate("case", "None yet."))
        self._groups = self._section(
            translate("case", "Look-alikes"), What.GROUP, [], translate("case", "No two items look alike.")
        )
        if contents.text_only:
            texts = [(case_view.sighting_line(s), s.id) for s in contents.text_only]
            self._section(translate("case", "Recorded as text only"), What.SIGHTING, texts, "")
        self.tree.expandAll()
        self._filling = False
        if before is not None:
            self.choose(*before)

    def show_groups(self, found: LookAlikes) -> None:
        """The groups, which are compared after the rest is shown."""
        lines = []
        for number, group in enumerate(found.groups):
            lines.append((look_alikes.group_name(group.pictures[0], len(group.pictures)), number))
        if not lines and found.wrong:
            lines.append((translate("case", "Pairs marked as not a match"), -1))
        self._fill(self._groups, What.GROUP, lines, translate("case", "No two items look alike."))

    def choose(self, what: What, key: int) -> bool:
        """Chooses an entry; False where it is not there."""
        entry = self._entries.get((what, key))
        if entry is not None:
            self.tree.setCurrentItem(entry)
        return entry is not None

    def unchoose(self) -> None:
        """Nothing is chosen any more."""
        self._filling = True
        self.tree.setCurrentItem(None)  # type: ignore[call-overload]
        self._filling = False

    def _locked_page(self) -> QWidget:
        page = QWidget(self)
        self.state = plain("", page)
        self.unlock = QPushButton(translate("case", "&Enter the passphrase…"), page)
        self.unlock.clicked.connect(self.unlock_wanted)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.state)
        layout.addWidget(self.unlock)
        layout.addStretch(1)
        return page

    def _open_page(self) -> QWidget:
        page = QWidget(self)
        self.incidents = QComboBox(page)
        self.incidents.setAccessibleName(translate("case", "Incident"))
        self.incidents.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.incidents.setMinimumContentsLength(10)
        self.incidents.currentIndexChanged.connect(self._incident)
        self.about = WordsView(page)
        self.about.setAccessibleName(translate("case", "The incident"))
        self.about.setFrameShape(WordsView.Shape.NoFrame)
        self.about.viewport().setAutoFillBackground(False)
        self.tree = QTreeWidget(page)
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName(translate("case", "Items, requests and look-alikes of the casebook"))
        self.tree.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.tree.setIndentation(12)
        self.tree.setTabKeyNavigation(False)
        self.tree.currentItemChanged.connect(self._current_changed)
        self.tree.itemActivated.connect(self._activated)
        self.edit = QPushButton(translate("case", "&Edit…"), page)
        self.edit.setAccessibleDescription(translate("case", "The incident, and who may act for her"))
        self.edit.clicked.connect(self.edit_wanted)
        self.packet = QPushButton(translate("case", "P&repare request…"), page)
        self.packet.setAccessibleDescription(translate("case", "Step by step, to have pictures taken down"))
        self.packet.clicked.connect(self.packet_wanted)
        lock = QPushButton(translate("case", "&Lock"), page)
        lock.setAccessibleDescription(translate("case", "Closes the casebook until the passphrase is entered again"))
        lock.clicked.connect(self.lock_wanted)
        buttons = QHBoxLayout()
        buttons.addWidget(self.edit)
        buttons.addWidget(lock)
        parts = QSplitter(Qt.Orientation.Vertical, page)
        parts.addWidget(self.about)
        parts.addWidget(self.tree)
        parts.setStretchFactor(0, 2)
        parts.setStretchFactor(1, 3)
        parts.setChildrenCollapsible(False)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        label = QLabel(translate("case", "Casebook"), page)
        label.setBuddy(self.incidents)
        layout.addWidget(label)
        layout.addWidget(self.incidents)
        layout.addWidget(parts, 1)
        layout.addWidget(self.packet)
        layout.addLayout(buttons)
        return page

    def _section(self, title: str, what: What, lines: Sequence[tuple[str, int]], nothing: str) -> QTreeWidgetItem:
        section = QTreeWidgetItem(self.tree, [title])
        section.setData(0, WHAT, What.HEADING)
        font = section.font(0)
        font.setBold(True)
        section.setFont(0, font)
        self._fill(section, what, lines, nothing)
        return section

    def _fill(self, section: QTreeWidgetItem, what: What, lines: Sequence[tuple[str, int]], nothing: str) -> None:
        self._entries = {k: e for k, e in self._entries.items() if k[0] is not what}
        section.takeChildren()
        entries = []
        for text, key in lines:
            entry = QTreeWidgetItem([text])
            entries.append(entry)
            entry.setData(0, WHAT, what)
            entry.setData(0, KEY, key)
            self._entries[(what, key)] = entry
            entry.setToolTip(0, text)
            entry.setData(0, Qt.ItemDataRole.AccessibleTextRole, text.replace("\n", ", "))
        section.addChildren(entries)  # all at once: one by one the tree would be laid out for each
        if not lines and nothing:
            entry = QTreeWidgetItem(section, [nothing])
            entry.setData(0, WHAT, What.HEADING)
            entry.setToolTip(0, nothing)
            entry.setFlags(Qt.ItemFlag.ItemIsEnabled)
        section.setExpanded(True)

    def _current(self) -> tuple[What, int] | None:
        entry = self.tree.currentItem()
        if entry is None or entry.data(0, WHAT) in (None, What.HEADING):
            return None
        return What(entry.data(0, WHAT)), int(entry.data(0, KEY))

    def _current_changed(self) -> None:
        if self._filling:
            return
        current = self._current()
        self.chosen.emit(current[1] if current is not None and current[0] is What.ITEM else None)

    def _activated(self) -> None:
        current = self._current()
        wanted = {
            What.REQUEST: self.request_wanted,
            What.GROUP: self.group_wanted,
            What.SIGHTING: self.sighting_wanted,
        }
        if current is not None and current[0] in wanted:
            wanted[current[0]].emit(current[1])

    def _incident(self, index: int) -> None:
        if not self._filling and index >= 0:
            self.incident_chosen.emit(int(self.incidents.itemData(index)))
