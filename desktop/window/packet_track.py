"""Requests that are under way: where each stands, and what can be done next. No countdown, and nothing that "
"must be done."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from desktop.casebook.records import Request, RequestState
from desktop.packets.tracking import NextStep
from desktop.window import case_view, describe, packet_jobs, packet_view, words
from desktop.window.case_forms import CaseForm, Job, MomentField
from desktop.window.detail_pane import WordsView
from desktop.window.dialogs import closing, fit
from desktop.window.packet_jobs import Tracked
from desktop.window.words import translate

# Where an answer can come.
_WAITING = (RequestState.SENT, RequestState.ACKNOWLEDGED)


class TrackWindow(QDialog):
    """Shows what it is given; each signal carries the chosen request, `step_wanted` also what is to be done."""

    open_wanted = Signal(object)
    sent_wanted = Signal(object)
    answer_wanted = Signal(object, object)
    again_wanted = Signal(object)
    edit_wanted = Signal(object)
    step_wanted = Signal(object, object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("packet", "Requests, and what comes next"))
        self._tracked: Sequence[Tracked] = ()
        self.list = QListWidget(self)
        self.list.setAccessibleName(translate("packet", "Requests of this incident"))
        self.list.setTabKeyNavigation(False)
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.currentRowChanged.connect(lambda _row: self._show())
        self.list.itemActivated.connect(lambda _entry: self._emit(self.open_wanted))
        self.about = WordsView(self)
        self.about.setAccessibleName(translate("packet", "Where it stands"))
        self.steps = QListWidget(self)
        self.steps.setTabKeyNavigation(False)
        self.steps.setWordWrap(True)
        self.steps.setSpacing(2)
        self.steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.steps.currentRowChanged.connect(lambda _row: self._offer())
        self.steps.itemActivated.connect(lambda _entry: self._do())
        heading = QLabel(translate("packet", "&What you can do next"), self)
        heading.setBuddy(self.steps)
        self.steps.setAccessibleName(translate("packet", "What you can do next"))
        self.do = self._button(translate("packet", "&Do this…"))
        self.do.clicked.connect(self._do)
        self.go_on = self._button(translate("packet", "G&o on with it…"))
        self.go_on.clicked.connect(lambda: self._emit(self.open_wanted))
        self.sent = self._button(translate("packet", "&I have sent it…"))
        self.sent.clicked.connect(lambda: self._emit(self.sent_wanted))
        self.received = self._button(translate("packet", "They &received it…"))
        self.answered = self._button(translate("packet", "They &answered…"))
        self.refused = self._button(translate("packet", "They re&fused…"))
        for button, state in (
            (self.received, RequestState.ACKNOWLEDGED),
            (self.answered, RequestState.ANSWERED),
            (self.refused, RequestState.REFUSED),
        ):
            button.clicked.connect(lambda _checked=False, state=state: self._answer(state))
        self.again = self._button(translate("packet", "It was seen a&gain…"))
        self.again.clicked.connect(lambda: self._emit(self.again_wanted))
        self.edit = self._button(translate("packet", "&Edit…"))
        self.edit.clicked.connect(lambda: self._emit(self.edit_wanted))
        right = QWidget(self)
        inner = QVBoxLayout(right)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.about, 3)
        inner.addWidget(heading)
        inner.addWidget(self.steps, 3)
        first, second = QHBoxLayout(), QHBoxLayout()
        for button in (self.do, self.go_on, self.sent, self.edit):
            first.addWidget(button)
        for button in (self.received, self.answered, self.refused, self.again):
            second.addWidget(button)
        for row in (first, second):
            row.addStretch(1)
            inner.addLayout(row)
        parts = QSplitter(Qt.Orientation.Horizontal, self)
        parts.addWidget(self.list)
        parts.addWidget(right)
        parts.setChildrenCollapsible(False)
        parts.setSizes([270, 590])
        layout = QVBoxLayout(self)
        layout.addWidget(parts, 50)  # a Close button comes with a stretch of its own
        closing(self, layout, 700)
        self.resize(880, 580)
        self._show()

    @property
    def chosen(self) -> Tracked | None:
        """The request that is looked at."""
        row = self.list.currentRow()
        return self._tracked[row] if 0 <= row < len(self._tracked) else None

    def show_tracked(self, found: Sequence[Tracked], wanted: int | None = None) -> None:
        """Brings everything up to date; what was chosen stays so, unless `wanted` is the id of another."""
        before = self.chosen
        if wanted is None and before is not None:
            wanted = before.record.id
        self._tracked = found
        today = datetime.date.today()
        prepared = {t.record.id for t in found if t.form is not None}
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems([case_view.request_line(t.record, today, prepared) for t in found])
        self.list.blockSignals(False)
        rows = [n for n, t in enumerate(found) if t.record.id == wanted]
        self.list.setCurrentRow(rows[0] if rows else 0)
        self._show()

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setAutoDefault(False)
        return button

    def _show(self) -> None:
        one = self.chosen
        self.steps.clear()
        if one is None:
            nothing = translate("packet", "There is no request yet.")
            self.about.setPlainText(nothing)
        else:
            sections = packet_view.tracked_sections(one.record, one.answers, one.packets, prepared=one.form is not None)
            self.about.setHtml(describe.html_of(sections, first="h3"))
            self.steps.addItems([words.visible(packet_view.step_text(s)) for s in one.steps])
            self.steps.setCurrentRow(0)
        self._offer()

    def _offer(self) -> None:
        one = self.chosen
        state = None if one is None else one.record.state
        prepared = one is not None and one.form is not None
        waiting = state in _WAITING
        self.go_on.setEnabled(prepared)
        self.sent.setEnabled(state is RequestState.DRAFT)
        self.received.setEnabled(state is RequestState.SENT)
        self.answered.setEnabled(waiting)
        self.refused.setEnabled(waiting)
        self.again.setEnabled(state not in (None, RequestState.DRAFT))
        self.edit.setEnabled(one is not None)
        step = self._step()
        self.do.setEnabled(step is not None and packet_view.can_be_done(step, prepared=prepared))

    def _step(self) -> NextStep | None:
        one, row = self.chosen, self.steps.currentRow()
        return None if one is None or not 0 <= row < len(one.steps) else one.steps[row]

    def _do(self) -> None:
        one, step = self.chosen, self._step()
        if one is not None and step is not None and self.do.isEnabled():
            self.step_wanted.emit(one, step)

    def _answer(self, state: RequestState) -> None:
        if self.chosen is not None:
            self.answer_wanted.emit(self.chosen, state)

    def _emit(self, signal: object) -> None:
        if self.chosen is not None:
            signal.emit(self.chosen)  # type: ignore[attr-defined]


class SentForm(CaseForm):
    """When a request was sent, and their number for it. By when they should answer follows from that."""

    def __init__(self, parent: QWidget, request: Request) -> None:
        intro = translate("packet", "To {name}. By when they should answer is worked out from this.")
        name = words.visible(request.recipient) or translate("request", "A request")
        super().__init__(parent, translate("packet", "It was sent"), intro.format(name=name))
        self._request = request
        self.at = MomentField(self, translate("packet", "When you sent it"))
        self.row(translate("packet", "&When you sent it:"), self.at)
        self.reference = self.line(
            translate("packet", "Their n&umber for it:"),
            request.reference,
            translate("packet", "May stay empty, and can be added later"),
        )
        fit(self, self.body, 500)

    def missing(self) -> str:
        if self.at.value() is None:
            return translate("packet", "There is no such time zone. Please choose one from the list.")
        return ""

    def worth_keeping(self) -> bool:
        return bool(self.reference.text().strip())

    def job(self) -> Job:
        request_id, at, reference = self._request.id, self.at.value(), self.reference.text().strip()
        sent_at = at[0] if at is not None else ""
        return lambda book: packet_jobs.mark_sent(book, request_id, sent_at, reference)
