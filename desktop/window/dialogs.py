"""The window's dialogs: the question before the first scan, where to turn, and the list of shortcuts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.safety import age_gate
from desktop.window import words
from desktop.window.words import translate
from detectors.verdict import Band


class AgeQuestion(QDialog):
    """Asked before anything is opened. Closing it is no answer, and then nothing is opened either."""

    all_adults = Signal()
    maybe_minor = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("age", "Before we start"))
        question = translate("age", age_gate.QUESTION)
        label = _text(question, self)
        font = label.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        label.setFont(font)
        calm = translate("age", "Nothing has been opened yet. If you are not sure, choose the second answer.")
        note = _text(calm, self)
        adults = QPushButton(translate("age", "&No, all adults"), self)
        unsure = QPushButton(translate("age", "&Yes or not sure"), self)
        for button in (adults, unsure):
            # Enter must not answer this question by accident.
            button.setAutoDefault(False)
            button.setAccessibleDescription(question)
        adults.clicked.connect(self._adults)
        unsure.clicked.connect(self._unsure)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(adults)
        row.addWidget(unsure)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addWidget(label)
        layout.addWidget(note)
        layout.addStretch(1)
        layout.addLayout(row)
        self.setAccessibleName(question)
        _fit(self, layout, 460)

    def _adults(self) -> None:
        self.accept()
        self.all_adults.emit()

    def _unsure(self) -> None:
        self.reject()
        self.maybe_minor.emit()


class WhereToTurn(QDialog):
    """For pictures that may show someone under 18: what the app does not do, and who can help."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("age", "Where to turn"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for paragraph in where_to_turn():
            layout.addWidget(_text(paragraph, self))
        _closing(self, layout, 560)


def where_to_turn() -> tuple[str, ...]:
    """The paragraphs of WhereToTurn. Addresses are text to copy: the app opens no web page."""
    return (
        *(translate("age", paragraph) for paragraph in age_gate.NOT_OPENED),
        translate(
            "age",
            "If it is a picture of you, taken when you were under 18: Take It Down, takeitdown.ncmec.org. "
            "It works from anywhere in the world, without your name, and the picture stays on your device.",
        ),
        translate("age", "In the UK: Report Remove, by Childline and the Internet Watch Foundation (IWF), iwf.org.uk."),
        translate("age", "In other countries: inhope.org lists the hotline near you."),
        translate(
            "age",
            "We have checked the details of Take It Down against its own pages, but not yet those of the other two.",
        ),
    )


class Shortcuts(QDialog):
    """Every shortcut, read from the actions themselves."""

    def __init__(self, parent: QWidget, actions: Sequence[QAction]) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("help", "Keyboard shortcuts"))
        layout = QVBoxLayout(self)
        form = QFormLayout()
        for keys, name in shortcuts(actions):
            form.addRow(_text(keys, self), _text(name, self))
        layout.addLayout(form)
        _closing(self, layout, 520)


class Meanings(QDialog):
    """Each verdict with its explanation."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("help", "What the verdicts mean"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for band in Band:
            layout.addWidget(_text(f"{words.verdict(band)}\n{words.verdict_meaning(band)}", self))
        _closing(self, layout, 560)


def shortcuts(actions: Sequence[QAction]) -> list[tuple[str, str]]:
    """Keys and what they do: those of `actions`, and those that no action stands for."""
    style = QKeySequence.SequenceFormat.NativeText
    listed = [
        (action.shortcut().toString(style), action.text().replace("&", "").rstrip("…"))
        for action in actions
        if not action.shortcut().isEmpty()
    ]
    return [
        *listed,
        (translate("help", "Esc twice"), translate("help", "Close Counterproof at once")),
        (translate("help", "Hold Space"), translate("help", "On the picture: see it clearly while you hold")),
        (translate("help", "Tab"), translate("help", "Go to the next part of the window")),
        (
            translate("help", "Alt and a letter"),
            translate("help", "The button or menu with that letter underlined"),
        ),
    ]


def _text(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label


def _closing(dialog: QDialog, layout: QVBoxLayout, width: int) -> None:
    """A Close button at the end, and a size at which the text just fits."""
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, dialog)
    buttons.rejected.connect(dialog.reject)
    layout.addStretch(1)
    layout.addWidget(buttons)
    _fit(dialog, layout, width)


def _fit(dialog: QDialog, layout: QVBoxLayout, width: int) -> None:
    """As wide as `width`, and as high as the wrapped text needs."""
    dialog.setMinimumWidth(width)
    dialog.resize(width, layout.totalHeightForWidth(width))
