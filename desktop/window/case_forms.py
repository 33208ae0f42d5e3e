"""What the forms of the casebook have in common: labelled fields, a place for problems, Save and Cancel.

A form stays open until what it holds is saved, so that nothing typed is lost when that fails.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QDate, QDateTime, Qt, QTimeZone, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDateEdit,
    QDateTimeEdit,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.window.case_runner import Book
from desktop.window.dialogs import plain
from desktop.window.words import translate
from detectors.errors import CounterproofError

Job = Callable[[Book], Any]


class Kept(QDialog):
    """A dialog in which something is written down that a lock, or leaving at once, must save first."""

    def job(self) -> Job:
        """What to do with the casebook, from the fields as they are now."""
        raise NotImplementedError

    def unsaved(self) -> bool:
        """Whether a lock must save it: it is shown, and something was written that is not saved or being saved."""
        raise NotImplementedError

    def still_here(self) -> str:
        """What is said at the first Esc, while something is unsaved."""
        raise NotImplementedError

    def show_problem(self, problem: CounterproofError | str) -> None:
        """Says calmly what went wrong; everything typed stays."""
        raise NotImplementedError

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.unsaved():
            # Esc twice leaves at once: the first of the two must not throw away what the second will save.
            self.show_problem(self.still_here())
            return
        super().keyPressEvent(event)


class CaseForm(Kept):
    """A form that asks for one job on the casebook. `wanted` is emitted at Save, when the fields are complete."""

    wanted = Signal()

    def __init__(self, parent: QWidget, title: str, intro: str = "", save: str = "") -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self._changed = False
        self.form = QFormLayout()
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.problem_text = plain("", self)
        self.problem_text.hide()
        self.buttons = QDialogButtonBox(self)
        self.save = QPushButton(save or translate("form", "&Save"), self)
        self.save.setDefault(True)
        self.buttons.addButton(self.save, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._save)
        self.buttons.rejected.connect(self.reject)
        self.body = QVBoxLayout(self)
        if intro:
            self.body.addWidget(plain(intro, self))
        self.body.addLayout(self.form)
        self.body.addWidget(self.problem_text)
        self.body.addStretch(1)
        self.body.addWidget(self.buttons)
        self.setMinimumWidth(480)

    def missing(self) -> str:
        """What must still be filled in, as a sentence; empty when it can be saved."""
        return ""

    def worth_keeping(self) -> bool:
        """Whether something was written that should be saved when the casebook locks itself meanwhile."""
        return False

    def unsaved(self) -> bool:
        """Whether a lock must save this form: it was changed, is complete, worth keeping, and not just being saved."""
        open_and_changed = self.isVisible() and self.save.isEnabled() and self._changed
        return open_and_changed and self.worth_keeping() and not self.missing()

    def still_here(self) -> str:
        return translate(
            "form", "What you wrote is still here. “Cancel” drops it. Esc once more closes Counterproof, and saves it."
        )

    def busy(self, busy: bool) -> None:
        """While it is being saved, it cannot be saved again."""
        self.save.setEnabled(not busy)

    def show_problem(self, problem: CounterproofError | str) -> None:
        """Says calmly what went wrong; everything typed stays."""
        text = problem if isinstance(problem, str) else f"{problem.message} {problem.remedy}"
        self.busy(False)
        self.problem_text.setText(text)
        self.problem_text.setVisible(bool(text))
        announce(self, text)

    def row(self, label: str, field: QWidget, hint: str = "") -> None:
        """A field under a label that names it for screen readers too."""
        words = QLabel(label, self)
        words.setBuddy(field)
        field.setAccessibleName(label.replace("&", "").rstrip(":"))
        if hint:
            field.setAccessibleDescription(hint)
            field.setToolTip(hint)
        self.form.addRow(words, field)
        self._watch(field)

    def line(self, label: str, text: str = "", hint: str = "") -> QLineEdit:
        """A field for one line of text."""
        field = QLineEdit(text, self)
        field.setAcceptDrops(False)
        if hint:
            field.setPlaceholderText(hint)
        self.row(label, field, hint)
        return field

    def text(self, label: str, text: str = "", hint: str = "", lines: int = 4) -> QPlainTextEdit:
        """A field for several lines."""
        field = QPlainTextEdit(text, self)
        field.setTabChangesFocus(True)
        field.setAcceptDrops(False)
        field.setPlaceholderText(hint)
        field.setFixedHeight(field.fontMetrics().lineSpacing() * lines + 14)
        self.row(label, field, hint)
        return field

    def choice(self, label: str, options: Sequence[str], text: str = "") -> QComboBox:
        """A field with suggestions, in which anything else can be written."""
        field = QComboBox(self)
        field.setEditable(True)
        field.addItems(list(options))
        field.setCurrentText(text)
        self.row(label, field)
        return field

    def _watch(self, field: QWidget) -> None:
        """Notes when a field is changed after it was filled for the first time."""
        if isinstance(field, QLineEdit | QPlainTextEdit):
            field.textChanged.connect(self._note_change)
        elif isinstance(field, QComboBox):
            field.currentTextChanged.connect(self._note_change)
        elif isinstance(field, DayField | MomentField):
            field.changed.connect(self._note_change)

    def _note_change(self) -> None:
        self._changed = True

    def _save(self) -> None:
        problem = self.missing()
        self.show_problem(problem)
        if not problem:
            self.busy(True)
            self.wanted.emit()


class DayField(QWidget):
    """A day that may be unknown: a tick box and a date. `exact` is a time on that day; it stays while the day does."""

    changed = Signal()

    def __init__(
        self, parent: QWidget, name: str, day: datetime.date | None, suggested: datetime.date, exact: str = ""
    ) -> None:
        super().__init__(parent)
        self._day, self._exact = day, exact
        shown = day or suggested
        self.known = QCheckBox(translate("form", "on"), self)
        self.known.setAccessibleName(translate("form", "{name}: is known").format(name=name))
        self.known.setChecked(day is not None)
        self.date = QDateEdit(QDate(shown.year, shown.month, shown.day), self)
        self.date.setCalendarPopup(True)
        self.date.setDisplayFormat("d MMMM yyyy")
        self.date.setAccessibleName(name)
        self.date.setEnabled(day is not None)
        self.known.toggled.connect(self.date.setEnabled)
        self.known.toggled.connect(lambda _known: self.changed.emit())
        self.date.dateChanged.connect(lambda _date: self.changed.emit())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.known)
        layout.addWidget(self.date, 1)
        self.setFocusProxy(self.known)

    def value(self) -> str | None:
        """Noon of the day here, as a time with offset, or the exact time on it; None when it is not known."""
        if not self.known.isChecked():
            return None
        date = self.date.date()
        if self._exact and self._day == datetime.date(date.year(), date.month(), date.day()):
            return self._exact
        noon = datetime.datetime(date.year(), date.month(), date.day(), 12).astimezone()
        return noon.isoformat(timespec="seconds")


class MomentField(QWidget):
    """A date and time on the clock of a time zone."""

    changed = Signal()

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent)
        self.time = QDateTimeEdit(QDateTime.currentDateTime(), self)
        self.time.setCalendarPopup(True)
        self.time.setDisplayFormat("d MMMM yyyy, HH:mm")
        self.time.setAccessibleName(name)
        self.zone = QComboBox(self)
        self.zone.setAccessibleName(translate("form", "Time zone"))
        here = bytes(QTimeZone.systemTimeZoneId().data()).decode("ascii", "replace")
        names = sorted({bytes(z.data()).decode("ascii", "replace") for z in QTimeZone.availableTimeZoneIds()})
        self.zone.addItems([n for n in names if "/" in n or n == "UTC"])
        self.zone.setEditable(True)
        self.zone.setMinimumContentsLength(16)
        self.zone.setCurrentText(here if here in names and here != "Etc/UTC" else "UTC")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.time, 1)
        layout.addWidget(self.zone)
        self.time.dateTimeChanged.connect(lambda _time: self.changed.emit())
        self.zone.currentTextChanged.connect(lambda _zone: self.changed.emit())
        self.setFocusProxy(self.time)

    def value(self) -> tuple[str, str] | None:
        """The time with its offset, and the zone; None when there is no such zone."""
        zone = self.zone.currentText().strip()
        try:
            info = zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return None
        date, time = self.time.date(), self.time.time()
        moment = datetime.datetime(
            date.year(), date.month(), date.day(), time.hour(), time.minute(), time.second(), tzinfo=info
        )
        return moment.isoformat(timespec="seconds"), zone


def scrolled(content: QWidget, parent: QWidget, name: str) -> QScrollArea:
    """A part that scrolls where the screen is small, also by keyboard."""
    area = QScrollArea(parent)
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setAccessibleName(name)
    area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    return area


def announce(widget: QWidget, text: str) -> None:
    """Tells a screen reader."""
    if text:
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, text))
