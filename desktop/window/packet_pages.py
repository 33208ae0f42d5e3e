"""The pages of the guided form as widgets: each shows what it is given, and collects what was answered."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QDate, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from desktop.packets.request import SHORT, Request
from desktop.packets.routes import Route
from desktop.window import describe, packet_view, words
from desktop.window.case_forms import DayField, MomentField
from desktop.window.detail_pane import WordsView
from desktop.window.dialogs import countries, plain
from desktop.window.packet_questions import Field, Kind, Outlook, Page
from desktop.window.packet_view import FormText, Line
from desktop.window.words import translate

_LONG_WORD = 40
# Room for the scroll bar's edge.
_MARGIN = 4


class PageWidget(QWidget):
    """A page. `first` gets the focus when the page is shown; `collect` gives the request with what was answered."""

    problem = Signal(str)
    """Something to say at once: what was typed was not taken, and why; or that a text was copied."""

    def __init__(self, page: Page, parent: QWidget) -> None:
        super().__init__(parent)
        self.page = page
        self.first: QWidget | None = None
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, _MARGIN, 0)
        self.body.setSpacing(8)
        if page.notes:
            self.body.addWidget(_notes(page.notes, self))

    def collect(self, request: Request) -> Request:
        """The request with the answers of this page."""
        return request

    def unready(self) -> str:
        """Why this page cannot be left as it is; empty when it can."""
        return ""

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """One more widget below; the first that takes the focus gets it."""
        self.body.addWidget(widget, stretch)
        self.lead(widget)

    def lead(self, widget: QWidget) -> None:
        """`widget` gets the focus when the page is shown, unless another does already."""
        if self.first is None and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            self.first = widget

    def label(self, text: str, field: QWidget) -> QLabel:
        """The label of a field, which names it for a screen reader too."""
        words_ = QLabel(text, self)
        words_.setTextFormat(Qt.TextFormat.PlainText)
        words_.setWordWrap(True)
        words_.setBuddy(field)
        if not field.accessibleName():
            field.setAccessibleName(text.replace("&", "").rstrip(":"))
        return words_


class FieldsPage(PageWidget):
    """A page made of fields alone."""

    def __init__(self, page: Page, request: Request, parent: QWidget) -> None:
        super().__init__(page, parent)
        self.fields: dict[str, QWidget] = {}
        self.groups: dict[str, QButtonGroup] = {}
        for field in page.fields:
            self._add(field, packet_view.value(request, field.key), alone=len(page.fields) == 1)
        self.body.addStretch(1)

    def collect(self, request: Request) -> Request:
        for field in self.page.fields:
            request = packet_view.with_value(request, field.key, self._value(field))
        return request

    def _add(self, field: Field, value: Any, *, alone: bool) -> None:
        if field.says:
            self.body.addWidget(plain(field.says, self))
        if field.kind is Kind.RADIO:
            self._radio(field, str(value), alone)
            return
        made = self._make(field, value)
        self.fields[field.key] = made
        if isinstance(made, QCheckBox):
            spoken = field.says or field.hint
            made.setAccessibleName(f"{field.label.replace('&', '')}: {spoken}" if field.says else "")
            made.setAccessibleDescription(field.hint)
            self.add(made)
            if field.hint:
                below = plain(field.hint, self)
                below.setContentsMargins(24, 0, 0, 6)
                self.body.addWidget(below)
            return
        if alone and field.kind is Kind.TEXT:
            made.setAccessibleName(field.label.replace("&", "").rstrip(":"))
        else:
            self.body.addWidget(self.label(field.label, made))
        if field.hint:
            made.setAccessibleDescription(field.hint)
        self.add(made)

    def _make(self, field: Field, value: Any) -> QWidget:
        if field.kind is Kind.LINE:
            line = QLineEdit(str(value), self)
            line.setMaxLength(field.most)
            line.setAcceptDrops(False)
            line.setPlaceholderText(field.hint)
            line.inputRejected.connect(lambda: self.problem.emit(_too_long(field.most)))
            return line
        if field.kind is Kind.TEXT:
            long = field.most > SHORT
            return _text(self, str(value), field, 9 if long else 3)
        if field.kind is Kind.TICK:
            tick = QCheckBox(field.label, self)
            tick.setChecked(bool(value))
            return tick
        if field.kind is Kind.COUNTRY:
            return countries(self, str(value))
        if field.kind is Kind.DATE:
            return DayField(self, field.label.replace("&", "").rstrip(":"), value, datetime.date.today())
        box = QComboBox(self)
        for code, text in field.options:
            box.addItem(text, code)
        box.setCurrentIndex(max(0, box.findData(value)))
        return box

    def _radio(self, field: Field, value: str, alone: bool) -> None:
        if not (alone and field.label == self.page.title):
            self.body.addWidget(plain(field.label, self))
        group = QButtonGroup(self)
        for number, (code, text) in enumerate(field.options):
            button = QRadioButton(text, self)
            button.setAccessibleDescription(field.label)
            group.addButton(button, number)
            button.setChecked(code == value)
            self.add(button)
            if code == value:
                self.first = button if self.first in group.buttons() else self.first
        _one_stop(group)
        self.groups[field.key] = group
        self.body.addSpacing(4)

    def _value(self, field: Field) -> Any:
        if field.kind is Kind.RADIO:
            number = self.groups[field.key].checkedId()
            return field.options[number][0] if number >= 0 else _unanswered(field.key)
        widget = self.fields[field.key]
        if isinstance(widget, QLineEdit):
            return packet_view.typed(widget.text())
        if isinstance(widget, QPlainTextEdit):
            return packet_view.typed(widget.toPlainText(), lines=True)
        if isinstance(widget, QCheckBox):
            return widget.isChecked()
        if isinstance(widget, DayField):
            return _day(widget.date.date()) if widget.known.isChecked() else None
        return widget.currentData() or "" if isinstance(widget, QComboBox) else ""


class WayPage(PageWidget):
    """The ways in order, and all about the one that is looked at."""

    def __init__(self, page: Page, request: Request, outlook: Outlook, parent: QWidget) -> None:
        """`request` has all places that were chosen: a way takes those of them that it is for."""
        super().__init__(page, parent)
        self.routes = outlook.routes
        self.list = QListWidget(self)
        self.list.setAccessibleName(translate("packet", "Ways to go, the recommended one first"))
        self.list.setTabKeyNavigation(False)
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        first = next((n for n, r in enumerate(self.routes) if packet_view.can_be_chosen(r)), -1)
        for number, route in enumerate(self.routes):
            there, group = len(outlook.places.get(route.platform_id, ())), outlook.groups[number]
            said = packet_view.route_line(route, first=number == first, number=there, group=group)
            entry = QListWidgetItem(said, self.list)
            if route.refused:
                entry.setForeground(self.palette().placeholderText())
        self.about = WordsView(self)
        self.about.setAccessibleName(translate("packet", "About this way"))
        self.groups, self.places = outlook.groups, outlook.places
        self.request, self.languages = request, outlook.languages
        self.add(self.list, 3)
        self.add(self.about, 4)
        self.list.currentRowChanged.connect(self._show)
        self.list.setCurrentRow(packet_view.chosen_route(request, self.routes))
        if self.list.currentRow() < 0:
            self.about.setPlainText(packet_view.kept_way(outlook))

    @property
    def chosen(self) -> Route | None:
        """The way that is looked at."""
        row = self.list.currentRow()
        return self.routes[row] if 0 <= row < len(self.routes) else None

    def unready(self) -> str:
        route = self.chosen
        if route is None or packet_view.can_be_chosen(route):
            return ""
        if route.refused:
            return translate("packet", "This way is not offered: {why}").format(why=route.refused)
        return translate("packet", "No packet is prepared for them. Choose another way, or talk to them first.")

    def collect(self, request: Request) -> Request:
        route = self.chosen
        if route is None or not packet_view.can_be_chosen(route):
            return request
        wide = replace(request, sightings=self.request.sightings, items=self.request.items)
        return packet_view.with_route(wide, route, self.places.get(route.platform_id), self.languages)

    def _show(self) -> None:
        route = self.chosen
        if route is not None:
            there = len(self.places.get(route.platform_id, ()))
            found = packet_view.route_sections(route, there, self.groups[self.list.currentRow()])
            sections = [describe.Section(title, lines) for title, lines in found]
            self.about.setHtml(describe.html_of([describe.Section(route.title, ()), *sections], first="h3"))


class ReviewPage(PageWidget):
    """All checks in one list, under headings. `go` carries the page to which a line leads."""

    go = Signal(str)

    def __init__(self, page: Page, groups: Sequence[tuple[str, Sequence[Line]]], verdict: str, parent: QWidget) -> None:
        super().__init__(page, parent)
        self.lines: list[Line | None] = []
        said = plain(verdict, self)
        font = said.font()
        font.setBold(True)
        said.setFont(font)
        self.body.addWidget(said)
        self.list = QListWidget(self)
        self.list.setAccessibleName(translate("packet", "What is there and what is not"))
        self.list.setTabKeyNavigation(False)
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for heading, lines in groups:
            entry = QListWidgetItem(heading, self.list)
            entry.setFlags(Qt.ItemFlag.NoItemFlags)
            entry.setForeground(self.palette().text())
            entry.setFont(font)
            self.lines.append(None)
            for line in lines:
                text = words.visible(line.text)
                entry = QListWidgetItem(text, self.list)
                entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{heading}: {text}")
                self.lines.append(line)
        self.list.setCurrentRow(1)
        self.list.itemActivated.connect(self._go)
        self.to = QPushButton(translate("packet", "&Go to this question"), self)
        self.to.setAutoDefault(False)
        self.to.clicked.connect(self._go)
        self.list.currentRowChanged.connect(lambda _row: self._offer())
        row = QHBoxLayout()
        row.addWidget(self.to)
        row.addStretch(1)
        self.add(self.list, 1)
        self.body.addLayout(row)
        self._offer()

    def _line(self) -> Line | None:
        row = self.list.currentRow()
        return self.lines[row] if 0 <= row < len(self.lines) else None

    def _offer(self) -> None:
        line = self._line()
        self.to.setEnabled(line is not None and bool(line.page))

    def _go(self) -> None:
        line = self._line()
        if line is not None and line.page:
            self.go.emit(line.page)


class SavePage(PageWidget):
    """Where the packet goes and how it is protected."""

    folder_wanted = Signal()

    def __init__(self, page: Page, said: Sequence[str], folder: str, parent: QWidget) -> None:
        super().__init__(page, parent)
        for text in said:
            self.body.addWidget(plain(text, self))
        self.folder = QLineEdit(folder, self)
        self.folder.setReadOnly(True)
        self.folder.setPlaceholderText(translate("packet", "No folder is chosen yet"))
        self.choose = QPushButton(translate("packet", "&Choose a folder…"), self)
        self.choose.setAutoDefault(False)
        self.choose.clicked.connect(self.folder_wanted)
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.choose)
        self.body.addWidget(self.label(translate("packet", "&Folder:"), self.folder))
        self.body.addLayout(row)
        self.first = self.choose
        self.body.addSpacing(6)
        question = translate("packet", "Should the packet be encrypted?")
        self.body.addWidget(plain(question, self))
        self.how = QButtonGroup(self)
        for number, text in enumerate(
            (
                translate("packet", "No: most platforms and offices can only read it so"),
                translate("packet", "With a passphrase, which you give them in another way"),
                translate("packet", "To the recipient’s age key, if they have given you one"),
            )
        ):
            button = QRadioButton(text, self)
            button.setAccessibleDescription(question)
            self.how.addButton(button, number)
            button.setChecked(number == 0)
            self.body.addWidget(button)
        _one_stop(self.how)
        self.word = self._secret(translate("packet", "&Passphrase:"))
        self.again = self._secret(translate("packet", "The same a&gain:"))
        self.key = QLineEdit(self)
        self.key.setAcceptDrops(False)
        self.key.setPlaceholderText("age1…")
        self.labels = [
            self.label(text, field)
            for text, field in (
                (translate("packet", "&Passphrase:"), self.word),
                (translate("packet", "The same a&gain:"), self.again),
                (translate("packet", "Their &key:"), self.key),
            )
        ]
        grid = QGridLayout()
        for number, (label, field) in enumerate(zip(self.labels, (self.word, self.again, self.key), strict=True)):
            grid.addWidget(label, number, 0)
            grid.addWidget(field, number, 1)
        self.body.addLayout(grid)
        self.sheet = QCheckBox(translate("packet", "Also save the sheet f&or me"), self)
        self.sheet.setChecked(True)
        kept = translate(
            "packet",
            "It holds each field of their form to copy, and what to check. It is never encrypted: leave it out where "
            "somebody else uses this computer. The next step shows the same.",
        )
        self.sheet.setAccessibleDescription(kept)
        self.body.addSpacing(6)
        self.body.addWidget(self.sheet)
        below = plain(kept, self)
        below.setContentsMargins(24, 0, 0, 0)
        self.body.addWidget(below)
        self.how.idToggled.connect(lambda _number, _on: self._show())
        self.body.addStretch(1)
        self._show()

    def lock(self) -> tuple[str, str]:
        """The passphrase and the key; at most one of them is not empty."""
        how = self.how.checkedId()
        return (self.word.text() if how == 1 else ""), (self.key.text().strip() if how == 2 else "")

    def missing(self) -> str:
        """What must still be said before it can be saved; empty when it can."""
        from desktop.safety import passphrase as passphrases

        if not self.folder.text():
            self.choose.setFocus()
            return translate("packet", "Please choose a folder first.")
        how = self.how.checkedId()
        if how == 1:
            if why := passphrases.weakness(self.word.text()):
                self.word.setFocus()
                return translate("passphrase", why)
            if self.word.text() != self.again.text():
                self.again.setFocus()
                return translate("passphrase", "The two are not the same. Please type the second one again.")
        if how == 2 and not self.key.text().strip():
            self.key.setFocus()
            return translate("packet", "Please paste their key. It begins with age1.")
        return ""

    def _secret(self, name: str) -> QLineEdit:
        field = QLineEdit(self)
        field.setEchoMode(QLineEdit.EchoMode.Password)
        field.setAccessibleName(name.replace("&", "").rstrip(":"))
        field.setInputMethodHints(
            Qt.InputMethodHint.ImhHiddenText
            | Qt.InputMethodHint.ImhSensitiveData
            | Qt.InputMethodHint.ImhNoPredictiveText
            | Qt.InputMethodHint.ImhNoAutoUppercase
        )
        return field

    def _show(self) -> None:
        how = self.how.checkedId()
        for field, label, wanted in zip((self.word, self.again, self.key), self.labels, (1, 1, 2), strict=True):
            field.setVisible(how == wanted)
            label.setVisible(how == wanted)


class SendPage(PageWidget):
    """What to do now: where it goes, and each field of the form as text to copy, in the form's order."""

    copied = Signal(str)
    sent = Signal()
    part_wanted = Signal(int)

    def __init__(self, page: Page, said: Sequence[str], reports: Sequence[str], parent: QWidget) -> None:
        super().__init__(page, parent)
        self.said = WordsView(self)
        self.said.setAccessibleName(translate("packet", "What to do now"))
        self.said.setPlainText("\n".join(said))
        self.said.setFixedHeight(self.said.fontMetrics().lineSpacing() * min(12, len(said) + 3))
        self.add(self.said)
        self.part = QComboBox(self)
        self.part.addItems(list(reports))
        self.part.setAccessibleName(translate("packet", "Which report"))
        self.part.setVisible(len(reports) > 1)
        self.part.currentIndexChanged.connect(self.part_wanted)
        self.body.addWidget(self.part)
        self.rows = QWidget(self)
        self.grid = QGridLayout(self.rows)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setColumnStretch(1, 1)
        self.grid.setColumnMinimumWidth(0, self.fontMetrics().averageCharWidth() * 18)
        self.body.addWidget(self.rows)
        self.copies: list[QPushButton] = []
        self.body.addSpacing(8)
        self.at = MomentField(self, translate("packet", "When you sent it"))
        self.reference = QLineEdit(self)
        self.reference.setAcceptDrops(False)
        self.reference.setMaxLength(SHORT)
        self.done = QPushButton(translate("packet", "I have &sent it"), self)
        self.done.setAutoDefault(False)
        self.done.clicked.connect(self.sent)
        form = QGridLayout()
        form.addWidget(self.label(translate("packet", "&When you sent it:"), self.at), 0, 0)
        form.addWidget(self.at, 0, 1)
        form.addWidget(self.label(translate("packet", "Their n&umber for it, if they gave one:"), self.reference), 1, 0)
        form.addWidget(self.reference, 1, 1)
        form.addWidget(self.done, 2, 1)
        form.setColumnStretch(1, 1)
        self.body.addLayout(form)
        self.body.addStretch(1)

    def show_fields(self, fields: Sequence[FormText]) -> None:
        """The form's fields, each with a button that copies its text."""
        while (item := self.grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self.copies = []
        for number, field in enumerate(fields):
            name = plain(words.visible(field.label), self)
            said = words.visible(packet_view.shown(field))
            text = plain(_breakable(said), self)
            if text.text() != said:  # whoever selects it would copy the breaks too
                text.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
            self.grid.addWidget(name, number, 0, Qt.AlignmentFlag.AlignTop)
            self.grid.addWidget(text, number, 1, Qt.AlignmentFlag.AlignTop)
            if field.text:
                copy = QPushButton(translate("packet", "Copy"), self)
                copy.setAutoDefault(False)
                copy.setAccessibleName(translate("packet", "Copy: {field}").format(field=words.visible(field.label)))
                copy.clicked.connect(lambda _checked=False, field=field: self._copy(field))
                self.grid.addWidget(copy, number, 2, Qt.AlignmentFlag.AlignTop)
                self.copies.append(copy)

    def _copy(self, field: FormText) -> None:
        self.copied.emit(field.text)
        self.problem.emit(translate("packet", "Copied: {field}").format(field=words.visible(field.label)))


def _breakable(text: str) -> str:
    """The text with places to break in runs of letters and digits without end, so that none makes the page wider than
    the window. To look at only: what is copied is the text itself."""
    return re.sub(rf"(\w{{{_LONG_WORD}}})(?=\w)", "\\1\u200b", text)


def _notes(notes: Sequence[str], parent: QWidget) -> QFrame:
    """What to know before something is written down, set apart from the rest."""
    frame = QFrame(parent)
    frame.setFrameShape(QFrame.Shape.StyledPanel)
    layout = QVBoxLayout(frame)
    heading = plain(translate("packet", "Good to know"), frame)
    font = QFont(heading.font())
    font.setBold(True)
    heading.setFont(font)
    layout.addWidget(heading)
    for note in notes:
        layout.addWidget(plain(words.visible(note), frame))
    return frame


def _text(page: PageWidget, value: str, field: Field, lines: int) -> QPlainTextEdit:
    text = QPlainTextEdit(value, page)
    text.setTabChangesFocus(True)
    text.setAcceptDrops(False)
    text.setPlaceholderText(field.hint)
    text.setFixedHeight(text.fontMetrics().lineSpacing() * lines + 14)

    end = 0

    def changed(position: int, _removed: int, added: int) -> None:
        nonlocal end
        end = position + added

    def check() -> None:
        more = text.document().characterCount() - 1 - field.most
        if more > 0:
            page.problem.emit(_too_long(field.most))
            cursor = text.textCursor()
            cursor.setPosition(max(0, end - more))
            cursor.setPosition(end, cursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()

    text.document().contentsChange.connect(changed)
    text.textChanged.connect(check)
    return text


def _too_long(most: int) -> str:
    said = translate("packet", "At most {n} characters fit here. What was more was not taken.")
    return said.format(n=f"{most:,}")


def _one_stop(group: QButtonGroup) -> None:
    """Tab stops once in a group in which one is chosen; the arrow keys go to the others. Qt does so from then on."""
    chosen = group.checkedButton()
    for button in group.buttons() if chosen is not None else ():
        if button is not chosen:
            button.setFocusPolicy(Qt.FocusPolicy.ClickFocus)


def _unanswered(key: str) -> str:
    return "none" if key in ("sender.authority", "include.image") else ""


def _day(date: QDate) -> datetime.date:
    return datetime.date(date.year(), date.month(), date.day())
