"""The guided form: one question at a time, with the steps beside it. It shows no picture, and opens none.

The form knows neither the casebook nor the facts: it says what is wanted, and is told what is known.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.packets.request import Request
from desktop.window import packet_jobs, packet_view
from desktop.window.case_forms import Job, Kept, announce
from desktop.window.dialogs import plain
from desktop.window.packet_jobs import Begun
from desktop.window.packet_pages import FieldsPage, PageWidget, ReviewPage, SavePage, SendPage, WayPage
from desktop.window.packet_places import WherePage
from desktop.window.packet_questions import Outlook, Page, Step, pages, step_title
from desktop.window.words import translate
from detectors.errors import CounterproofError

NEXT, BACK = "next", "back"


class PacketForm(Kept):
    """One request on its way to a packet.

    `moved` says that the answers of a page are in `request` and where to go: `next`, `back` or the id of a page; it
    goes there when `arrive` is called. `leaving` comes before it closes with something unsaved.
    """

    moved = Signal(str)
    leaving = Signal()
    maybe_minor = Signal()
    folder_wanted = Signal()
    build_wanted = Signal()
    stop_wanted = Signal()
    copied = Signal(str)
    sent_wanted = Signal()
    part_wanted = Signal(int)

    def __init__(
        self,
        parent: QWidget,
        incident_id: int,
        begun: Begun,
    ) -> None:
        """`begun` says what is known so far; its `request_id` is None until the request is in the casebook."""
        super().__init__(parent)
        self.setWindowTitle(translate("packet", "Prepare a request"))
        self.incident_id, self.request_id, self.follows = incident_id, begun.request_id, begun.follows
        self.request, self.everything = begun.request, begun.everything
        self.images, self.built, self.sent = begun.images, begun.built, begun.sent
        self.asked, self.carried = begun.asked, begun.carried
        self._chosen = begun.request
        self.outlook: Outlook | None = None
        self.folder, self.sheet = "", True
        self.names: Sequence[str] = ()
        self.pages: Sequence[Page] = ()
        self.page: Page | None = None
        self.widget: PageWidget | None = None
        self._saved = begun.request
        self._busy = True
        self._build()
        self.busy(True)

    # What is kept

    def job(self) -> Job:
        return self.save_job(self.collect())

    def save_job(self, request: Request) -> Job:
        """Saves the form as `request`, as a new one where it is not in the casebook yet; gives its id."""
        step = "" if self.page is None else self.page.id
        request_id, incident_id, follows = self.request_id, self.incident_id, self.follows
        return lambda book: packet_jobs.keep(book, incident_id, request_id, request, step, follows)

    def saved(self, request: Request) -> None:
        """`request` is in the casebook, or on its way there."""
        self._saved = request

    def unsaved(self) -> bool:
        if not self.isVisible() or self._busy or self.widget is None:
            return False
        collected = self.collect()
        return collected.gate.age == "adults" and collected != self._saved

    def still_here(self) -> str:
        return translate(
            "packet",
            "What you wrote is still here. “Leave it for now” saves it and closes this. Esc once more closes "
            "Counterproof, and saves it.",
        )

    def collect(self) -> Request:
        """The request with what the shown page holds now."""
        request = self.request if self.widget is None else self.widget.collect(self.request)
        return packet_view.settled(request, datetime.date.today())

    def reject(self) -> None:
        if self.unsaved():
            self.leaving.emit()
        super().reject()

    @property
    def wide(self) -> Request:
        """The request with all places that were chosen, whichever of them go the chosen way."""
        told = {item.id: item for item in self.request.items}
        items = tuple(told.get(item.id, item) for item in self._chosen.items) or self.request.items
        return replace(self.request, sightings=self._chosen.sightings, items=items)

    @property
    def elsewhere(self) -> int:
        """How many places no request is about yet, this one included."""
        asked = self.asked | {packet_view.place_of(s) for s in self.request.sightings}
        urls = {s.url for s in self.request.sightings}
        return sum(packet_view.place_of(s) not in asked and s.url not in urls for s in self.everything.sightings)

    # Where it is

    def arrive(self, outlook: Outlook, where: str) -> None:
        """Shows a page: the next or the one before of those that there are now, or the one with an id."""
        self.outlook = outlook
        self.pages = pages(self.request, outlook, built=bool(self.built), carried=self.carried)
        self.busy(False)
        self._show(self._find(self.pages, where))

    def target(self, outlook: Outlook, where: str) -> str:
        """The id of the page that `arrive` would show."""
        there = pages(self.request, outlook, built=bool(self.built))
        return there[self._find(there, where)].id

    @property
    def is_building(self) -> bool:
        """Whether a packet is being made."""
        return self.stop.isVisibleTo(self)

    def stamp(self, now: datetime.datetime) -> None:
        """Gives the request the time that everything in its packet bears."""
        self.request = replace(self.collect(), created_at=now)

    def was_built(self, names: Sequence[str]) -> None:
        """The packets are saved."""
        self.names, self.built = names, packet_view.named(names)

    def drop(self) -> None:
        """Closes, and saves nothing."""
        self._saved = self.collect()
        super().reject()

    def busy(self, busy: bool) -> None:
        """While something is saved or looked up, nothing can be changed."""
        self._busy = busy
        for part in (self.area, self.steps, self.next, self.back):
            part.setEnabled(not busy)

    def show_problem(self, problem: CounterproofError | str) -> None:
        text = problem if isinstance(problem, str) else f"{problem.message} {problem.remedy}"
        if not isinstance(problem, str):
            self.busy(False)
        self.problem_text.setText(text)
        self.problem_text.setVisible(bool(text))
        announce(self, text)

    def building(self, text: str) -> None:
        """A packet is being made: says how far it is, and offers to stop. Empty: it is not any more."""
        self.busy(bool(text))
        self.stop.setVisible(bool(text))
        self.problem_text.setText(text)
        self.problem_text.setVisible(bool(text))
        if text:
            self.stop.setFocus()
            announce(self, text)

    def go(self, where: str) -> None:
        """Leaves the page, if it can be left, with its answers."""
        widget, page = self.widget, self.page
        if self._busy or widget is None or page is None:
            return
        request = self.collect()
        if page.id == "age" and request.gate.age in ("minor", "unsure"):
            self.maybe_minor.emit()
            return
        problem = widget.unready() if where != BACK else ""
        if where == NEXT:
            problem = problem or packet_view.problem(page, request)
        if problem:
            self.show_problem(problem)
            if widget.first is not None:
                widget.first.setFocus()
            return
        self.show_problem("")
        self.request = request
        if page.id == "where":
            self._chosen = request
        self.everything = packet_view.with_known(self.everything, request)
        self.busy(True)
        self.moved.emit(where)

    # Helpers

    def _build(self) -> None:
        self.steps = QListWidget(self)
        self.steps.setAccessibleName(translate("packet", "Steps"))
        self.steps.setTabKeyNavigation(False)
        self.steps.setWordWrap(True)
        self.steps.setSpacing(1)
        self.steps.setFixedWidth(self.fontMetrics().averageCharWidth() * 34)
        self.steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.steps.itemActivated.connect(self._step_wanted)
        self.steps.itemClicked.connect(self._step_wanted)
        self.title = plain("", self)
        font = self.title.font()
        font.setPointSizeF(font.pointSizeF() * 1.35)
        font.setBold(True)
        self.title.setFont(font)
        self.why = plain("", self)
        self.area = QScrollArea(self)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.problem_text = plain(translate("packet", "One moment…"), self)
        self.leave = QPushButton(translate("packet", "&Leave it for now"), self)
        self.leave.setAccessibleDescription(translate("packet", "Saves what you wrote; you can go on later"))
        self.leave.clicked.connect(self.reject)
        self.stop = QPushButton(translate("packet", "Stop"), self)
        self.stop.clicked.connect(self.stop_wanted)
        self.stop.hide()
        self.back = QPushButton(translate("packet", "&Back"), self)
        self.back.clicked.connect(lambda: self.go(BACK))
        self.next = QPushButton(translate("packet", "Ne&xt"), self)
        self.next.clicked.connect(self._forward)
        for button in (self.leave, self.stop, self.back):
            button.setAutoDefault(False)
        self.next.setDefault(True)
        row = QHBoxLayout()
        row.addWidget(self.leave)
        row.addStretch(1)
        for button in (self.stop, self.back, self.next):
            row.addWidget(button)
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(self.title)
        right.addWidget(self.why)
        right.addWidget(self.area, 1)
        right.addWidget(self.problem_text)
        right.addLayout(row)
        layout = QHBoxLayout(self)
        layout.setSpacing(14)
        layout.addWidget(self.steps)
        layout.addLayout(right, 1)
        self.setMinimumSize(720, 480)
        self.resize(920, 620)

    def _find(self, there: Sequence[Page], where: str) -> int:
        ids = [page.id for page in there]
        here = ids.index(self.page.id) if self.page is not None and self.page.id in ids else 0
        if where == NEXT:
            return min(here + 1, len(ids) - 1)
        if where == BACK:
            return max(here - 1, 0)
        return ids.index(where) if where in ids else here

    def _show(self, number: int) -> None:
        self.page = page = self.pages[number]
        self.widget = widget = self._widget(page)
        widget.problem.connect(self.show_problem)
        self.area.setWidget(widget)
        self.title.setText(page.title)
        self.why.setText(page.why)
        self.why.setVisible(bool(page.why))
        self.problem_text.hide()
        self.problem_text.setText("")
        self.back.setEnabled(number > 0)
        self.next.setVisible(page.id != "send")
        self.next.setText(self._next_text(page))
        self._show_steps(page.step)
        step = step_title(page.step)
        announce(self, f"{step}. {page.title} {page.why}")
        (widget.first or self.next).setFocus()

    def _widget(self, page: Page) -> PageWidget:
        outlook = self.outlook or Outlook(self.request)
        if page.id == "where":
            return WherePage(page, self.request, self.everything, self.asked, self.area)
        if page.id == "way":
            return WayPage(page, self.wide, outlook, self.area)
        if page.id == "review":
            review = ReviewPage(
                page, packet_view.review(self.request, outlook), packet_view.verdict(outlook), self.area
            )
            review.go.connect(self.go)
            return review
        if page.id == "save":
            save = SavePage(page, packet_view.save_lines(self.request, outlook), self.folder, self.area)
            save.folder_wanted.connect(self.folder_wanted)
            return save
        if page.id == "send":
            said = packet_view.send_lines(self.built, self.folder, outlook, sheet=self.sheet, elsewhere=self.elsewhere)
            send = SendPage(page, said, packet_view.report_names(outlook.parts, self.names), self.area)
            send.copied.connect(self.copied)
            send.sent.connect(self.sent_wanted)
            send.part_wanted.connect(self.part_wanted)
            return send
        return FieldsPage(page, self.request, self.area)

    def _next_text(self, page: Page) -> str:
        if page.id != "save":
            return translate("packet", "Ne&xt")
        outlook = self.outlook
        complete = outlook is not None and outlook.assessment is not None and outlook.assessment.complete
        return translate("packet", "&Save the packet") if complete else translate("packet", "&Save as a draft")

    def _forward(self) -> None:
        if isinstance(self.widget, SavePage):
            problem = self.widget.missing()
            self.show_problem(problem)
            if not problem and not self._busy:
                self.build_wanted.emit()
            return
        self.go(NEXT)

    def _show_steps(self, current: Step) -> None:
        lines = packet_view.steps(self.request, self.outlook, self.pages, built=bool(self.built), sent=self.sent)
        self.steps.clear()
        for number, (step, said, there) in enumerate(lines):
            title = step_title(step)
            entry = QListWidgetItem(f"{number + 1}. {title}" + (f"\n    {said}" if said else ""), self.steps)
            entry.setData(Qt.ItemDataRole.UserRole, str(step))
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{title}. {said}".strip())
            if not there:
                entry.setFlags(Qt.ItemFlag.NoItemFlags)
            if step is current:
                self.steps.setCurrentItem(entry)

    def _step_wanted(self, entry: QListWidgetItem) -> None:
        step = entry.data(Qt.ItemDataRole.UserRole)
        page = next((p.id for p in self.pages if p.step == step), "")
        if page and (self.page is None or self.page.step != step):
            self.go(page)
