"""The window's dialogs: the question before the first scan, where to turn, and the list of shortcuts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.safety import age_gate, helplines
from desktop.safety.helplines import Helpline
from desktop.window import describe, words
from desktop.window.detail_pane import WordsView
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.verdict import Band


class AgeQuestion(QDialog):
    """Asked before anything is opened. Closing it is no answer, and then nothing is opened either."""

    all_adults = Signal()
    maybe_minor = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("age", "Before we start"))
        question = translate("age", age_gate.QUESTION)
        label = plain(question, self)
        font = label.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        label.setFont(font)
        calm = translate("age", "Nothing has been opened yet. If you are not sure, choose the second answer.")
        note = plain(calm, self)
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
        fit(self, layout, 460)

    def _adults(self) -> None:
        self.accept()
        self.all_adults.emit()

    def _unsure(self) -> None:
        self.reject()
        self.maybe_minor.emit()


class WhereToTurn(QDialog):
    """For pictures that may show someone under 18: what the app does not do, and who can help in a country.

    `text_wanted`: where they were seen shall be recorded, as text alone; offered only while a casebook is open.
    """

    text_wanted = Signal()

    def __init__(self, parent: QWidget, country: str = "", *, casebook_open: bool = False, more: str = "") -> None:
        """`country` is ISO 3166-1 alpha-2, or empty where it is not known; `more` is said besides."""
        super().__init__(parent)
        self.setWindowTitle(translate("age", "Where to turn"))
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        for paragraph in age_gate.NOT_OPENED:
            layout.addWidget(plain(translate("age", paragraph), self))
        self.country = countries(self, country)
        self.country.setAccessibleName(translate("age", "Country"))
        label = QLabel(translate("age", "Who can help in &your country:"), self)
        label.setBuddy(self.country)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.country, 1)
        layout.addLayout(row)
        if more:
            layout.addWidget(plain(more, self))
        self._known: Sequence[Helpline] | None = None
        self.helplines = WordsView(self)
        self.helplines.setAccessibleName(translate("age", "Who can help"))
        layout.addWidget(self.helplines, 1)
        self.country.currentIndexChanged.connect(lambda _index: self._write())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        if casebook_open:
            text = QPushButton(translate("age", "&Record where it was, as text…"), self)
            text.setAutoDefault(False)
            text.setAccessibleDescription(
                translate("age", "The address, platform, account and time; no picture and no fingerprint")
            )
            text.clicked.connect(self._text)
            buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        layout.addWidget(buttons)
        self.setMinimumWidth(560)
        self.resize(600, 540)
        self._write()

    def use(self, known: Sequence[Helpline]) -> None:
        """Chooses among these from now on."""
        self._known = known
        self._write()

    def _write(self) -> None:
        sections = helpline_sections(self.country.currentData() or "", self._known)
        self.helplines.setHtml(describe.html_of(sections, first="h3"))

    def _text(self) -> None:
        self.accept()
        self.text_wanted.emit()


def helpline_sections(country: str, known: Sequence[Helpline] | None = None) -> list[describe.Section]:
    """The helplines for a country, among those that are `known` or else those that came with the program. Addresses
    are text to copy: the app opens no web page."""
    try:
        found = helplines.suited(helplines.load() if known is None else known, country, minors=True)
    except CounterproofError as error:
        return [describe.Section(translate("age", "Who can help"), (error.message, error.remedy))]
    sections = []
    for helpline in found:
        first, *rest = helpline.lines()
        name = helpline.name
        sections.append(describe.Section(name, (first.removeprefix(f"{name}: "), *rest)))
    return sections


def countries(parent: QWidget, code: str) -> QComboBox:
    """All countries and territories with a code of two letters, by name; the first entry stands for none."""
    box = QComboBox(parent)
    box.addItem(translate("incident", "Not said"), "")
    found = {QLocale.territoryToCode(t): QLocale.territoryToString(t) for t in QLocale.Country}
    for letters, name in sorted(found.items(), key=lambda pair: pair[1]):
        if len(letters) == 2 and letters.isalpha():
            box.addItem(name, letters)
    box.setCurrentIndex(max(0, box.findData(code)))
    box.setMinimumContentsLength(16)
    return box


class Shortcuts(QDialog):
    """Every shortcut, read from the actions themselves."""

    def __init__(self, parent: QWidget, actions: Sequence[QAction]) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("help", "Keyboard shortcuts"))
        layout = QVBoxLayout(self)
        form = QFormLayout()
        for keys, name in shortcuts(actions):
            form.addRow(plain(keys, self), plain(name, self))
        layout.addLayout(form)
        closing(self, layout, 520)


class Meanings(QDialog):
    """Each verdict with its explanation."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("help", "What the verdicts mean"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for band in Band:
            layout.addWidget(plain(f"{words.verdict(band)}\n{words.verdict_meaning(band)}", self))
        closing(self, layout, 560)


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


def plain(text: str, parent: QWidget) -> QLabel:
    """Text that is never markup, wrapped, and can be selected."""
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label


def closing(dialog: QDialog, layout: QVBoxLayout, width: int) -> None:
    """A Close button at the end, which Enter in a list does not press, and a size at which the text just fits."""
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, dialog)
    buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
    buttons.rejected.connect(dialog.reject)
    layout.addStretch(1)
    layout.addWidget(buttons)
    fit(dialog, layout, width)


def fit(dialog: QDialog, layout: QVBoxLayout, width: int) -> None:
    """As wide as `width`, and as high as the wrapped text needs."""
    dialog.setMinimumWidth(width)
    dialog.resize(width, layout.totalHeightForWidth(width))
