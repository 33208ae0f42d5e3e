"""Joins the guided form, the list of requests and the facts with the casebook's session and the worker's thread.

Imported when somebody first asks for a request: the window starts without it and without anything of `desktop.packets`.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget
from shiboken6 import isValid

from desktop.casebook.records import RequestState
from desktop.packets.request import Request
from desktop.packets.tracking import NextStep
from desktop.window import packet_jobs, packet_view
from desktop.window.case_dialogs import AnswerForm, SightingForm
from desktop.window.case_forms import CaseForm
from desktop.window.case_import import veil
from desktop.window.case_runner import Book
from desktop.window.case_session import CaseSession
from desktop.window.packet_facts import FactsWindow, ImportFacts
from desktop.window.packet_form import PacketForm
from desktop.window.packet_jobs import Begun, Built, Materials, Tracked, Wanted
from desktop.window.packet_pages import SavePage, SendPage
from desktop.window.packet_questions import Outlook
from desktop.window.packet_track import SentForm, TrackWindow
from desktop.window.packet_work import Worker
from desktop.window.runner import Engine
from desktop.window.session import Session
from desktop.window.words import translate
from detectors.errors import CounterproofError


class PacketDesk(QObject):
    """What can be done with requests in the window. Nothing here waits for the casebook, the worker or a dialog."""

    said = Signal(str)
    copied = Signal(str)
    changed = Signal()
    """A request was written down or changed."""
    maybe_minor = Signal()
    """Somebody answered that a person in the pictures may be under 18."""
    edit_wanted = Signal(int)
    """A request is to be edited by hand; carries its id."""
    failed = Signal(object)
    """A CounterproofError that no dialog is there to show."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        cases: CaseSession,
        worker: Worker,
        show: Callable[[QWidget], None],
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._cases, self._show = window, session, cases, show
        self._worker = worker
        self.window: TrackWindow | None = None
        self._incident_id: int | None = None

    def forget(self) -> None:
        """The casebook is locked: nothing of it comes back to the screen, and no packet is finished."""
        self._worker.forget()
        self.window = self._incident_id = None

    # The guided form

    def prepare(self, incident_id: int, sighting_ids: Sequence[int] = (), item_ids: Sequence[int] = ()) -> None:
        """A new request about these, or about the incident."""
        self._begin(incident_id, lambda book: packet_jobs.begin(book, incident_id, sighting_ids, item_ids))

    def go_on(self, request_id: int) -> None:
        """The form of a request, where it was left."""

        self._cases.ask(
            lambda book: (book.request(request_id).incident_id, packet_jobs.resume(book, request_id)),
            lambda found: self._open(*found),
        )

    def _open(self, incident_id: int, begun: Begun) -> None:
        form = PacketForm(self._window, incident_id, begun)
        form.moved.connect(partial(self._moved, form))
        form.leaving.connect(lambda: self._cases.ask(form.job(), lambda _id: self.changed.emit()))
        form.maybe_minor.connect(partial(self._minor, form))
        form.folder_wanted.connect(partial(self._ask_folder, form))
        form.build_wanted.connect(partial(self._build, form))
        form.stop_wanted.connect(partial(self._stop, form))
        form.copied.connect(self.copied)
        form.sent_wanted.connect(partial(self._sent, form))
        form.part_wanted.connect(partial(self._part, form))
        form.finished.connect(lambda _result: self.changed.emit())
        self._show(form)
        self._look(form, begun.step or "age")

    def _moved(self, form: PacketForm, where: str) -> None:
        """Saves what was answered, then looks what it means, then goes there."""
        self._save(form, lambda: self._look(form, where))

    def _save(self, form: PacketForm, then: Callable[[], None]) -> None:
        request = form.request

        def saved(request_id: int) -> None:
            if isValid(form):
                form.request_id = request_id
                form.saved(request)
                then()

        self._cases.ask(form.save_job(request), saved, partial(_problem, form))

    def _look(self, form: PacketForm, where: str, *, with_routes: bool = False) -> None:
        request, images, wide = form.request, form.images, form.wide if with_routes else None

        def seen(outlook: Outlook) -> None:
            if isValid(form) and form.target(outlook, where) == "way" and not with_routes:
                self._look(form, where, with_routes=True)
            elif isValid(form):
                form.arrive(outlook, where)
                self._name(form, outlook)
                if isinstance(form.widget, SendPage):
                    self._part(form, 0)

        self._worker.ask(lambda: packet_jobs.look(request, images, wide), seen, partial(_problem, form))

    def _name(self, form: PacketForm, outlook: Outlook) -> None:
        """Writes down to whom the request goes, once that is known."""
        assessment, request_id = outlook.assessment, form.request_id
        if assessment is None or request_id is None:
            return
        recipient, basis, channel = packet_view.addressed(assessment)
        self._cases.ask(lambda book: packet_jobs.name(book, request_id, recipient, basis, channel))

    def _minor(self, form: PacketForm) -> None:
        """Nothing is prepared; what was begun goes, and the helplines are shown."""
        request_id = form.request_id
        form.drop()
        if request_id is not None:
            self._cases.ask(lambda book: packet_jobs.drop(book, request_id), lambda _none: self.changed.emit())
        self.maybe_minor.emit()

    # The packet

    def _ask_folder(self, form: PacketForm) -> None:
        dialog = QFileDialog(self._window, translate("packet", "Where to save the packet"))
        # The system's own dialogs remember what was opened; Qt's does not here.
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(partial(_folder, form))
        self._show(dialog)

    def _build(self, form: PacketForm) -> None:
        page, outlook = form.widget, form.outlook
        if not isinstance(page, SavePage) or outlook is None or outlook.assessment is None:
            return
        if why := packet_view.too_many(outlook):
            form.show_problem(why)
            return
        wanted = Wanted(form.folder, *page.lock(), sheet=page.sheet.isChecked())
        form.sheet = wanted.sheet
        form.stamp(datetime.datetime.now(datetime.UTC).replace(microsecond=0))
        form.building(translate("packet", "Making the packet…"))
        request = form.request
        request_id: int | None = None

        def failed(error: CounterproofError) -> None:
            if isValid(form):
                form.building("")
                form.show_problem(error)

        def saved(made: int) -> None:
            nonlocal request_id
            request_id = made
            if isValid(form):
                form.request_id = made
                form.saved(request)
            self._cases.ask(lambda book: packet_jobs.materials(book, made, request), gathered, failed)

        def gathered(materials: Materials) -> None:
            if request.include.image == "blurred" and materials.images:
                self._session.fetch(partial(_veiled, materials), split, failed)
            else:
                split(materials)

        def split(materials: Materials) -> None:
            self._worker.ask(lambda: packet_jobs.parts(request), partial(make, materials, []), failed)

        def make(materials: Materials, done: list[Built], rest: Sequence[Request]) -> None:
            if not isValid(form) or not form.is_building:
                return
            if not rest:
                finished(done)
                return
            if len(done) + len(rest) > 1:
                said = translate("packet", "Making packet {n} of {all}…")
                form.building(said.format(n=len(done) + 1, all=len(done) + len(rest)))

            def written(built: Built) -> None:
                if request_id is not None:
                    self._cases.ask(lambda book: packet_jobs.record(book, request_id, built))
                make(materials, [*done, built], rest[1:])

            self._worker.ask(lambda: packet_jobs.build(rest[0], materials, wanted), written, failed)

        def finished(done: Sequence[Built]) -> None:
            form.building("")
            if any(built.draft for built in done):
                form.show_problem(packet_view.draft_line([built.name for built in done], form.folder))
                return
            form.was_built([built.name for built in done])
            form.busy(True)
            self._look(form, "send")
            self.changed.emit()

        self._cases.ask(form.save_job(request), saved, failed)

    def _stop(self, form: PacketForm) -> None:
        """No further packet is made; those that are written stay."""
        form.building("")
        form.show_problem(translate("packet", "Stopped. What was written so far is in the folder."))

    def _part(self, form: PacketForm, number: int) -> None:
        """The texts for the fields of one of the reports."""
        request = form.request

        def show(fields: Sequence[packet_view.FormText]) -> None:
            if isValid(form) and isinstance(form.widget, SendPage):
                form.widget.show_fields(fields)

        self._worker.ask(lambda: packet_jobs.form_texts(request, number), show, partial(_problem, form))

    def _sent(self, form: PacketForm) -> None:
        page, request_id = form.widget, form.request_id
        if not isinstance(page, SendPage) or request_id is None:
            return
        at = page.at.value()
        if at is None:
            form.show_problem(translate("packet", "There is no such time zone. Please choose one from the list."))
            return
        reference = page.reference.text().strip()

        def done(record: Any) -> None:
            if isValid(form):
                form.accept()
            self.said.emit(packet_view.sent_line(record))
            self.changed.emit()

        self._cases.ask(
            lambda book: packet_jobs.mark_sent(book, request_id, at[0], reference), done, partial(_problem, form)
        )

    # Requests that are under way

    def track(self, incident_id: int, chosen: int | None = None) -> None:
        """The requests of an incident: where each stands, and what can be done next."""
        self.window = window = TrackWindow(self._window)
        self._incident_id = incident_id
        window.open_wanted.connect(self._open_tracked)
        window.sent_wanted.connect(lambda one: self._run(SentForm(self._window, one.record), self._noted))
        window.answer_wanted.connect(self._answer)
        window.again_wanted.connect(self._seen_again)
        window.edit_wanted.connect(lambda one: self.edit_wanted.emit(one.record.id))
        window.step_wanted.connect(self._step)
        self._show(window)
        self.refresh(chosen)

    def refresh(self, chosen: int | None = None) -> None:
        """Reads anew what the list of requests shows, where it is open."""
        window, incident_id = self.window, self._incident_id
        if window is None or not isValid(window) or incident_id is None or not self._cases.is_open:
            return

        def show(found: Sequence[Tracked]) -> None:
            if isValid(window):
                window.show_tracked(found, chosen)

        now = datetime.datetime.now().astimezone()
        self._cases.ask(lambda book: packet_jobs.tracked(book, incident_id, now), show)

    def _open_tracked(self, one: Tracked) -> None:
        if one.form is not None:
            self.go_on(one.record.id)
        else:
            self.edit_wanted.emit(one.record.id)

    def _answer(self, one: Tracked, state: RequestState) -> None:
        form = AnswerForm(self._window, one.record)
        outcome = {
            RequestState.ACKNOWLEDGED: translate("request", "Received, still to be decided"),
            RequestState.REFUSED: translate("request", "Refused"),
        }.get(state)
        form.state.setCurrentIndex(form.state.findData(state))
        if outcome:
            form.outcome.setCurrentText(outcome)
        self._run(form, self._noted)

    def _seen_again(self, one: Tracked) -> None:
        """Where it was seen since is noted first; then the same request is prepared for there."""
        request_id, incident_id = one.record.id, one.record.incident_id
        items = one.record.item_ids

        def found(item: Any) -> None:
            self._run(SightingForm(self._window, incident_id, item, self._cases.actor), noted)

        def noted(sighting: Any) -> None:
            self.changed.emit()
            self._begin(incident_id, lambda book: packet_jobs.again(book, request_id, [sighting.id]))

        self._cases.ask(lambda book: book.item(items[0]) if items else None, found)

    def _step(self, one: Tracked, step: NextStep) -> None:
        request_id, incident_id = one.record.id, one.record.incident_id
        if step.kind in ("finish", "send"):
            self.go_on(request_id)
        elif step.kind == "again":
            self._begin(incident_id, lambda book: packet_jobs.again(book, request_id))
        elif step.kind == "read":
            self._answer(one, RequestState.ANSWERED)
        elif step.kind == "note_number":
            self.edit_wanted.emit(request_id)
        elif step.platform_id:
            self._begin(incident_id, lambda book: packet_jobs.complaint(book, request_id, step))

    def _begin(self, incident_id: int, job: Callable[[Book], Begun]) -> None:
        self._cases.ask(job, partial(self._open, incident_id))

    def _noted(self, _value: Any = None) -> None:
        self.said.emit(translate("case", "Saved in the casebook."))
        self.changed.emit()

    def _run(self, form: CaseForm, then: Callable[[Any], None]) -> None:
        """Shows a form; at Save does its job, and closes it only when that is done."""

        def saved(value: Any) -> None:
            if isValid(form):
                form.accept()
            then(value)

        def again(error: CounterproofError) -> None:
            if isValid(form):
                form.show_problem(error)

        form.wanted.connect(lambda: self._cases.ask(form.job(), saved, again))
        self._show(form)

    # Laws and platforms

    def show_facts(self) -> None:
        """The laws and platforms, each with where it was read and when."""
        window = FactsWindow(self._window)
        window.import_wanted.connect(partial(self._ask_facts, window))
        self._show(window)
        self._load_facts(window)

    def _load_facts(self, window: FactsWindow) -> None:
        def show(found: tuple[Any, Any]) -> None:
            if isValid(window):
                window.show_facts(*found)

        self._worker.ask(packet_jobs.all_facts, show, self.failed.emit)

    def _ask_facts(self, window: FactsWindow) -> None:
        dialog = QFileDialog(self._window, translate("facts", "Import newer facts"))
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(
            [
                translate("facts", "Facts (*.toml *.zip)"),
                translate("case", "All files") + " (*)",
            ]
        )
        dialog.fileSelected.connect(partial(self._import, window))
        self._show(dialog)

    def _import(self, window: FactsWindow, path: str) -> None:
        """Shows each difference; only then, and only when that is wanted, they are used."""

        def show(proposal: Any) -> None:
            dialog = ImportFacts(self._window, os.path.basename(path), proposal.differences)

            def used(_none: Any) -> None:
                if isValid(dialog):
                    dialog.accept()
                if isValid(window):
                    self._load_facts(window)
                self.said.emit(translate("facts", "The newer facts are used from now on."))

            def failed(error: CounterproofError) -> None:
                if isValid(dialog):
                    dialog.show_problem(f"{error.message} {error.remedy}")

            dialog.wanted.connect(lambda: self._worker.ask(lambda: packet_jobs.use_facts(proposal), used, failed))
            self._show(dialog)

        self._worker.ask(lambda: packet_jobs.check_facts(path), show, self.failed.emit)


def _problem(form: PacketForm, error: CounterproofError) -> None:
    if isValid(form):
        form.show_problem(error)


def _veiled(materials: Materials, engine: Engine) -> Materials:
    """The same with a small blurred form of each picture. Runs in the engine's thread."""
    return replace(materials, images={i: veil(engine, data, "PNG") for i, data in materials.images.items()})


def _folder(form: PacketForm, folder: str) -> None:
    if isValid(form):
        form.folder = folder
        if isinstance(form.widget, SavePage):
            form.widget.folder.setText(folder)
