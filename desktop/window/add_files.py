"""The dialog that adds checked files to the casebook, one after the other, and can stop at any of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialogButtonBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QWidget,
)

from desktop.window import words
from desktop.window.case_forms import CaseForm, announce
from desktop.window.dialogs import fit, plain
from desktop.window.table import Row
from desktop.window.words import translate


class AddFiles(CaseForm):
    """Which of the chosen files, under what name, and whether their images are kept.

    `wanted` starts it. The caller reports each file with `added` or `not_added`, asks `next_row` for the next one, and
    says `ended`.
    """

    stopped = Signal()

    def __init__(self, parent: QWidget, rows: Sequence[Row]) -> None:
        intro = translate(
            "add",
            "What goes into the casebook: fingerprints, what was found, and your words. The files themselves stay "
            "where they are and are not copied.",
        )
        super().__init__(parent, translate("add", "Add to the casebook"), intro, translate("add", "&Add"))
        self._rows = list(rows)
        self._running = False
        self._next = 0
        self.done_count = 0
        self.files = QListWidget(self)
        self.files.setTabKeyNavigation(False)
        for row in rows:
            entry = QListWidgetItem(row.name, self.files)
            entry.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            entry.setCheckState(Qt.CheckState.Checked)
        lines = min(6, max(2, len(rows)))
        self.files.setFixedHeight(self.files.fontMetrics().lineSpacing() * lines + 14)
        self.name: QLineEdit | None = None
        self.description: QPlainTextEdit | None = None
        if len(rows) == 1:
            self.name = self.line(translate("add", "&Name:"), rows[0].name)
            self.description = self.text(
                translate("add", "&Description:"),
                "",
                translate("add", "A few words, so that nobody needs to look at it again"),
                3,
            )
            self.files.hide()
        else:
            hint = translate("add", "Untick a file to leave it out")
            self.row(translate("add", "&Files:"), self.files, hint)
        self.keep = QCheckBox(translate("add", "&Keep the image itself too, encrypted"), self)
        why = translate(
            "add",
            "Usually there is no need: platforms and hotlines work with fingerprints and addresses. Keep it only if a "
            "lawyer or the police asked you to. In some countries keeping such an image can itself be an offence, even "
            "as evidence. It is shown blurred, and each time it is shown clear goes into the custody log.",
        )
        self.keep.setAccessibleDescription(why)
        self.body.insertWidget(2, self.keep)
        self.body.insertWidget(3, plain(why, self))
        self.cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        fit(self, self.body, 560)

    def missing(self) -> str:
        if any(self._wanted(n) for n in range(len(self._rows))):
            return ""
        return translate("add", "Every file is left out. Tick at least one.")

    def busy(self, busy: bool) -> None:
        super().busy(busy)
        if busy and not self._running:
            self._running = True
            self._next = 0
            self.keep.setEnabled(False)
            self.cancel.setText(translate("add", "&Stop here"))
            self._say()

    def next_row(self) -> Row | None:
        """The next file that is to be added; None when there is none, or when it was stopped."""
        while self._running and self._next < len(self._rows):
            number, self._next = self._next, self._next + 1
            if self._wanted(number):
                return self._rows[number]
        return None

    def added(self, *, already: bool) -> None:
        """The last `next_row` is in the casebook; `already`: it was there before."""
        self.done_count += 1
        said = translate("add", "already in the casebook") if already else translate("add", "added")
        self._mark(said)

    def not_added(self, problem: str) -> None:
        """The last `next_row` could not be added, for this reason."""
        self._mark(problem)
        if len(self._rows) == 1:
            self.show_problem(problem)

    def ended(self) -> None:
        """Nothing more is to be added."""
        self._running = False
        self.save.hide()
        self.cancel.setText(translate("add", "Close"))
        self._say()
        if len(self._rows) == 1 and self.done_count == 1:
            self.accept()

    def reject(self) -> None:
        if self._running:
            # What was added stays; the file at hand is the last one.
            self._running = False
            self.stopped.emit()
            return
        super().reject()

    def label(self, row: Row) -> str:
        """What the item shall be called."""
        return row.name if self.name is None else self.name.text().strip() or row.name

    def words_on_it(self) -> str:
        """The description."""
        return "" if self.description is None else self.description.toPlainText().strip()

    def _wanted(self, number: int) -> bool:
        return self.files.item(number).checkState() == Qt.CheckState.Checked

    def _mark(self, said: str) -> None:
        entry = self.files.item(self._next - 1)
        entry.setText(f"{self._rows[self._next - 1].name}: {words.visible(said)}")
        entry.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        self._say()

    def _say(self) -> None:
        said = translate("add", "{done} of {all} are in the casebook.").format(
            done=self.done_count, all=f"{len(self._rows):,}"
        )
        self.problem_text.setText(said)
        self.problem_text.show()
        if not self._running:
            announce(self, said)
